// Rounds of load on the gateway and on its raw limit, by turns, each with a driver of its own.
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FromDriver, Job, ToDriver } from './drive/load.ts';
import { median, processCpuMs } from './measure.ts';
import type { Place } from './place.ts';

const SETTLE_MS = 500;

export interface Side {
  readonly pid: number;
  readonly job: Job;
  /** Where it is not the process alone that counts. */
  readonly cpuMs?: () => number;
  /** Of one round, where it is not what the others do. */
  readonly extent?: Omit<Extent, 'rounds'>;
}

/** Medians of one side's rounds. */
export interface Pace {
  readonly perCpuSecond: number;
  readonly perSecond: number;
  readonly answerBytes: number;
  /** All operations that were counted. */
  readonly operations: number;
  /** Of every stream that was counted the time to its first words. */
  readonly firstMs: readonly number[];
}

export class Driver {
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  tell(message: ToDriver): Promise<FromDriver> {
    return new Promise((done, fail) => {
      const onExit = () => fail(new Error('a driver ended early'));
      this.#child.once('exit', onExit);
      this.#child.once('message', (reply: FromDriver) => {
        this.#child.off('exit', onExit);
        if (reply.kind === 'failed') fail(new Error(reply.reason));
        else done(reply);
      });
      this.#child.send(message);
    });
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}

interface Round {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly answerBytes: number;
  readonly firstMs: readonly number[];
}

async function round({ driver, cpuMs: used, extent: { operations, waves = 1 } }: Runner): Promise<Round> {
  let [cpuMs, wallMs, answerBytes] = [0, 0, 0];
  const firstMs: number[] = [];
  for (let wave = 0; wave < waves; wave += 1) {
    await driver.tell({ kind: 'prepare', operations: operations / waves });
    // What the preparation left to do at the server, closed sockets above all, is not the round's.
    await sleep(SETTLE_MS / waves);
    const before = used();
    const reply = await driver.tell({ kind: 'run' });
    cpuMs += used() - before;
    if (reply.kind !== 'ran') throw new Error(`a driver answered ${reply.kind}`);
    wallMs += reply.wallMs;
    answerBytes += reply.answerBytes / waves;
    firstMs.push(...(reply.firstMs ?? []));
  }
  return { cpuMs, wallMs, answerBytes, firstMs };
}

interface Runner {
  readonly name: string;
  readonly driver: Driver;
  readonly cpuMs: () => number;
  readonly extent: Omit<Extent, 'rounds'>;
  readonly rounds: Round[];
}

/** How much of a load is measured. */
export interface Extent {
  readonly rounds: number;
  /** Of one round. */
  readonly operations: number;
  /** Parts of a round, each prepared and run by itself, their times added up. */
  readonly waves?: number;
}

function pace(rounds: readonly Round[], operations: number): Pace {
  return {
    perCpuSecond: median(rounds.map(({ cpuMs }) => (operations / cpuMs) * 1_000)),
    perSecond: median(rounds.map(({ wallMs }) => (operations / wallMs) * 1_000)),
    answerBytes: median(rounds.map(({ answerBytes }) => answerBytes)),
    operations: operations * rounds.length,
    firstMs: rounds.flatMap(({ firstMs }) => firstMs),
  };
}

/**
 * `rounds` of `operations` on every side by turns, after one round that warms up and is not counted: so what the
 * machine does meanwhile falls on all alike.
 */
export async function compare<Name extends string>(
  place: Place,
  sides: Readonly<Record<Name, Side>>,
  extent: Extent,
): Promise<Record<Name, Pace>> {
  const runners: Runner[] = [];
  for (const name of Object.keys(sides) as Name[]) {
    const driver = new Driver(place.driver());
    const { pid, job, cpuMs = () => processCpuMs(pid), extent: own = extent } = sides[name];
    await driver.tell({ kind: 'job', job });
    runners.push({ name, driver, cpuMs, extent: own, rounds: [] });
  }
  for (let number = 0; number <= extent.rounds; number += 1) {
    for (const runner of runners) {
      const result = await round(runner);
      if (number > 0) runner.rounds.push(result);
    }
  }
  for (const { driver } of runners) driver.end();
  return Object.fromEntries(
    runners.map(({ name, rounds, extent }) => [name, pace(rounds, extent.operations)]),
  ) as Record<Name, Pace>;
}
