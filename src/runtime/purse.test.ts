import { expect, test } from 'vitest';
import { gate, MAIN, ScriptedModel, stage, until } from '../../test/talk.ts';
import type { RunId } from '../core/lane/lane.ts';
import { openMemory } from '../store/memory/memory.ts';
import type { Store, WriteTx } from '../store/store.ts';
import type { Usage } from './model/model.ts';

const id = (text: string) => text as RunId;
const usage = (more: Partial<Usage>): Usage => ({
  input: 12,
  output: 5,
  cacheRead: 0,
  cacheWrite: 0,
  reasoning: 0,
  ...more,
});
const price = { input: 1, output: 4, cacheRead: null, cacheWrite: null };
const LONG = 'an answer that matters '.repeat(40);

test.each([
  ['negative', usage({ output: -1_000_000 })],
  ['no whole number', usage({ input: 0.5 })],
  ['as large as a number can be', usage({ input: 1e308, output: 1e308 })],
  ['more than any call', usage({ input: Number.MAX_SAFE_INTEGER })],
  ['nothing', usage({ input: 0, output: 0 })],
  ['nothing of what was asked', usage({ input: 0 })],
  ['nothing of what was said', usage({ output: 0 })],
  ['not there', null],
])('rule: an answer whose count is %s is kept, and counted by its length', async (_, told) => {
  const model = new ScriptedModel(() => ({ text: LONG, usage: told }));
  const { send, ended, bodies, talk, errors } = await stage({ model, facts: { price } });
  await send('r1', 'hello');
  const run = await ended('r1');
  expect([run.end, errors]).toEqual([{ kind: 'ok' }, []]);
  expect((await bodies())[1]).toMatchObject({ text: LONG, usage: run.usage });
  const { input, output } = run.usage;
  expect(input + output).toBeGreaterThan(LONG.length / 4);
  expect(input + output).toBeLessThan(10_000);
  expect(run.costMicros).toBeGreaterThan(LONG.length / 4);
  expect(run.costMicros).toBeLessThan(100_000);
  expect(await talk.session(MAIN)).toMatchObject({ usage: run.usage });
});

test('rule: counts that are each fine and together are none leave a conversation and its budget readable', async () => {
  // As what was stored before anything was bounded.
  const full = { input: Number.MAX_SAFE_INTEGER, output: 5, cacheRead: 0, cacheWrite: 0 };
  const store = openMemory();
  const first = await stage({ store });
  await first.send('r1', 'hello');
  await first.ended('r1');
  await store.write(async (tx) => {
    const session = await tx.sessions.load(MAIN);
    const run = await tx.runs.load(id('r1'));
    if (session === null || run === null) throw new Error('nothing was stored');
    await tx.sessions.save({ ...session, usage: full, revision: session.revision + 1 }, session.revision);
    await tx.runs.save({ ...run, usage: full, revision: run.revision + 1 }, run.revision);
    await tx.runs.save({ ...run, id: id('r0'), usage: full, revision: 1 }, 0);
  });
  const bound = { tokensPerDay: Number.MAX_SAFE_INTEGER, usdPerDay: null };
  const { send, ended, talk, clock } = await stage({ store, agent: { bound } });
  await send('r2', 'hello');
  expect((await ended('r2')).end).toMatchObject({ kind: 'error', code: 'budget' });
  clock.advance(48 * 3_600_000);
  await send('r3', 'hello');
  expect((await ended('r3')).end).toEqual({ kind: 'ok' });
  expect(await talk.session(MAIN)).toMatchObject({ usage: { input: Number.MAX_SAFE_INTEGER } });
  expect((await talk.books.days({ days: 30 })).days.at(-3)).toMatchObject({
    usage: { input: Number.MAX_SAFE_INTEGER, output: 10 },
  });
});

test('rule: an answer that was told is kept although its end is refused once', async () => {
  const store = openMemory();
  let refusals = 0;
  const refusing: Store = {
    describe: 'refuses an end',
    read: store.read.bind(store),
    close: store.close.bind(store),
    write: ((work: (tx: WriteTx) => Promise<unknown>) => {
      if (refusals === 0) return store.write(work);
      refusals -= 1;
      return Promise.reject(new RangeError('counts that are none'));
    }) as Store['write'],
  };
  const held = gate();
  const { send, ended, of, bodies, errors, clock } = await stage({
    store: refusing,
    model: new ScriptedModel(() => ({ text: 'well then', hold: held.open })),
  });
  await send('r1', 'hello');
  await until(() => {
    clock.advance(50);
    return of('r1').some((event) => event.kind === 'text' && event.text === 'well then');
  });
  refusals = 1;
  held.let();
  expect(await ended('r1')).toMatchObject({ end: { kind: 'ok' }, usage: { output: 5 } });
  expect((await bodies())[1]).toMatchObject({ text: 'well then', stop: 'stop' });
  expect(errors.map(String)).toEqual(['RangeError: counts that are none']);
  expect(of('r1').at(-1)).toMatchObject({ kind: 'end', text: 'well then' });
});

test('rule: what was asked and stopped before the first word is counted, each time, until the bound ends it', async () => {
  const model = new ScriptedModel(() => ({ hold: new Promise<void>(() => {}) }));
  const bound = { tokensPerDay: 2_000, usdPerDay: null };
  const { send, ended, talk, store } = await stage({ model, agent: { bound } });
  for (const name of ['r1', 'r2']) {
    await send(name, 'x '.repeat(2_000));
    await until(() => model.holding === 1);
    await talk.abort(MAIN, id(name));
    const run = await ended(name);
    expect(run.end).toEqual({ kind: 'aborted' });
    expect(run.usage.input).toBeGreaterThan(1_000);
  }
  await send('r3', 'x');
  expect((await ended('r3')).end).toMatchObject({ kind: 'error', code: 'budget' });
  expect(model.steps).toHaveLength(2);
  expect((await store.read((tx) => tx.runs.spent('main', 0))).tokens).toBeGreaterThan(2_000);
});
