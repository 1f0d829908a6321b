// THREATS.md D1: what is sent before anybody is known, and frames that no library would send. "Alive" is a paired
// client that goes on getting its answers.
import { randomBytes } from 'node:crypto';
import { connect as dial } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BROKEN, FIRST } from '../attack/frame.ts';
import { type Gateway, start } from '../gateway.ts';
import { Partner, plainParams } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import { until, within } from '../partner/peer.ts';
import { type Closed, encodeFrame, openWebSocket, PING, PONG } from '../partner/websocket.ts';
import { ensure, gist, READ, session } from '../scenario/act.ts';

let gateway: Gateway;
let known: Identity;
let canary: Partner;

beforeAll(async () => {
  gateway = await start();
  known = newIdentity();
  await ensure(await gateway.owner(), known, [READ]);
  canary = (await session(gateway, known)).partner;
});
afterEach(async () => {
  expect(gist(await canary.call('health', undefined, { timeoutMs: 1_000 }))).toBe('ok');
});
afterAll(async () => {
  canary?.end();
  await gateway?.stop();
});

/** Sends something as the very first thing and reports the answer and the close. */
async function first(send: (partner: Partner) => void): Promise<{ answers: string[]; close: Closed }> {
  const partner = await Partner.open({ port: gateway.port });
  send(partner);
  const close = await within(partner.closed, 'close', 5_000);
  return { answers: partner.received.slice(1), close };
}

describe('threat 1: a first frame that is no connect', () => {
  it.each(FIRST)('threat 1 %s', async (_name, text, code) => {
    const { answers, close } = await first((partner) => partner.ws.sendText(text));
    expect(close.code).toBe(code);
    expect(answers.filter((answer) => answer.includes('"ok":true'))).toEqual([]);
    for (const answer of answers) expect(JSON.parse(answer)).toMatchObject({ type: 'res', ok: false });
  });

  it('threat 1 a call before connect is answered with the text that clients look for', async () => {
    const { answers, close } = await first((partner) => partner.send({ type: 'req', id: '7', method: 'health' }));
    expect(JSON.parse(answers[0] ?? '{}')).toMatchObject({
      id: '7',
      error: { code: 'INVALID_REQUEST', message: 'invalid handshake: first request must be connect' },
    });
    expect(close.reason).toBe('invalid handshake: first request must be connect');
  });
});

describe('threat 4: frames', () => {
  it.each(BROKEN)('threat 4 before hello: %s', async (_name, frames, codes) => {
    const { close } = await first((partner) => {
      for (const frame of frames) partner.ws.sendBytes(frame);
    });
    expect(codes).toContain(close.code);
  });

  it.each(BROKEN)('threat 4 after hello: %s', async (_name, frames, codes) => {
    const { partner } = await session(gateway, known);
    for (const frame of frames) partner.ws.sendBytes(frame);
    expect(codes).toContain((await within(partner.closed, 'close', 5_000)).code);
  });

  it('threat 4 a length that can not be: 2^63', async () => {
    const head = Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    const { close } = await first((partner) => partner.ws.sendBytes(head));
    expect([1002, 1009]).toContain(close.code);
  });

  it('rule a ping in the middle of a message is answered at once, and the message is still one', async () => {
    const { partner } = await session(gateway, known);
    const whole = Buffer.from('{"type":"req","id":"torn","method":"health"}');
    partner.ws.sendFrame(whole.subarray(0, 10), { fin: false });
    partner.ws.sendFrame(Buffer.from('are you there'), { opcode: PING });
    await until('pong', () => partner.ws.controls.some((c) => c.opcode === PONG));
    expect(partner.ws.controls.find((c) => c.opcode === PONG)?.payload.toString()).toBe('are you there');
    partner.ws.sendFrame(whole.subarray(10), { opcode: 0 });
    await until('answer', () => partner.received.some((r) => r.includes('"torn"')));
    partner.end();
  });

  it('rule a message in many pieces is one message', async () => {
    const { partner } = await session(gateway, known);
    const whole = Buffer.from('{"type":"req","id":"torn","method":"health"}');
    for (let at = 0; at < whole.length; at += 7)
      partner.ws.sendFrame(whole.subarray(at, at + 7), { opcode: at === 0 ? 1 : 0, fin: at + 7 >= whole.length });
    await until('answer', () => partner.received.some((r) => r.includes('"torn"')));
    partner.end();
  });
});

describe('threat 6 and 7: sizes', () => {
  it('threat 6 before hello 64 KiB are taken and one byte more is not', async () => {
    const fill = (bytes: number) => {
      const frame = { type: 'req', id: '1', method: 'connect', params: { pad: '' } };
      frame.params.pad = 'x'.repeat(bytes - JSON.stringify(frame).length);
      return JSON.stringify(frame);
    };
    const fits = await first((partner) => partner.ws.sendText(fill(65_536)));
    expect(fits.close.code).toBe(1008);
    const over = await first((partner) => partner.ws.sendText(fill(65_537)));
    expect(over.close.code).toBe(1009);
    expect(over.answers).toEqual([]);
  });

  it('threat 6 before hello the bound holds for a message in pieces, and is judged before the bytes are there', async () => {
    const pieces = await first((partner) => {
      for (let i = 0; i < 3; i += 1)
        partner.ws.sendFrame(Buffer.alloc(30_000, 0x20), { opcode: i === 0 ? 1 : 0, fin: false });
    });
    expect(pieces.close.code).toBe(1009);
    const announced = await first((partner) => {
      const head = encodeFrame(Buffer.alloc(0));
      head[1] = 0x80 | 127;
      const length = Buffer.alloc(8);
      length.writeBigUInt64BE(1n << 30n);
      partner.ws.sendBytes(Buffer.concat([head.subarray(0, 2), length, randomBytes(4)]));
    });
    expect(announced.close.code).toBe(1009);
  });

  it('threat 6 after hello what policy says is taken, and one byte more is not', async () => {
    const { partner, hello } = await session(gateway, known);
    const max = hello.policy.maxPayload;
    expect(max).toBe(26_214_400);
    const frame = (bytes: number) => {
      const head = '{"type":"req","id":"big","method":"health","params":{"pad":"';
      return Buffer.from(`${head}${'x'.repeat(bytes - head.length - 3)}"}}`);
    };
    partner.ws.sendFrame(frame(max));
    await until('answer to the largest frame', () => partner.received.some((r) => r.includes('"big"')));
    partner.ws.sendFrame(frame(max + 1));
    expect((await within(partner.closed, 'close', 10_000)).code).toBe(1009);
  }, 30_000);

  it('threat 7 permessage-deflate is offered in vain', async () => {
    const ws = await openWebSocket({
      port: gateway.port,
      headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
    });
    expect(ws.response).not.toContain('sec-websocket-extensions');
    ws.destroy();
  });
});

describe('threat 8: requests', () => {
  it('threat 8 a second connect on a live socket is an error and changes nothing', async () => {
    const { partner } = await session(gateway, known);
    const again = await partner.call(
      'connect',
      plainParams({ scopes: ['operator.admin'], auth: { token: gateway.token } }),
    );
    expect(again.ok).toBe(false);
    // Whether or not the socket survives it, it is nobody else now.
    const after = await Promise.race([partner.call('device.pair.list'), partner.closed]);
    expect(JSON.stringify(after)).not.toContain('"ok":true');
    partner.end();
  });

  it('threat 8 ids: repeated, with line breaks, of a megabyte', async () => {
    const { partner } = await session(gateway, known);
    for (const id of ['same', 'same', 'a\r\nb', 'ü\u202e'])
      expect(gist(await partner.call('health', undefined, { id }))).toBe('ok');
    const big = partner.call('health', undefined, { id: 'x'.repeat(1_000_000), timeoutMs: 3_000 }).catch(() => null);
    const end = await Promise.race([
      partner.closed,
      until('an answer', () => partner.received.some((r) => /"ok":false/.test(r))),
    ]);
    expect(end === undefined || end.code === 1008).toBe(true);
    partner.end();
    await big;
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', ' health', 'health\u0000', '../health'])(
    'threat 2 the method %j is unknown to everybody, and nothing else happens',
    async (method) => {
      const { partner } = await session(gateway, known);
      const answer = await partner.call(method).catch(() => null);
      if (answer === null) expect((await partner.closed).code).toBe(1008);
      else expect(answer.ok).toBe(false);
      partner.end();
      if (method === '') return;
      const owner = await gateway.owner();
      expect(await owner.call(method)).toMatchObject({ ok: false, error: { message: `unknown method: ${method}` } });
    },
  );

  it('threat 2 numbers, nesting and keys that hurt parsers', async () => {
    for (const params of [
      '1e400',
      `${'['.repeat(30_000)}${']'.repeat(30_000)}`,
      '{"__proto__":{"minProtocol":3}}',
      '{"minProtocol":3,"maxProtocol":4,"client":{"__proto__":null,"constructor":1}}',
      '{"minProtocol":3,"minProtocol":4,"maxProtocol":4,"client":"\\ud800"}',
    ]) {
      const { answers, close } = await first((partner) =>
        partner.ws.sendText(`{"type":"req","id":"1","method":"connect","params":${params}}`),
      );
      expect(close.code, params.slice(0, 40)).toBe(1008);
      expect(answers.join()).not.toContain('"ok":true');
    }
  });
});

describe('threat 9: HTTP on the same port', () => {
  async function raw(request: string): Promise<string> {
    const socket = dial({ port: gateway.port, host: '127.0.0.1' });
    const parts: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => parts.push(chunk)).on('error', () => {});
    socket.write(request);
    await Promise.race([
      new Promise((done) => socket.once('close', done)),
      new Promise((done) => setTimeout(done, 1_500)),
    ]);
    socket.destroy();
    return Buffer.concat(parts).toString('latin1');
  }
  const host = () => `Host: 127.0.0.1:${gateway.port}`;

  it('threat 9 smuggling pairs and doubled lines are 4xx', async () => {
    for (const lines of [
      ['POST /healthz HTTP/1.1', host(), 'Content-Length: 4', 'Transfer-Encoding: chunked', '', '0', '', 'GET'],
      ['GET /healthz HTTP/1.1', host(), 'Host: evil.test', '', ''],
      ['GET /healthz HTTP/1.1', host(), `X-Long: ${'x'.repeat(100_000)}`, '', ''],
      ['GET /healthz HTTP/1.1', '', ''],
      ['nonsense', '', ''],
    ]) {
      expect(await raw(lines.join('\r\n')), lines.slice(0, 2).join(' ').slice(0, 80)).toMatch(/^HTTP\/1\.1 4\d\d|^$/);
    }
  });

  it('threat 9 odd paths are never another route', async () => {
    for (const path of ['//healthz', '/%2e%2e/healthz', '/healthz%00', '/../readyz', 'http://evil.test/healthz', '*']) {
      const answer = await raw(`GET ${path} HTTP/1.1\r\n${host()}\r\nConnection: close\r\n\r\n`);
      expect(answer, path).not.toMatch(/"status":"live"/);
      expect(answer, path).toMatch(/^HTTP\/1\.1 [34]\d\d|^HTTP\/1\.1 200 OK[\s\S]*text\/html|^$/);
    }
  });

  it('threat 24 no method but GET and HEAD finds anything', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await raw(
        `${method} / HTTP/1.1\r\n${host()}\r\nOrigin: https://evil.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      expect(answer, method).toMatch(/^HTTP\/1\.1 4\d\d/);
      expect(answer.toLowerCase(), method).not.toContain('access-control-allow');
    }
  });
});

describe('the owner socket', () => {
  it('A11 takes any request first, without a challenge', async () => {
    const owner = await gateway.owner();
    expect(gist(await owner.call('device.pair.list', {}))).toBe('ok');
    expect(owner.events.filter((event) => event.event === 'connect.challenge')).toEqual([]);
  });

  it('threat 1 lines that are no request do no harm', async () => {
    for (const line of ['hello\n', '[]\n', '\n', '{"type":"req"}\n', '\u0000\n', `${'x'.repeat(100_000)}\n`]) {
      const owner = await gateway.owner();
      owner.sendRaw(line);
      await Promise.race([owner.closed, new Promise((done) => setTimeout(done, 100))]);
      owner.end();
    }
    expect(gist(await (await gateway.owner()).call('health'))).toBe('ok');
  });

  it('A16 it is served while the TCP door is flooded with silent sockets', async () => {
    const silent = await Promise.all(
      Array.from({ length: 300 }, () => Partner.open({ port: gateway.port }).catch(() => null)),
    );
    expect(silent.filter((partner) => partner !== null).length).toBeGreaterThan(0);
    expect(gist(await (await gateway.owner()).call('health', undefined, { timeoutMs: 2_000 }))).toBe('ok');
    // A client that speaks is never turned away.
    const { partner } = await session(gateway, known);
    partner.end();
    for (const one of silent) one?.end();
  });
});
