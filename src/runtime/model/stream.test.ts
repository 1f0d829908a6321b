import type { LanguageModelV4 } from '@ai-sdk/provider';
import { expect, test } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { partsOf } from './stream.ts';
import { Wire } from './wire.ts';

/** What comes of a client library that throws this. */
async function whyOf(thrown: unknown): Promise<string> {
  const wire = new Wire({
    model: 'lab/m',
    clock: systemClock,
    signal: new AbortController().signal,
    firstByteMs: 1_000,
    idleMs: 1_000,
    secrets: ['words4711\u0001hush'],
  });
  const model = { doStream: () => Promise.reject(thrown) } as unknown as LanguageModelV4;
  const parts = partsOf(model, { prompt: [] }, { wire, kind: 'openai' });
  const error = await parts.next().catch((failure: unknown) => failure);
  expect(error).toMatchObject({ name: 'ModelFailure' });
  return (error as { why: string }).why;
}

test('A16: of an error of the client library itself the name alone is told: it quotes headers in spellings of its own', async () => {
  const quoted = 'Headers.append: "Bearer words4711\\x01hush" is an invalid header value.';
  expect(await whyOf(new TypeError(quoted))).toBe('TypeError in the stream');
  expect(await whyOf(new Error(quoted))).toBe('Error in the stream');
});

test("A16: a provider's error has a name of bounded length too", async () => {
  expect((await whyOf({ name: 'x'.repeat(1_000_000) })).length).toBe(300);
  expect(await whyOf({ message: 'so it is' })).toBe('so it is');
});
