import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { changeRecord } from '../../client/node/credentials.ts';
import { openGatewayIdentity } from '../../system/identity.ts';
import { makeStateDir } from '../../system/state-dir.ts';
import { Scripted } from '../scripted.ts';

const NOW = 1_800_000_000_000;
let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-c-')), NOW);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

/** A scripted TCP door: answers the upgrade and sends `first`, or says nothing. */
async function door(answer: (request: string) => string | null): Promise<number> {
  const server = await cli.listen({ port: 0, host: '127.0.0.1' }, (socket) => {
    socket.setEncoding('latin1').once('data', (head: string) => {
      const text = answer(head);
      if (text === null) return;
      const key = /Sec-WebSocket-Key: (\S+)/.exec(head)?.[1] ?? '';
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const body = Buffer.from(text);
      const head101 = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade';
      socket.write(`${head101}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
      socket.write(Buffer.concat([Buffer.from([0x81, 126, body.length >> 8, body.length & 255]), body]));
    });
  });
  const { port } = server.address() as { port: number };
  writeFileSync(
    join(cli.stateDir, 'run', 'gateway.json'),
    JSON.stringify({ pid: process.pid, port, version: '1.2.3' }),
  );
  return port;
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
  await cli.gateway({
    health: { payload: { ok: true, eventLoop: { degraded: false, delayMaxMs: 1 } } },
    status: { payload: {} },
  });
  const { signingKey } = openGatewayIdentity(cli.stateDir, { storeExists: false, needsSecret: true });
  await door((head) => challenge(head, signingKey));
  const { code, out } = await cli.run(['gateway', 'probe']);
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
  await cli.gateway({ health: { payload: { ok: true } }, status: { payload: {} } });
  openGatewayIdentity(cli.stateDir, { storeExists: false, needsSecret: true });
  const other = join(cli.home, 'other');
  makeStateDir(other);
  const stranger = openGatewayIdentity(other, { storeExists: false, needsSecret: true }).signingKey;
  await door((head) => answer(head, stranger));
  const { code, out } = await cli.run(['gateway', 'probe', '--json', '--timeout', '300ms']);
  expect(JSON.parse(out)).toMatchObject({ ok: false, owner: { state: 'ok' }, tcp: { state } });
  expect(code).toBe(state === 'busy' ? 75 : 1);
});

async function elsewhere(answer: (head: string, own: Parameters<typeof challenge>[1]) => string | null) {
  makeStateDir(cli.stateDir);
  const far = join(cli.home, 'far');
  makeStateDir(far);
  const { signingKey } = openGatewayIdentity(far, { storeExists: false, needsSecret: true });
  let dials = 0;
  const port = await door((head) => {
    dials += 1;
    return answer(head, signingKey);
  });
  const url = `ws://127.0.0.1:${port}`;
  const probe = async () => {
    const argv = ['--url', url, 'gateway', 'probe', '--timeout', '300ms'];
    const { out } = await cli.run(argv);
    const { code, out: json } = await cli.run([...argv, '--json']);
    return { code, out, document: JSON.parse(json) };
  };
  return { key: signingKey.publicKey, url, probe, dials: () => dials };
}

test('A6, A18 probe of another gateway asks for nothing, writes nothing, and says whose key is proven', async () => {
  const { key, url, probe, dials } = await elsewhere(challenge);
  const first = await probe();
  expect(first.code).toBe(0);
  expect(first.document).toMatchObject({ ok: true, url, tcp: { state: 'ok' } });
  expect(first.out).toContain(`proves the key ${key}; nothing is known of it yet`);
  expect(first.out).toContain(`run: latchkey gateway trust --url ${url} --key ${key}\n`);
  expect(first.out).toContain('was never let in');
  expect(dials()).toBe(2);
  expect(readdirSync(join(cli.stateDir, 'identity'))).toEqual([]);
  changeRecord(cli.stateDir, url, (r) => ({ ...r, gatewayKey: key }));
  const known = await probe();
  expect([known.code, known.document.tcp.run]).toEqual([0, undefined]);
  expect(known.out).toContain('proves the key that is known of it');
  changeRecord(cli.stateDir, url, (r) => ({ ...r, gatewayKey: 'x'.repeat(43) }));
  const other = await probe();
  expect([other.code, other.document.tcp.state]).toEqual([1, 'foreign']);
  expect(other.out).toContain("(only if the gateway's host shows this key)");
});

test.each<[string, Parameters<typeof elsewhere>[0], string, number]>([
  ['silence', () => null, 'busy', 75],
  [
    'another protocol',
    () => JSON.stringify({ type: 'event', event: 'hello', payload: { x: 'x'.repeat(200) } }),
    'foreign',
    1,
  ],
])('A18 probe of another gateway tells %s', async (_what, answer, state, exit) => {
  const { code, document } = await (await elsewhere(answer)).probe();
  expect([code, document.tcp.state]).toEqual([exit, state]);
});

test('rule: probe of a place where nobody listens says so in words', async () => {
  const { code, out } = await cli.run(['--url', 'ws://127.0.0.1:1', 'gateway', 'probe']);
  expect(code).toBe(1);
  expect(out).toContain('nobody listens there (ECONNREFUSED)');
  expect(out).toContain("run on the gateway's host: latchkey gateway probe");
});
