// A conversation beside the one that goes on, as 9.6's terminal UI begins it.
import { randomUUID } from 'node:crypto';
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

test('rule: it is begun as 9.6 asks for it, told of, and one that is there stays as it is', async () => {
  const owner = await gateway.owner();
  const listener = await device([READ]);
  await listener.ask('sessions.subscribe', {});
  const key = `tui-${randomUUID()}`;
  const asked = { key, agentId: 'main', parentSessionKey: 'agent:main:main', succeedsParent: true };
  const made = await owner.ask('sessions.create', asked);
  expect(made).toMatchObject({ ok: true, key: `agent:main:${key}`, entry: { key: `agent:main:${key}`, rows: 0 } });
  expect(made).not.toHaveProperty('runStarted');
  const told = await listener.event('sessions.changed', { where: ({ sessionKey }) => sessionKey === made.key });
  expect(told.payload).toMatchObject({ reason: 'created' });
  expect(await owner.ask('sessions.create', { ...asked, label: 'other' })).toMatchObject({
    sessionId: made.sessionId,
    entry: expect.not.objectContaining({ label: 'other' }),
  });
});

test('rule: what is said in it at once is accepted as any message, once for its id, also after a restart', async () => {
  const owner = await gateway.owner();
  const asked = { label: 'new one', task: 'first words', idempotencyKey: 'twice' };
  const made = await owner.ask('sessions.create', asked);
  expect(made).toMatchObject({ runStarted: true, entry: { label: 'new one' } });
  await owner.ask('agent.wait', { runId: made.runId });
  await gateway.kill();
  gateway = await start({ stateDir: gateway.stateDir });
  const after = await gateway.owner();
  expect(await after.ask('sessions.create', asked)).toMatchObject({ key: made.key, runId: made.runId });
  const { messages } = await after.ask('chat.history', { sessionKey: made.key });
  expect(messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant']);
  // Somebody else's id is another one.
  const talker = await device([READ, WRITE]);
  expect((await talker.ask('sessions.create', { idempotencyKey: 'twice' })).key).not.toBe(made.key);
  // One that was deleted is begun again: what is answered is what is there.
  await after.ask('sessions.delete', { key: made.key });
  const again = await after.ask('sessions.create', asked);
  expect(again.sessionId).not.toBe(made.sessionId);
  expect(await after.ask('sessions.describe', { key: made.key })).toMatchObject({
    session: { sessionId: again.sessionId },
  });
  // What can't be said is told; the session is there.
  const refused = await after.ask('sessions.create', { key: 'refused', message: '/queue sideways' });
  expect(refused).toMatchObject({ ok: true, runStarted: false, runError: { code: 'INVALID_REQUEST' } });
});

test('A1: who talks begins one, the administrator chooses its model, and nothing is promised that is not there', async () => {
  const [talker, reader, admin] = await Promise.all([device([READ, WRITE]), device([READ]), device([READ, ADMIN])]);
  expect(await talker.call('sessions.create', { label: 'mine' })).toMatchObject({ ok: true });
  expect(await reader.call('sessions.create', {})).toMatchObject({ ok: false });
  const chosen = { model: 'offline/echo' };
  expect(await talker.call('sessions.create', chosen)).toMatchObject({
    ok: false,
    error: { details: { code: 'MISSING_SCOPE', requiredScopes: [ADMIN] } },
  });
  expect(await admin.ask('sessions.create', chosen)).toMatchObject({ entry: { model: 'echo' } });
  for (const other of [{ incognito: true }, { cwd: '/tmp' }, { execNode: 'n' }, { permissionMode: 'full' }]) {
    expect(await admin.call('sessions.create', { key: 'other', ...other })).toMatchObject({
      ok: false,
      error: { message: `invalid sessions.create params: ${Object.keys(other)[0]} is not offered here` },
    });
  }
  expect(await admin.call('sessions.describe', { key: 'other' })).toMatchObject({ payload: { session: null } });
});
