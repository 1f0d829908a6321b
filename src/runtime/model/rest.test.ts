import { expect, test } from 'vitest';
import { ScriptedClock } from '../../system/clock.ts';
import { ModelFailure } from './failure.ts';
import type { Model, Part, Step } from './model.ts';
import { Rests } from './rest.ts';

const step: Step = { system: '', messages: [], signal: new AbortController().signal };
const failureOf = async (model: Model) => {
  const parts: Part[] = [];
  try {
    for await (const part of model.step(step)) parts.push(part);
    return parts;
  } catch (error) {
    return error;
  }
};

test('rule: a model that asked to be left alone for long is not asked before, by nobody, and then it is', async () => {
  const clock = new ScriptedClock();
  let calls = 0;
  let wait: number | null = 600_000;
  const model: Model = {
    name: 'a/1',
    // biome-ignore lint/correctness/useYield: it fails before it says anything
    async *step() {
      calls += 1;
      if (wait !== null) throw new ModelFailure('rate_limit', { model: 'a/1', why: 'no', retryAfterMs: wait });
    },
  };
  const rests = new Rests(clock);
  expect(await failureOf(rests.of(model))).toMatchObject({ retryAfterMs: 600_000 });
  clock.advance(60_000);
  expect(await failureOf(rests.of(model))).toMatchObject({ kind: 'rate_limit', retryAfterMs: 540_000 });
  expect(calls).toBe(1);
  // Another one is asked all the same.
  expect(await failureOf(rests.of({ ...model, name: 'b/1' }))).toMatchObject({ kind: 'rate_limit' });
  expect(calls).toBe(2);
  clock.advance(540_000);
  wait = 5_000;
  await failureOf(rests.of(model));
  // A short while is waited by each run itself.
  wait = null;
  expect(await failureOf(rests.of(model))).toEqual([]);
  expect(calls).toBe(4);
});
