import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
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
async function door(answer: (request: string) => string | null): Promise<void> {
  const server = await cli.listen({ port: 0, host: '127.0.0.1' }, (socket) => {
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
  const { port } = server.address() as { port: number };
  writeFileSync(
    join(cli.stateDir, 'run', 'gateway.json'),
    JSON.stringify({ pid: process.pid, port, version: '1.2.3' }),
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
