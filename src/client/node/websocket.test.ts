import { createHash, X509Certificate } from 'node:crypto';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { ScriptedClock, systemClock } from '../../system/clock.ts';
import { newNonce } from '../../system/random.ts';
import { makeSelfSigned } from '../../system/selfsigned.ts';
import { parseAddress } from '../address.ts';
import { Client, type Transport } from '../client.ts';
import { ScriptedGateway } from './scripted.ts';
import { type DialOptions, openWebSocket } from './websocket.ts';

let gateway: ScriptedGateway;
const others: Server[] = [];
const sockets: Socket[] = [];
let pem = '';
let fingerprint = '';

beforeAll(async () => {
  pem = await makeSelfSigned(['localhost', '127.0.0.1'], systemClock.now());
  fingerprint = createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
});
beforeEach(() => {
  gateway = new ScriptedGateway();
});
afterEach(async () => {
  await gateway.end();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of others.splice(0)) await new Promise((done) => server.close(done));
});

const after = (ms: number, run: () => void) => systemClock.after(ms, run);

function dial(url: string, more: Partial<DialOptions> = {}): Promise<Transport> {
  const address = parseAddress(url);
  if (!address.ok) throw new Error(address.error);
  return openWebSocket({
    address: address.value,
    lk: newNonce(),
    tlsFingerprint: null,
    insecure: false,
    timeoutMs: 5_000,
    after,
    ...more,
  });
}

/** A plain TCP server, and what it was sent. */
async function listen(take: (socket: Socket) => void): Promise<{ port: number; bytes: () => string }> {
  let bytes = '';
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.toString('latin1');
    });
    take(socket);
  });
  others.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const bound = server.address();
  return { port: typeof bound === 'object' && bound !== null ? bound.port : 0, bytes: () => bytes };
}

test.each([
  ['ws://127.0.0.1:18789', true],
  ['ws://127.1:18789', true],
  ['ws://127.255.0.3', true],
  ['ws://[::1]:18789', true],
  ['ws://localhost:18789/', true],
  ['ws://LOCALHOST', true],
  ['ws://127.evil.test', false],
  ['ws://127.0.0.1.evil.test', false],
  ['ws://localhost.evil.test', false],
  ['ws://localhost.', false],
  ['ws://notlocalhost', false],
  ['ws://[::ffff:10.0.0.1]', false],
  ['ws://10.0.0.1', false],
  ['ws://128.0.0.1', false],
])('A18: %s is on this host: %s', (url, loopback) => {
  expect(parseAddress(url)).toMatchObject({ ok: true, value: { loopback } });
});

test.each([
  'gateway.example',
  'https://gateway.example',
  'ws+unix:/run/s',
  'ws://token@gateway.example',
  'ws://a:b@gateway.example',
  'wss://gateway.example/?token=hunter2',
  'wss://gateway.example/#token=hunter2',
  'ws://127.0.0.1.',
  '',
])('rule: %j is no place to dial, and is not repeated in the words about it', (url) => {
  const parsed = parseAddress(url);
  if (parsed.ok) expect(parsed.value.loopback).toBe(true);
  else expect(parsed.error).not.toContain('hunter2');
});

test('A18: what is dialed is what is sent as Host and what it is remembered under', async () => {
  expect(parseAddress('wss://Gateway.Example:443/')).toMatchObject({
    value: { key: 'wss://gateway.example', host: 'gateway.example' },
  });
  expect(parseAddress('wss://g:18789/lk/')).toMatchObject({ value: { key: 'wss://g:18789/lk/', host: 'g:18789' } });
  await gateway.listen();
  const transport = await dial(`ws://localhost:${gateway.port}/deep`);
  expect(gateway.visits[0]?.host).toBe(`localhost:${gateway.port}`);
  expect(gateway.visits[0]?.lk).toMatch(/^[\w-]{43}$/);
  transport.close();
});

test('A18: plain ws:// beyond this host is refused before a name is looked up, unless told otherwise', async () => {
  for (const url of ['ws://127.evil.test:9', 'ws://gateway.example', 'ws://192.0.2.7:9']) {
    await expect(dial(url)).rejects.toMatchObject({ name: 'DialFailed', kind: 'insecure' });
  }
  await gateway.listen();
  // An address that is no loopback by what it says, though it leads here.
  const url = `ws://0.0.0.0:${gateway.port}`;
  await expect(dial(url)).rejects.toMatchObject({ kind: 'insecure' });
  expect(gateway.visits).toHaveLength(0);
  (await dial(url, { insecure: true })).close();
  expect(gateway.visits).toHaveLength(1);
});

test('A18: a redirection is not followed, and what refuses is told apart from what is away', async () => {
  const elsewhere = await listen(() => {});
  await gateway.listen();
  gateway.script = { upgrade: [302, { Location: `http://127.0.0.1:${elsewhere.port}/` }] };
  await expect(dial(`ws://127.0.0.1:${gateway.port}`)).rejects.toMatchObject({ kind: 'refused', status: 302 });
  gateway.script = { upgrade: [421, {}] };
  await expect(dial(`ws://127.0.0.1:${gateway.port}`)).rejects.toMatchObject({ kind: 'refused', status: 421 });
  expect(elsewhere.bytes()).toBe('');
  const { port } = gateway;
  await gateway.end();
  gateway = new ScriptedGateway();
  await expect(dial(`ws://127.0.0.1:${port}`)).rejects.toMatchObject({ kind: 'unreachable' });
});

test('rule: a door that says nothing, or something else, ends in time and leaves nothing open', async () => {
  const silent = await listen(() => {});
  await expect(dial(`ws://127.0.0.1:${silent.port}`, { timeoutMs: 50 })).rejects.toMatchObject({ kind: 'silent' });
  await expect(dial(`wss://127.0.0.1:${silent.port}`, { timeoutMs: 50 })).rejects.toMatchObject({ kind: 'silent' });
  const babbling = await listen((socket) => socket.write('SSH-2.0-OpenSSH\r\n'));
  await expect(dial(`ws://127.0.0.1:${babbling.port}`)).rejects.toMatchObject({ kind: 'foreign' });
  await expect(dial(`wss://127.0.0.1:${babbling.port}`)).rejects.toMatchObject({ kind: 'foreign' });
});

test('A18: a certificate that nobody vouches for, and one that changed: its SHA-256 is told, no byte of HTTP is sent', async () => {
  const secure = new ScriptedGateway(pem);
  await secure.listen();
  const url = `wss://127.0.0.1:${secure.port}`;
  try {
    await expect(dial(url)).rejects.toMatchObject({ kind: 'certificate', fingerprint });
    // `--insecure` is about plain text alone.
    await expect(dial(url, { insecure: true })).rejects.toMatchObject({ kind: 'certificate' });
    const old = 'ab'.repeat(32);
    await expect(dial(url, { tlsFingerprint: old })).rejects.toMatchObject({
      kind: 'changed-certificate',
      fingerprint,
    });
    expect(secure.visits).toHaveLength(0);
    const transport = await dial(url, { tlsFingerprint: fingerprint });
    expect(secure.visits).toHaveLength(1);
    transport.close();
    // A known certificate needs no name in it.
    const named = await dial(`wss://localhost:${secure.port}`, { tlsFingerprint: fingerprint });
    expect(secure.visits[1]?.host).toBe(`localhost:${secure.port}`);
    named.close();
  } finally {
    await secure.end();
  }
});

test('rule: 64 KiB are taken before the answer to connect, more after it', async () => {
  await gateway.listen();
  const lost: (number | null)[] = [];
  const open = async () => {
    const client = new Client(await dial(`ws://127.0.0.1:${gateway.port}`), after);
    const gone = new Promise<string>((done) => {
      client.onClosed = ({ message, code }) => {
        lost.push(code);
        done(message);
      };
    });
    return { client, gone };
  };
  const big = (size: number) => gateway.visits.at(-1)?.event('x', { text: 'x'.repeat(size) });
  const early = await open();
  big(70 * 1024);
  expect(await early.gone).toMatch(/payload/i);
  const late = await open();
  late.client.allow(1024 * 1024);
  const told = new Promise((done) => {
    late.client.onEvent = done;
  });
  big(200 * 1024);
  expect(await told).toMatchObject({ event: 'x' });
  big(1100 * 1024);
  expect(await late.gone).toMatch(/payload/i);
});

test('A8: a peer that is there answers a ping; one that is gone is noticed', async () => {
  await gateway.listen();
  const clock = new ScriptedClock();
  const client = new Client(
    await dial(`ws://127.0.0.1:${gateway.port}`, { after: (ms, run) => clock.after(ms, run) }),
    after,
  );
  const gone = new Promise<string>((done) => {
    client.onClosed = ({ message }) => done(message);
  });
  const tick = () => new Promise((done) => setTimeout(done, 30));
  for (let i = 0; i < 3; i += 1) {
    clock.advance(30_000);
    await tick();
  }
  expect(client.lost).toBeNull();
  clock.advance(30_000);
  // Nothing is read in between: the answer to the ping can't have come.
  clock.advance(30_000);
  expect(await gone).toMatch(/silent/);
});

test('rule: a gateway that only asks for signs of life, and reads none, is hung up on before they fill the memory', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((done) => server.once('listening', done));
  server.on('connection', (ws, request) => {
    ws.on('error', () => {});
    // It reads nothing any more.
    request.socket.pause();
    const flood = () => {
      while (ws.readyState === ws.OPEN && ws.bufferedAmount < 256 * 1024) ws.ping('x'.repeat(125));
      if (ws.readyState === ws.OPEN) setImmediate(flood);
    };
    flood();
  });
  try {
    const { port } = server.address() as AddressInfo;
    const client = new Client(await dial(`ws://127.0.0.1:${port}`), after);
    const lost = await new Promise<string>((done) => {
      client.onClosed = (why) => done(why.message);
    });
    // ws keeps count of the answers that nobody takes.
    expect(lost).toContain('ended');
  } finally {
    for (const ws of server.clients) ws.terminate();
    await new Promise((done) => server.close(done));
  }
});
