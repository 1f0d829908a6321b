// What the command line makes of a gateway that is no Latchkey: refusals as the three releases of OpenClaw word them,
// and answers without what only Latchkey says.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readDeviceIdentity } from '../client/node/identity.ts';
import { ScriptedGateway, type Visit } from '../client/node/scripted.ts';
import { OPENCLAW_ASK } from '../core/protocol/method/scope.ts';
import { readRemedy } from './remedy.ts';
import { type Ran, Scripted } from './scripted.ts';

const NOW = 1_795_000_000_000;
let cli: Scripted;
let gateway: ScriptedGateway;
let secret = '';

beforeEach(async () => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-rf-')), NOW);
  gateway = new ScriptedGateway();
  await gateway.listen();
  secret = join(cli.home, 'secret');
  writeFileSync(secret, 'the-secret\n');
});
afterEach(async () => {
  await gateway.end();
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

const url = () => `ws://127.0.0.1:${gateway.port}`;
/** It proves no key. */
const challenge = (visit: Visit) => ({ nonce: visit.nonce, ts: NOW });
const hello = () => gateway.hello({ deviceToken: 'token-1', scopes: [...OPENCLAW_ASK] });

function refusing(error: Readonly<Record<string, unknown>>): void {
  gateway.script = { challenge, connect: (visit) => visit.refuse({ code: 'INVALID_REQUEST', message: 'm', ...error }) };
}

function answering(answers: Readonly<Record<string, unknown>>): void {
  gateway.script = {
    challenge,
    connect: (visit) => visit.answer(hello()),
    call: (visit, method) => visit.answer(answers[method]),
  };
}

const run = (...argv: string[]): Promise<Ran> => cli.run(['--url', url(), ...argv]);
const withSecret = (...argv: string[]): Promise<Ran> => run('--token-file', secret, ...argv);
/** What it was told to run, read as `readRemedy` does. */
function remedyIn({ err }: Ran) {
  const [, where = '', text = ''] = /^ {2}run( on the gateway's host)?: (.*)$/m.exec(err) ?? [];
  return { text, isThere: where !== '', kind: readRemedy(text).kind };
}

// As each release refuses a stale device token: 2026.2.19 sends no details, the later ones call it the gateway's token.
const STALE: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['2026.2.19', {}],
  ['2026.3.13', { details: { code: 'AUTH_TOKEN_MISMATCH', authReason: 'token_mismatch' } }],
  ['2026.9.6', { details: { code: 'AUTH_TOKEN_MISMATCH', authReason: 'token_mismatch' } }],
  ['2026.9.6, narrowed', { details: { code: 'AUTH_SCOPE_MISMATCH', authReason: 'scope_mismatch' } }],
];

test.each(STALE)(
  'A10, A16: %s: where what is remembered no longer counts, one command asks for the secret',
  async (_, e) => {
    answering({ health: { ok: true } });
    expect((await withSecret('health')).code).toBe(0);
    refusing(e);
    const ran = await run('health');
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('what this host remembers of it is no longer accepted');
    expect(remedyIn(ran)).toEqual({ text: `latchkey --url ${url()} --token - status`, isThere: false, kind: 'run' });
    expect(ran.err).toContain("on the gateway's host: grep token");
  },
);

test('A16: OpenClaw lets nobody in without a credential: the secret is asked for, and nothing is blamed', async () => {
  refusing({ details: { code: 'AUTH_TOKEN_MISSING' } });
  const ran = await run('health');
  expect(remedyIn(ran).text).toBe(`latchkey --url ${url()} --token - status`);
  expect(ran.err).not.toContain('remembers');
  refusing({ details: { code: 'AUTH_PASSWORD_MISSING' } });
  expect(remedyIn(await run('health')).text).toBe(`latchkey --url ${url()} --password - status`);
});

test.each(STALE.slice(0, 3))('T8, A16: %s: a wrong secret is named by where it came from', async (_, error) => {
  refusing(error);
  const ran = await withSecret('health');
  expect(ran.err).toContain(`--token-file ${secret} is not this gateway's`);
  expect(remedyIn(ran)).toEqual({ text: 'grep token ~/.openclaw/openclaw.json', isThere: true, kind: 'run' });
  expect(ran.err).not.toContain('the-secret');
});

test("A16: what OpenClaw refuses is mended by OpenClaw's commands, never by Latchkey's on its host", async () => {
  gateway.script = {
    challenge,
    connect: (visit) => visit.answer(hello()),
    call: (visit, method) =>
      visit.send({
        type: 'res',
        id: visit.sent.at(-1).id,
        ok: false,
        error: { code: 'INVALID_REQUEST', message: `unknown method: ${method}` },
      }),
  };
  for (const argv of [
    ['devices', 'narrow', 'c1'.repeat(32), '--none'],
    ['why', '--last'],
    ['gateway', 'call', 'x.y'],
  ]) {
    const remedy = remedyIn(await withSecret(...argv));
    expect(remedy).toMatchObject({ isThere: true, kind: 'run', text: expect.stringMatching(/^openclaw /) });
  }
});

test('A16: a gateway that ends a slow handshake without an answer is tried again, as often as --timeout lets it', async () => {
  answering({ health: { ok: true } });
  const { connect } = gateway.script;
  gateway.script = {
    ...gateway.script,
    connect: (visit, params) => (gateway.visits.length === 1 ? visit.close(1000) : connect?.(visit, params)),
  };
  expect(await withSecret('health', '--timeout', '30s')).toMatchObject({ code: 0, err: '' });
  expect(gateway.visits).toHaveLength(2);
  gateway.script = { challenge, connect: (visit) => visit.close(1000) };
  const ran = await withSecret('health', '--timeout', '300ms');
  expect(ran.code).toBe(75);
});

test('A1: whichever command comes first, one and the same ask goes to a gateway without a key', async () => {
  answering({ 'device.pair.list': { pending: [], paired: [] }, health: { ok: true }, status: {} });
  for (const argv of [['health'], ['devices', 'list'], ['status'], ['gateway', 'call', 'config.get']]) {
    await withSecret(...argv);
  }
  const asks = gateway.visits.map((visit) => visit.sent[0].params.scopes);
  expect(asks).toEqual(asks.map(() => [...OPENCLAW_ASK]));
  expect(asks).toHaveLength(4);
});

test('rule: status of a gateway that is no Latchkey shows what it says, and nothing of this host in its place', async () => {
  const paired = { deviceId: 'c1'.repeat(32), scopes: ['operator.read'], tokens: [] };
  answering({ status: { runtimeVersion: '2026.3.13' }, 'device.pair.list': { pending: [], paired: [paired] } });
  const { code, out } = await withSecret('status');
  expect(code).toBe(0);
  expect(out).toMatch(/^gateway +running {2}2026\.3\.13, no Latchkey/);
  expect(out).toMatch(/^devices +1 paired$/m);
  expect(out).not.toMatch(/owner socket|not listening|unknown|\?/);
  expect(out).not.toContain(cli.stateDir);
  const deep = await withSecret('status', '--deep');
  expect(deep.out).toMatch(/^ok +requests +none open, 1 device paired$/m);
  expect(deep.out).not.toContain('latchkey devices list');
  const document = JSON.parse((await withSecret('status', '--json')).out);
  expect(document).toMatchObject({ running: true, runtimeVersion: '2026.3.13', devices: { paired: [paired] } });
  expect(document.stateDir).toBeUndefined();
});

test('rule: status goes on where such a gateway gives no list', async () => {
  gateway.script = {
    challenge,
    connect: (visit) => visit.answer(hello()),
    call: (visit, method) =>
      method === 'status'
        ? visit.answer({})
        : visit.send({
            type: 'res',
            id: visit.sent.at(-1).id,
            ok: false,
            error: { code: 'INVALID_REQUEST', message: 'missing scope: operator.pairing' },
          }),
  };
  const { code, out } = await withSecret('status');
  expect(code).toBe(0);
  expect(out).toMatch(/^devices +not told: missing scope: operator\.pairing$/m);
});

test('rule: of decisions at such a gateway nothing is said that only Latchkey does', async () => {
  const deviceId = 'c1'.repeat(32);
  answering({
    'device.pair.reject': { requestId: 'r'.repeat(36), deviceId },
    'device.token.rotate': { deviceId, role: 'operator', scopes: ['operator.read'], rotatedAtMs: NOW },
    'device.token.revoke': { deviceId, role: 'operator', revokedAtMs: NOW },
    'device.pair.remove': { deviceId },
  });
  expect((await withSecret('devices', 'reject', 'r'.repeat(36))).out).not.toMatch(/still be approved/);
  expect((await withSecret('devices', 'rotate', deviceId)).out).not.toMatch(/gets its new token with/);
  expect((await withSecret('devices', 'revoke', deviceId)).out).toBe('Revoked as operator.\n');
  expect((await withSecret('devices', 'remove', deviceId)).out).toBe('Removed in every role.\n');
});

test('rule: its list says of a device what is known, and no "never" where it is not told', async () => {
  const base = { deviceId: 'c1'.repeat(32), scopes: ['operator.read'] };
  const lastSeen = async (row: object) => {
    answering({ 'device.pair.list': { pending: [], paired: [{ ...base, ...row }] } });
    return /last seen +(.*)$/m.exec((await withSecret('devices', 'list')).out)?.[1];
  };
  expect(await lastSeen({ tokens: [{ role: 'operator' }] })).toBe('not told by this gateway');
  expect(await lastSeen({ tokens: [{ role: 'operator', lastUsedAtMs: NOW - 300_000 }] })).toBe('5 min ago');
  expect(await lastSeen({ lastSeenAtMs: NOW - 300_000, connected: true })).toBe('now');
});

test("rule: lines of OpenClaw's log are read as its own, levels and all", async () => {
  const line = (level: string, text: string) =>
    JSON.stringify({
      0: '{"subsystem":"gateway/ws"}',
      1: { durationMs: 3 },
      2: text,
      _meta: { logLevelName: level, date: '2026-11-21T10:06:18.025Z' },
      time: '2026-11-21T10:06:18.025Z',
    });
  const lines = [line('INFO', 'device pairing auto-approved'), line('WARN', 'closed before connect\u001b[2J'), 'plain'];
  answering({ 'logs.tail': { file: 'f', cursor: 1, size: 1, lines } });
  const all = await withSecret('logs');
  expect(all.out).toContain('device pairing auto-approved');
  expect(all.out).toContain('gateway/ws');
  expect(all.out).toContain('closed before connect\\u001b[2J');
  expect(all.out).toContain('plain');
  expect(all.out).not.toContain('_meta');
  const warned = await withSecret('logs', '--level', 'warn');
  expect(warned.out).toContain('closed before connect');
  expect(warned.out).not.toContain('auto-approved');
});

test("A18: a gateway that comes after an OpenClaw at the same address is met anew; the way back is a person's word", async () => {
  answering({ health: { ok: true } });
  await withSecret('health');
  gateway.script = { call: (visit) => visit.answer({ ok: true }) };
  const latchkey = await run('health');
  expect(latchkey.code).toBe(0);
  expect(latchkey.err).toContain(`from now on ${url()} has to prove this key: ${gateway.key.publicKey}`);
  // What the OpenClaw had given is not shown to it, and its key is our own.
  const { auth, device } = gateway.visits.at(-1)?.sent[0].params ?? {};
  expect(auth).toBeUndefined();
  expect(device.id).toBe(readDeviceIdentity(cli.stateDir)?.id);
  answering({ health: { ok: true } });
  const back = await run('health');
  expect(back.code).toBe(78);
  expect(gateway.visits.at(-1)?.sent).toEqual([]);
  const { text } = remedyIn(back);
  expect(text).toBe(`latchkey gateway trust --url ${url()} --forget`);
  expect((await cli.run(text.split(' ').slice(1))).code).toBe(0);
  expect((await withSecret('health')).code).toBe(0);
});
