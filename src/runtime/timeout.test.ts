import { expect, test } from 'vitest';
import { gate, MAIN, ScriptedModel, soon, stage, until } from '../../test/talk.ts';
import type { RunId } from '../core/lane/lane.ts';
import { openMemory } from '../store/memory/memory.ts';

const id = (text: string) => text as RunId;
const never = new Promise<void>(() => {});
const LATE = { kind: 'error', code: 'timeout' };

test('rule: a run that has had its time ends as an error, its model is closed, what it had said is kept', async () => {
  const model = new ScriptedModel(() => ({ text: 'once upon', hold: never }));
  const { send, ended, of, clock, bodies } = await stage({ model });
  await send('r1', 'go', { timeoutMs: 5_000 });
  await until(() => model.holding === 1);
  clock.advance(4_999);
  await soon();
  expect(model.open).toBe(1);
  clock.advance(1);
  expect(await ended('r1')).toMatchObject({ end: LATE });
  expect(model.open).toBe(0);
  expect(of('r1').at(-1)).toMatchObject({ kind: 'end', stop: 'timeout', text: 'once upon', state: { end: LATE } });
  expect(await bodies()).toMatchObject([{ kind: 'user' }, { text: 'once upon', stop: 'partial' }]);
  expect(clock.pending).toBe(0);
});

test('rule: the time of a run begins with its work, not while it waits, also where a restart lies between', async () => {
  const store = openMemory();
  const before = new ScriptedModel(() => ({ hold: never }));
  const first = await stage({ store, model: before });
  await first.send('r1', 'one');
  await until(() => before.holding === 1);
  await first.send('r2', 'two', { timeoutMs: 5_000 });
  first.clock.advance(60_000);
  const model = new ScriptedModel(() => ({ text: 'hm', hold: never }));
  const { talk, ended, clock } = await stage({ store, model });
  await until(() => model.holding === 1);
  clock.advance(4_999);
  await soon();
  expect(await talk.wait(id('r2'), 0)).toMatchObject({ end: null });
  clock.advance(1);
  expect(await ended('r2')).toMatchObject({ end: LATE });
});

test('rule: the time of a run stays what it was while others join it, and theirs ends them alone', async () => {
  const [one, two] = [gate(), gate()];
  const model = new ScriptedModel((_, nth) =>
    nth === 1 ? { text: 'a', call: 'look', hold: one.open } : { text: 'b', hold: two.open },
  );
  const { send, ended, of, talk, clock } = await stage({ model });
  await send('r1', 'go', { timeoutMs: 60_000 });
  await until(() => model.holding === 1);
  clock.advance(10_000);
  await send('r2', 'faster', { mode: 'steer', timeoutMs: 5_000 });
  await send('r3', 'please', { mode: 'steer' });
  one.let();
  await until(() => model.holding === 1 && model.steps.length === 2);
  clock.advance(5_000);
  expect(await ended('r2')).toMatchObject({ end: LATE });
  expect(of('r2').at(-1)).toMatchObject({ kind: 'end', stop: 'error', text: null });
  expect(model.open).toBe(1);
  // Its words are in another run, which it has left: that goes on.
  expect(await talk.abort(MAIN, id('r2'))).toEqual([]);
  expect(await talk.wait(id('r1'), 0)).toMatchObject({ end: null });
  clock.advance(45_000);
  expect(await ended('r1')).toMatchObject({ end: LATE });
  expect(await ended('r3')).toMatchObject({ end: { kind: 'joined', into: 'r1' } });
  expect(await talk.wait(id('r2'), 0)).toMatchObject({ end: LATE });
  expect([talk.open(MAIN), clock.pending]).toEqual([[], 0]);
});

test('rule: a run that ends in time leaves no timer behind, and an abort is no timeout', async () => {
  const model = new ScriptedModel(({ messages }) => (messages.length > 1 ? { hold: never } : 'done'));
  const { send, ended, talk, clock } = await stage({ model });
  await send('r1', 'go', { timeoutMs: 5_000 });
  expect([await ended('r1'), clock.pending]).toMatchObject([{ end: { kind: 'ok' } }, 0]);
  await send('r2', 'go', { timeoutMs: 5_000 });
  await until(() => model.holding === 1);
  await talk.abort(MAIN, null);
  expect([await ended('r2'), clock.pending]).toMatchObject([{ end: { kind: 'aborted' } }, 0]);
  clock.advance(60_000);
});

test('rule: the same words with another time are another message', async () => {
  const { send, ended } = await stage();
  await send('r1', 'go', { timeoutMs: 5_000 });
  await ended('r1');
  expect(await send('r1', 'go', { timeoutMs: 5_000 })).toMatchObject({ again: true });
  expect(await send('r1', 'go', { timeoutMs: 6_000 })).toEqual({ code: 'run_conflict' });
  expect(await send('r1', 'go')).toEqual({ code: 'run_conflict' });
});
