import { expect, test } from 'vitest';
import { gate, MAIN, ScriptedModel, stage, until } from '../../test/talk.ts';
import { DAY_MS } from '../core/base/instant.ts';
import type { SessionId } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
import { openMemory } from '../store/memory/memory.ts';
import type { Store, WriteTx } from '../store/store.ts';
import { ScriptedClock } from '../system/clock.ts';
import { Scribe } from './scribe.ts';

const id = (text: string) => text as RunId;
const KEPT_MS = 30 * DAY_MS;
const never = new Promise<void>(() => {});

test('rule: what ran when the gateway died is ended as interrupted, what waited begins', async () => {
  const store = openMemory();
  const model = new ScriptedModel((_, nth) =>
    nth === 1 ? { text: 'step one', call: 'look' } : { text: 'on', hold: never },
  );
  const first = await stage({ store, model });
  await first.send('r1', 'one');
  await first.send('r2', 'two');
  const heard = () => first.of('r1').some((event) => event.kind === 'text' && event.text === 'on');
  await until(() => {
    first.clock.advance(50);
    return heard();
  });
  const { ended, of, bodies, talk, send } = await stage({ store, model: new ScriptedModel(() => 'again') });
  expect(of('r1')).toMatchObject([{ kind: 'end', seq: 1, text: 'on', stop: 'interrupted' }]);
  expect(await talk.wait(id('r1'), 0)).toMatchObject({ end: { kind: 'interrupted' } });
  expect(await send('r1', 'one')).toMatchObject({ again: true, run: { end: { kind: 'interrupted' } } });
  expect(await ended('r2')).toMatchObject({ end: { kind: 'ok' } });
  const all = await bodies();
  expect(all.map(({ kind }) => kind)).toEqual(['user', 'assistant', 'tool', 'assistant', 'user', 'assistant']);
  // What it had been heard to say, marked as a part.
  expect(all[3]).toMatchObject({ text: 'on', model: 'lab/one', calls: [], stop: 'partial' });
});

test('rule: what a run was heard to say when the gateway died is written down once, and counted', async () => {
  const store = openMemory();
  const first = await stage({ store, model: new ScriptedModel(() => ({ text: 'x'.repeat(400), hold: never })) });
  await first.send('r1', 'one');
  await until(() => first.of('r1').some(({ kind }) => kind === 'text'));
  // A second start finds nothing more to do.
  for (let n = 0; n < 2; n += 1) {
    const { bodies, talk, events } = await stage({ store });
    const [told, ...heard] = first.of('r1').flatMap((event) => (event.kind === 'text' ? event : []));
    const [, partial, ...more] = await bodies();
    const text = partial?.kind === 'assistant' ? partial.text : '';
    expect(text).toBe([told, ...heard].map((event) => event?.delta).join(''));
    expect(more).toEqual([]);
    const run = await talk.wait(id('r1'), 0);
    expect(run).toMatchObject({ usage: { output: Math.ceil(text.length / 4) }, costMicros: null });
    expect(await talk.session(MAIN)).toMatchObject({ rows: 2, usage: run?.usage });
    expect(events.map(({ kind }) => kind)).toEqual(n === 0 ? ['session', 'end'] : []);
    expect(await store.read((tx) => tx.runs.saying(id('r1')))).toBeNull();
  }
});

test('rule: what a run took that the gateway died with has the price of its model, beside what it took before', async () => {
  const store = openMemory();
  const facts = { price: { input: 1, output: 1_000, cacheRead: null, cacheWrite: null } };
  const says = (_: unknown, nth: number) => (nth === 1 ? { call: 'look' } : { text: 'x'.repeat(400), hold: never });
  const first = await stage({ store, facts, model: new ScriptedModel(says) });
  await first.send('r1', 'one');
  await until(() => first.of('r1').some(({ kind }) => kind === 'text'));
  const before = (await store.read((tx) => tx.runs.spent('main', 0))).costMicros;
  expect(before).toBeGreaterThan(0);
  const { talk } = await stage({ store, facts });
  const run = await talk.wait(id('r1'), 0);
  expect(run?.costMicros).toBeGreaterThan(before);
  expect((await store.read((tx) => tx.runs.spent('main', 0))).costMicros).toBe(run?.costMicros);
});

test('rule: where no gateway runs nothing is accepted and nobody thinks, and the rest works', async () => {
  const model = new ScriptedModel();
  const { talk, send, bodies } = await stage({ model, isStarted: false });
  const owner = { kind: 'owner' } as const;
  expect(await send('r1', 'one')).toEqual({ code: 'not_running' });
  await talk.inject(MAIN, owner, 'by the way', 'note');
  expect(await bodies()).toMatchObject([{ kind: 'note', label: 'note' }]);
  expect(await talk.compact(MAIN, { kind: 'owner' }, () => true)).toEqual({ code: 'not_running' });
  expect(await talk.patch(MAIN, owner, { label: 'here' })).toMatchObject({ settings: { label: 'here' } });
  expect(await talk.patch(MAIN, owner, { label: null })).toMatchObject({ settings: {} });
  expect(await talk.delete(MAIN)).toBe(true);
  expect(model.steps).toEqual([]);
});

test('rule: at the end of the gateway what runs is interrupted and kept, and what waits stays open', async () => {
  const model = new ScriptedModel(() => ({ text: 'once upon', hold: never }));
  const { talk, send, of, store } = await stage({ model });
  await send('r1', 'one');
  await send('r2', 'two');
  await until(() => model.holding === 1);
  const waiting = talk.wait(id('r2'), 60_000);
  await talk.stop(5_000);
  expect(model.open).toBe(0);
  expect(of('r1').at(-1)).toMatchObject({ kind: 'end', text: 'once upon', stop: 'interrupted' });
  expect(await waiting).toMatchObject({ end: null });
  expect((await store.read((tx) => tx.runs.open())).map((run) => run.id)).toEqual(['r2']);
});

test('rule: what was accepted when the gateway ends, and had not begun, begins at its next start, in its place', async () => {
  const store = openMemory();
  const first = await stage({ store });
  await first.send('r1', 'one');
  const late = first.send('r2', 'two', { mode: 'interrupt' });
  await first.talk.stop(0);
  await late;
  const open = await store.read((tx) => tx.runs.open());
  expect(open.map(({ startedAt }) => startedAt)).toEqual(open.map(() => null));
  expect(open.map((run) => run.id)).toContain('r1');
  const scribe = new Scribe(store, new ScriptedClock());
  const asked = { key: MAIN, giver: { kind: 'owner' }, fingerprint: 'f' } as const;
  const ask = { text: 'three', from: { kind: 'person', name: null }, attachments: [], mode: 'interrupt' } as const;
  await scribe.accept({ id: id('r3'), ask, ...asked }, 's' as SessionId);
  const { ended, bodies } = await stage({ store });
  expect(await ended('r1')).toMatchObject({ end: { kind: 'ok' } });
  // What interrupts goes in front, and stops nobody who had not begun.
  const said = (await bodies()).flatMap((body) => (body.kind === 'user' ? body.text : []));
  expect(said.indexOf('three')).toBeLessThan(said.indexOf('one'));
});

test('rule: what was said is kept where its run could not begin', async () => {
  const store = openMemory();
  let refusals = 0;
  const refusing = {
    describe: 'full once',
    read: store.read.bind(store),
    close: store.close.bind(store),
    write: ((work: (tx: WriteTx) => Promise<unknown>) => {
      refusals -= 1;
      if (refusals !== 0) return store.write(work);
      return Promise.reject(Object.assign(new Error('no room'), { name: 'StoreUnavailable' }));
    }) as Store['write'],
  };
  const { send, ended, bodies } = await stage({ store: refusing });
  refusals = 2;
  await send('r1', 'one');
  expect(await ended('r1')).toMatchObject({ end: { kind: 'error', code: 'internal' }, startedAt: expect.any(Number) });
  expect(await bodies()).toMatchObject([{ kind: 'user', text: 'one' }]);
});

test('rule: an end that the disk has no room for is told once it has', async () => {
  const store = openMemory();
  let full = false;
  const refusing = {
    ...store,
    describe: 'full at times',
    read: store.read.bind(store),
    close: store.close.bind(store),
    write: ((work: never) => {
      if (!full) return store.write(work);
      return Promise.reject(Object.assign(new Error('no room'), { name: 'StoreUnavailable' }));
    }) as typeof store.write,
  };
  const held = gate();
  const { send, ended, of, clock, talk, errors } = await stage({
    store: refusing,
    model: new ScriptedModel(() => ({ text: 'hm', hold: held.open })),
  });
  await send('r1', 'one');
  await until(() => of('r1').some(({ kind }) => kind === 'text'));
  full = true;
  await expect(send('r2', 'two')).rejects.toThrow('no room');
  held.let();
  await until(() => errors.length > 0);
  expect(of('r1').some(({ kind }) => kind === 'end')).toBe(false);
  expect(talk.open(MAIN)).toHaveLength(1);
  full = false;
  clock.advance(5_000);
  expect(await ended('r1')).toMatchObject({ end: { kind: 'ok' } });
});

test('rule: old runs and old conversations are forgotten after 30 days, with what came with them', async () => {
  const { talk, send, ended, clock, contents } = await stage();
  await send('r1', 'see', { enclosures: [{ name: 'a.txt', mediaType: 'text/plain', base64: 'aGVsbG8=' }] });
  await ended('r1');
  await talk.reset(MAIN, { kind: 'owner' });
  clock.advance(KEPT_MS - 1_000);
  await talk.prune();
  expect(contents.sessions()).toHaveLength(1);
  expect(await talk.wait(id('r1'), 0)).not.toBeNull();
  clock.advance(2_000);
  await talk.prune();
  expect(contents.sessions()).toEqual([]);
  expect(await talk.wait(id('r1'), 0)).toBeNull();
  expect(await talk.session(MAIN)).not.toBeNull();
});
