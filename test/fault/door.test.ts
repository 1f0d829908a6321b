// The listeners alone, on real sockets, against malformed bytes, slow peers and floods. What the gateway answers above
// them is judged in test/scenario and test/partner.
import { randomBytes } from 'node:crypto';
import { connect as dial, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { httpHandler } from '../../src/gateway/http/http.ts';
import { PortTaken } from '../../src/gateway/listen/occupant.ts';
import type { Pipe, Receiver } from '../../src/gateway/listen/pipe.ts';
import { listenTcp, type TcpDoor, type TcpOptions } from '../../src/gateway/listen/tcp.ts';
import { systemClock } from '../../src/system/clock.ts';
import { BINARY, CLOSE, openWebSocket, PING, UpgradeRefused, type WebSocketConnection } from '../partner/websocket.ts';

interface Seen {
  readonly pipe: Pipe;
  readonly messages: string[];
  readonly ended: Promise<{ code: number; reason: string }>;
}

const doors: TcpDoor[] = [];
const sockets: Socket[] = [];
const clients: WebSocketConnection[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(doors.splice(0).map((door) => door.close()));
});

/** A door that greets and echoes. */
async function open(options: Partial<TcpOptions> = {}) {
  const seen: Seen[] = [];
  const door = await listenTcp({
    addresses: ['127.0.0.1'],
    port: 0,
    hosts: [],
    accept: (pipe) => {
      let end: (how: { code: number; reason: string }) => void = () => {};
      const one: Seen = { pipe, messages: [], ended: new Promise((done) => (end = done)) };
      seen.push(one);
      pipe.send('hello');
      const receiver: Receiver = {
        message(text) {
          one.messages.push(text);
          pipe.send(`echo ${text.length}`);
        },
        closed: (code, reason) => end({ code, reason }),
      };
      return receiver;
    },
    http: httpHandler({ readiness: () => ({ ready: true, started: true }), hosts: [] }),
    sourceOf: (address) => address,
    clock: systemClock,
    ...options,
  });
  doors.push(door);
  return { door, seen };
}

async function connect(port: number, more: Partial<Parameters<typeof openWebSocket>[0]> = {}) {
  const client = await openWebSocket({ port, ...more });
  clients.push(client);
  const texts: string[] = [];
  let wake = () => {};
  client.onText = (text) => {
    texts.push(text);
    wake();
  };
  /** The next text. */
  const next = async (): Promise<string> => {
    while (texts.length === 0) await new Promise<void>((done) => (wake = done));
    return texts.shift() ?? '';
  };
  expect(await next()).toBe('hello');
  return { client, next };
}

/** Sends bytes and returns all that comes back until the end. */
function raw(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((done) => {
    const socket = dial({ port, host: '127.0.0.1' });
    sockets.push(socket);
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', () => {});
    socket.once('close', () => done(answer));
    socket.write(bytes);
  });
}

const status = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
const refusal = async (port: number, more: Partial<Parameters<typeof openWebSocket>[0]>): Promise<number> => {
  try {
    (await openWebSocket({ port, ...more })).destroy();
    return 101;
  } catch (error) {
    return error instanceof UpgradeRefused ? error.status : 0;
  }
};

/** The door still answers. */
async function alive(port: number): Promise<void> {
  const { client, next } = await connect(port);
  client.sendText('x');
  expect(await next()).toBe('echo 1');
  expect((await client.close()).code).toBe(1000);
}

describe('framing', () => {
  it('threat 4: what RFC 6455 forbids is closed with its code, and the door stays', async () => {
    const { door } = await open();
    const cases: [string, (c: WebSocketConnection) => void, number][] = [
      ['invalid UTF-8', (c) => c.sendFrame(Buffer.from([0xff, 0xfe])), 1007],
      ['binary', (c) => c.sendFrame(Buffer.from('{}'), { opcode: BINARY }), 1003],
      ['reserved bits', (c) => c.sendFrame(Buffer.from('x'), { reserved: 4 }), 1002],
      ['reserved opcode', (c) => c.sendFrame(Buffer.from('x'), { opcode: 3 }), 1002],
      ['unmasked', (c) => c.sendFrame(Buffer.from('x'), { masked: false }), 1002],
      ['fragmented control', (c) => c.sendFrame(Buffer.from('x'), { opcode: PING, fin: false }), 1002],
      ['long ping', (c) => c.sendFrame(Buffer.alloc(126), { opcode: PING }), 1002],
      ['continuation of nothing', (c) => c.sendFrame(Buffer.from('x'), { opcode: 0 }), 1002],
      ['close code 1005', (c) => c.sendFrame(Buffer.from([0x03, 0xed]), { opcode: CLOSE }), 1002],
    ];
    for (const [name, send, code] of cases) {
      const { client } = await connect(door.port);
      send(client);
      expect((await client.closed).code, name).toBe(code);
    }
    await alive(door.port);
  });

  it('threat 6: a message is at most 64 KiB before, and at most the policy after; one byte more is 1009', async () => {
    const { door, seen } = await open();
    const first = await connect(door.port);
    first.client.sendFrame(Buffer.alloc(65_536, 'a'));
    expect(await first.next()).toBe('echo 65536');
    first.client.sendFrame(Buffer.alloc(65_537, 'a'));
    expect(await first.client.closed).toEqual({ code: 1009, reason: '' });
    // Also in pieces, none of which is too large.
    const pieces = await connect(door.port);
    pieces.client.sendFrame(Buffer.alloc(40_000, 'a'), { fin: false });
    pieces.client.sendFrame(Buffer.alloc(40_000, 'a'), { opcode: 0 });
    expect((await pieces.client.closed).code).toBe(1009);

    const second = await connect(door.port);
    seen[2]?.pipe.allow(200_000);
    second.client.sendFrame(Buffer.alloc(200_000, 'a'));
    expect(await second.next()).toBe('echo 200000');
    second.client.sendFrame(Buffer.alloc(200_001, 'a'));
    expect((await second.client.closed).code).toBe(1009);
  });

  it('threat 7: compression that is offered is not agreed to', async () => {
    const { door } = await open();
    const { client } = await connect(door.port, {
      headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
    });
    expect(client.response).not.toContain('sec-websocket-extensions');
  });
});

describe('upgrade', () => {
  it('threat 22: two Origins are refused; one is handed on as it is, for the gateway to judge', async () => {
    const { door, seen } = await open();
    expect(await refusal(door.port, { headers: { Origin: ['https://a.example', 'https://b.example'] } })).toBe(403);
    await connect(door.port, { headers: { Origin: 'https://evil.example' } });
    expect(seen).toHaveLength(1);
    expect(seen[0]?.pipe.facts.origin).toBe('https://evil.example');
  });

  it('threat 23: a Host that is no name of this gateway, none, or two', async () => {
    const { door, seen } = await open({ hosts: ['gateway.example'] });
    const { port } = door;
    for (const host of ['evil.example', '2130706433', `0177.0.0.1:${port}`, `localhost.:${port}`, `127.1:${port}`]) {
      expect(await refusal(port, { host }), host).toBe(421);
    }
    expect(await refusal(port, { host: null })).toBe(400);
    expect(await refusal(port, { headers: { Host: `127.0.0.1:${port}` } })).toBe(400);
    const old = `GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`;
    expect(status(await raw(port, old))).toBe(400);
    expect(seen).toHaveLength(0);
    for (const host of [`localhost:${port}`, `[::1]:${port}`, 'gateway.example', '127.0.0.1:9999']) {
      expect(await refusal(port, { host }), host).toBe(101);
    }
  });

  it('A13, A18: the facts of a socket', async () => {
    const { door, seen } = await open();
    const lk = 'A'.repeat(43);
    await connect(door.port, { path: `/?lk=${lk}`, headers: { 'X-Forwarded-For': '127.0.0.1', 'User-Agent': 'ua' } });
    expect(seen[0]?.pipe.facts).toEqual({
      door: 'tcp',
      address: '127.0.0.1',
      reached: `127.0.0.1:${door.port}`,
      host: `127.0.0.1:${door.port}`,
      origin: null,
      forwarding: ['x-forwarded-for'],
      hops: [['127.0.0.1']],
      lk,
      userAgent: 'ua',
    });
  });

  it('threat 9: what is no WebSocket handshake gets a 4xx', async () => {
    const { door } = await open();
    const { port } = door;
    const head = `Host: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`;
    const tries = {
      'no key': `GET / HTTP/1.1\r\n${head}Sec-WebSocket-Version: 13\r\n\r\n`,
      'version 12': `GET / HTTP/1.1\r\n${head}Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`,
      POST: `POST / HTTP/1.1\r\n${head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`,
      'absolute target': `GET http://127.0.0.1/ HTTP/1.1\r\n${head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`,
      'header of 100 KB': `GET / HTTP/1.1\r\n${head}X: ${'y'.repeat(100_000)}\r\n\r\n`,
    };
    for (const [name, bytes] of Object.entries(tries)) {
      const code = status(await raw(port, bytes));
      expect(code >= 400 && code < 500, `${name}: ${code}`).toBe(true);
    }
    await alive(port);
  });
});

describe('slow peers and floods', () => {
  const hurried = { handshakeMs: 300 };

  it('threat 29: half a request, a byte now and then, or nothing is cut at the deadline', async () => {
    const { door } = await open({ limits: hurried });
    const half = raw(door.port, `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${door.port}\r\nX-Slow: `);
    const nothing = raw(door.port, '');
    const trickle = dial({ port: door.port, host: '127.0.0.1' });
    sockets.push(trickle);
    trickle.on('error', () => {});
    const gone = new Promise<void>((done) => trickle.once('close', () => done()));
    trickle.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${door.port}\r\nX: `);
    const timer = setInterval(() => trickle.write('y'), 50);
    expect(await half).toBe('');
    expect(await nothing).toBe('');
    await gone;
    clearInterval(timer);
    while (door.counts().silent > 0) await sleep(5);
    expect(door.counts()).toEqual({ open: 0, silent: 0, waiting: 0 });
    expect(door.met).toBe(0);
  });

  it('threat 29: a WebSocket that is open is no longer cut by the listener, spoken or not', async () => {
    const { door } = await open({ limits: hurried });
    const { client, next } = await connect(door.port);
    await sleep(500);
    client.sendText('still here');
    expect(await next()).toBe('echo 10');
    expect(door.met).toBe(1);
  });

  it('threat 30: silent sockets take no room from clients that speak', async () => {
    const silent = { total: 40, perSource: 20, graceMs: 30, queueMax: 1000 };
    const { door } = await open({ limits: { silent } });
    const speaker = await connect(door.port);
    speaker.client.sendText('x');
    expect(await speaker.next()).toBe('echo 1');
    const idle: Promise<void>[] = [];
    for (let i = 0; i < 300; i += 1) {
      const socket = dial({ port: door.port, host: '127.0.0.1' });
      socket.on('error', () => {});
      sockets.push(socket);
      idle.push(new Promise((done) => socket.once('close', () => done())));
    }
    // A new client comes through while they hold on, and the one that spoke stays.
    await alive(door.port);
    expect(door.counts().silent).toBeLessThanOrEqual(silent.perSource);
    while (door.counts().waiting > 0) await sleep(10);
    expect(door.counts().silent).toBeLessThanOrEqual(silent.perSource);
    speaker.client.sendText('yy');
    expect(await speaker.next()).toBe('echo 2');
  });

  it('threat 30: clients that all come at once and speak are all served', async () => {
    const { door } = await open({ limits: { silent: { total: 10, perSource: 10, graceMs: 5_000, queueMax: 1000 } } });
    const all = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const { client, next } = await connect(door.port);
        client.sendText('x');
        return next();
      }),
    );
    expect(all).toEqual(Array(100).fill('echo 1'));
  });

  it('threat 39: a peer that does not answer pings is cut; one that does stays', async () => {
    const { door, seen } = await open({ limits: { pingMs: 60 } });
    const dead = await connect(door.port, { pong: false });
    const live = await connect(door.port);
    expect((await dead.client.closed).code).toBe(1006);
    expect((await seen[0]?.ended)?.code).toBe(1006);
    live.client.sendText('x');
    expect(await live.next()).toBe('echo 1');
  });

  it('rule: a close is sent after what was queued, and a peer that ignores it is cut', async () => {
    const { door, seen } = await open();
    const { client, next } = await connect(door.port);
    seen[0]?.pipe.send('last');
    seen[0]?.pipe.close(1008, 'pairing required');
    seen[0]?.pipe.send('never');
    expect(await next()).toBe('last');
    expect(await client.closed).toEqual({ code: 1008, reason: 'pairing required' });
    expect(await seen[0]?.ended).toEqual({ code: 1008, reason: 'pairing required' });
    const deaf = await connect(door.port);
    deaf.client.socket.pause();
    seen[1]?.pipe.close(1008, 'go');
    expect((await seen[1]?.ended)?.code).toBe(1008);
  });

  it('threat 36: what a peer does not read is counted, and it can be cut', async () => {
    const { door, seen } = await open();
    const { client } = await connect(door.port);
    client.socket.pause();
    const pipe = seen[0]?.pipe;
    for (let i = 0; i < 100; i += 1) pipe?.send('z'.repeat(1_000_000));
    expect(pipe?.buffered()).toBeGreaterThan(50_000_000);
    pipe?.cut();
    expect((await seen[0]?.ended)?.code).toBe(1006);
  });

  it('rule: a pipe that is paused is not read from', async () => {
    const { door, seen } = await open();
    const { client, next } = await connect(door.port);
    seen[0]?.pipe.pause();
    client.sendText('x');
    await sleep(50);
    expect(seen[0]?.messages).toEqual([]);
    seen[0]?.pipe.resume();
    expect(await next()).toBe('echo 1');
  });
});

describe('the port', () => {
  it('rule: loopback is 127.0.0.1 and ::1 on one port, where there is ::1', async () => {
    const { door } = await open({ addresses: ['127.0.0.1', '::1'] });
    await alive(door.port);
    if (door.addresses.includes('::1')) {
      const client = await openWebSocket({ port: door.port, address: '::1', host: `[::1]:${door.port}` });
      clients.push(client);
    } else {
      expect(door.addresses).toEqual(['127.0.0.1']);
    }
  });

  it('rule: a taken port says whose it is', async () => {
    const { door } = await open();
    const error = await open({ port: door.port }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(PortTaken);
    expect(error).toMatchObject({ code: 'EADDRINUSE', port: door.port });
    if (process.platform === 'linux') expect((error as PortTaken).occupant?.pid).toBe(process.pid);
    await alive(door.port);
  });

  it('rule: after stop nobody comes in and who is there stays; after close nobody is', async () => {
    const { door } = await open();
    const { client, next } = await connect(door.port);
    const { port } = door;
    await door.stop();
    expect(await raw(port, 'GET / HTTP/1.1\r\n\r\n')).toBe('');
    client.sendText('x');
    expect(await next()).toBe('echo 1');
    await door.close();
    expect((await client.closed).code).toBe(1006);
  });
});
