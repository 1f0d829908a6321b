// What is one agent's and not another's: its directory, its sessions, its name; whoever asks, and while others ask.
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { connected, plainParams } from '../partner/client.ts';
import { newIdentity } from '../partner/identity.ts';
import type { Payload, Peer } from '../partner/peer.ts';
import { ADMIN, ensure, gist, PAIRING, paired, READ, session } from './act.ts';

const local = { enabled: false };
const BEYOND = 'FORBIDDEN CONFIG_BEYOND';
let gateway: Gateway;
let owner: Peer;

async function open(agents: Record<string, unknown>): Promise<void> {
  gateway = await start({ config: { models: { local }, agents } });
  owner = await gateway.owner();
}
afterEach(() => gateway?.stop());

const own = (id: string) => join(gateway.stateDir, 'agents', id);
const workspaces = async () =>
  Object.fromEntries(
    (await owner.ask('agents.list')).agents.map(({ id, workspace }: Payload) => [id, workspace] as const),
  );

/** A session of an admin for ten minutes. */
async function boxed() {
  const identity = newIdentity();
  const { ts } = await owner.ask('health');
  const box = { publicKey: identity.publicKey, role: 'operator', scopes: [ADMIN], untilMs: ts + 600_000 };
  await owner.ask('device.pair.ensure', box);
  return (await session(gateway, identity)).partner;
}

it('A11: no admin gives the directory that the owner named to another agent, whichever keys would do it', async () => {
  const list = [{ id: 'main' }, { id: 'x' }];
  await open({ list });
  const before = await workspaces();
  const lasting = (await session(gateway, await paired(owner, [ADMIN]))).partner;
  const timed = await boxed();
  // Who is meant where nobody is named outlives a time box, whatever stands in the directories.
  expect(gist(await timed.call('agents.update', { agentId: 'x', default: true }))).toBe(BEYOND);
  expect(gist(await lasting.call('agents.update', { agentId: 'x', default: true }))).toBe('ok');
  expect(gist(await lasting.call('agents.update', { agentId: 'main', default: true }))).toBe('ok');
  expect(await workspaces()).toEqual(before);

  const named = join(gateway.stateDir, '..', 'private');
  await owner.ask('config.patch', { raw: JSON.stringify({ agents: { defaults: { workspace: named } } }) });
  expect(await workspaces()).toEqual({ ...before, main: named });
  const marked = [{ id: 'main' }, { id: 'x', default: true }];
  const { hash } = await owner.ask('config.get');
  const text = readFileSync(join(gateway.stateDir, 'latchkey.json'), 'utf8');
  for (const peer of [timed, lasting]) {
    for (const [method, params] of [
      ['agents.update', { agentId: 'x', default: true }],
      ['agents.create', { name: 'y', default: true }],
      ['config.patch', { raw: JSON.stringify({ agents: { list: marked } }) }],
      ['config.set', { raw: JSON.stringify({ ...JSON.parse(text), agents: { list: marked } }), baseHash: hash }],
    ] as const) {
      expect([method, gist(await peer.call(method, params))]).toEqual([method, BEYOND]);
    }
    peer.end();
  }
  expect(await workspaces()).toEqual({ ...before, main: named });
  expect(gist(await owner.call('agents.update', { agentId: 'x', default: true }))).toBe('ok');
  expect((await workspaces()).x).toBe(named);
});

it('threat 59: nothing of another agent goes with one that is taken away, over whichever link it lies in there', async () => {
  await open({ list: [{ id: 'main' }, { id: 'c' }] });
  const deep = join(own('c'), 'workspace', 'deep');
  mkdirSync(deep);
  writeFileSync(join(deep, 'precious'), 'mine');
  const link = join(gateway.stateDir, '..', 'link');
  symlinkSync(deep, link);
  await owner.ask('agents.create', { name: 'viewer', workspace: link });
  const lent = await owner.ask('agents.delete', { agentId: 'c', deleteFiles: true });
  expect([lent.workspaceDeleted, readFileSync(join(link, 'precious'), 'utf8')]).toEqual([false, 'mine']);
  await owner.ask('agents.create', { name: 'c' });
  await owner.ask('agents.delete', { agentId: 'viewer' });
  expect((await owner.ask('agents.delete', { agentId: 'c', deleteFiles: true })).workspaceDeleted).toBe(true);
  expect(existsSync(own('c'))).toBe(false);
});

it('rule: an agent that was taken away with its files is gone with all of its sessions, and the others have theirs', async () => {
  await open({ list: [{ id: 'main' }, { id: 'work' }] });
  const keys = Array.from({ length: 60 }, (_, n) => `agent:work:s${n}`);
  await Promise.all([...keys, 'agent:main:kept'].map((key) => owner.ask('sessions.reset', { key })));
  writeFileSync(join(own('work'), 'workspace', 'MEMORY.md'), 'x');
  expect(await owner.ask('agents.delete', { agentId: 'work', deleteFiles: true })).toMatchObject({
    sessions: 60,
    sessionsDeleted: true,
    workspaceDeleted: true,
  });
  const { sessions } = await owner.ask('sessions.list');
  expect(sessions.map(({ key }: Payload) => key)).toEqual(['agent:main:kept']);
  expect(existsSync(own('work'))).toBe(false);
});

it('A1: which agents there are, and which is the default, is told to who may ask for them, and to nobody else', async () => {
  await open({ list: [{ id: 'acme-merger', default: true }, { id: 'main' }] });
  await owner.ask('sessions.reset', { key: 'agent:acme-merger:deal' });
  const [reader, pairer, empty, node] = [newIdentity(), newIdentity(), newIdentity(), newIdentity()];
  await ensure(owner, reader, [READ]);
  await ensure(owner, pairer, [PAIRING]);
  await ensure(owner, empty, []);
  await owner.ask('device.pair.ensure', { publicKey: node.publicKey, role: 'node', scopes: [] });
  const { scopes: _, ...plain } = plainParams();
  for (const [identity, role] of [
    [pairer, 'operator'],
    [empty, 'operator'],
    [node, 'node'],
  ] as const) {
    const { hello, partner } = await connected({ port: gateway.port }, { ...plain, role }, { identity });
    const health = await partner.ask('health');
    expect(JSON.stringify([hello, health])).not.toContain('acme');
    for (const told of [hello.snapshot.health, health]) {
      expect(told).toMatchObject({ defaultAgentId: 'main', agents: [{ agentId: 'main', isDefault: true }] });
      expect(told.agents).toHaveLength(1);
    }
    expect(hello.snapshot.sessionDefaults.mainSessionKey).toBe('agent:main:main');
    partner.end();
  }
  const { hello, partner } = await session(gateway, reader);
  for (const told of [hello.snapshot.health, await partner.ask('health')])
    expect(told.agents.map(({ agentId }: Payload) => agentId)).toEqual(['acme-merger', 'main']);
  expect(hello.snapshot.sessionDefaults.defaultAgentId).toBe('acme-merger');
  partner.end();
});

it('rule: no session is begun under a key that a terminal would obey; one that is there is read, and deleted', async () => {
  await open({ list: [{ id: 'main' }] });
  const key = 'notes\u009b31m\u202e';
  const begin = [
    ['sessions.patch', { key, label: 'x' }],
    ['sessions.reset', { key }],
    ['sessions.create', { key }],
    ['chat.send', { sessionKey: key, message: 'x', idempotencyKey: 'a' }],
    ['chat.inject', { sessionKey: key, message: 'x' }],
    ['agent', { sessionKey: key, message: 'x', idempotencyKey: 'b' }],
  ] as const;
  for (const [method, params] of begin)
    expect([method, gist(await owner.call(method, params))]).toEqual([method, 'INVALID_REQUEST SESSION_KEY']);
  expect((await owner.ask('sessions.list')).count).toBe(0);

  // As one stands there that was begun before there was this rule.
  await owner.ask('chat.inject', { sessionKey: 'notes', message: 'still here' });
  await gateway.halt();
  const database = new DatabaseSync(join(gateway.stateDir, 'state', 'latchkey.sqlite'));
  renamed(database, 'agent:main:notes', `agent:main:${key}`);
  database.close();
  const again = await start({ stateDir: gateway.stateDir });
  const peer = await again.owner();
  const whole = `agent:main:${key}`;
  expect((await peer.ask('sessions.list')).sessions.map((row: Payload) => row.key)).toEqual([whole]);
  expect(JSON.stringify(await peer.ask('chat.history', { sessionKey: whole }))).toContain('still here');
  expect(await peer.ask('sessions.patch', { key, label: 'x' })).toMatchObject({ ok: true, key: whole });
  expect(await peer.ask('sessions.delete', { key })).toMatchObject({ deleted: true });
  expect(gist(await peer.call('sessions.patch', { key, label: 'x' }))).toBe('INVALID_REQUEST SESSION_KEY');
  await again.halt();
});

/** A session's key, in every column that holds it: as JSON. */
function renamed(database: DatabaseSync, from: string, to: string): void {
  database.exec('pragma foreign_keys = off');
  for (const table of ['session', 'conversation', 'run']) {
    const columns = database.prepare(`pragma table_info(${table})`).all();
    if (!columns.some(({ name }) => name === 'key')) continue;
    database.prepare(`update ${table} set key = ? where key = ?`).run(JSON.stringify(to), JSON.stringify(from));
  }
}
