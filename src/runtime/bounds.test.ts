import { expect, test } from 'vitest';
import { gate, MAIN, ScriptedModel, soon, stage, until } from '../../test/talk.ts';
import { deviceId, type Giver } from '../core/authz/principal.ts';
import { DAY_MS } from '../core/base/instant.ts';
import { type SessionKey, sessionKey } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
import { openMemory } from '../store/memory/memory.ts';
import type { Store } from '../store/store.ts';
import { ScriptedClock } from '../system/clock.ts';
import { OPEN_MAX, SESSIONS_A_DAY_MAX } from './bounds.ts';
import { RUNS_AT_WORK_MAX } from './seats.ts';

const id = (text: string) => text as RunId;
const at = (n: number) => sessionKey(`s${n}`, 'main') as SessionKey;
const never = new Promise<void>(() => {});
const token: Giver = { kind: 'token', name: 'ci' };

test('rule: however many sessions are spoken to, so many runs are at work, and the others follow in their order', async () => {
  const held = gate();
  const model = new ScriptedModel(() => ({ text: 'well', hold: held.open }));
  const { talk, send, ended, events, clock } = await stage({ model });
  for (let n = 1; n <= 40; n += 1) await send(`r${n}`, 'hello', { key: at(n) });
  await until(() => model.holding === RUNS_AT_WORK_MAX);
  for (let n = 0; n < 50; n += 1) await soon();
  expect(model.steps).toHaveLength(RUNS_AT_WORK_MAX);
  expect(talk.open(at(40))).toMatchObject([{ id: 'r40' }]);
  held.let();
  for (let n = 1; n <= 40; n += 1) expect(await ended(`r${n}`)).toMatchObject({ end: { kind: 'ok' } });
  const begun = events.flatMap((event) => (event.kind === 'start' ? event.run : []));
  expect(begun).toEqual(begun.map((_, nth) => `r${nth + 1}`));
  expect(talk.open(at(40))).toEqual([]);
  expect(clock.pending).toBe(0);
});

test('rule: what waits for its seat ends at once when it is stopped, and goes on waiting over an end of the gateway', async () => {
  const store = openMemory();
  const model = new ScriptedModel(() => ({ text: 'well', hold: never }));
  const { talk, send } = await stage({ model, store, atWorkMax: 1 });
  await send('r1', 'hello', { key: at(1) });
  for (const n of [2, 3, 4]) await send(`r${n}`, 'hello', { key: at(n) });
  await send('r5', 'and', { key: at(3), mode: 'steer' });
  await until(() => model.holding === 1);
  expect(await talk.abort(at(2), null)).toEqual(['r2']);
  expect(await talk.wait(id('r2'), 0)).toMatchObject({ end: { kind: 'aborted' } });
  // One that interrupts takes the place of what waited, and waits itself.
  await send('r6', 'no', { key: at(4), mode: 'interrupt' });
  expect(await talk.wait(id('r4'), 60_000)).toMatchObject({ end: { kind: 'aborted' } });
  expect(model.steps).toHaveLength(1);
  await talk.stop(5_000);
  const open = await store.read((tx) => tx.runs.open());
  expect(open.map((run) => [run.id, run.startedAt])).toEqual([
    ['r3', null],
    ['r5', null],
    ['r6', null],
  ]);
  const next = await stage({ store, atWorkMax: 1 });
  for (const { id: run } of open) expect(await next.ended(run)).toMatchObject({ end: { kind: 'ok' } });
});

test('rule: more open runs than a lane holds do not stop a start, and each comes to its end', async () => {
  const store = openMemory();
  const first = await stage({ store, model: new ScriptedModel(() => ({ hold: never })), atWorkMax: 1 });
  await first.send('r0', 'this one is at work', { key: at(0) });
  for (let n = 1; n <= 51; n += 1) await first.send(`r${n}`, 'one', { mode: n < 3 ? 'followup' : 'collect' });
  await first.talk.abort(MAIN, id('r1'));
  await first.talk.abort(MAIN, id('r2'));
  // What was collected left the lane, and did not begin: there is room for as many again.
  await until(() => first.talk.open(MAIN).length === 49);
  for (let n = 52; n <= 101; n += 1) expect(await first.send(`r${n}`, 'two')).toMatchObject({ again: false });
  await first.talk.stop(5_000);
  const waited = await store.read((tx) => tx.runs.open());
  expect(waited.map(({ startedAt }) => startedAt)).toEqual(Array.from({ length: 99 }, () => null));
  const second = await stage({ store });
  for (const { id: run } of waited) expect((await second.ended(run)).end?.kind).toMatch(/^(ok|joined)$/);
  const ends = second.events.flatMap((event) => (event.kind === 'end' ? event.run : []));
  expect(new Set(ends).size).toBe(ends.length);
  expect(second.errors).toEqual([]);
});

test('rule: one session that can not be read stops no start', async () => {
  const disk = openMemory();
  const first = await stage({ store: disk, model: new ScriptedModel(() => ({ hold: never })) });
  await first.send('r1', 'one', { key: at(1) });
  await first.send('r2', 'two', { key: at(2) });
  await first.talk.stop(0);
  let isBroken = true;
  const store: Store = {
    ...disk,
    describe: 'broken in one place',
    close: () => disk.close(),
    write: (work) => disk.write(work),
    read: (work) =>
      disk.read((tx) => {
        const load: typeof tx.sessions.load = (key) =>
          isBroken && key === at(1) ? Promise.reject(new Error('malformed')) : tx.sessions.load(key);
        const sessions = new Proxy(tx.sessions, { get: (own, name) => (name === 'load' ? load : bound(own, name)) });
        return work(new Proxy(tx, { get: (own, name) => (name === 'sessions' ? sessions : bound(own, name)) }));
      }),
  };
  const second = await stage({ store });
  isBroken = false;
  expect(await second.ended('r2')).toMatchObject({ end: { kind: 'ok' } });
  expect(second.errors).toMatchObject([{ message: 'malformed' }]);
});

function bound<T extends object>(own: T, name: string | symbol): unknown {
  const value: unknown = Reflect.get(own, name);
  return typeof value === 'function' ? value.bind(own) : value;
}

test('rule: one giver has so many runs open at once, however they are sent, and the owner is not bounded', async () => {
  const held = gate();
  const { send, ended } = await stage({ model: new ScriptedModel(() => ({ text: 'well', hold: held.open })) });
  const all = Array.from({ length: OPEN_MAX + 20 }, (_, n) => n);
  const answers = await Promise.all(all.map((n) => send(`t${n}`, 'hello', { key: at(n), giver: token })));
  expect(answers.filter((answer) => 'run' in answer)).toHaveLength(OPEN_MAX);
  expect(answers.filter((answer) => 'code' in answer && answer.code === 'lane_full')).toHaveLength(20);
  const [first] = answers.flatMap((answer) => ('run' in answer ? answer.run : []));
  if (first === undefined) throw new Error('nothing was accepted');
  // The very same message is known, and takes no room.
  const n = Number(first.id.slice(1));
  expect(await send(first.id, 'hello', { key: at(n), giver: token })).toMatchObject({ again: true });
  for (const one of all) expect(await send(`o${one}`, 'hello', { key: at(one) })).toMatchObject({ again: false });
  held.let();
  await ended(first.id);
  expect(await send('later', 'hello', { key: at(n), giver: token })).toMatchObject({ again: false });
});

test('rule: one giver begins so many sessions in a day; those that are there can be spoken in', async () => {
  const { talk, send, ended, clock } = await stage();
  const say = async (n: number, key: number) => {
    const answer = await send(`t${n}`, 'hello', { key: at(key), giver: token });
    if ('run' in answer) await ended(`t${n}`);
    return answer;
  };
  for (let n = 0; n < SESSIONS_A_DAY_MAX; n += 1) expect(await say(n, n)).toMatchObject({ again: false });
  expect(await say(1_000, 1_000)).toEqual({ code: 'too_many_sessions' });
  const command = { id: id('c'), key: at(1_000), giver: token, from: { kind: 'person', name: null } } as const;
  expect(await talk.command({ ...command, text: '/help' }, async () => 'help')).toEqual({ code: 'too_many_sessions' });
  expect(await talk.patch(at(1_000), token, { label: 'x' })).toEqual({ code: 'too_many_sessions' });
  expect(await talk.session(at(1_000))).toBe(null);
  expect(await talk.patch(at(7), token, { label: 'x' })).toMatchObject({ settings: { label: 'x' } });
  expect(await say(1_001, 7)).toMatchObject({ again: false });
  expect(await send('o', 'hello', { key: at(1_001) })).toMatchObject({ again: false });
  clock.advance(DAY_MS);
  expect(await say(1_002, 1_002)).toMatchObject({ again: false });
});

test('rule: sessions that a giver began today count after a restart too, for the one who began them', async () => {
  const store = openMemory();
  const clock = new ScriptedClock();
  const first = await stage({ store, clock });
  const other: Giver = { kind: 'token', name: 'other' };
  for (let n = 0; n < SESSIONS_A_DAY_MAX; n += 1) {
    const giver = n < SESSIONS_A_DAY_MAX - 2 ? token : other;
    await first.send(`t${n}`, 'hello', { key: at(n), giver });
    await first.ended(`t${n}`);
  }
  await first.talk.stop(0);
  clock.advance(1_000);
  const second = await stage({ store, clock });
  const say = (n: number, giver: Giver) => second.send(`u${n}`, 'hello', { key: at(n), giver });
  for (const n of [600, 601]) expect(await say(n, token)).toMatchObject({ again: false });
  expect(await say(602, token)).toEqual({ code: 'too_many_sessions' });
  expect(await say(603, other)).toMatchObject({ again: false });
  expect(await say(7, token)).toMatchObject({ again: false });
  await second.talk.stop(0);
  clock.advance(DAY_MS);
  const third = await stage({ store, clock });
  expect(await third.send('v1', 'hello', { key: at(604), giver: token })).toMatchObject({ again: false });
});

test('rule: a reset begins a conversation and a note may: they count as messages do, and what is refused is not done', async () => {
  const store = openMemory();
  const clock = new ScriptedClock();
  const { talk, send } = await stage({ store, clock, model: new ScriptedModel(() => ({ hold: never })) });
  const note = (key: SessionKey, giver: Giver = token) => talk.inject(key, giver, 'noted', null);
  const tooMany = { name: 'TooManySessions' };
  for (let n = 0; n < SESSIONS_A_DAY_MAX - 3; n += 1) {
    clock.advance(1);
    await (n % 3 === 0 ? note(at(n)) : talk.reset(at(n % 3), token));
  }
  await send('r1', 'hello', { key: at(1) });
  clock.advance(1);
  expect(await talk.reset(at(1), token)).toMatchObject({ rows: 0 });
  expect(await note(at(1_000))).toMatchObject({ seq: 1 });
  expect(await talk.reset(at(1_001), token)).toMatchObject({ rows: 0 });
  await send('r2', 'hello', { key: at(1) });
  await expect(talk.reset(at(1), token)).rejects.toMatchObject(tooMany);
  expect(talk.open(at(1))).toMatchObject([{ id: 'r2', end: null }]);
  await expect(talk.reset(at(1_002), token)).rejects.toMatchObject(tooMany);
  await expect(note(at(1_002))).rejects.toMatchObject(tooMany);
  expect(await talk.session(at(1_002))).toBe(null);
  expect(await note(at(1_000))).toMatchObject({ seq: 2 });
  const { id: before } = (await talk.session(at(1_001))) ?? {};
  expect((await talk.reset(at(1_001), { kind: 'owner' })).id).not.toBe(before);
  expect(await note(at(1_003), { kind: 'owner' })).toMatchObject({ seq: 1 });
  await talk.stop(0);
  // Nothing of it is forgotten by a restart, but what the owner began in the place of one, and each place's first one.
  const again = await stage({ store, clock });
  for (let n = 0; n < 3; n += 1) await again.talk.reset(at(1_100 + n), token);
  await expect(again.talk.reset(at(1_200), token)).rejects.toMatchObject(tooMany);
  clock.advance(DAY_MS);
  expect(await again.talk.reset(at(1_200), token)).toMatchObject({ rows: 0 });
});

test('rule: what is summed up because somebody asks takes a seat like a run, and gives it back', async () => {
  const held = gate();
  const model = new ScriptedModel((step, nth) =>
    nth > 2 && step.system?.startsWith('You sum up') !== true ? { text: 'well', hold: held.open } : 'words',
  );
  const { talk, send, ended } = await stage({ model, atWorkMax: 1 });
  for (const n of [1, 2]) {
    await send(`r${n}`, 'tell me of it '.repeat(20));
    await ended(`r${n}`);
  }
  await send('r3', 'hello', { key: at(3) });
  await until(() => model.holding === 1);
  const compacting = talk.compact(MAIN, { kind: 'owner' }, () => true);
  for (let n = 0; n < 50; n += 1) await soon();
  expect(model.steps).toHaveLength(3);
  held.let();
  expect(await compacting).toBe(true);
  expect(model.steps).toHaveLength(4);
  // It came back: the next run has one.
  await send('r4', 'hello');
  expect(await ended('r4')).toMatchObject({ end: { kind: 'ok' } });
});

test('A9, A11: what is summed up takes a seat of whoever asks, and is not begun for who may no more', async () => {
  const held = gate();
  const model = new ScriptedModel((step, nth) =>
    nth > 2 && step.system?.startsWith('You sum up') !== true ? { text: 'well', hold: held.open } : 'words',
  );
  const { talk, send, ended } = await stage({ model, atWorkMax: 4 });
  const device: Giver = { kind: 'device', device: deviceId('d') };
  for (const n of [1, 2]) {
    await send(`r${n}`, 'tell me of it '.repeat(20));
    await ended(`r${n}`);
  }
  // Whoever is no owner has all the seats that it may have.
  for (const n of [3, 4, 5]) await send(`r${n}`, 'hold', { key: at(n), giver: device });
  await until(() => model.holding === 2);
  let may = true;
  const own = talk.compact(MAIN, device, () => may);
  // The owner's is kept free for the owner.
  expect(await talk.compact(at(3), { kind: 'owner' }, () => true)).toBe(false);
  may = false;
  const asked = model.steps.length;
  held.let();
  expect(await own).toEqual({ code: 'not_allowed' });
  await Promise.all([3, 4, 5].map((n) => ended(`r${n}`)));
  expect(model.steps.slice(asked).filter(({ system }) => system?.startsWith('You sum up'))).toEqual([]);
});

test('rule: no text passes the bound on texts as a media type, or as a note', async () => {
  const { talk, send } = await stage();
  const mediaType = `text/${'x'.repeat(20 * 1024 * 1024)}`;
  const enclosures = [{ name: 'a', mediaType, base64: 'YQ==' }];
  expect(await send('r1', 'x', { enclosures })).toMatchObject({ code: 'bad_attachment' });
  const note = (text: string) => talk.inject(MAIN, { kind: 'owner' }, text, null);
  await expect(note('é'.repeat(512 * 1024 + 1))).rejects.toMatchObject({ name: 'TextTooLarge' });
  expect(await talk.session(MAIN)).toBe(null);
  expect(await note('é'.repeat(512 * 1024))).toMatchObject({ seq: 1 });
});
