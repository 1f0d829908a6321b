import { expect, test } from 'vitest';
import { ScriptedClock } from '../../system/clock.ts';
import { type FailureKind, isModelFailure, ModelFailure } from './failure.ts';
import type { Model, ModelFacts, Part, Price, Step, Usage } from './model.ts';
import { type Attempt, type Candidate, type RouteOptions, type RoutePart, routed, spendOf } from './route.ts';

const usage: Usage = { input: 10, output: 5, cacheRead: 0, cacheWrite: 0, reasoning: 0 };
const end: readonly Part[] = [
  { kind: 'usage', usage },
  { kind: 'finish', reason: 'stop', message: { role: 'assistant', content: [] } },
];
const says = (text: string): readonly Part[] => [{ kind: 'text', delta: text }, ...end];

type Turn =
  | readonly Part[]
  | { readonly fail: FailureKind; readonly retryAfterMs?: number; readonly after?: readonly Part[] };

/** Plays one turn for each call, the last one again and again. */
function played(name: string, turns: readonly Turn[], facts: Partial<ModelFacts> = {}): Candidate & { calls: number } {
  const model: Model = {
    name,
    async *step() {
      const turn = turns[Math.min(candidate.calls, turns.length - 1)] ?? [];
      candidate.calls += 1;
      if (Array.isArray(turn)) return yield* turn as readonly Part[];
      const { fail, retryAfterMs, after = [] } = turn as Exclude<Turn, readonly Part[]>;
      yield* after;
      throw new ModelFailure(fail, {
        model: name,
        why: 'played',
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      });
    },
  };
  const candidate = { model, facts: { contextWindow: null, price: null, ...facts }, calls: 0 };
  return candidate;
}

const step = (signal = new AbortController().signal): Step => ({ system: 'x'.repeat(40), messages: [], signal });

/** Lets each wait pass as soon as it is set. */
async function run(candidates: readonly Candidate[], more: Partial<RouteOptions> = {}, signal?: AbortSignal) {
  const clock = new ScriptedClock();
  const attempts: Attempt[] = [];
  const told: RoutePart[] = [];
  let error: unknown = null;
  let over = false;
  const walk = (async () => {
    try {
      const options = { candidates: candidates as RouteOptions['candidates'], clock, chance: () => 0.5 };
      const ended = (attempt: Attempt) => void attempts.push(attempt);
      for await (const part of routed(step(signal), { ...options, ended, ...more })) told.push(part);
    } catch (caught) {
      error = caught;
    }
    over = true;
  })();
  for (let turn = 0; !over && turn < 2_000; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    if (clock.pending > 0) clock.advance(1_000);
  }
  await walk;
  const text = told.map((part) => (part.kind === 'text' ? part.delta : '')).join('');
  return { told, text, error, attempts, waits: told.flatMap((part) => (part.kind === 'retry' ? part.waitMs : [])) };
}

test('rule: what passes by itself is tried again, and waits as long as the provider said', async () => {
  const model = played('a/1', [{ fail: 'rate_limit', retryAfterMs: 7_000 }, { fail: 'overloaded' }, says('hello')]);
  const { text, error, waits, attempts } = await run([model]);
  expect(error).toBeNull();
  expect(text).toBe('hello');
  expect(model.calls).toBe(3);
  expect(waits[0]).toBeGreaterThanOrEqual(7_000);
  expect(attempts.map(({ failure }) => failure?.kind ?? null)).toEqual(['rate_limit', 'overloaded', null]);
});

test('rule: a wait that is too long is not waited: the next model is asked', async () => {
  const slow = played('a/1', [{ fail: 'rate_limit', retryAfterMs: 3_600_000 }]);
  const { text, waits } = await run([slow, played('b/1', [says('from b')])]);
  expect({ text, waits, calls: slow.calls }).toEqual({ text: 'from b', waits: [0], calls: 1 });
  const { error } = await run([slow]);
  expect(error).toMatchObject({ kind: 'rate_limit', retryAfterMs: 3_600_000 });
});

test.each([
  ['auth', 1],
  ['quota', 1],
  ['not_found', 1],
  ['bad_request', 1],
  ['setup', 1],
  ['server', 3],
  ['network', 3],
  ['idle', 3],
  ['truncated', 3],
] as const)('rule: %s is tried %i times, then another model stands in', async (fail, calls) => {
  const first = played('a/1', [{ fail }]);
  const { text, error } = await run([first, played('b/1', [says('b')])]);
  expect({ text, error, calls: first.calls }).toEqual({ text: 'b', error: null, calls });
});

test('rule: a conversation that is too long goes to a model that takes more', async () => {
  const first = played('a/1', [{ fail: 'context' }], { contextWindow: 8_000 });
  const same = played('b/1', [says('b')], { contextWindow: 8_000 });
  const larger = played('c/1', [says('c')], { contextWindow: 200_000 });
  expect((await run([first, same, larger])).text).toBe('c');
  expect(same.calls).toBe(0);
  expect((await run([first, same])).error).toMatchObject({ kind: 'context' });
});

test('rule: once something was told there is no other attempt, and that is said', async () => {
  for (const part of [
    { kind: 'text', delta: 'half' },
    { kind: 'reasoning', delta: 'hm' },
  ] as const) {
    const first = played('a/1', [{ fail: 'network', after: [part] }]);
    const other = played('b/1', [says('b')]);
    const { error, attempts } = await run([first, other]);
    expect(error).toMatchObject({ kind: 'network', began: true, again: false, other: false });
    expect([first.calls, other.calls]).toEqual([1, 0]);
    expect(attempts[0]?.spend).toMatchObject({ isEstimate: true });
    expect(attempts[0]?.spend.tokens).toBeGreaterThan(10);
  }
});

test('rule: a stop in the middle of a wait ends it at once', async () => {
  const stop = new AbortController();
  const model = played('a/1', [{ fail: 'overloaded' }]);
  const clock = new ScriptedClock();
  const parts = routed(step(stop.signal), { candidates: [model], clock, chance: () => 0 });
  await parts.next();
  expect((await parts.next()).value).toMatchObject({ kind: 'retry' });
  const next = parts.next();
  stop.abort();
  await expect(next).rejects.toMatchObject({ kind: 'aborted' });
  expect(clock.pending).toBe(0);
  expect(model.calls).toBe(1);
});

test('rule: the bound is asked before each attempt, and ends the route', async () => {
  const model = played('a/1', [{ fail: 'server' }]);
  let asked = 0;
  const allow = async () => {
    asked += 1;
    return asked < 3 ? ({ ok: true } as const) : ({ ok: false, bound: 'tokens', why: '10 of 10 tokens' } as const);
  };
  const { error } = await run([model, played('b/1', [says('b')])], { allow });
  expect(error).toMatchObject({ kind: 'budget' });
  expect([asked, model.calls]).toEqual([3, 2]);
});

test('rule: a model without a price is passed by where money is bounded', async () => {
  const price: Price = { input: 1, output: 1, cacheRead: null, cacheWrite: null };
  const allow = async ({ facts }: Candidate) =>
    facts.price === null ? ({ ok: false, bound: 'unpriced', why: 'unknown' } as const) : ({ ok: true } as const);
  const { text, attempts } = await run([played('a/1', [says('a')]), played('b/1', [says('b')], { price })], { allow });
  expect(text).toBe('b');
  expect(attempts[0]?.spend).toEqual({ tokens: 15, usd: 15 / 1e6, isEstimate: false });
});

test('rule: what an attempt cost is kept before its end is told, and when its listener goes away', async () => {
  const attempts: Attempt[] = [];
  const ended = (attempt: Attempt) => void attempts.push(attempt);
  const options = { clock: new ScriptedClock(), chance: () => 0, ended };
  for await (const part of routed(step(), { ...options, candidates: [played('a/1', [says('x')])] })) {
    if (part.kind === 'finish') expect(attempts.length).toBe(1);
  }
  for await (const part of routed(step(), { ...options, candidates: [played('a/1', [says('x')])] })) {
    if (part.kind === 'text') break;
  }
  expect(attempts.map(({ spend }) => spend.isEstimate)).toEqual([false, true]);
});

/** Fails before it told anything. */
const failing = (kind: FailureKind, isFree: boolean): Candidate => ({
  facts: { contextWindow: null, price: { input: 1_000_000, output: 1, cacheRead: null, cacheWrite: null } },
  model: {
    name: 'a/1',
    // biome-ignore lint/correctness/useYield: it has nothing to tell
    async *step() {
      throw new ModelFailure(kind, { model: 'a/1', why: 'played', isFree });
    },
  },
});

test.each(['aborted', 'idle', 'truncated', 'network', 'server'] as const)(
  'rule: what was sent and came to nothing (%s) cost what was asked; what was refused cost nothing',
  async (kind) => {
    const { attempts } = await run([failing(kind, false)]);
    for (const { spend } of attempts) expect(spend).toEqual({ tokens: 11, usd: 11, isEstimate: true });
    expect(attempts.length).toBeGreaterThan(0);
    for (const { spend } of (await run([failing(kind, true)])).attempts) expect(spend.tokens).toBe(0);
  },
);

test('rule: what was never asked cost nothing, also where its listener went away', async () => {
  const attempts: Attempt[] = [];
  const ended = (attempt: Attempt) => void attempts.push(attempt);
  const model = played('a/1', [says('x')]);
  const options = { clock: new ScriptedClock(), chance: () => 0, ended, candidates: [model] as const };
  for await (const part of routed(step(), options)) if (part.kind === 'model') break;
  expect([attempts.map(({ spend }) => spend.tokens), model.calls]).toEqual([[0], 0]);
});

test('rule: what is asked counts with its tools, and a file as an image does, whatever its size', () => {
  const tokens = (more: Partial<Step>) =>
    spendOf(null, { facts: { contextWindow: null, price: null }, step: { ...step(), ...more }, told: 0, isFree: false })
      .tokens;
  const file = { kind: 'file', mediaType: 'image/png', data: 'A'.repeat(4_000_000) } as const;
  const plain = tokens({});
  expect(tokens({ tools: [{ name: 'look', description: 'x'.repeat(4_000), input: {} }] })).toBeGreaterThan(
    plain + 1_000,
  );
  const seen = tokens({ messages: [{ role: 'user', content: [file, file] }] });
  expect(seen).toBeGreaterThan(plain + 3_000);
  expect(seen).toBeLessThan(plain + 4_000);
});

test('rule: a ledger that fails ends the route, and is not taken for a failure of the model', async () => {
  const other = played('b/1', [says('b')]);
  let times = 0;
  const ended = () => (++times === 1 ? Promise.reject(new Error('disk full')) : undefined);
  const { error } = await run([played('a/1', [says('x')]), other], { ended });
  expect(isModelFailure(error)).toBe(false);
  expect(other.calls).toBe(0);
});

test('rule: when all have failed, all causes are said', async () => {
  const { error } = await run([played('a/1', [{ fail: 'auth' }]), played('b/1', [{ fail: 'quota' }])]);
  expect(error).toMatchObject({ kind: 'quota', model: 'b/1' });
  expect((error as ModelFailure).why).toContain('a/1: the key is refused');
});

test('rule: that the conversation was too long is said, whatever became of those that were to stand in', async () => {
  const first = played('a/1', [{ fail: 'context' }], { contextWindow: 8_000 });
  const { error } = await run([first, played('b/1', [{ fail: 'auth' }])]);
  expect(error).toMatchObject({ kind: 'context', model: 'a/1' });
  expect((error as ModelFailure).why).toContain('besides: b/1: the key is refused');
  // One that was told something is not asked anew; one that may spend nothing neither.
  const began = await run([first, played('b/1', [{ fail: 'network', after: [{ kind: 'text', delta: 'x' }] }])]);
  expect(began.error).toMatchObject({ kind: 'network', began: true });
  const broke = await run([first, played('b/1', [{ fail: 'budget' }])]);
  expect(broke.error).toMatchObject({ kind: 'budget' });
});
