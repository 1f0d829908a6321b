import { expect, test } from 'vitest';
import { believed, costOf, counted, TOKENS_MAX_A_CALL, tokensOf } from './cost.ts';
import type { Price, Usage } from './model.ts';
import { usageOf } from './stream.ts';

const usage = (more: Partial<Usage> = {}): Usage => ({
  input: 10,
  output: 5,
  cacheRead: 0,
  cacheWrite: 0,
  reasoning: 0,
  ...more,
});
const ABSURD = [-1, -1_000_000, 0.5, 1e308, Number.NaN, Number.POSITIVE_INFINITY, TOKENS_MAX_A_CALL + 1, 2 ** 53 - 1];
const price: Price = { input: 3, output: 15, cacheRead: 0.3, cacheWrite: null };

test.each(ABSURD)('rule: %d tokens of one call are no count: it was not said', (tokens) => {
  expect(counted(tokens)).toBeNull();
  expect(tokensOf(usage({ output: tokens }))).toBeNull();
  expect(costOf(usage({ input: tokens }), price)).toBeNull();
  expect(believed(usage({ cacheRead: tokens, reasoning: tokens }))).toEqual(
    usage({ cacheRead: null, reasoning: null }),
  );
  // What is not known of the cache is not taken off.
  expect(costOf(usage({ cacheRead: tokens }), price)).toBe(costOf(usage(), price));
  expect(
    usageOf({
      inputTokens: { total: tokens, noCache: tokens, cacheRead: tokens, cacheWrite: tokens },
      outputTokens: { total: tokens, text: tokens, reasoning: tokens },
    }),
  ).toEqual({ input: null, output: null, cacheRead: null, cacheWrite: null, reasoning: null });
});

test.each([0, 1, 4_000_000, TOKENS_MAX_A_CALL])('rule: %d tokens of one call are believed', (tokens) => {
  expect(counted(tokens)).toBe(tokens);
  expect(tokensOf(usage({ input: tokens, output: tokens }))).toBe(2 * tokens);
});
