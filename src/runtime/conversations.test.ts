import { expect, test } from 'vitest';
import { gate, MAIN, ScriptedModel, soon, stage, until } from '../../test/talk.ts';
import type { RunId } from '../core/lane/lane.ts';
import { openMemory } from '../store/memory/memory.ts';
import type { Model } from './model/model.ts';
import { offlineFacts, offlineModel } from './model/offline.ts';

const id = (text: string) => text as RunId;
const never = new Promise<void>(() => {});

test('rule: the offline model answers, in words that are told as they come and kept as they were', async () => {
  const { talk, send, ended, of, bodies, clock, events } = await stage({ model: offlineModel, facts: offlineFacts });
  const accepted = await send('r1', 'hello there');
  expect(accepted).toMatchObject({ again: false, run: { id: 'r1', end: null, startedAt: null } });
  const state = await ended('r1');
  expect(state).toMatchObject({ end: { kind: 'ok' }, usage: { input: expect.any(Number), output: 10 } });
  const text = '[offline model] You said: hello there';
  expect(await talk.answer(id('r1'))).toEqual({ text, model: 'offline/echo' });
  expect(await bodies()).toMatchObject([
    { kind: 'user', text: 'hello there', from: { name: 'Ada' } },
    { kind: 'assistant', text, stop: 'stop', model: 'offline/echo' },
  ]);
  const told = of('r1');
  expect(told.map(({ seq }) => seq)).toEqual(told.map((_, at) => at + 1));
  expect(told.map(({ kind }) => kind)).toEqual(['start', 'model', 'text', 'text', 'usage', 'end']);
  expect(told.flatMap((event) => (event.kind === 'text' ? event.delta : [])).join('')).toBe(text);
  expect(told.at(-1)).toMatchObject({ kind: 'end', text, stop: 'stop', state });
  expect(events.flatMap((event) => (event.kind === 'session' ? event.reason : []))).toEqual(['created', 'send', 'run']);
  expect(await talk.session(MAIN)).toMatchObject({ rows: 2, lastRun: 'r1', context: state.usage.input });
  expect(talk.open(MAIN)).toEqual([]);
  expect(clock.pending).toBe(0);
});

test('rule: an id means for good what it was first used for', async () => {
  const store = openMemory();
  const first = await stage({ store });
  await first.send('r1', 'hello');
  await first.ended('r1');
  const second = await stage({ store });
  for (const { send, rows } of [first, second]) {
    expect(await send('r1', 'hello')).toMatchObject({ again: true, run: { end: { kind: 'ok' } } });
    expect(await send('r1', 'something else')).toEqual({ code: 'run_conflict' });
    expect(await send('r1', 'hello', { model: 'lab/one' })).toEqual({ code: 'run_conflict' });
    expect(await send('r1', 'hello', { giver: { kind: 'secret' } })).toEqual({ code: 'run_conflict' });
    expect(await rows()).toHaveLength(2);
  }
});

test('rule: the same id sent twice at once is one run', async () => {
  const { send, ended, rows } = await stage();
  const both = await Promise.all([send('r1', 'hello'), send('r1', 'hello'), send('r1', 'other')]);
  expect(both).toMatchObject([{ again: false }, { again: true }, { code: 'run_conflict' }]);
  await ended('r1');
  expect(await rows()).toHaveLength(2);
});

test('rule: what can not be answered is refused, and leaves nothing', async () => {
  const { talk, send } = await stage();
  const refused = async (...given: Parameters<typeof send>) => (await send(...given)) as { readonly code: string };
  expect(await refused('a', 'x', { key: 'agent:nobody:main' as never })).toEqual({
    code: 'unknown_agent',
    agent: 'nobody',
  });
  expect(await refused('b', 'x', { model: 'lab/none' })).toEqual({ code: 'unknown_model', model: 'lab/none' });
  expect((await refused('c', 'x'.repeat(1024 * 1024 + 1))).code).toBe('too_large');
  const enclosure = (mediaType: string, base64: string) => ({ enclosures: [{ name: 'a', mediaType, base64 }] });
  expect((await refused('d', 'x', enclosure('application/zip', 'AAAA'))).code).toBe('bad_attachment');
  expect((await refused('e', 'x', enclosure('image/png', '***'))).code).toBe('bad_attachment');
  expect((await refused('f', 'x', enclosure('text/plain', '/w=='))).code).toBe('bad_attachment');
  expect((await refused('g', 'x', enclosure('image/png', 'A'.repeat(9_000_000)))).code).toBe('too_large');
  expect(await talk.patch(MAIN, { kind: 'owner' }, { model: 'lab/none' })).toMatchObject({ code: 'unknown_model' });
  expect(await talk.sessions({ limit: 10 })).toEqual([]);
  await talk.stop(0);
  expect((await refused('h', 'x')).code).toBe('stopping');
});

test('rule: a tool call is answered that there is no such tool, in the same commit, and the run goes on', async () => {
  const model = new ScriptedModel((_, nth) => (nth === 1 ? { text: 'let me see', call: 'look' } : 'nothing there'));
  const { send, ended, bodies, of } = await stage({ model });
  await send('r1', 'look');
  expect(await ended('r1')).toMatchObject({ end: { kind: 'ok' }, usage: { input: 14, output: 10, cacheRead: 8 } });
  expect(await bodies()).toMatchObject([
    { kind: 'user' },
    { kind: 'assistant', stop: 'tools', calls: [{ id: 'call_1', name: 'look', input: '{"a":1}' }] },
    { kind: 'tool', call: 'call_1', failed: true, text: "There is no tool 'look'." },
    { kind: 'assistant', text: 'nothing there', stop: 'stop' },
  ]);
  expect(model.steps[1]?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool']);
  const texts = of('r1').flatMap((event) => (event.kind === 'text' ? event.text : []));
  // Another answer begins with the second step.
  expect(texts.at(-1)).toBe('nothing there');
});

test('rule: a model that calls tools without end is ended', async () => {
  const model = new ScriptedModel(() => ({ call: 'look' }));
  const { send, ended } = await stage({ model });
  await send('r1', 'look');
  expect(await ended('r1')).toMatchObject({ end: { kind: 'error', code: 'steps' } });
  expect(model.steps).toHaveLength(16);
});

test('rule: an abort resolves once the model is stopped and the end is stored, with what was said by then', async () => {
  const model = new ScriptedModel(() => ({ text: 'once upon a', hold: never }));
  const { talk, send, of, bodies, store } = await stage({ model });
  await send('r1', 'a story');
  await send('r2', 'another');
  await until(() => model.holding === 1);
  expect(await talk.abort(MAIN, id('r2'))).toEqual(['r2']);
  expect(await talk.abort(MAIN, id('r1'))).toEqual(['r1']);
  expect(model.open).toBe(0);
  const ends = await store.read(async (tx) => [await tx.runs.load(id('r1')), await tx.runs.load(id('r2'))]);
  expect(ends).toMatchObject([{ end: { kind: 'aborted' } }, { end: { kind: 'aborted' }, startedAt: null }]);
  expect(await bodies()).toMatchObject([
    { kind: 'user', text: 'a story' },
    { text: 'once upon a', stop: 'partial' },
  ]);
  expect(of('r1').at(-1)).toMatchObject({ kind: 'end', text: 'once upon a', stop: 'aborted' });
  expect(of('r2')).toMatchObject([{ kind: 'end', seq: 1, text: null, stop: 'aborted' }]);
  expect(model.steps).toHaveLength(1);
  // An abort is billed: reckoned, as the provider did not say.
  expect(ends[0]?.usage.output).toBeGreaterThan(0);
});

test('rule: an interrupt ends what runs before its own begins', async () => {
  const model = new ScriptedModel((_, nth) => (nth === 1 ? { text: 'once', hold: never } : 'yes'));
  const { send, ended, of, bodies } = await stage({ model });
  await send('r1', 'a story');
  await until(() => of('r1').some(({ kind }) => kind === 'text'));
  await send('r2', 'stop that', { mode: 'interrupt' });
  expect(await ended('r2')).toMatchObject({ end: { kind: 'ok' } });
  expect(await bodies()).toMatchObject([
    { text: 'a story' },
    { text: 'once', stop: 'partial' },
    { text: 'stop that' },
    { text: 'yes' },
  ]);
});

test('rule: what steers joins between two steps, and ends with the run it joined', async () => {
  const held = gate();
  const model = new ScriptedModel((_, nth) =>
    nth === 1 ? { text: 'hm', hold: held.open, call: 'look' } : 'both done',
  );
  const { talk, send, ended, of, bodies } = await stage({ model });
  await send('r1', 'one');
  await until(() => of('r1').some(({ kind }) => kind === 'text'));
  await send('r2', 'and two', { mode: 'steer' });
  held.let();
  expect(await ended('r2')).toMatchObject({ end: { kind: 'joined', into: 'r1' } });
  expect(await ended('r1')).toMatchObject({ end: { kind: 'ok' } });
  expect((await bodies()).map(({ kind }) => kind)).toEqual(['user', 'assistant', 'tool', 'user', 'assistant']);
  expect(await talk.answer(id('r2'))).toMatchObject({ text: 'both done' });
  expect(of('r2')).toMatchObject([{ kind: 'end', text: 'both done' }]);
});

test('rule: an abort of what joined stops the run that it joined', async () => {
  const held = gate();
  const model = new ScriptedModel((_, nth) =>
    nth === 1 ? { text: 'hm', hold: held.open, call: 'look' } : { text: 'so', hold: never },
  );
  const { talk, send, ended, of } = await stage({ model });
  await send('r1', 'one');
  await until(() => of('r1').some(({ kind }) => kind === 'text'));
  await send('r2', 'and two', { mode: 'steer' });
  held.let();
  await until(() => model.steps.length === 2);
  expect(await talk.abort(MAIN, id('r2'))).toEqual(['r1']);
  expect([await ended('r1'), await ended('r2')]).toMatchObject([
    { end: { kind: 'aborted' } },
    { end: { kind: 'joined', into: 'r1' } },
  ]);
});

test('rule: what is collected goes into one run', async () => {
  const held = gate();
  const model = new ScriptedModel((_, nth) => (nth === 1 ? { text: 'hm', hold: held.open } : 'all of it'));
  const { send, ended, bodies } = await stage({ model, agent: { queue: 'collect' } });
  for (const [name, text] of [
    ['r1', 'one'],
    ['r2', 'two'],
    ['r3', 'three'],
  ] as const)
    await send(name, text);
  held.let();
  expect(await ended('r2')).toMatchObject({ end: { kind: 'joined', into: 'r3' } });
  expect(await bodies()).toMatchObject([
    { text: 'one' },
    { text: 'hm' },
    { text: 'two' },
    { text: 'three' },
    { text: 'all of it' },
  ]);
  expect(model.steps[1]?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
});

test('rule: a full lane refuses, and knows what it has accepted all the same', async () => {
  const { talk, send } = await stage({ model: new ScriptedModel(() => ({ text: 'hm', hold: never })) });
  for (let n = 0; n <= 50; n += 1) expect(await send(`r${n}`, 'x')).toMatchObject({ again: false });
  expect(await send('r51', 'x')).toEqual({ code: 'lane_full' });
  expect(await send('r50', 'x')).toMatchObject({ again: true });
  expect(talk.open(MAIN)).toHaveLength(51);
  expect(await talk.abort(MAIN, null)).toHaveLength(51);
  expect(talk.open(MAIN)).toEqual([]);
});

test('rule: a model that fails is an error of the run, told with its cause', async () => {
  const { send, ended, of, bodies } = await stage({
    model: new ScriptedModel(() => ({ text: 'half', fail: 'network' })),
  });
  await send('r1', 'one');
  expect(await ended('r1')).toMatchObject({ end: { kind: 'error', code: 'network' } });
  expect(await bodies()).toMatchObject([{ kind: 'user' }, { text: 'half', stop: 'partial' }]);
  expect(of('r1').at(-1)).toMatchObject({ kind: 'end', stop: 'error', text: 'half' });
});

test("rule: an agent's bound for the day stops its next call, and says so", async () => {
  const model = new ScriptedModel();
  const { send, ended } = await stage({ model, agent: { bound: { tokensPerDay: 17, usdPerDay: null } } });
  await send('r1', 'one');
  await ended('r1');
  await send('r2', 'two');
  const { end } = await ended('r2');
  expect(end).toMatchObject({ kind: 'error', code: 'budget', text: expect.stringContaining('17 of 17 tokens') });
  expect(model.steps).toHaveLength(1);
});

test('rule: a reset begins another conversation, and what ran in the old one has ended', async () => {
  const { talk, send, ended, bodies, of } = await stage({
    model: new ScriptedModel((_, nth) => (nth === 1 ? { text: 'hm', hold: never } : 'new')),
  });
  await send('r1', 'one');
  await until(() => of('r1').some(({ kind }) => kind === 'text'));
  const before = await talk.session(MAIN);
  const [after, sent] = await Promise.all([talk.reset(MAIN, { kind: 'owner' }), send('r2', 'two')]);
  expect(after.id).not.toBe(before?.id);
  expect(sent).toMatchObject({ run: { session: after.id } });
  expect(await ended('r1')).toMatchObject({ end: { kind: 'aborted' } });
  await ended('r2');
  expect(await bodies()).toMatchObject([{ text: 'two' }, { text: 'new' }]);
  expect(await talk.answer(id('r1'))).toMatchObject({ text: 'hm' });
  expect(await talk.delete(MAIN)).toBe(true);
  expect(await talk.delete(MAIN)).toBe(false);
  expect(await send('r2', 'two')).toMatchObject({ again: true });
});

test('rule: a command is answered once for its id, beside what runs, and the model is not told', async () => {
  const model = new ScriptedModel((_, nth) => (nth === 1 ? { text: 'hm', hold: never } : 'fine'));
  const { talk, send, ended, of, bodies } = await stage({ model });
  await send('r1', 'one');
  await until(() => of('r1').some(({ kind }) => kind === 'text'));
  let called = 0;
  const command = () =>
    talk.command(
      { id: id('c1'), key: MAIN, giver: { kind: 'owner' }, from: { kind: 'person', name: null }, text: '/status' },
      async () => {
        called += 1;
        await soon();
        return 'all is well';
      },
    );
  expect(await Promise.all([command(), command()])).toMatchObject([{ again: false }, { again: true }]);
  expect(called).toBe(1);
  expect(await talk.answer(id('c1'))).toEqual({ text: 'all is well', model: 'latchkey/command' });
  expect(of('c1')).toMatchObject([{ kind: 'end', text: 'all is well', stop: 'stop' }]);
  const failing = talk.command(
    { id: id('c2'), key: MAIN, giver: { kind: 'owner' }, from: { kind: 'person', name: null }, text: '/x' },
    () => Promise.reject(new Error('no')),
  );
  await expect(failing).rejects.toThrow('no');
  expect(await talk.wait(id('c2'), 0)).toBeNull();
  await talk.abort(MAIN, null);
  await send('r2', 'two');
  await ended('r2');
  expect(JSON.stringify(model.steps.at(-1)?.messages)).not.toContain('all is well');
  expect((await bodies()).map(({ kind }) => kind)).toEqual(['user', 'command', 'assistant', 'user', 'assistant']);
});

test('rule: what a model thought goes back to it within its run, and is in no row', async () => {
  const model = new ScriptedModel((_, nth) => (nth === 1 ? { thought: 'hm, well', call: 'look' } : 'fine'));
  const { send, ended, bodies } = await stage({ model });
  await send('r1', 'look');
  await ended('r1');
  expect(model.steps[1]?.messages[1]).toMatchObject({
    content: [{ kind: 'reasoning', text: 'hm, well', keep: { data: { signature: 'sig' } } }, { kind: 'tool' }],
  });
  expect(JSON.stringify(await bodies())).not.toContain('hm, well');
});

test('rule: a model that does not heed its abort is left all the same', async () => {
  const model: Model = {
    name: 'lab/deaf',
    async *step() {
      for (;;) {
        await soon();
        yield { kind: 'text', delta: 'on ' };
      }
    },
  };
  const { talk, send, of, clock } = await stage({ model });
  await send('r1', 'go');
  await until(() => of('r1').some(({ kind }) => kind === 'text'));
  expect(await talk.abort(MAIN, null)).toEqual(['r1']);
  expect(of('r1').at(-1)).toMatchObject({ kind: 'end', stop: 'aborted' });
  expect(clock.pending).toBe(0);
});

test('rule: a fast model does not flood whoever listens', async () => {
  const held = gate();
  const words = Array.from({ length: 200 }, (_, n) => `w${n} `).join('');
  const model = new ScriptedModel(() => ({ text: words, hold: held.open }));
  const { send, ended, of, clock } = await stage({ model });
  await send('r1', 'go');
  const texts = () => of('r1').flatMap((event) => (event.kind === 'text' ? event : []));
  await until(() => model.holding === 1 && texts().length === 1 && clock.pending === 1);
  clock.advance(49);
  await soon();
  expect(texts()).toHaveLength(1);
  clock.advance(1);
  await until(() => texts().length > 1);
  expect(texts()).toHaveLength(2);
  expect(texts().at(-1)?.text).toBe(words);
  held.let();
  await ended('r1');
  expect(
    texts()
      .map(({ delta }) => delta)
      .join(''),
  ).toBe(words);
});
