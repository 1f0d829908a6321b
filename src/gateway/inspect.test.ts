import { expect, test } from 'vitest';
import { INSPECT_EVERY_MS, type Inspection, seldom } from './inspect.ts';

const found = (at: number): Inspection => ({
  at,
  store: { sizeBytes: 1, problem: null, isWhole: true },
  talk: { sessions: 0, openRuns: 0 },
  room: null,
  place: null,
  clock: { movedMs: 0, aheadMs: 0 },
});

test('rule: whoever asks often is told what was seen last, and costs nothing', async () => {
  let nowMs = 1_000;
  let looks = 0;
  const ask = seldom(
    async () => found(++looks),
    () => nowMs,
  );
  const answers = await Promise.all([ask(), ask(), ask()]);
  nowMs += INSPECT_EVERY_MS - 1;
  answers.push(await ask());
  expect(answers.map(({ at }) => at)).toEqual([1, 1, 1, 1]);
  nowMs += 1;
  expect((await ask()).at).toBe(2);
});

test('rule: a look that failed is not remembered', async () => {
  let looks = 0;
  const ask = seldom(
    async () => {
      looks += 1;
      if (looks === 1) throw new Error('no');
      return found(looks);
    },
    () => 0,
  );
  await expect(ask()).rejects.toThrow('no');
  expect((await ask()).at).toBe(2);
});
