import { expect, test } from 'vitest';
import { dayOf, judge } from './budget.ts';
import { Catalog, factsOf, VENDOR_URLS } from './catalog.ts';
import { costOf } from './cost.ts';
import type { Provider, Usage } from './model.ts';

const provider = (name: string, more: Partial<Provider> = {}): Provider => ({
  name,
  kind: 'openai-compatible',
  baseUrl: 'https://models.example/v1',
  isLocal: false,
  keyFrom: null,
  credentials: async () => ({ key: null, headers: {} }),
  models: [],
  ...more,
});
const anthropic = provider('anthropic', { kind: 'anthropic', baseUrl: VENDOR_URLS.anthropic ?? '' });
const usage = (input: number, output: number, more: Partial<Usage> = {}): Usage => ({
  input,
  output,
  cacheRead: null,
  cacheWrite: null,
  reasoning: null,
  ...more,
});

test('rule: a model is found by its name and by its alias, and a near one is named', () => {
  const catalog = new Catalog([anthropic, provider('openrouter')], { fast: 'anthropic/claude-haiku-5-5' });
  expect(catalog.find('fast')).toMatchObject({
    ok: true,
    entry: { name: 'anthropic/claude-haiku-5-5', isListed: true },
  });
  expect(catalog.find('openrouter/vendor/model-1')).toMatchObject({
    ok: true,
    entry: { isListed: false, facts: { id: 'vendor/model-1', contextWindow: null, price: null, input: null } },
  });
  expect(catalog.find('anthropc/claude-opus-5-5')).toMatchObject({ ok: false, near: 'anthropic/claude-opus-5-5' });
  expect(catalog.find('fats')).toMatchObject({ ok: false, near: 'fast' });
  expect(catalog.find('offline/echo')).toMatchObject({ ok: true });
  expect(catalog.find('offline/other').ok).toBe(false);
});

test('rule: what is declared beats what is known, and what is known of a vendor holds at the vendor alone', () => {
  expect(factsOf(anthropic, { id: 'claude-opus-5-5' })).toMatchObject({
    contextWindow: 1_000_000,
    price: { input: 4 },
  });
  expect(factsOf(anthropic, { id: 'claude-opus-5-5', contextWindow: 9 })).toMatchObject({ contextWindow: 9 });
  const elsewhere = { ...anthropic, baseUrl: 'https://relay.example/v1' };
  expect(factsOf(elsewhere, { id: 'claude-opus-5-5' })).toMatchObject({ contextWindow: null, price: null });
});

test('rule: on this host nothing is free but what is known to run here, and of Ollama not what runs in its cloud', () => {
  const ollama = provider('ollama', { isLocal: true, isFree: true });
  expect(factsOf(ollama, { id: 'm' }).price).toMatchObject({ input: 0, output: 0 });
  expect(factsOf(provider('lab', { isLocal: true }), { id: 'm' }).price).toBeNull();
  for (const id of ['gpt-oss:120b-cloud', 'glm-4.6:cloud']) expect(factsOf(ollama, { id }).price).toBeNull();
});

test('rule: cached input costs what it costs, and a long prompt costs more in all of it', () => {
  const haiku = factsOf(anthropic, { id: 'claude-haiku-5-5' }).price;
  expect(costOf(usage(1_000, 100, { cacheRead: 400, cacheWrite: 100 }), haiku)).toBeCloseTo(
    (500 * 0.1 + 400 * 0.01 + 100 * 0.125 + 100 * 0.5) / 1e6,
    12,
  );
  expect(costOf(usage(200_000, 100), haiku)).toBeCloseTo((200_000 * 0.5 + 100 * 2.5) / 1e6, 12);
  expect(costOf(usage(1, 1), null)).toBeNull();
  expect(costOf({ ...usage(1, 1), output: null }, haiku)).toBeNull();
});

test('rule: a day has a bound in tokens and one in money, and no price is no price of nothing', () => {
  const price = { input: 1, output: 1, cacheRead: null, cacheWrite: null };
  const free = { tokensPerDay: null, usdPerDay: null };
  expect(judge(free, { tokens: 1e9, usd: 1e9 }, null)).toEqual({ ok: true });
  expect(judge({ ...free, tokensPerDay: 100 }, { tokens: 99, usd: 0 }, null)).toEqual({ ok: true });
  expect(judge({ ...free, tokensPerDay: 100 }, { tokens: 100, usd: 0 }, null)).toMatchObject({
    ok: false,
    bound: 'tokens',
  });
  expect(judge({ ...free, usdPerDay: 1 }, { tokens: 0, usd: 0.99 }, price)).toEqual({ ok: true });
  expect(judge({ ...free, usdPerDay: 1 }, { tokens: 0, usd: 1 }, price)).toMatchObject({ ok: false, bound: 'usd' });
  expect(judge({ ...free, usdPerDay: 1 }, { tokens: 0, usd: 0 }, null)).toMatchObject({ ok: false, bound: 'unpriced' });
});

test('rule: a day is the day of a zone', () => {
  const at = Date.parse('2026-11-21T23:30:00Z');
  expect(dayOf(at, 'UTC')).toBe('2026-11-21');
  expect(dayOf(at, 'Europe/Berlin')).toBe('2026-11-22');
});
