// Plain HTTP at the TCP door, byte by byte.
import { connect as dial } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpHandler, type Readiness } from '../../src/gateway/http/http.ts';
import { listenTcp, type TcpDoor } from '../../src/gateway/listen/tcp.ts';
import { systemClock } from '../../src/system/clock.ts';

let door: TcpDoor;
let now: Readiness = { ready: true, started: true };
const upgrades: string[] = [];

beforeAll(async () => {
  door = await listenTcp({
    addresses: ['127.0.0.1'],
    port: 0,
    hosts: [],
    accept: (pipe) => {
      upgrades.push(pipe.facts.host ?? '');
      return { message() {}, closed() {} };
    },
    http: httpHandler({ readiness: () => now, hosts: [] }),
    sourceOf: (address) => address,
    clock: systemClock,
    limits: { handshakeMs: 2_000 },
  });
});
afterAll(() => door.close());

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  /** Status lines in all that came back. */
  readonly count: number;
}

function send(bytes: string): Promise<Answer> {
  return new Promise((done) => {
    const socket = dial({ port: door.port, host: '127.0.0.1' });
    let text = '';
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      const [head = '', ...body] = text.split('\r\n\r\n');
      done({
        status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
        head: head.toLowerCase(),
        body: body.join('\r\n\r\n'),
        count: text.match(/HTTP\/1\.1 \d{3}/g)?.length ?? 0,
      });
    });
    socket.write(bytes);
  });
}

const get = (path: string, method = 'GET', more = '') =>
  send(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${door.port}\r\n${more}\r\n`);

describe('probes', () => {
  it('rule: they answer barely, and follow the gateway', async () => {
    for (const path of ['/health', '/healthz']) expect((await get(path)).body).toBe('{"ok":true,"status":"live"}');
    for (const path of ['/ready', '/readyz']) expect((await get(path)).body).toBe('{"ready":true}');
    for (const path of ['/startup', '/startupz']) {
      expect((await get(path)).body).toBe('{"ok":true,"status":"started"}');
    }
    now = { ready: false, started: false };
    expect(await get('/readyz')).toMatchObject({ status: 503, body: '{"ready":false}' });
    expect(await get('/startupz')).toMatchObject({ status: 503, body: '{"ok":false,"status":"starting"}' });
    expect((await get('/healthz')).status).toBe(200);
    now = { ready: true, started: true };
  });

  it('rule: HEAD answers as GET without a body; a query changes nothing', async () => {
    const head = await get('/healthz', 'HEAD');
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(head.head).toContain('content-length: 27');
    expect((await get('/readyz?x=/../y')).status).toBe(200);
  });
});

describe('the page', () => {
  it('rule: it says what this is, allows no script, and tells nothing of this gateway', async () => {
    const page = await get('/');
    expect(page.status).toBe(200);
    expect(page.body).toContain('latchkey devices approve');
    expect(page.body).not.toMatch(/<script|https?:\/\/|src=|\d+\.\d+\.\d+/);
    expect(page.head).toMatch(/content-security-policy: default-src 'none'; style-src 'sha256-[a-z0-9+/=]+'/);
    for (const line of ['x-frame-options: deny', 'x-content-type-options: nosniff', 'referrer-policy: no-referrer']) {
      expect(page.head).toContain(line);
    }
    expect(page.head).not.toMatch(/access-control|set-cookie|server:|x-powered-by/);
  });

  it('rule: the hash in the policy is that of the style', async () => {
    const { createHash } = await import('node:crypto');
    const page = await get('/');
    const style = /<style>([\s\S]*)<\/style>/.exec(page.body)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64').toLowerCase();
    expect(page.head).toContain(`'sha256-${hash}'`);
  });
});

describe('everything else', () => {
  it('threat 9: no spelling of a path reaches another route', async () => {
    for (const path of [
      '//',
      '//healthz',
      '/healthz/',
      '/healthz/.',
      '/%68ealthz',
      '/x/../healthz',
      '/%2e%2e/healthz',
      '/%2e',
      '/%00',
      '/healthz%00',
      '/healthz;x',
      '/HEALTHZ',
      '/metrics',
      '/control-ui-config.json',
      '/v1/models',
      '/hooks/wake',
      '/.env',
    ]) {
      expect((await get(path)).status, path).toBe(404);
    }
    for (const target of [`http://127.0.0.1:${door.port}/healthz`, 'http://evil.example/', '*', '127.0.0.1:80']) {
      expect((await get(target)).status, target).toBe(400);
    }
  });

  it('threat 9: methods other than GET and HEAD change nothing and are refused', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']) {
      const answer = await get('/healthz', method, 'Origin: https://evil.example\r\nContent-Length: 0\r\n');
      expect(answer.status, method).toBe(405);
      expect(answer.head, method).toContain('allow: get, head');
      expect(answer.head, method).not.toContain('access-control');
    }
    expect((await get('/x', 'POST', 'Content-Length: 0\r\n')).status).toBe(404);
    expect((await get('127.0.0.1:80', 'CONNECT')).status).toBe(0);
  });

  it('threat 9: smuggled requests are not answered', async () => {
    const host = `Host: 127.0.0.1:${door.port}\r\n`;
    const second = `GET /readyz HTTP/1.1\r\n${host}\r\n`;
    const tries = {
      'CL and TE': `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`,
      'two CL': `POST / HTTP/1.1\r\n${host}Content-Length: 0\r\nContent-Length: 5\r\n\r\n${second}`,
      'TE with a blank': `POST / HTTP/1.1\r\n${host}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${second}`,
      'bare LF': `GET / HTTP/1.1\n${host}\n${second}`,
      'folded header': `GET / HTTP/1.1\r\n${host}X: a\r\n b\r\nHost: evil.example\r\n\r\n${second}`,
      pipelined: `GET /healthz HTTP/1.1\r\n${host}\r\n${second}`,
    };
    for (const [name, bytes] of Object.entries(tries)) {
      const answer = await send(bytes);
      expect(answer.count, name).toBeLessThanOrEqual(1);
      expect(answer.body, name).not.toContain('"ready":true');
    }
  });

  it('threat 9, 23: Host and the size of headers', async () => {
    expect((await send('GET / HTTP/1.1\r\n\r\n')).status).toBe(400);
    expect((await send('GET / HTTP/1.0\r\n\r\n')).status).toBe(400);
    expect((await send('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n')).status).toBe(400);
    expect((await send('GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n')).status).toBe(421);
    expect((await get('/', 'GET', `X: ${'y'.repeat(100_000)}\r\n`)).status).toBe(431);
    expect((await send('nonsense\r\n\r\n')).status).toBe(400);
    expect(upgrades).toEqual([]);
  });

  it('threat 29: a body that nobody asked for is not waited for', async () => {
    const answer = await get('/healthz', 'POST', 'Content-Length: 1000000000\r\n');
    expect(answer.status).toBe(405);
  });
});
