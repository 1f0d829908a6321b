import { expect, test } from 'vitest';
import { gate, MAIN, ScriptedModel, type StageOptions, soon, stage, until } from '../../test/talk.ts';
import { type DeviceId, deviceId, type Giver } from '../core/authz/principal.ts';
import { type SessionKey, sessionKey } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
import { openMemory } from '../store/memory/memory.ts';

const id = (text: string) => text as RunId;
const DEVICE = deviceId('d1'.repeat(32));
const device: Giver = { kind: 'device', device: DEVICE };
const NO = { kind: 'error', code: 'not_allowed', remedy: 'latchkey devices list' };
const never = new Promise<void>(() => {});

/** Whoever is in it may not talk now. */
class Gone extends Set<DeviceId> {
  readonly mayTalk = (giver: Giver): boolean => giver.kind !== 'device' || !this.has(giver.device);
}

/** A model that holds each answer until it is let go, and a house in which devices come and go. */
async function house(more: StageOptions = {}) {
  const gone = new Gone();
  const gates: ReturnType<typeof gate>[] = [];
  const model = new ScriptedModel((_, nth) => {
    const next = gate();
    gates.push(next);
    return { text: `answer ${nth}`, hold: next.open };
  });
  const now = await stage({ model, mayTalk: gone.mayTalk, ...more });
  const held = (n: number) => until(() => model.steps.length === n && model.holding === 1);
  const said = async () => (await now.bodies()).flatMap((body) => (body.kind === 'user' ? body.text : []));
  return { ...now, gone, model, held, said, let: () => gates.at(-1)?.let() };
}

const runsOf = (talk: { atWork(device: DeviceId): readonly { readonly id: RunId }[] }) =>
  talk.atWork(DEVICE).map((run) => run.id);

test('A12 what waits does not begin when its giver may not talk any more: it ends as that, and is said nowhere', async () => {
  const { talk, send, ended, of, gone, model, held, said, let: release } = await house();
  await send('r1', 'one', { giver: device });
  await held(1);
  await send('r2', 'two', { giver: device });
  await send('r3', 'three');
  gone.add(DEVICE);
  // A9: what it began goes on.
  expect(runsOf(talk)).toEqual(['r1']);
  release();
  expect(await ended('r1')).toMatchObject({ end: { kind: 'ok' } });
  expect(await ended('r2')).toMatchObject({ end: NO, startedAt: null });
  expect(of('r2')).toMatchObject([{ kind: 'end', stop: 'error', text: null, seq: 1 }]);
  await held(2);
  expect(model.steps[1]?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
  release();
  await ended('r3');
  expect(await said()).toEqual(['one', 'three']);
  expect([model.steps.length, talk.open(MAIN), runsOf(talk)]).toEqual([2, [], []]);
  // The same id is what it was.
  expect(await send('r2', 'two', { giver: device })).toMatchObject({ again: true, run: { end: NO } });
});

test('A12 whoever has leave to talk again before its turn begins', async () => {
  const { send, ended, gone, held, said, let: release } = await house();
  await send('r1', 'one');
  await held(1);
  await send('r2', 'two', { giver: device });
  gone.add(DEVICE);
  await soon();
  gone.clear();
  release();
  await held(2);
  release();
  expect(await ended('r2')).toMatchObject({ end: { kind: 'ok' } });
  expect(await said()).toEqual(['one', 'two']);
});

test.each([
  ['r2', ['r3', 'r4']],
  ['r3', ['r2', 'r4']],
  ['r4', ['r2', 'r3']],
] as const)('A12 of what is collected, %s alone does not begin, and the others do', async (out, others) => {
  const { talk, send, ended, gone, held, said, model, let: release } = await house();
  await send('r1', 'r1');
  await held(1);
  for (const run of ['r2', 'r3', 'r4']) {
    await send(run, run, { mode: 'collect', ...(run === out ? { giver: device } : {}) });
  }
  gone.add(DEVICE);
  release();
  await held(2);
  expect(await ended(out)).toMatchObject({ end: NO, startedAt: null });
  const [joined, lead] = others;
  expect(await said()).toEqual(['r1', joined, lead]);
  expect(talk.open(MAIN).map((run) => run.id)).toEqual([...others]);
  // What did not begin aborts nothing; what joined aborts what it joined.
  expect(await talk.abort(MAIN, id(out))).toEqual([]);
  expect(model.open).toBe(1);
  expect(await talk.abort(MAIN, id(joined))).toEqual([lead]);
  expect(await ended(lead)).toMatchObject({ end: { kind: 'aborted' } });
  expect(await ended(joined)).toMatchObject({ end: { kind: 'joined', into: lead } });
  expect([model.open, talk.open(MAIN)]).toEqual([0, []]);
});

test('A12 what steers does not join when its giver may not talk any more, and the run goes on', async () => {
  const first = gate();
  const model = new ScriptedModel((_, nth) =>
    nth === 1 ? { text: 'let me look', call: 'look', hold: first.open } : { text: 'here' },
  );
  const gone = new Gone();
  const { send, ended, bodies } = await stage({ model, mayTalk: gone.mayTalk });
  await send('r1', 'one', { giver: device });
  await until(() => model.holding === 1);
  await send('r2', 'two', { giver: device, mode: 'steer' });
  await send('r3', 'three', { mode: 'steer' });
  gone.add(DEVICE);
  first.let();
  expect(await ended('r1')).toMatchObject({ end: { kind: 'ok' } });
  expect(await ended('r2')).toMatchObject({ end: NO, startedAt: null });
  expect(await ended('r3')).toMatchObject({ end: { kind: 'joined', into: 'r1' } });
  expect((await bodies()).flatMap((body) => (body.kind === 'user' ? body.text : []))).toEqual(['one', 'three']);
});

test('A12 what waited when the gateway ended is judged when the next one begins it', async () => {
  const store = openMemory();
  const before = await house({ store });
  await before.send('r1', 'one', { giver: device });
  await before.held(1);
  await before.send('r2', 'two', { giver: device });
  await before.send('r3', 'three');
  await before.talk.stop(60_000);
  const gone = new Gone([DEVICE]);
  const { ended, rows } = await stage({ store, mayTalk: gone.mayTalk });
  expect(await ended('r2')).toMatchObject({ end: NO, startedAt: null });
  expect(await ended('r3')).toMatchObject({ end: { kind: 'ok' } });
  expect((await rows()).map(({ run }) => run)).toEqual(['r1', 'r1', 'r3', 'r3']);
});

test('A12 a run that waits for a seat is judged when it gets one, and is not at work before', async () => {
  const { talk, send, ended, gone, held, let: release } = await house({ atWorkMax: 1 });
  const other = sessionKey('other', 'main') as SessionKey;
  await send('r1', 'one');
  await held(1);
  await send('r2', 'two', { giver: device, key: other });
  await send('r3', 'three', { giver: device, key: sessionKey('third', 'main') as SessionKey });
  await soon();
  expect(runsOf(talk)).toEqual([]);
  gone.add(DEVICE);
  // Aborted by somebody meanwhile: that is how it ends, and it is said nowhere either.
  expect(await talk.abort(other, id('r2'))).toEqual(['r2']);
  expect(await ended('r2')).toMatchObject({ end: { kind: 'aborted' }, startedAt: null });
  release();
  expect(await ended('r3')).toMatchObject({ end: NO, startedAt: null });
  expect([await talk.tail(other, 10), talk.open(other)]).toEqual([[], []]);
});

test('A9 between the verdict and the mark nothing happens: what may begin is at work at once, also what it takes in', async () => {
  const model = new ScriptedModel(() => ({ text: 'hm', hold: never }));
  const seen: (readonly RunId[])[] = [];
  let talk: Awaited<ReturnType<typeof stage>>['talk'] | null = null;
  const mayTalk = () => {
    // As if the leave was taken right then.
    queueMicrotask(() => void (talk !== null && seen.push(runsOf(talk))));
    return true;
  };
  const now = await stage({ model, mayTalk });
  talk = now.talk;
  await now.send('r1', 'one', { giver: device });
  await until(() => model.holding === 1);
  expect(seen).toEqual([['r1']]);
  await now.send('r2', 'two', { giver: device, mode: 'collect' });
  await now.send('r3', 'three', { mode: 'collect' });
  await talk.abort(MAIN, id('r1'));
  await until(() => model.holding === 1 && model.steps.length === 2);
  expect(seen.at(-1)).toEqual(['r2']);
  expect(runsOf(talk)).toEqual(['r2']);
});

test('A12 of the secret the remedy is another one', async () => {
  const { ended, send } = await stage({ mayTalk: () => false });
  await send('r1', 'one', { giver: { kind: 'secret' } });
  expect(await ended('r1')).toMatchObject({
    end: { code: 'not_allowed', remedy: 'latchkey config get gateway.auth.sharedSecretScopes' },
  });
});
