// The TCP door with TLS, on real sockets: what the budget counts, what the deadline covers, who is told what.
import { connect as dial, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect as dialTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { httpHandler } from '../../src/gateway/http/http.ts';
import type { Pipe } from '../../src/gateway/listen/pipe.ts';
import { listenTcp, type TcpDoor, type TcpOptions } from '../../src/gateway/listen/tcp.ts';
import { ScriptedClock, systemClock } from '../../src/system/clock.ts';
import { makeSelfSigned } from '../../src/system/selfsigned.ts';
import { encodeFrame } from '../partner/websocket.ts';

const doors: TcpDoor[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(doors.splice(0).map((door) => door.close()));
});

let pem: string;
let other: string;
beforeAll(async () => {
  [pem, other] = await Promise.all([makeSelfSigned(['localhost'], Date.now()), makeSelfSigned(['x.test'], Date.now())]);
});

const HANDSHAKE_MS = 700;

async function open(options: Partial<TcpOptions> = {}) {
  const source = {
    current: { cert: pem, key: pem },
    changed: () => {},
    onChange: (run: () => void) => {
      source.changed = run;
    },
  };
  const pipes: Pipe[] = [];
  const messages: string[] = [];
  const door = await listenTcp({
    addresses: ['127.0.0.1'],
    port: 0,
    hosts: [],
    accept: (pipe) => {
      pipes.push(pipe);
      pipe.send('hello');
      return { message: (text) => messages.push(text), closed: () => {} };
    },
    http: httpHandler({ readiness: () => ({ ready: true, started: true }), hosts: [] }),
    sourceOf: (address) => address,
    clock: systemClock,
    tls: source,
    limits: { handshakeMs: HANDSHAKE_MS },
    ...options,
  });
  doors.push(door);
  return { door, pipes, messages, source };
}

/** A TLS connection; its certificate is told apart by its fingerprint, not by who signed it. */
function secure(port: number, more: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((done, fail) => {
    const socket = dialTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...more }, () => done(socket));
    sockets.push(socket);
    socket.once('error', fail);
  });
}

function plain(port: number): Socket {
  const socket = dial({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  sockets.push(socket);
  return socket;
}

/** All that comes until the end. */
function rest(socket: Socket): Promise<string> {
  return new Promise((done) => {
    const parts: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => parts.push(chunk));
    socket.on('error', () => {});
    socket.once('close', () => done(Buffer.concat(parts).toString('latin1')));
  });
}

const UPGRADE = [
  'GET /?lk=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  '',
  '',
].join('\r\n');

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !what(); i += 1) await sleep(10);
  expect(what()).toBe(true);
}

describe('rule: TLS on the one port', () => {
  it('rule: HTTP and WebSocket are spoken through it, and the facts are those of the connection below', async () => {
    const { door, pipes, messages } = await open();
    expect(door.secure).toBe(true);
    const http = await secure(door.port, { ALPNProtocols: ['h2', 'http/1.1'] });
    expect(http.alpnProtocol).toBe('http/1.1');
    http.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await rest(http)).toMatch(/^HTTP\/1\.1 200 [\s\S]*\{"ready":true\}$/);
    const socket = await secure(door.port);
    socket.write(UPGRADE);
    await until(() => pipes.length === 1);
    expect(pipes[0]?.facts).toMatchObject({ door: 'tcp', address: '127.0.0.1', host: 'localhost', lk: 'A'.repeat(43) });
    expect(door.counts()).toEqual({ open: 1, silent: 1, waiting: 0 });
    socket.write(encodeFrame(Buffer.from('x'.repeat(60_000))));
    await until(() => messages.length === 1);
    expect(door.counts().silent).toBe(0);
    // Past the deadline that was set when the socket arrived: it ended with the upgrade.
    await sleep(HANDSHAKE_MS + 100);
    expect(socket.destroyed).toBe(false);
    socket.destroy();
    await until(() => door.counts().open === 0);
  });

  it('rule: plain HTTP on it gets one clear answer', async () => {
    const { door } = await open();
    for (const request of ['GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n', UPGRADE]) {
      const socket = plain(door.port);
      socket.write(request);
      const answer = await rest(socket);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain('this port speaks TLS: use https:// or wss://');
    }
    await until(() => door.counts().open + door.counts().silent + door.counts().waiting === 0);
  });

  it('threat 4: what is neither TLS nor HTTP is cut', async () => {
    const { door } = await open();
    for (const bytes of [Buffer.from([0]), Buffer.from([0x80, 0x2e, 1, 0, 2]), Buffer.from([0x16, 3, 1, 0, 1, 9])]) {
      const socket = plain(door.port);
      socket.write(bytes);
      // A TLS alert may come back, and nothing else.
      expect(await rest(socket)).not.toMatch(/HTTP/);
    }
    await until(() => door.counts().silent === 0);
  });

  it('threat 29: the deadline covers the handshake: silence, half of a handshake, TLS without a request', async () => {
    const { door } = await open();
    const silent = plain(door.port);
    const half = plain(door.port);
    half.write(Buffer.from([0x16, 3, 1, 2, 0, 1]));
    const idle = await secure(door.port);
    const ends = [silent, half, idle].map((socket) => rest(socket));
    await until(() => door.counts().silent === 3);
    const began = performance.now();
    await Promise.all(ends);
    expect(performance.now() - began).toBeGreaterThan(HANDSHAKE_MS / 4);
    await until(() => door.counts().silent === 0);
  });

  it('threat 29: raw sockets are counted before TLS, and who speaks gets through a flood of silent ones', async () => {
    // A clock of its own: until it goes on, no grace ends, so the whole flood stands to be counted.
    const clock = new ScriptedClock();
    const { door } = await open({
      clock,
      limits: { handshakeMs: 20_000, silent: { total: 8, perSource: 8, graceMs: 20, queueMax: 64 } },
    });
    const flood = Array.from({ length: 30 }, () => plain(door.port));
    await until(() => door.counts().silent + door.counts().waiting === 30);
    expect(door.counts().silent).toBe(8);
    const speaking = secure(door.port);
    await until(() => door.counts().waiting === 23);
    // One grace, and it is ahead of all that came before it.
    clock.advance(20);
    const http = await speaking;
    http.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await rest(http)).toMatch(/^HTTP\/1\.1 200 /);
    for (const socket of flood) socket.destroy();
    await until(() => door.counts().silent === 0 && door.counts().waiting === 0);
  });

  it('rule: nothing older than TLS 1.2 is spoken, and no renegotiation', async () => {
    const { door } = await open();
    await expect(
      secure(door.port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }),
    ).rejects.toThrow();
    const twelve = await secure(door.port, { maxVersion: 'TLSv1.2' });
    expect(twelve.getProtocol()).toBe('TLSv1.2');
    const again = new Promise((done) => {
      twelve.once('error', done);
      twelve.renegotiate({ rejectUnauthorized: false }, (error) => done(error ?? 'renegotiated'));
      twelve.once('close', () => done('closed'));
    });
    expect(await again).not.toBe('renegotiated');
  });

  it('rule: a renewed certificate is spoken with at once, and who is connected stays', async () => {
    const { door, pipes, source } = await open();
    const before = await secure(door.port);
    before.write(UPGRADE);
    await until(() => pipes.length === 1);
    source.current = { cert: other, key: other };
    source.changed();
    const after = await secure(door.port);
    expect(after.getPeerCertificate().fingerprint256).not.toBe(before.getPeerCertificate().fingerprint256);
    expect(before.destroyed).toBe(false);
  });

  it('rule: closing the door ends handshakes, sockets and WebSockets', async () => {
    const { door, pipes } = await open();
    const shaking = plain(door.port);
    shaking.write(Buffer.from([0x16, 3, 1]));
    const socket = await secure(door.port);
    socket.write(UPGRADE);
    await until(() => pipes.length === 1);
    const ends = [rest(shaking), rest(socket)];
    await door.close();
    doors.splice(0);
    await Promise.all(ends);
    await until(() => door.counts().open + door.counts().silent + door.counts().waiting === 0);
  });
});
