// What is set for a session, and by whom: settings that each message may bring along by who talks, the model by the administrator.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { ADMIN, paired, READ, session, WRITE } from './act.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await start({ config: { models: { local: { enabled: false } } } });
});
afterAll(() => gateway?.stop());

const open: { end(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.end();
});

async function device(scopes: readonly string[]) {
  const identity = await paired(await gateway.owner(), [...scopes]);
  const { partner } = await session(gateway, identity, [...scopes]);
  open.push(partner);
  return partner;
}

const FORBIDDEN = { ok: false, error: { details: { code: 'MISSING_SCOPE', requiredScopes: [ADMIN] } } };

test('A1: who talks sets what a message may bring along, and not the model', async () => {
  const talker = await device([READ, WRITE]);
  const key = 'agent:main:set';
  const set = { key, label: 'here', queueMode: 'steer', thinkingLevel: 'low' };
  expect(await talker.ask('sessions.patch', set)).toMatchObject({ ok: true, entry: { label: 'here' } });
  // Named at all: also to take the choice of the administrator back.
  for (const model of ['offline/echo', null]) {
    expect(await talker.call('sessions.patch', { ...set, model })).toMatchObject(FORBIDDEN);
  }
  expect(await (await device([READ])).call('sessions.patch', set)).toMatchObject({ ok: false });
  const admin = await device([READ, ADMIN]);
  expect(await admin.ask('sessions.patch', { key, model: 'offline/echo' })).toMatchObject({ ok: true });
  // In a chat it is judged as its call is.
  const said = (message: string) =>
    talker.call('chat.send', { sessionKey: key, message, idempotencyKey: `say ${message}` });
  expect(await said('/queue collect')).toMatchObject({ ok: true });
  expect(await said('/model offline/echo')).toMatchObject(FORBIDDEN);
});

test('A1: a session is deleted by the administrator alone, and one that is not archived never as an archived one', async () => {
  const [talker, admin] = [await device([READ, WRITE]), await device([READ, WRITE, ADMIN])];
  const key = 'agent:main:kept';
  await talker.ask('sessions.patch', { key, label: 'kept' });
  for (const more of [{}, { archivedOnly: true }, { archivedOnly: false }]) {
    expect(await talker.call('sessions.delete', { key, ...more })).toMatchObject(FORBIDDEN);
  }
  expect(await admin.ask('sessions.delete', { key, archivedOnly: true })).toMatchObject({ deleted: false });
  expect(await talker.ask('sessions.describe', { key })).toMatchObject({ session: { label: 'kept' } });
  expect(await admin.ask('sessions.delete', { key })).toMatchObject({ deleted: true });
});
