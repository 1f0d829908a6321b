import { expect, test } from 'vitest';
import type { RowBody } from '../../core/conversation/row.ts';
import { NO_USAGE, type Usage } from '../../core/conversation/session.ts';
import type { Held } from '../suite.ts';
import { NOON } from './sample.ts';
import { ANSWER, ended, run, said, session, sessionId, talk } from './talk.ts';

const MOST = Number.MAX_SAFE_INTEGER;
const FULL: Usage = { input: MOST, output: MOST, cacheRead: MOST, cacheWrite: MOST };

export function sumRules(held: Held): void {
  test('S51 sums of counts that are each fine stay counts: never an error, never more than a whole number can be', async () => {
    // More of them than the largest integer of any engine holds.
    await held.store.write(async (tx) => {
      for (let n = 0; n < 600; n += 1) {
        await tx.runs.save(ended(`r${n}`, NOON + n, { usage: FULL, costMicros: MOST }), 0);
      }
      await tx.runs.save(run('open', { usage: FULL, costMicros: MOST }), 0);
    });
    await held.reopen();
    const { spent, one, used, none } = await held.store.read(async (tx) => ({
      spent: await tx.runs.spent('main', NOON),
      one: await tx.runs.spent('main', NOON + 600),
      used: await tx.runs.used('main', NOON, null),
      none: await tx.runs.used('main', NOON - 9, NOON),
    }));
    expect(spent).toStrictEqual({ tokens: MOST, costMicros: MOST });
    expect(one).toStrictEqual({ tokens: MOST, costMicros: MOST });
    expect(used).toMatchObject({ runs: 601, usage: FULL, costMicros: MOST, unpriced: 0 });
    expect(none).toMatchObject({ runs: 0, usage: NO_USAGE, costMicros: 0, unpriced: 0 });
  });

  test('S51 sums are exact up to the largest whole number', async () => {
    const usage = { ...NO_USAGE, input: 2 ** 52 - 1, output: 2 ** 51 };
    await held.store.write(async (tx) => {
      await tx.runs.save(ended('a', NOON, { usage, costMicros: 2 ** 52 }), 0);
      await tx.runs.save(ended('b', NOON, { usage: { ...NO_USAGE, output: 2 ** 51 }, costMicros: 2 ** 52 - 1 }), 0);
    });
    await held.reopen();
    const spent = await held.store.read((tx) => tx.runs.spent('main', NOON));
    expect(spent).toStrictEqual({ tokens: MOST, costMicros: MOST });
  });

  test('S52 a row with counts that would not be understood when it is read is refused, and leaves nothing', async () => {
    await held.store.write((tx) => talk(tx, session(1), 1));
    const counts: readonly Partial<Usage>[] = [
      { input: Number.NaN },
      { output: -1_000_000 },
      { cacheRead: 0.5 },
      { cacheWrite: 2 ** 53 },
    ];
    for (const more of counts) {
      const body = { ...ANSWER, usage: { ...NO_USAGE, ...more } } as RowBody;
      const append = held.store.write((tx) => tx.sessions.append(sessionId(1), said(2, { body })));
      await expect(append, JSON.stringify(more)).rejects.toThrow(RangeError);
    }
    await held.reopen();
    expect(await held.store.read((tx) => tx.sessions.rows(sessionId(1), 1, 9))).toHaveLength(1);
  });
}
