// T7: what this host knows as a client is deleted, emptied, garbage, or another host's. Never a loop, never a lock-out,
// at most one open request, and each time the command that helps.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { contextOf, type Globals, type Host } from '../../src/cli/context.ts';
import { withRemote } from '../../src/cli/remote.ts';
import { aimOf } from '../../src/cli/remote-target.ts';
import { credentialsPath } from '../../src/client/node/credentials.ts';
import { deviceIdentityPath } from '../../src/client/node/identity.ts';
import { systemClock } from '../../src/system/clock.ts';
import { type Failure, isFailure } from '../../src/system/failure.ts';
import { type Gateway, start } from '../gateway.ts';
import type { Owner } from '../partner/owner.ts';
import { READ } from './act.ts';

let gateway: Gateway;
let owner: Owner;
let relay: Server;
let home = '';
/** Connections that were made to the gateway since the last look. */
let dialed = 0;
const pipes: Socket[] = [];

beforeAll(async () => {
  gateway = await start();
  owner = await gateway.owner();
  relay = createServer((socket) => {
    dialed += 1;
    const onward = dial(gateway.port, '127.0.0.1');
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      pipes.push(from);
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise<void>((done) => relay.listen(0, '127.0.0.1', done));
});
afterAll(async () => {
  for (const socket of pipes) socket.destroy();
  await new Promise((done) => relay.close(done));
  await gateway.stop();
});
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-t7-'));
  dialed = 0;
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const url = () => {
  const bound = relay.address();
  return `ws://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
};

interface Ran {
  readonly ok: boolean;
  readonly failure: Failure | null;
  readonly err: string;
  /** Connections that it took. */
  readonly dialed: number;
}

/** `latchkey status --url …` on a host of that name. */
async function run(name: string, globals: Globals = { wait: 0 }): Promise<Ran> {
  let err = '';
  const host = {
    env: { LATCHKEY_STATE_DIR: join(home, name) },
    clock: systemClock,
    version: '1.2.3',
    output: () => ({
      out: () => {},
      err: (text: string) => {
        err += text;
      },
      colour: false,
      interactive: false,
    }),
  } as unknown as Host;
  const context = contextOf({ url: url(), ...globals }, host);
  const before = dialed;
  const result = (failure: Failure | null) => ({ ok: failure === null, failure, err, dialed: dialed - before });
  try {
    const target = await aimOf(context);
    if (target === null) throw new Error('it stays here');
    await withRemote(context, target, ['status'], (call) => call('status'));
    return result(null);
  } catch (error) {
    if (isFailure(error)) return result(error);
    throw error;
  }
}

const identity = (name: string) => deviceIdentityPath(join(home, name));
const credentials = (name: string) => credentialsPath(join(home, name));
const idOf = (name: string): string => JSON.parse(readFileSync(identity(name), 'utf8')).deviceId;
const known = (name: string) => JSON.parse(readFileSync(credentials(name), 'utf8')).gateways[url()];

async function openOf(deviceId: string): Promise<readonly { requestId: string; comparisonCode?: string }[]> {
  const { pending } = await owner.ask('device.pair.list', {});
  return pending.filter(
    (row: { deviceId: string; state?: string }) => row.deviceId === deviceId && row.state !== 'rejected',
  );
}

/** A host that the gateway knows: it asked, was shown a code, and was approved. */
async function paired(name: string): Promise<void> {
  const asked = await run(name);
  expect(asked.failure).toMatchObject({ exitCode: 75 });
  const [request] = await openOf(idOf(name));
  await owner.ask('device.pair.approve', { requestId: request?.requestId });
  expect(await run(name)).toMatchObject({ ok: true, dialed: 1 });
}

test('T7, A19: a second machine asks, shows the code that the host shows, and goes on when it is approved there', async () => {
  const asked = await run('laptop');
  const [request, ...more] = await openOf(idOf('laptop'));
  expect(more).toEqual([]);
  const [code] = /\d{4} \d{4}/.exec(asked.err) ?? [];
  expect(code).toBeDefined();
  expect(JSON.stringify(request)).toContain(code);
  expect(asked.failure?.run).toBe(`on the gateway's host: latchkey devices approve ${request?.requestId}`);
  // It waits now, on the same request and code, while somebody approves.
  const waiting = run('laptop', { wait: 60_000 });
  await new Promise((done) => setTimeout(done, 300));
  expect(await openOf(idOf('laptop'))).toHaveLength(1);
  await owner.ask('device.pair.approve', { requestId: request?.requestId });
  const gone = await waiting;
  expect(gone).toMatchObject({ ok: true, dialed: 1 });
  expect(gone.err).toContain(code);
});

test('T7: credentials deleted: the key still has its grant, and what was known is learned again', async () => {
  await paired('a');
  const before = known('a');
  rmSync(credentials('a'));
  const ran = await run('a');
  expect(ran).toMatchObject({ ok: true, dialed: 1 });
  expect(ran.err).toContain('has to prove this key');
  expect(known('a').gatewayKey).toBe(before.gatewayKey);
  expect(await openOf(idOf('a'))).toEqual([]);
});

test.each([
  ['emptied', ''],
  ['garbage', '\u0000garbage{'],
])(
  'T7, A18: credentials %s: nothing is dialed, the file stays, and the command that is named leads back',
  async (_how, text) => {
    await paired('a');
    writeFileSync(credentials('a'), text);
    for (let i = 0; i < 5; i += 1) {
      const ran = await run('a');
      expect(ran.failure).toMatchObject({ exitCode: 78 });
      expect(ran.dialed).toBe(0);
    }
    expect(readFileSync(credentials('a'), 'utf8')).toBe(text);
    const [mend = ''] = (await run('a')).failure?.run.split('   (') ?? [];
    execFileSync('sh', ['-c', mend]);
    expect(await run('a')).toMatchObject({ ok: true, dialed: 1 });
    expect(await openOf(idOf('a'))).toEqual([]);
  },
);

test("T7, A10: another host's credentials: its pin counts, its token is not shown, and ours takes its place", async () => {
  await paired('a');
  await paired('b');
  copyFileSync(credentials('b'), credentials('a'));
  const theirs = known('a').deviceToken;
  expect(theirs?.deviceId).toBe(idOf('b'));
  expect(await run('a')).toMatchObject({ ok: true, dialed: 1, err: '' });
  expect(known('a').deviceToken.deviceId).toBe(idOf('a'));
  expect(known('a').deviceToken.token).not.toBe(theirs.token);
});

test('T7, A10: an old token heals in the handshake that brings it', async () => {
  await paired('a');
  const old = known('a').deviceToken.token;
  await owner.ask('device.token.rotate', { deviceId: idOf('a'), role: 'operator' });
  expect(await run('a')).toMatchObject({ ok: true, dialed: 1 });
  const fresh = known('a').deviceToken.token;
  expect(fresh).not.toBe(old);
  const bytes = readFileSync(credentials('a'), 'utf8');
  expect(await run('a')).toMatchObject({ ok: true, dialed: 1 });
  expect(readFileSync(credentials('a'), 'utf8')).toBe(bytes);
});

test('T7, A18: credentials of another gateway: both keys and the command that accepts it; nothing was asked of anybody', async () => {
  await paired('a');
  const file = JSON.parse(readFileSync(credentials('a'), 'utf8'));
  const real = file.gateways[url()].gatewayKey;
  file.gateways[url()].gatewayKey = 'B'.repeat(43);
  writeFileSync(credentials('a'), JSON.stringify(file));
  for (let i = 0; i < 3; i += 1) {
    const { failure, dialed: count } = await run('a');
    expect([failure?.exitCode, count]).toEqual([78, 1]);
    expect(failure?.why).toContain(real);
    expect(failure?.why).toContain('B'.repeat(43));
    expect(failure?.run).toContain(`gateway trust --url ${url()} --key ${real}`);
  }
  expect(await openOf(idOf('a'))).toEqual([]);
});

test('T7, A5: identity deleted: a new device asks, once, however often it is tried', async () => {
  await paired('a');
  const before = idOf('a');
  rmSync(identity('a'));
  const codes = new Set<string>();
  for (let i = 0; i < 5; i += 1) {
    const ran = await run('a');
    expect(ran.failure).toMatchObject({ exitCode: 75, run: expect.stringContaining('latchkey devices approve ') });
    expect(ran.dialed).toBe(1);
    codes.add(/\d{4} \d{4}/.exec(ran.err)?.[0] ?? 'none');
  }
  expect(idOf('a')).not.toBe(before);
  const open = await openOf(idOf('a'));
  expect(open).toHaveLength(1);
  expect([...codes]).toEqual([expect.stringMatching(/^\d{4} \d{4}$/)]);
  await owner.ask('device.pair.approve', { requestId: open[0]?.requestId });
  expect(await run('a')).toMatchObject({ ok: true, dialed: 1 });
});

test.each([
  ['emptied', ''],
  ['garbage', '{"version":1,"deviceId":"x"'],
])('T7: identity %s: nothing is dialed, the file stays, and the copy brings everything back', async (_how, text) => {
  await paired('a');
  const { pending } = await owner.ask('device.pair.list', {});
  copyFileSync(identity('a'), join(home, 'copy'));
  writeFileSync(identity('a'), text);
  for (let i = 0; i < 3; i += 1) {
    const ran = await run('a');
    expect(ran.failure).toMatchObject({ exitCode: 78, run: expect.stringContaining('BACKUP/identity/device.json') });
    expect(ran.dialed).toBe(0);
  }
  expect(readFileSync(identity('a'), 'utf8')).toBe(text);
  const after = await owner.ask('device.pair.list', {});
  expect(after.pending).toHaveLength(pending.length);
  copyFileSync(join(home, 'copy'), identity('a'));
  expect(await run('a')).toMatchObject({ ok: true, dialed: 1 });
});

test("T7, A3: another host's identity: it is that device, with its grant and its request", async () => {
  await paired('a');
  await paired('b');
  copyFileSync(identity('b'), identity('a'));
  expect(await run('a')).toMatchObject({ ok: true, dialed: 1 });
  expect(idOf('a')).toBe(idOf('b'));
  // One that nobody paired asks once, wherever it is used.
  await run('c');
  copyFileSync(identity('c'), identity('a'));
  expect((await run('a')).failure).toMatchObject({ exitCode: 75 });
  expect((await run('c')).failure).toMatchObject({ exitCode: 75 });
  expect(await openOf(idOf('c'))).toHaveLength(1);
  expect(existsSync(identity('a'))).toBe(true);
});

test('T7, A9: a key whose grant was ended asks once, and is told what to run', async () => {
  await paired('a');
  await owner.ask('device.pair.remove', { deviceId: idOf('a') });
  for (let i = 0; i < 3; i += 1) {
    const ran = await run('a');
    expect(ran.failure?.run).toMatch(/latchkey devices (approve|list)/);
    expect(ran.dialed).toBe(1);
  }
  expect((await openOf(idOf('a'))).length).toBeLessThanOrEqual(1);
  await owner.ask('device.pair.ensure', {
    publicKey: (await publicKeyOf('a')) ?? '',
    role: 'operator',
    scopes: [READ],
  });
  expect(await run('a')).toMatchObject({ ok: true, dialed: 1 });
});

async function publicKeyOf(name: string): Promise<string | null> {
  const { readDeviceIdentity } = await import('../../src/client/node/identity.ts');
  return readDeviceIdentity(join(home, name))?.publicKey ?? null;
}
