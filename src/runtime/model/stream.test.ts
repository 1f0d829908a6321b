import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import type { Part } from './model.ts';
import { partsOf } from './stream.ts';
import { Wire } from './wire.ts';

function wireWith(...secrets: readonly string[]): Wire {
  const signal = new AbortController().signal;
  return new Wire({ model: 'lab/m', clock: systemClock, signal, firstByteMs: 1_000, idleMs: 1_000, secrets });
}

/** What comes of a client library that throws this. */
async function whyOf(thrown: unknown): Promise<string> {
  const wire = wireWith('words4711\u0001hush');
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

const SECRET = 'sk-sk-a-sk-b';

interface Piece {
  readonly kind: 'text' | 'reasoning';
  readonly block: number;
  readonly text: string;
}

/** What is told of an answer in these pieces, each in a block that is open as long as the answer lasts. */
async function toldOf(pieces: readonly Piece[]): Promise<readonly Part[]> {
  const usage = { inputTokens: {}, outputTokens: {} };
  const events = [
    ...pieces.flatMap(({ kind, block, text }, at) => [
      { type: `${kind}-start`, id: `${block}` },
      { type: `${kind}-delta`, id: `${block}`, delta: text },
      ...(at % 3 === 0 ? [{ type: `${kind}-end`, id: `${block}` }] : []),
    ]),
    { type: 'tool-call', toolCallId: 'c', toolName: 'look', input: '{}' },
    { type: 'finish', finishReason: { unified: 'tool-calls' }, usage },
  ] as unknown as readonly LanguageModelV4StreamPart[];
  const model = { doStream: async () => ({ stream: ReadableStream.from(events) }) } as unknown as LanguageModelV4;
  const parts: Part[] = [];
  for await (const part of partsOf(model, { prompt: [] }, { wire: wireWith(SECRET), kind: 'openai' })) parts.push(part);
  return parts;
}

test('threat 53: of any answer, in whatever blocks and pieces it comes, all is told, in order, and before its calls', async () => {
  const text = fc.oneof(fc.constantFrom(SECRET, 'sk-', 's', 'sk-sk-', 'a-sk-b', 'files'), fc.string({ maxLength: 5 }));
  const kind = fc.constantFrom<Piece['kind']>('text', 'reasoning');
  const pieces = fc.array(fc.record({ kind, block: fc.nat(3), text }), { maxLength: 16 });
  await fc.assert(
    fc.asyncProperty(pieces, async (all) => {
      const parts = await toldOf(all);
      const call = parts.findIndex((part) => part.kind === 'tool');
      for (const wanted of ['text', 'reasoning'] as const) {
        const told = parts.slice(0, call).map((part) => (part.kind === wanted ? part.delta : ''));
        const said = all.filter((piece) => piece.kind === wanted).map((piece) => piece.text);
        expect(told.join('')).toBe(said.join('').replaceAll(SECRET, '[redacted]'));
      }
    }),
    { numRuns: 300 },
  );
});
