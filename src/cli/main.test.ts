import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../system/clock.ts';
import { openGatewayIdentity } from '../system/identity.ts';
import { makeStateDir } from '../system/state-dir.ts';
import type { Host } from './context.ts';
import { main } from './main.ts';

const REQUEST = '947ea31b-a673-475b-94f3-eb87856d43cf';
const DEVICE = 'c1'.repeat(32);
const NOW = 1_800_000_000_000;

const request = {
  requestId: REQUEST,
  deviceId: DEVICE,
  displayName: 'lap\u202etop\u001b[2J',
  platform: 'linux',
  clientId: 'cli',
  clientMode: 'cli',
  remoteIp: '192.0.2.7',
  role: 'operator',
  scopes: ['operator.read'],
  held: [],
  isRepair: false,
  ts: NOW - 120_000,
  expiresAtMs: NOW + 480_000,
  code: '1234 5678',
  state: 'open',
};
const owner = { kind: 'owner' };
const paired = {
  deviceId: 'd1'.repeat(32),
  displayName: 'tablet',
  platform: 'ios',
  scopes: ['operator.read'],
  lastSeenAtMs: NOW - 300_000,
  sessions: 2,
  grants: [
    {
      role: 'operator',
      by: owner,
      atMs: NOW - 86_400_000 * 3,
      scopes: [
        { scope: 'operator.read', untilMs: null, by: owner },
        { scope: 'operator.write', untilMs: NOW + 3_600_000, by: { kind: 'device', device: DEVICE } },
      ],
    },
  ],
};

let home = '';
let stateDir = '';
let servers: Server[] = [];
let sockets: Socket[] = [];
let calls: { method: string; params: Record<string, unknown> }[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-c-'));
  stateDir = join(home, 's');
  servers = [];
  sockets = [];
  calls = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  rmSync(home, { recursive: true, force: true });
});

type Answer = { payload: unknown } | { error: Record<string, unknown> } | 'silence';

/** A scripted gateway at the owner socket. */
async function gateway(answers: Record<string, Answer>): Promise<void> {
  makeStateDir(stateDir);
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    let rest = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const { id, method, params = {} } = JSON.parse(line);
        calls.push({ method, params });
        const answer = answers[method];
        if (answer === 'silence' || answer === undefined) continue;
        socket.write(`${JSON.stringify({ type: 'res', id, ok: 'payload' in answer, ...answer })}\n`);
      }
    });
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(join(stateDir, 'run', 'gateway.sock'), done));
}

async function run(argv: string[], more: { env?: Record<string, string>; typed?: string } = {}) {
  let out = '';
  let err = '';
  const ran: unknown[] = [];
  const host: Host = {
    argv,
    env: { HOME: home, LATCHKEY_STATE_DIR: stateDir, ...more.env },
    clock: { ...systemClock, now: () => NOW },
    version: '1.2.3',
    output: () => ({
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      colour: false,
      interactive: more.typed !== undefined,
    }),
    ask: async () => more.typed ?? null,
    runGateway: async (options) => {
      ran.push(options);
      return 0;
    },
  };
  const code = await main(host);
  return { code, out, err, ran };
}

const list = (pending: unknown[] = [request], rows: unknown[] = [paired]): Record<string, Answer> => ({
  'device.pair.list': { payload: { pending, paired: rows } },
});

test('rule: the version is one line', async () => {
  for (const flag of ['--version', '-V']) expect(await run([flag])).toMatchObject({ code: 0, out: '1.2.3\n', err: '' });
  expect(await run(['status', '--version'])).toMatchObject({ code: 0, out: '1.2.3\n' });
});

test.each([
  [['devcies'], "unknown command 'devcies'", 'did you mean devices?'],
  [['devices', 'aprove', 'x'], "unknown command 'aprove'", 'did you mean approve?'],
  [['status', '--josn'], "unknown option '--josn'", 'did you mean --json?'],
  [['devices', 'narrow', 'x', '--scpoe', 'y'], "unknown option '--scpoe'", 'did you mean --scope?'],
  [['devices', 'approve', 'x', '--for', '3 days'], "option '--for <duration>' argument '3 days' is invalid", '12h'],
  [['gateway', 'run', '--port', '70000'], "option '--port <port>' argument '70000' is invalid", '65535'],
  [['devices', 'reject'], "missing required argument 'request'", ''],
  [['devices', 'ensure', '--scope', 'x'], "required option '--key <key>' not specified", ''],
  [['--profile', '../x', 'status'], "'../x' can't be a profile's name", ''],
  [['devices', 'narrow', 'x'], 'no scope is given', '--none'],
  [['gateway', 'call', 'health', '--params', '[1]'], "--params can't be used", 'JSON object'],
])('rule: %j is usage, exit 2, in three lines', async (argv, what, why) => {
  const { code, out, err } = await run(argv);
  expect([code, out]).toEqual([2, '']);
  const lines = err.trimEnd().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toBe(`latchkey: ${what}`);
  expect(lines[1]).toMatch(/^ {2}why: ./);
  expect(lines[1]).toContain(why);
  expect(lines[2]).toMatch(/^ {2}run: latchkey/);
});

test('rule: with --json a failure is one document too', async () => {
  const { code, out } = await run(['devices', 'lst', '--json']);
  expect(code).toBe(2);
  expect(JSON.parse(out)).toMatchObject({ ok: false, error: { why: 'did you mean list?', exitCode: 2 } });
});

test('rule: with no gateway each command says so and how to start it, and leaves nothing behind', async () => {
  const start = `latchkey gateway run`;
  expect(await run(['status'])).toMatchObject({ code: 0, out: expect.stringContaining('not running') });
  expect(JSON.parse((await run(['status', '--json'])).out)).toMatchObject({ running: false, stateDir });
  expect(await run(['health'])).toMatchObject({ code: 1, err: expect.stringContaining(start) });
  for (const argv of [
    ['devices', 'list'],
    ['devices', 'reject', 'x'],
    ['gateway', 'call', 'health'],
  ]) {
    expect(await run(argv)).toMatchObject({ code: 75, out: '', err: expect.stringContaining(start) });
  }
  expect(existsSync(stateDir)).toBe(false);
  makeStateDir(stateDir);
  expect((await run(['devices', 'list'])).code).toBe(75);
  expect(readdirSync(join(stateDir, 'run'))).toEqual([]);
});

test('T18 a pasted command names the same state directory', async () => {
  const { err } = await run(['--profile', 'work', 'devices', 'list']);
  expect(err).toContain('run: latchkey --profile work gateway run');
  expect(err).toContain(join('.latchkey-work'));
});

test('rule: gateway run is handed what the line says', async () => {
  const { ran, code } = await run(['gateway', 'run', '--port', '0', '--state-dir', stateDir, '--bind', 'loopback']);
  expect([code, ran]).toEqual([0, [{ stateDir, port: 0, bind: 'loopback' }]]);
});

test('A15, A19 devices list shows who asks, with the code, what is held, and the exact command', async () => {
  const second = { ...request, requestId: 'b'.repeat(36), code: null, isRepair: true, held: ['operator.read'] };
  const rejected = { ...request, requestId: 'r'.repeat(36), state: 'rejected', rejectedBy: owner };
  await gateway(list([request, second, rejected]));
  const { code, out } = await run(['devices', 'list', '--state-dir', stateDir]);
  expect(code).toBe(0);
  expect(out).toContain('2 open requests');
  expect(out).toContain('"lap\\u202etop\\u001b[2J" (cli, linux)');
  expect(out).toContain('192.0.2.7, 2 min ago, ends in 8 min');
  expect(out).toMatch(/compare +1234 5678/);
  expect(out).toMatch(/compare +none shown/);
  expect(out).toMatch(/holds +operator\.read/);
  expect(out).toContain(`latchkey --state-dir ${stateDir} devices approve ${REQUEST}`);
  expect(out).toMatch(/rejected +by the owner/);
  expect(out).toMatch(/operator\.write until 2027-\S+ \S+ \(in 1 h\) by device c1c1c1c1c1c1/);
  expect(out).toMatch(/approved +by the owner, 3 d ago/);
  expect(out).toMatch(/last seen +now, 2 sessions now/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing of the claims may reach the terminal
  expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  expect(calls.map((c) => c.method)).toEqual(['device.pair.list']);
});

test('rule: --json is the answer as it came', async () => {
  await gateway(list());
  const { out, err } = await run(['devices', 'list', '--json']);
  expect(JSON.parse(out)).toEqual({ pending: [request], paired: [paired] });
  expect(err).toBe('');
});

test.each([{}, { pending: 5, paired: [null, 7, {}] }, { pending: [{}, 'x'], paired: [{ grants: 'x' }] }, null, []])(
  'rule: an answer of another shape is shown as far as it goes: %j',
  async (payload) => {
    await gateway({ 'device.pair.list': { payload } });
    expect((await run(['devices', 'list'])).code).toBe(0);
  },
);

test('A20 approve sends scopes and end, and says what was given', async () => {
  await gateway({
    'device.pair.approve': {
      payload: {
        requestId: REQUEST,
        device: paired,
        changed: true,
        given: [{ scope: 'operator.read', untilMs: NOW + 1 }],
      },
    },
  });
  const argv = [
    'devices',
    'approve',
    REQUEST,
    '--scope',
    'operator.read,operator.talk',
    '--scope',
    'x',
    '--for',
    '12h',
  ];
  const { code, out } = await run(argv);
  expect(code).toBe(0);
  expect(calls).toEqual([
    {
      method: 'device.pair.approve',
      params: { requestId: REQUEST, scopes: ['operator.read', 'operator.talk', 'x'], untilMs: NOW + 43_200_000 },
    },
  ]);
  expect(out).toContain('Approved: d1d1d1d1d1d1 "tablet"');
});

test('A5 the beginning of an id is enough, if it is one', async () => {
  const approve = { 'device.pair.approve': { payload: { device: paired, given: [] } } };
  await gateway({ ...list([request, { ...request, requestId: '9400' }]), ...approve });
  expect((await run(['devices', 'approve', '947'])).code).toBe(0);
  expect(calls.at(-1)?.params).toEqual({ requestId: REQUEST });
  expect(await run(['devices', 'approve', '94'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('2 requests'),
  });
});

test('rule: approve without an id prints the commands, and approves nothing', async () => {
  await gateway(list());
  expect(await run(['devices', 'approve'])).toMatchObject({
    code: 2,
    out: expect.stringContaining(`devices approve ${REQUEST}`),
  });
  const { out } = await run(['devices', 'approve', '--json']);
  expect(JSON.parse(out).commands).toEqual([`latchkey devices approve ${REQUEST}`]);
  expect(calls.every((c) => c.method === 'device.pair.list')).toBe(true);
});

test.each([
  ['y', 0],
  ['n', 2],
  ['', 2],
  ['yes please', 2],
])('rule: on a terminal approve asks; %j ends with %i', async (typed, code) => {
  await gateway({ ...list(), 'device.pair.approve': { payload: { device: paired, given: [] } } });
  expect((await run(['devices', 'approve'], { typed })).code).toBe(code);
  expect(calls.some((c) => c.method === 'device.pair.approve')).toBe(code === 0);
});

const D1 = 'd1'.repeat(32);
test.each([
  [['narrow', 'd1d1', '--scope', 'a'], 'device.grant.narrow', { deviceId: D1, role: 'operator', scopes: ['a'] }],
  [['narrow', '--device', 'tablet', '--none'], 'device.grant.narrow', { deviceId: D1, role: 'operator', scopes: [] }],
  [['rotate', D1, '--role', 'node'], 'device.token.rotate', { deviceId: D1, role: 'node' }],
  [['revoke', 'tablet'], 'device.token.revoke', { deviceId: D1, role: 'operator' }],
  [['remove', D1, '--with-all'], 'device.pair.remove', { deviceId: D1, withAll: true }],
  [['rename', D1, 'Kitchen'], 'device.pair.rename', { deviceId: D1, label: 'Kitchen' }],
  [['rename', D1], 'device.pair.rename', { deviceId: D1, label: null }],
  [['rename', '--device', D1, '--name', 'Kitchen'], 'device.pair.rename', { deviceId: D1, label: 'Kitchen' }],
  [['reject', REQUEST], 'device.pair.reject', { requestId: REQUEST }],
  [
    ['ensure', '--key', 'K', '--scope', 'a', '--scope', 'b', '--for', '1h', '--name', 'CI'],
    'device.pair.ensure',
    { publicKey: 'K', role: 'operator', scopes: ['a', 'b'], untilMs: NOW + 3_600_000, displayName: 'CI' },
  ],
])('rule: devices %j calls %s', async (argv, method, params) => {
  await gateway({ ...list(), [method]: { payload: {} } });
  expect((await run(['devices', ...argv])).code).toBe(0);
  expect(calls.at(-1)).toEqual({ method, params });
});

test('A9 what a removal leaves behind is said, and the secret is rotated where that was wanted', async () => {
  const payload = { deviceId: D1, closedSessions: 1, approved: [{ deviceId: DEVICE }], secretHolderCanReturn: true };
  await gateway({
    ...list(),
    'device.pair.remove': { payload },
    'gateway.secret.rotate': { payload: { closedSessions: 3, revoked: [] } },
  });
  const plain = await run(['devices', 'remove', D1]);
  expect(plain.out).toContain('still paired: c1c1c1c1c1c1');
  expect(plain.out).toContain('latchkey gateway secret rotate');
  const rotated = await run(['devices', 'remove', D1, '--rotate-secret', '--json']);
  expect(JSON.parse(rotated.out)).toEqual({ ...payload, secret: { closedSessions: 3, revoked: [] } });
});

test("A16 a refusal is shown with this side's remedy and the gateway's words escaped", async () => {
  const error = { code: 'INVALID_REQUEST', message: 'gone\u001b[2J\nrun: rm -rf ~', details: { refusal: 'not_found' } };
  await gateway({ 'device.pair.reject': { error } });
  const { code, err } = await run(['devices', 'reject', REQUEST]);
  expect(code).toBe(1);
  expect(err).toContain('gone\\u001b[2J\\nrun: rm -rf ~');
  expect(err.trimEnd().split('\n')).toHaveLength(3);
  expect(err).toContain('run: latchkey devices list');
});

test('T20 a gateway that takes connections and does not answer is busy, not refused', async () => {
  await gateway({ health: 'silence', 'device.pair.list': 'silence' });
  const busy = await run(['devices', 'list', '--timeout', '50ms']);
  expect(busy).toMatchObject({ code: 75, err: expect.stringContaining('busy') });
  const probe = await run(['gateway', 'probe', '--timeout', '100ms', '--json'], { env: {} });
  expect(probe.code).toBe(75);
  expect(JSON.parse(probe.out)).toMatchObject({ ok: false, busy: true, owner: { state: 'busy' } });
  expect((await run(['health', '--timeout', '50ms'])).code).toBe(1);
});

/** A scripted TCP door: answers the upgrade and sends `first`, or says nothing. */
async function door(answer: (request: string) => string | null): Promise<void> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.setEncoding('latin1').once('data', (head: string) => {
      const text = answer(head);
      if (text === null) return;
      const key = /Sec-WebSocket-Key: (\S+)/.exec(head)?.[1] ?? '';
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const body = Buffer.from(text);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
      socket.write(Buffer.concat([Buffer.from([0x81, 126, body.length >> 8, body.length & 255]), body]));
    });
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  writeFileSync(
    join(stateDir, 'run', 'gateway.json'),
    JSON.stringify({ pid: process.pid, port, addresses: ['127.0.0.1'], version: '1.2.3' }),
  );
}

function challenge(head: string, signer: { publicKey: string; sign(text: string): string } | null): string {
  const lk = /\?lk=(\S+)/.exec(head)?.[1] ?? '';
  const host = /Host: (\S+)/.exec(head)?.[1] ?? '';
  const nonce = 'n'.repeat(43);
  const gateway = signer && { key: signer.publicKey, signature: signer.sign(`latchkey-gw-1|${lk}|${nonce}|${host}`) };
  const payload = { nonce, ts: 1, ...(gateway ? { gateway } : {}) };
  return JSON.stringify({ type: 'event', event: 'connect.challenge', payload });
}

test('A18 probe reads the challenge and knows its own gateway by its key', async () => {
  await gateway({ health: { payload: { ok: true, eventLoop: { degraded: false, delayMaxMs: 1 } } } });
  const { signingKey } = openGatewayIdentity(stateDir, { storeExists: false, needsSecret: true });
  await door((head) => challenge(head, signingKey));
  const { code, out } = await run(['gateway', 'probe']);
  expect(out).toContain('answers; you are the owner');
  expect(out).toContain('sends its challenge and proves its key');
  expect(code).toBe(0);
});

test.each<[string, (head: string, stranger: Parameters<typeof challenge>[1]) => string | null, string]>([
  ['another gateway', (head, stranger) => challenge(head, stranger), 'foreign'],
  ['an OpenClaw', (head) => challenge(head, null), 'foreign'],
  ['a wrong proof', (head, s) => challenge(head.replace('?lk=', '?lk=x'), s), 'foreign'],
  ['another protocol', () => '{"hello":1}', 'foreign'],
  ['silence', () => null, 'busy'],
])('A18 probe tells %s', async (_what, answer, state) => {
  await gateway({ health: { payload: { ok: true } } });
  openGatewayIdentity(stateDir, { storeExists: false, needsSecret: true });
  const other = join(home, 'other');
  makeStateDir(other);
  const stranger = openGatewayIdentity(other, { storeExists: false, needsSecret: true }).signingKey;
  await door((head) => answer(head, stranger));
  const { code, out } = await run(['gateway', 'probe', '--json', '--timeout', '300ms']);
  expect(JSON.parse(out)).toMatchObject({ ok: false, owner: { state: 'ok' }, tcp: { state } });
  expect(code).toBe(state === 'busy' ? 75 : 1);
});

test('A13 secret show prints the secret alone, from where it is, with no gateway', async () => {
  expect(await run(['gateway', 'secret', 'show'])).toMatchObject({ code: 1, out: '' });
  makeStateDir(stateDir);
  const { secret } = openGatewayIdentity(stateDir, { storeExists: false, needsSecret: true });
  expect(await run(['gateway', 'secret', 'show'])).toMatchObject({ code: 0, out: `${secret}\n`, err: '' });
  writeFileSync(join(stateDir, 'latchkey.json'), '{ gateway: { auth: { token: { source: "env", id: "T" } } } }');
  expect(await run(['gateway', 'secret', 'show'], { env: { T: 'mine' } })).toMatchObject({ code: 0, out: 'mine\n' });
  expect(await run(['gateway', 'secret', 'show'])).toMatchObject({ code: 78, out: '' });
});

test('A13 secret rotate calls the gateway and does not print the secret', async () => {
  await gateway({ 'gateway.secret.rotate': { payload: { closedSessions: 1, revoked: [DEVICE] } } });
  const { out } = await run(['gateway', 'secret', 'rotate', '--also-revoke']);
  expect(calls[0]?.params).toEqual({ alsoRevoke: true });
  expect(out).toContain('1 session of the old one ended');
  expect(out).toContain('c1c1c1c1c1c1');
});

test('rule: status is one screen', async () => {
  const latchkey = {
    addresses: ['127.0.0.1:1'],
    ownerSocket: '/x',
    access: { kind: 'owner', scopes: [] },
    sessions: 4,
    lagMs: 3,
  };
  await gateway({ ...list(), status: { payload: { runtimeVersion: '1.2.3', pid: 7, uptimeMs: 60_000, latchkey } } });
  const { code, out } = await run(['status']);
  expect(code).toBe(0);
  expect(out).toContain('running  1.2.3, pid 7, up 1 min');
  expect(out).toContain('127.0.0.1:1');
  expect(out).toMatch(/open requests +1: latchkey devices list/);
  expect(out).toContain('lap\\u202etop');
  expect(out.split('\n').length).toBeLessThan(24);
  expect(JSON.parse((await run(['status', '--json'])).out)).toMatchObject({ running: true, pid: 7 });
});
