import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openMemory } from '../../src/store/memory/memory.ts';
import { openSqlite } from '../../src/store/sqlite/open.ts';
import { House } from './house.ts';
import { play, type Race, type Round } from './play.ts';
import { Schedule } from './schedule.ts';

export interface Count {
  readonly rounds: number;
  /** Rounds on a file, with its own sync to disk for each commit. */
  readonly onFile: number;
  /** How often something was answered, by kind and, where there is one, code and outcome. */
  readonly answers: Readonly<Record<string, number>>;
  /** Rounds in which at least two operations were under way at the same time. */
  readonly overlapping: number;
  readonly failed: readonly Round[];
}

export interface Options {
  readonly rounds: number;
  readonly from?: number;
  /** Every so many-th round is on a file. */
  readonly fileEvery?: number;
  readonly stopAfter?: number;
}

/** Plays a race so many times; each round has a seed of its own. */
export async function run(race: Race, options: Options): Promise<Count> {
  const { rounds, from = 0, fileEvery = 20, stopAfter = 1 } = options;
  const failed: Round[] = [];
  const answers: Record<string, number> = {};
  const file = new Filed();
  let onFile = 0;
  let overlapping = 0;
  try {
    for (let n = from; n < from + rounds && failed.length < stopAfter; n += 1) {
      const isOnFile = n % fileEvery === fileEvery - 1;
      if (isOnFile) onFile += 1;
      const round = isOnFile ? await file.play(race, n) : await inMemory(race, n);
      if (round.problems.length > 0) failed.push(round);
      if (round.operations.some((a) => round.operations.some((b) => a.sent < b.sent && b.sent < a.seen)))
        overlapping += 1;
      for (const { reply } of round.operations) {
        const { code, outcome } = (reply?.says ?? {}) as { code?: string; outcome?: string };
        const name = [reply?.kind ?? 'ended', code, outcome].filter((part) => part !== undefined).join(' ');
        answers[name] = (answers[name] ?? 0) + 1;
      }
    }
  } finally {
    await file.close();
  }
  return { rounds, onFile, answers, overlapping, failed };
}

/** What a person needs to see it again. */
export function report(race: Race, round: Round): string {
  const again = `LATCHKEY_RACE_SEED=${round.seed} npm run vitest -- --project race -t '${race.name}'`;
  return [`${race.name}, seed ${round.seed}: ${again}`, ...round.problems].join('\n');
}

async function inMemory(race: Race, seed: number): Promise<Round> {
  const schedule = new Schedule();
  const house = await House.open(openMemory(), schedule);
  try {
    return await play(race, seed, house, schedule);
  } finally {
    house.close();
  }
}

/** One store in a file for all the rounds that are played on one; each has people of its own. */
class Filed {
  readonly #schedule = new Schedule();
  #open: { readonly house: House; readonly folder: string } | null = null;

  async play(race: Race, seed: number): Promise<Round> {
    this.#open ??= await this.#make();
    const { house } = this.#open;
    // A15: what was asked in other rounds is over, so that it takes no room from this one.
    house.clock.advance(11 * 60_000);
    await house.authority.tick();
    return play(race, seed, house, this.#schedule, `${seed} `);
  }

  async #make() {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-race-'));
    const store = await openSqlite({
      file: join(folder, 'latchkey.sqlite'),
      backupsDir: folder,
      now: () => 1_700_000_000_000,
      create: true,
      programVersion: '0',
    });
    return { house: await House.open(store, this.#schedule), folder };
  }

  async close(): Promise<void> {
    if (this.#open === null) return;
    const { house, folder } = this.#open;
    house.close();
    await house.store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
