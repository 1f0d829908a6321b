import { expect, test } from 'vitest';
import { gate, MAIN, ScriptedModel, soon, stage, until } from '../../test/talk.ts';
import type { Giver } from '../core/authz/principal.ts';
import { type SessionKey, sessionKey } from '../core/conversation/session.ts';
import { RUNS_AT_WORK_MAX, Seats } from './seats.ts';

const OWNER: Giver = { kind: 'owner' };
const token = (name: string): Giver => ({ kind: 'token', name });
const at = (n: number) => sessionKey(`s${n}`, 'main') as SessionKey;
const never = new Promise<void>(() => {});

/** Who sits, in the order in which they were seated, and how each gets up again. */
function hall(max: number) {
  const seats = new Seats(max);
  const seated: string[] = [];
  const leaves = new Map<string, () => void>();
  const sit = (name: string, giver: Giver | null, signal = new AbortController().signal) =>
    void seats
      .take('main', () => giver, signal)
      .then((leave) => {
        if (signal.aborted) return;
        seated.push(name);
        leaves.set(name, leave);
      });
  const leave = async (name: string) => {
    leaves.get(name)?.();
    await soon();
  };
  return { seats, seated, sit, leave };
}

test('rule: nobody has more seats than are left free, and the last one is the owner’s', async () => {
  const { seated, sit, leave } = hall(RUNS_AT_WORK_MAX);
  for (const name of ['a', 'b', 'c', 'd', 'e']) for (let n = 1; n <= 10; n += 1) sit(`${name}${n}`, token(name));
  await soon();
  expect(seated.toSorted()).toEqual(['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1']);
  for (let n = 1; n <= 3; n += 1) sit(`o${n}`, OWNER);
  await soon();
  expect(seated.slice(7)).toEqual(['o1']);
  // The owner is not bounded, and has no more than a turn.
  await leave('a1');
  expect(seated.slice(8)).toEqual(['d1']);
  await leave('d1');
  expect(seated.slice(9)).toEqual(['e1']);
  await leave('e1');
  expect(seated.slice(10)).toEqual(['o2']);
});

test('rule: where nobody else is, one giver has half of the seats, and the owner all of them', async () => {
  const one = hall(RUNS_AT_WORK_MAX);
  for (let n = 1; n <= 20; n += 1) one.sit(`a${n}`, token('a'));
  await soon();
  expect(one.seated).toEqual(['a1', 'a2', 'a3', 'a4']);
  await one.leave('a2');
  expect(one.seated.at(-1)).toBe('a5');
  const other = hall(RUNS_AT_WORK_MAX);
  for (let n = 1; n <= 20; n += 1) other.sit(`o${n}`, OWNER);
  await soon();
  expect(other.seated).toHaveLength(RUNS_AT_WORK_MAX);
  other.sit('a', token('a'));
  for (let n = 1; n <= RUNS_AT_WORK_MAX; n += 1) await other.leave(`o${n}`);
  // It came last, and did not wait for the twelve before it.
  expect(other.seated.indexOf('a')).toBe(RUNS_AT_WORK_MAX);
});

test.each([1, 2, 3])('rule: with %d seats everybody gets one, and a seat that nobody wants is free', async (max) => {
  const { seats, seated, sit, leave } = hall(max);
  for (const name of ['a1', 'a2', 'b1']) sit(name, token(name.slice(0, 1)));
  sit('o1', OWNER);
  sit('x1', null);
  for (let n = 0; n < 5; n += 1) {
    await soon();
    for (const name of [...seated]) await leave(name);
  }
  expect(seated.toSorted()).toEqual(['a1', 'a2', 'b1', 'o1', 'x1']);
  let isSeated = false;
  void seats.take('main', () => token('a'), new AbortController().signal).then(() => (isSeated = true));
  await soon();
  expect(isSeated).toBe(true);
});

test('rule: whoever is stopped while it waits takes no seat of those that wait behind it', async () => {
  const { seated, sit, leave } = hall(1);
  const stop = new AbortController();
  sit('a1', token('a'));
  sit('a2', token('a'), stop.signal);
  sit('a3', token('a'));
  await soon();
  stop.abort();
  await leave('a1');
  expect(seated).toEqual(['a1', 'a3']);
});

test('rule: runs of one device whose model never answers keep neither the owner nor another device waiting', async () => {
  const model = new ScriptedModel((step) =>
    JSON.stringify(step.messages).includes('hold') ? { hold: never } : { text: 'well' },
  );
  const { send, ended } = await stage({ model });
  for (let n = 0; n < 200; n += 1) {
    expect(await send(`h${n}`, 'hold', { key: at(n), giver: token('a') })).toMatchObject({ again: false });
  }
  await until(() => model.holding === 4);
  await send('o1', 'the owner speaks');
  expect(await ended('o1')).toMatchObject({ end: { kind: 'ok' } });
  await send('b1', 'somebody else speaks', { key: at(300), giver: token('b') });
  expect(await ended('b1')).toMatchObject({ end: { kind: 'ok' } });
  expect(model.holding).toBe(4);
});

test('rule: what waits for a seat in the way of the owner’s words has one at once', async () => {
  const held = gate();
  const model = new ScriptedModel((step) =>
    JSON.stringify(step.messages).includes('hold') ? { hold: held.open } : { text: 'well' },
  );
  const { talk, send, ended } = await stage({ model });
  for (let n = 0; n < 20; n += 1) await send(`h${n}`, 'hold', { key: at(n), giver: token('a') });
  await until(() => model.holding === 4);
  await send('a1', 'first', { giver: token('a') });
  for (let n = 0; n < 50; n += 1) await soon();
  expect(talk.open(MAIN)).toMatchObject([{ id: 'a1', startedAt: null }]);
  expect(model.steps).toHaveLength(4);
  await send('o1', 'and then');
  expect(await ended('a1')).toMatchObject({ end: { kind: 'ok' } });
  expect(await ended('o1')).toMatchObject({ end: { kind: 'ok' } });
  expect(model.holding).toBe(4);
  held.let();
  await ended('h19');
});
