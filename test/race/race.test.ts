import { describe, expect, test } from 'vitest';
import { lab } from './bundle.ts';

/**
 * THREATS D5.46: what happens at the same time is as if it had happened one after the other. Histories are taken on a
 * whole gateway but for its listeners, over sessions of their own; an order is looked for by trying all of them, each
 * run through `step` itself. `LATCHKEY_RACE_SEED` plays one round alone.
 */
const seed = process.env.LATCHKEY_RACE_SEED;
const { NAMED, MORE, report, run } = await lab();

describe.each([
  ['1,000 rounds', NAMED, 1_000],
  ['1,000 rounds too', MORE, 1_000],
] as const)('%s', (_title, races, rounds) => {
  test.each(races.map((race) => [race.rules, race.name, race] as const))(
    '%s %s fits the sequential model',
    async (_rules, _name, race) => {
      const count = await run(race, seed === undefined ? { rounds } : { rounds: 1, from: Number(seed) });
      for (const round of count.failed) throw new Error(report(race, round));
      if (seed !== undefined) return;
      expect(count.onFile).toBe(rounds / 20);
      expect(count.overlapping, 'rounds that were races').toBeGreaterThan(rounds / 3);
    },
    120_000,
  );
});

test.skipIf(seed !== undefined)('A5 A7 the loser sees what became of the request, whoever wins', async () => {
  const answers: Record<string, Record<string, number>> = {};
  for (const race of NAMED.slice(0, 2)) {
    const count = await run(race, { rounds: 200, from: 5_000 });
    answers[race.name] = { ...count.answers };
  }
  const outcomes = (name: string) => Object.keys(answers[name] ?? {}).filter((a) => a.startsWith('refused conflict'));
  expect(outcomes('approve‖approve')).toContain('refused conflict approved');
  expect(outcomes('approve‖reject')).toEqual(
    expect.arrayContaining(['refused conflict approved', 'refused conflict rejected']),
  );
});
