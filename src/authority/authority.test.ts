import { expect, test } from 'vitest';
import type { DeviceId, Principal, RequestId } from '../core/authz/principal.ts';
import { ADMIN, OPERATOR_SCOPES, PAIRING, READ, type Scope, WRITE } from '../core/authz/scope.ts';
import { openMemory } from '../store/memory/memory.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';
import { ScriptedClock } from '../system/clock.ts';
import { Authority, type ConnectInput } from './authority.ts';

const OWNER: Principal = { kind: 'owner' };
const A = 'a'.repeat(64) as DeviceId;
const label = {
  name: null,
  platform: null,
  family: null,
  clientId: 'x',
  clientMode: 'cli',
  version: '1',
  remote: '127.0.0.1',
};

/** A store whose disk can be taken away. */
function breakable(store: Store) {
  const disk = { full: false, commits: 0 };
  const broken: Store = {
    describe: store.describe,
    read: (work) => store.read(work),
    close: () => store.close(),
    write: async (work, options) => {
      if (disk.full) throw new StoreUnavailable('disk full', 'df -h');
      disk.commits += 1;
      return store.write(work, options);
    },
  };
  return { disk, store: broken };
}

async function setUp() {
  const clock = new ScriptedClock();
  const { disk, store } = breakable(openMemory());
  let ids = 0;
  const authority = await Authority.open({
    store,
    now: () => clock.now(),
    after: (delayMs, run) => clock.after(delayMs, run),
    freshId: () => `id${++ids}`,
    secretScopes: () => OPERATOR_SCOPES,
    waitedAt: () => new Set(),
  });
  const connect = (asked: readonly Scope[] | null, more: Partial<ConnectInput> = {}) =>
    authority.connect({
      device: A,
      key: 'k',
      role: 'operator',
      asked,
      origin: 'none',
      secret: 'none',
      direct: true,
      code: null,
      waits: false,
      askMode: 'open',
      source: 'loopback',
      label,
      comparison: null,
      ...more,
    });
  const ensure = (scopes: readonly Scope[], until: number | null = null) =>
    authority.decide(
      OWNER,
      { kind: 'ensure', role: 'operator', scopes: scopes.map((scope) => ({ scope, until })) },
      A,
      'k',
    );
  return { clock, disk, authority, connect, ensure };
}

test('A6 a connect whose ask is covered touches no store at all', async () => {
  const { disk, connect, ensure } = await setUp();
  await ensure([READ]);
  const before = disk.commits;
  await connect([READ]);
  await connect(null);
  await connect([]);
  expect(disk.commits).toBe(before);
});

test('A4 a granted key connects on a full disk; what it asked beyond is left out, and that is said', async () => {
  const { disk, connect, ensure } = await setUp();
  await ensure([READ]);
  disk.full = true;
  const decided = await connect([READ, WRITE]);
  expect(decided).toMatchObject({
    stored: false,
    reply: { kind: 'connected', held: [READ], missing: [WRITE], request: null },
  });
  disk.full = false;
  const again = await connect([READ, WRITE]);
  expect(again).toMatchObject({ stored: true, reply: { kind: 'connected', request: { scopes: [WRITE] } } });
});

test('A17 a decision that can not be stored changes nothing, in memory neither', async () => {
  const { disk, authority, ensure } = await setUp();
  await ensure([READ]);
  disk.full = true;
  await expect(ensure([ADMIN])).rejects.toThrow('disk full');
  expect(authority.peek(A)?.roles.operator.grant?.entries.map((e) => e.scope)).toEqual([READ]);
});

test('A7 the decider is judged as it stands in the committing transaction', async () => {
  const { authority, connect, ensure } = await setUp();
  await ensure([ADMIN]);
  const B = 'b'.repeat(64) as DeviceId;
  const asked = await connect([READ], { device: B });
  const id = asked.reply.kind === 'refused' ? asked.reply.refusal.request?.id : undefined;
  const decider: Principal = { kind: 'device', device: A, role: 'operator', asked: null };
  // Both arrive in one turn and are committed together: the narrowed one decides nothing.
  const [narrowed, approved] = await Promise.all([
    authority.decide(OWNER, { kind: 'narrow', role: 'operator', scopes: [READ] }, A),
    authority.decide(decider, { kind: 'approve', id: id as RequestId, scopes: null, until: null }, null),
  ]);
  expect(narrowed.reply).toMatchObject({ kind: 'done', changed: true });
  expect(approved.reply).toMatchObject({ kind: 'refused', refusal: { code: 'missing_scope', scopes: [PAIRING] } });
});

test('rule group commit: what arrives together is one commit, and each is answered for itself', async () => {
  const { disk, authority } = await setUp();
  const before = disk.commits;
  const ids = Array.from({ length: 8 }, (_, i) => String(i).repeat(64) as DeviceId);
  const all = await Promise.all(
    ids.map((device) => authority.decide(OWNER, { kind: 'ensure', role: 'operator', scopes: [] }, device, 'k')),
  );
  expect(all.every((d) => d.reply.kind === 'done')).toBe(true);
  expect(disk.commits - before).toBe(1);
});

test('A20 an end counts from its instant, written or not, and is told once it is written', async () => {
  const { clock, authority, ensure } = await setUp();
  await ensure([READ], clock.now() + 1_000);
  const told: string[] = [];
  authority.listen((tidings) => void told.push(tidings.kind));
  const session: Principal = { kind: 'device', device: A, role: 'operator', asked: null };
  expect(authority.holds(session, READ)).toBe(true);
  clock.setWall(clock.now() + 1_000);
  expect(authority.holds(session, READ)).toBe(false);
  await authority.tick();
  expect(told).toEqual(['tell.change', 'tell.grant']);
  expect(authority.peek(A)?.roles.operator.grant?.entries).toEqual([]);
});

test('A15 a stranger who asks and goes away leaves nothing behind', async () => {
  const { clock, authority, connect } = await setUp();
  await connect([READ]);
  expect(authority.devices()).toHaveLength(1);
  clock.setWall(clock.now() + 11 * 60_000);
  await authority.tick();
  expect(authority.devices()).toEqual([]);
});

test('A7 a session that asked for pairing alone rejects what it sees, and removes it', async () => {
  const { authority, connect, ensure } = await setUp();
  await ensure([PAIRING, READ]);
  const B = 'b'.repeat(64) as DeviceId;
  await connect([READ], { device: B });
  const narrow: Principal = { kind: 'device', device: A, role: 'operator', asked: [PAIRING] };
  const id = authority.peek(B)?.roles.operator.request?.id as RequestId;
  const silent: Principal = { ...narrow, asked: [READ] };
  expect((await authority.decide(silent, { kind: 'reject', id }, null)).reply).toMatchObject({ kind: 'refused' });
  expect((await authority.decide(narrow, { kind: 'reject', id }, null)).reply).toMatchObject({ changed: true });
  expect((await authority.decide(narrow, { kind: 'remove' }, B)).reply).toMatchObject({ changed: true });
});

test('A7 a decider sees what it could decide with all it holds, and decides with what its session asked for', async () => {
  const { authority, connect, ensure } = await setUp();
  await ensure([PAIRING, READ]);
  const B = 'b'.repeat(64) as DeviceId;
  await connect([READ], { device: B });
  const b = authority.peek(B);
  const narrow: Principal = { kind: 'device', device: A, role: 'operator', asked: [PAIRING] };
  if (b === null) throw new Error('nobody asks');
  expect(authority.sees(narrow, b, 'operator', [READ])).toBe(true);
  expect(authority.sees(narrow, b, 'operator', [WRITE])).toBe(false);
  const id = b.roles.operator.request?.id as RequestId;
  const refused = await authority.decide(narrow, { kind: 'approve', id, scopes: null, until: null }, null);
  expect(refused.reply).toMatchObject({ kind: 'refused' });
  const asked = await authority.decide(
    { ...narrow, asked: [PAIRING, READ] },
    { kind: 'approve', id, scopes: null, until: null },
    null,
  );
  expect(asked.reply).toMatchObject({ kind: 'done', changed: true });
});
