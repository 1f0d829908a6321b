import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OPERATOR_SCOPES } from '../core/authz/scope.ts';
import type { Failure } from '../system/failure.ts';
import { isLoopbackAddress, resolveBind } from './bind.ts';
import { configPath, defaultPort, type LoadedConfig, type LoadOptions, loadConfig, secretOf } from './load.ts';
import { REDACTED, viewConfig } from './redact.ts';

const STRONG = '3f9c1e7ab2d84056c8a1f03be97d52641c0ffee0d15ea5e0';
let home = '';
let path = '';

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-cf-'));
  path = join(home, 'latchkey.json');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function load(text: string, options: Partial<LoadOptions> = {}) {
  writeFileSync(path, text);
  return loadConfig({ path, ...options });
}

function refusalOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    return error as Failure;
  }
  throw new Error('nothing was refused');
}

async function refusedBy(work: Promise<unknown>): Promise<Failure> {
  const failed = await work.then(
    () => null,
    (error: unknown) => error as Failure,
  );
  if (failed === null) throw new Error('nothing was refused');
  return failed;
}

test('rule: no file is the defaults', () => {
  const { config, text } = loadConfig({ path });
  expect(text).toBeNull();
  expect(config.gateway).toMatchObject({
    mode: 'local',
    port: 18_789,
    bind: { addresses: ['127.0.0.1', '::1'], loopback: true },
    pairing: { ask: 'open' },
    auth: { mode: 'token', sharedSecretScopes: OPERATOR_SCOPES },
  });
});

test('rule: JSON5 with comments, and flags that beat the file', () => {
  const text = `// mine
  { gateway: { port: 1234, bind: 'lan', mode: 'remote', pairing: { ask: 'closed', },
    auth: { sharedSecretFrom: ['::FFFF:192.0.2.7', '2001:DB8:0::1'], rateLimit: { lockoutMs: 300000 } },
    controlUi: { allowedOrigins: ['https://Ui.example.org/'] } }, logging: { level: 'debug' } }`;
  const { config } = load(text);
  expect(config.gateway).toMatchObject({ port: 1234, mode: 'remote', pairing: { ask: 'closed' } });
  expect(config.gateway.auth.sharedSecretFrom).toEqual(['192.0.2.7', '2001:db8::1']);
  // A16: a lock-out of five minutes becomes an answer that is put off by a minute at most.
  expect(config.gateway.auth.rateLimit.maxDelayMs).toBe(60_000);
  expect(config.gateway.controlUi.allowedOrigins).toEqual(['https://ui.example.org']);
  expect(config.logging).toMatchObject({ level: 'debug', consoleLevel: 'debug' });
  const { gateway } = load(text, { port: 0, bind: 'loopback' }).config;
  expect([gateway.port, gateway.bind.loopback]).toEqual([0, true]);
});

test('T18 a profile has a port of its own, and not the file that an inherited variable names', () => {
  expect(defaultPort(null)).toBe(18_789);
  const ports = ['work', 'home', 'test'].map(defaultPort);
  expect(new Set(ports).size).toBe(3);
  expect(ports.every((p) => p >= 20_000 && p < 60_000)).toBe(true);
  expect(loadConfig({ path, profile: 'work' }).config.gateway.port).toBe(defaultPort('work'));
  const env = { LATCHKEY_CONFIG_PATH: '/other/latchkey.json' };
  expect(configPath('/s', env)).toBe('/other/latchkey.json');
  expect(configPath('/s', env, true)).toBe('/s/latchkey.json');
  expect(configPath('/s', {})).toBe('/s/latchkey.json');
});

test.each([
  ['{\n  gateway: {\n    prot: 1 } }', 3, 'gateway.prot', "did you mean 'port'?"],
  ['{ gatway: {} }', 1, 'gatway', "did you mean 'gateway'?"],
  ['{ gateway: { zzzzzz: 1 } }', 1, 'gateway.zzzzzz', 'there are: mode, port'],
  ['{\n\n gateway: { port: "18789" } }', 3, 'gateway.port', 'must be a port, 0 to 65535'],
  ['{ gateway: { port: 70000 } }', 1, 'gateway.port', 'must be a port'],
  ['{ gateway: 5 }', 1, 'gateway', 'must be an object'],
  ['{ __proto__: {} }', 1, '__proto__', 'there is no such key'],
  ['{ toString: 1 }', 1, 'toString', 'there is no such key'],
  ['[]', 1, '', 'must be an object'],
  ['{ gateway: { mode:\n"lokal" } }', 1, 'gateway.mode', 'must be "local" or "remote"'],
  ['{ gateway: { auth: { token: 5 } } }', 1, 'gateway.auth.token', 'must be a text, or {source:'],
  ['{ gateway: { auth: { token: { source: "vault", id: "x" } } } }', 1, 'gateway.auth.token', 'must be a text'],
  ['{ gateway: { auth: { token: { source: "exec", id: "sh -c x" } } } }', 1, 'gateway.auth.token', '["program"'],
  [
    '{ gateway: { auth: {\n sharedSecretScopes: ["operator.read",\n "operator.raed"] } } }',
    3,
    'gateway.auth.sharedSecretScopes.1',
    'must be "operator.admin"',
  ],
  ['{ gateway: { auth: { sharedSecretFrom: ["192.0.2.0/24"] } } }', 1, 'gateway.auth.sharedSecretFrom.0', 'exact IP'],
  [
    '{ gateway: { auth: { rateLimit: { exemptLoopback: true } } } }',
    1,
    'gateway.auth.rateLimit.exemptLoopback',
    'slowed too',
  ],
  ['{ gateway: { controlUi: { allowedOrigins: ["*"] } } }', 1, 'gateway.controlUi.allowedOrigins.0', 'not allowed'],
  [
    '{ gateway: { controlUi: { allowedOrigins: ["https://a/b"] } } }',
    1,
    'gateway.controlUi.allowedOrigins.0',
    'https://a',
  ],
  ['{ gateway: { port: 1,\n port: 2 } }', 2, 'gateway.port', 'stands in line 1 already'],
  ['{ "gateway": { "port": 1,\n \'p\\x6frt\': 2 } }', 2, 'gateway.port', 'stands in line 1 already'],
])('rule: %j is refused with line, key and why', (text, line, key, why) => {
  const failure = refusalOf(() => load(text));
  expect(failure.exitCode).toBe(78);
  expect(failure.what).toBe(`${path}, line ${line}:${key === '' ? '' : ` ${key}`} is refused`);
  expect(failure.why).toContain(why);
  expect(failure.run).toContain(path);
});

test.each(['', '   ', '{', '{ gateway: { port: } }', '{ a: 1 } b', '\u0000'])('T11 %j is not JSON5', (text) => {
  const failure = refusalOf(() => load(text));
  expect([failure.exitCode, failure.what.includes('not JSON5')]).toEqual([78, true]);
});

test('threat 52: a refusal quotes no value', () => {
  for (const text of [
    `{ gateway: { auth: { token: { source: "${STRONG}" } } } }`,
    `{ gateway: { auth: { token: "${STRONG}" "x" } } }`,
    `{ gateway: { bind: 7, auth: { password: "${STRONG}" } } }`,
  ]) {
    const failure = refusalOf(() => load(text));
    expect(`${failure.what} ${failure.why} ${failure.run}`).not.toContain(STRONG.slice(0, 10));
  }
});

test.each([
  ['none', 'latchkey devices approve'],
  ['trusted-proxy', 'latchkey devices ensure'],
])('A13 auth.mode %s is refused with the command that replaces it', (mode, run) => {
  const failure = refusalOf(() => load(`{ gateway: { auth: { mode: "${mode}" } } }`));
  expect(failure.exitCode).toBe(78);
  expect(failure.run).toContain(run);
});

test('threat 28: each bind is an address or refused', () => {
  const net = { tailscale0: [{ address: '100.101.2.3' }], eth0: [{ address: '192.0.2.7' }] };
  const interfaces = () => net as unknown as ReturnType<typeof import('node:os').networkInterfaces>;
  expect(resolveBind('tailnet', undefined, 'x', interfaces).addresses).toEqual(['100.101.2.3']);
  expect(resolveBind('lan', undefined, 'x')).toMatchObject({ addresses: ['0.0.0.0'], loopback: false });
  expect(resolveBind('custom', '192.0.2.7', 'x')).toMatchObject({ addresses: ['192.0.2.7'], loopback: false });
  expect(resolveBind('0.0.0.0', undefined, 'x').loopback).toBe(false);
  expect(resolveBind('::', undefined, 'x').loopback).toBe(false);
  expect(resolveBind('::1', undefined, 'x').loopback).toBe(true);
  for (const [spec, host] of [
    ['tailnet'],
    ['custom'],
    ['auto'],
    ['localhost'],
    ['all'],
    ['127.evil.test'],
    ['0'],
    ['custom', 'x'],
  ]) {
    expect(refusalOf(() => resolveBind(spec ?? '', host, 'x', () => ({}))).exitCode).toBe(78);
  }
  expect(['127.0.0.1', '127.8.8.8', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1'].map(isLoopbackAddress)).not.toContain(
    false,
  );
  expect(['128.0.0.1', '::', '::ffff:128.0.0.1', '127.evil.test', '127.1'].map(isLoopbackAddress)).not.toContain(true);
});

test.each([
  'changeme',
  'undefined',
  '***',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  'only-19-characters',
  `$${'{GATEWAY_TOKEN}'}`,
])('threat 28: with the secret %j loopback warns, everything else refuses to start', async (token) => {
  const text = (bind: string) => JSON.stringify({ gateway: { bind, auth: { token } } });
  const { secret, warnings } = await secretOf(load(text('loopback')), {});
  expect(secret).toEqual({ value: token, from: 'gateway.auth.token' });
  expect(warnings).toHaveLength(1);
  const failure = await refusedBy(secretOf(load(text('0.0.0.0')), {}));
  expect(failure.exitCode).toBe(78);
  expect(failure.run).toContain('--bind loopback');
  expect(`${warnings[0]} ${failure.what} ${failure.why}`).not.toContain(token);
  expect((await refusedBy(secretOf(load(text('loopback'), { bind: 'lan' }), {}))).exitCode).toBe(78);
});

test('CVE-2026-28395: one secret in two places is refused beyond loopback', async () => {
  const text = JSON.stringify({ gateway: { bind: 'lan', auth: { token: STRONG, password: STRONG } } });
  expect((await refusedBy(secretOf(load(text), {}))).why).toContain('reused');
});

test('rule: a good secret, or none, is in order anywhere', async () => {
  expect(await secretOf(load(JSON.stringify({ gateway: { bind: 'lan', auth: { token: STRONG } } })), {})).toEqual({
    secret: { value: STRONG, from: 'gateway.auth.token' },
    warnings: [],
  });
  expect((await secretOf(load('{ gateway: { bind: "lan" } }'), {})).secret).toBeNull();
  const other = load(JSON.stringify({ gateway: { auth: { mode: 'password', token: STRONG } } }));
  expect((await secretOf(other, {})).secret).toBeNull();
  expect(other.warnings[0]).toContain('gateway.auth.token is not used');
});

const standing = (loaded: LoadedConfig) => ({
  file: loaded,
  now: loaded,
  text: loaded.text,
  pending: [],
  problem: null,
});

test('rule: config.get shows the configuration without any secret', () => {
  const text = `{ // old: ${STRONG}\n gateway: { port: 5, auth: { token: "${STRONG}", password: { source: "exec", id: ["get", "${STRONG}"] } } } }`;
  const view = viewConfig(standing(load(text)), (raw) => `h${raw.length}`);
  expect(JSON.stringify(view)).not.toContain(STRONG);
  expect(view.config).toEqual({ gateway: { port: 5, auth: { token: REDACTED, password: REDACTED } } });
  expect(JSON.parse(view.raw ?? '')).toEqual(view.config);
  expect(view).toMatchObject({ path, exists: true, valid: true, hash: `h${text.length}` });
  const place = viewConfig(standing(load('{ gateway: { auth: { token: { source: "env", id: "T" } } } }')), () => '');
  expect(place.config).toEqual({ gateway: { auth: { token: { source: 'env', id: 'T' } } } });
});
