import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../system/clock.ts';
import { contextOf, type Globals, type Host } from './context.ts';
import { parseSetupCode } from './remote-credential.ts';
import { aimOf, type RemoteConfig, targetOf } from './remote-target.ts';

const URL_A = 'wss://a.example:18789';
const URL_B = 'wss://b.example:18789';
const remote = (more: Partial<RemoteConfig> = {}): RemoteConfig => ({
  mode: 'remote',
  url: URL_A,
  tlsFingerprint: 'ab'.repeat(32),
  token: 'config-token',
  password: null,
  file: '/x/latchkey.json',
  ...more,
});
const target = (
  globals: Globals,
  env: Record<string, string> = {},
  config: RemoteConfig | null = null,
  port?: number,
) => targetOf(globals, env, config, port ?? null);

test('rule: without a URL commands stay here, and what is for other gateways is left out, with a word', () => {
  expect(target({})).toEqual({ target: null, notes: [] });
  const { target: none, notes } = target({}, { LATCHKEY_GATEWAY_TOKEN: 't' });
  expect([none, notes]).toEqual([null, [expect.stringContaining('LATCHKEY_GATEWAY_TOKEN is ignored')]]);
  expect(target({}, {}, remote({ mode: 'local' })).target).toBeNull();
  // The environment counts for other gateways only: this is our own.
  const own = target({}, { LATCHKEY_GATEWAY_URL: 'ws://127.0.0.1:18789', LATCHKEY_GATEWAY_TOKEN: 't' }, null, 18_789);
  expect(own.target).toBeNull();
  expect(own.notes).toHaveLength(2);
  // A tunnel is somebody else's.
  expect(target({}, { LATCHKEY_GATEWAY_URL: 'ws://127.0.0.1:9000' }, null, 18_789).target).not.toBeNull();
  expect(target({ url: 'ws://127.0.0.1:18789' }, {}, null, 18_789).target?.from).toBe('--url');
});

test('rule: a flag goes before the environment, and that before the configuration', () => {
  const env = { LATCHKEY_GATEWAY_URL: URL_B };
  expect(target({ url: 'wss://c' }, env, remote()).target).toMatchObject({ url: 'wss://c', from: '--url' });
  expect(target({}, env, remote()).target).toMatchObject({ url: URL_B, from: 'LATCHKEY_GATEWAY_URL' });
  expect(target({}, {}, remote()).target).toMatchObject({ url: URL_A, from: 'gateway.remote.url' });
  expect(target({ setupCodeFile: 'f' }, env).target).toMatchObject({ url: null, from: 'setup-code' });
  expect(target({ url: URL_A, insecure: true, wait: 5 }).target).toMatchObject({ insecure: true, waitMs: 5 });
});

test('A18: no credential goes to another gateway than the one it belongs to', () => {
  const env = { LATCHKEY_GATEWAY_URL: URL_B, LATCHKEY_GATEWAY_TOKEN: 'env-token' };
  const credential = (globals: Globals, e: Record<string, string> = {}, c: RemoteConfig | null = null) =>
    target(globals, e, c).target?.credential ?? null;
  expect(credential({}, env)).toMatchObject({ value: 'env-token' });
  expect(credential({ url: `${URL_B}/` }, env)).toMatchObject({ value: 'env-token' });
  expect(credential({ url: URL_A }, env)).toBeNull();
  expect(target({ url: URL_A }, env).notes.join()).toContain('belongs to LATCHKEY_GATEWAY_URL');
  expect(credential({ url: URL_A }, { LATCHKEY_GATEWAY_TOKEN: 'env-token' })).toMatchObject({ value: 'env-token' });
  expect(credential({}, {}, remote())).toMatchObject({ from: 'config', input: 'config-token' });
  expect(credential({ url: URL_A }, {}, remote({ mode: 'local' }))).toMatchObject({ from: 'config' });
  expect(credential({ url: URL_B }, {}, remote())).toBeNull();
  expect(target({ url: URL_B }, {}, remote()).target?.tlsFingerprint).toBeNull();
  expect(target({}, {}, remote()).target?.tlsFingerprint).toBe('ab'.repeat(32));
  expect(credential({ url: URL_A, token: 'mine' }, env, remote())).toMatchObject({ from: 'argument', value: 'mine' });
  expect(credential({}, {}, remote({ token: null, password: 'p' }))).toMatchObject({ kind: 'password', input: 'p' });
});

test('A14: a setup code comes by standard input or a file, never as an argument; two credentials are one too many', () => {
  expect(target({ setupCode: '-' }).target?.credential).toEqual({ kind: 'setup-code', from: 'stdin' });
  for (const globals of [
    { setupCode: 'abc' },
    { url: URL_A, token: 'a', password: 'b' },
    { url: URL_A, token: '-', tokenFile: 'f' },
    { token: 'a' },
    { insecure: true },
  ]) {
    expect(() => target(globals)).toThrow(expect.objectContaining({ name: 'Failure', exitCode: 2 }));
  }
  expect(() => target({}, {}, remote({ url: null }))).toThrow(expect.objectContaining({ exitCode: 78 }));
});

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-rt-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const context = (config: string | null, globals: Globals = {}) => {
  if (config !== null) writeFileSync(join(home, 'latchkey.json'), config, { mode: 0o600 });
  const host = {
    env: { LATCHKEY_STATE_DIR: home },
    clock: systemClock,
    output: () => ({ out: () => {}, err: () => {}, colour: false, interactive: false }),
  } as unknown as Host;
  return contextOf(globals, host);
};

test('rule: gateway.mode "remote" leads elsewhere, with its secret where the configuration says it is', async () => {
  const fingerprint = 'AB:'.repeat(31).concat('AB');
  expect(await aimOf(context(null))).toBeNull();
  expect(await aimOf(context('{ gateway: { port: 1 } }'))).toBeNull();
  const config = `{ gateway: { mode: "remote", remote: { url: "${URL_A}", tlsFingerprint: "${fingerprint}", token: { source: "env", id: "T" } } } }`;
  expect(await aimOf(context(config))).toMatchObject({
    url: URL_A,
    tlsFingerprint: 'ab'.repeat(32),
    credential: { from: 'config', input: { source: 'env', id: 'T' }, path: 'gateway.remote.token' },
  });
  // Also where the key is written with an escape.
  expect(await aimOf(context(config.replace('mode: "remote"', 'mode: "\\u0072emote"')))).toMatchObject({ url: URL_A });
  for (const broken of [
    '{ gateway: { remote: { url: "http://a" } } }',
    '{ gateway: { remote: { url: "wss://a/?token=x" } } }',
    `{ gateway: { remote: { tlsFingerprint: "${'zz'.repeat(32)}" } } }`,
    '{ gateway: { mode: "remote"',
  ]) {
    await expect(aimOf(context(broken))).rejects.toMatchObject({ name: 'Failure', exitCode: 78 });
  }
});

test('rule: what comes by standard input is one line of it, and a setup code may be broken over lines', async () => {
  const read = (kind: string, input: string) =>
    new Promise<string>((done) => {
      const script = `
        const { readCredential } = await import(${JSON.stringify(join(import.meta.dirname, 'remote-credential.ts'))});
        const { given, code } = await readCredential({}, { kind: ${JSON.stringify(kind)}, from: 'stdin' });
        console.log(JSON.stringify([given, code?.urls]));`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      let out = '';
      child.stdout.on('data', (chunk) => {
        out += chunk;
      });
      child.once('close', () => done(out.trim()));
      // Nobody ends the input of a terminal.
      child.stdin.on('error', () => {});
      child.stdin.write(input);
    });
  expect(await read('token', 'the-token\n')).toBe('[{"token":"the-token"},null]');
  const code = Buffer.from(JSON.stringify({ url: URL_A, bootstrapToken: 'b' })).toString('base64url');
  expect(await read('setup-code', `${code}\n`)).toBe(`[{"bootstrapToken":"b"},["${URL_A}"]]`);
  expect(parseSetupCode(`${code.slice(0, 20)}\n  ${code.slice(20)}`)?.bootstrapToken).toBe('b');
  const urls = [URL_A, ...Array.from({ length: 20 }, (_, i) => `wss://${i}.example`)];
  const many = Buffer.from(JSON.stringify({ url: URL_A, urls, bootstrapToken: 'b' })).toString('base64url');
  expect(parseSetupCode(many)?.urls).toEqual(urls.slice(0, 8));
  for (const bad of [
    '',
    'e30',
    'bm90IGpzb24',
    Buffer.from('{"bootstrapToken":"b","gatewayKey":"x"}').toString('base64url'),
    Buffer.from('{"bootstrapToken":"b","urls":[1]}').toString('base64url'),
  ]) {
    expect(parseSetupCode(bad)).toBeNull();
  }
});
