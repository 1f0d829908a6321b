// One operation, ended at each of its writes: a gateway is started on the state, told to count, asked, and killed; what
// it leaves is what the next one starts on. SQLite is tested by its makers in the same way.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Answer, within } from '../partner/peer.ts';
import { House } from './house.ts';
import type { Plan } from './root.ts';
import { differences, faults, kept, plainly, type State, stateOf } from './state.ts';

/** What is done to a gateway. Ends its own sockets; never settles where the gateway dies first. */
export type Operation = (
  house: House,
) => Promise<{ readonly answer: Promise<Answer>; readonly closed: Promise<unknown> }>;

/** One try of an operation on a state directory; whoever did it is gone when it resolves. */
export type Attempt = (stateDir: string, plan: Pick<Plan, 'at' | 'when'>) => Promise<Tried>;

export interface Tried {
  /** As far as it was said: it may have been killed afterwards. */
  readonly answer: unknown;
  readonly killed: boolean;
  /** Every write since counting began. */
  readonly writes: readonly string[];
  /** The last write was done. */
  readonly finished: boolean;
}

export interface Subject {
  /** A state directory that is copied, never used. */
  readonly template: string;
  /** The instant at which all of it happens. */
  readonly wall: number;
  readonly attempt: Attempt;
  /** Each kill on a copy of its own, and then done again. Otherwise on what the kill before it left. */
  readonly again?: boolean;
  /** States between that are allowed, where what is changed lies in two places; each with its reason. */
  readonly between?: (before: State, after: State) => readonly State[];
}

/**
 * Writes after which the state is another, or may be. Between any other write and the next nothing is done that lasts,
 * so that after the one is before the other; after.nightly.ts tries those too.
 */
export const TURNS = /^(COMMIT|RELEASE|rename|fsync)/;

/** Writes that can be done by half; SQLite's own are torn.test.ts's. */
export const HAS_CONTENT = /^(write|append)/;

/** A copy with owners, modes and links. */
export function copyOf(template: string): string {
  const home = mkdtempSync(join(tmpdir(), 'lk-'));
  const copied = spawnSync('cp', ['-a', template, join(home, 's')]);
  if (copied.status !== 0) throw new Error(copied.stderr.toString());
  return join(home, 's');
}

export function removeCopy(stateDir: string): void {
  rmSync(join(stateDir, '..'), { recursive: true, force: true });
}

/** Starts a gateway, lets it count, asks. */
export function byGateway(wall: number, run: Operation): Attempt {
  return async (stateDir, plan) => {
    const house = await House.start(stateDir, { ...plan, wall });
    try {
      await house.tell({ order: 'arm' });
      const asked = await run(house);
      let answer: Answer | null = null;
      const answered = asked.answer.then(
        (given) => {
          answer = given;
        },
        () => {},
      );
      const early = await Promise.race([answered.then(() => null), house.ended]);
      if (early === null && plan.at === 0) {
        await house.tell({ order: 'look' });
        const { writes } = await house.stop('SIGKILL');
        return { answer, killed: false, writes, finished: true };
      }
      const { signal, writes, finished } = await within(house.ended, `the end at write ${plan.at}`);
      // What it sent before it died is read before the socket's end.
      await within(asked.closed, 'the end of the socket');
      return { answer, killed: signal === 'SIGKILL', writes, finished };
    } finally {
      await house.stop('SIGKILL');
    }
  };
}

/** Runs a command with no gateway about; it counts from its start. */
export function byCommand(wall: number, args: readonly string[]): Attempt {
  return async (stateDir, plan) => {
    const house = new House(stateDir, [...args, '--json'], { ...plan, wall, armed: true });
    const { code, signal, writes, finished, stdout, printed } = await house.ended;
    if (signal === null && code !== 0) throw new Error(`${args.join(' ')}: ended with ${code}:\n${printed}`);
    return { answer: stdout === '' ? null : JSON.parse(stdout), killed: signal === 'SIGKILL', writes, finished };
  };
}

/**
 * Kills at every write there is. T5: what is left is the state before or the state after, the next gateway starts on
 * it, and what was answered is there.
 */
export async function killedAtEach(
  subject: Subject,
  when: Plan['when'],
  which = when === 'torn' ? HAS_CONTENT : /./,
): Promise<readonly string[]> {
  const { template, wall, attempt } = subject;
  const origin = stateOf(template);
  const before = plainly(origin);
  const whole = copyOf(template);
  let dir = copyOf(template);
  try {
    const reference = await attempt(whole, { at: 0, when: 'before' });
    expect(reference.answer, 'untouched').not.toBeNull();
    expect(reference.answer, 'untouched').not.toMatchObject({ ok: false });
    const after = stateOf(whole, origin);
    expect(differences(before, after), 'it changes something').not.toEqual([]);
    expect(await faults(whole, wall)).toEqual([]);
    const allowed = [before, after, ...(subject.between?.(before, after) ?? [])];
    const points = reference.writes.length;
    for (let at = 1; at <= points; at += 1) {
      if (!which.test(reference.writes[at - 1] ?? '')) continue;
      const { answer, killed, writes, finished } = await attempt(dir, { at, when });
      const place = `killed ${when} write ${at}, ${writes.at(-1)}`;
      expect(killed, place).toBe(true);
      expect(writes, place).toEqual(reference.writes.slice(0, at));
      expect(finished, place).toBe(when === 'after');
      const left = stateOf(dir, origin);
      const found = allowed.find((state) => JSON.stringify(state) === JSON.stringify(left));
      if (found === undefined) expect(differences(before, left), `${place}: neither before nor after`).toEqual([]);
      // Answered is done: a refusal would be no answer to what was asked, and `reference` had none.
      if (answer !== null) expect(differences(after, left), `${place}, answered ${JSON.stringify(answer)}`).toEqual([]);
      if (found === before && subject.again !== true) continue;
      if (found === before) {
        expect((await attempt(dir, { at: 0, when })).killed, place).toBe(false);
        expect(differences(after, stateOf(dir, origin)), `${place}, then again`).toEqual([]);
        expect(kept(dir), `${place}, then again: nothing is left lying about`).toEqual(kept(whole));
        removeCopy(dir);
        dir = copyOf(template);
        continue;
      }
      expect(await faults(dir, wall), place).toEqual([]);
      // The next gateway starts on what is left, and takes nothing of it back.
      await (await House.start(dir, { wall })).stop();
      expect(stateOf(dir, origin), `${place}, then a start`).toEqual(found);
      expect(kept(dir), `${place}: nothing is left lying about`).toEqual(kept(whole));
      removeCopy(dir);
      dir = copyOf(template);
    }
    await (await House.start(dir, { wall })).stop();
    expect(kept(dir), 'nothing is left lying about').toEqual(kept(template));
    return reference.writes;
  } finally {
    removeCopy(whole);
    removeCopy(dir);
  }
}
