import { execFileSync, spawn } from 'node:child_process';
import { createPrivateKey, hkdfSync } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deviceIdOf, SigningKey, verifyEd25519 } from '../../system/crypto.ts';
import { changeRecord, credentialsPath, NO_RECORD, readRecord } from './credentials.ts';
import { nodeCrypto } from './crypto.ts';
import { deviceIdentityPath, openDeviceIdentity, readDeviceIdentity } from './identity.ts';

let stateDir = '';
const URL_A = 'wss://a.example:18789';
const URL_B = 'ws://127.0.0.1:18789';
const key = (letter: string) => letter.repeat(43);
const now = () => 1_700_000_000_000;

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'lk-cr-'));
  mkdirSync(join(stateDir, 'identity'), { mode: 0o700 });
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

const credentials = () => JSON.parse(readFileSync(credentialsPath(stateDir), 'utf8'));
const pin = (url: string, letter: string) =>
  changeRecord(stateDir, url, (record) => ({ ...record, gatewayKey: key(letter), pinnedAtMs: 1 }));

test("T7: an identity is made once, in OpenClaw's fields, 0600, and read back as it was", async () => {
  expect(readDeviceIdentity(stateDir)).toBeNull();
  const made = openDeviceIdentity(stateDir, now);
  const path = deviceIdentityPath(stateDir);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const file = JSON.parse(readFileSync(path, 'utf8'));
  expect(Object.keys(file)).toEqual(['version', 'deviceId', 'publicKeyPem', 'privateKeyPem', 'createdAtMs']);
  expect(file).toMatchObject({ version: 1, deviceId: made.id, createdAtMs: now() });
  expect(file.publicKeyPem).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
  const again = openDeviceIdentity(stateDir, now);
  expect([again.id, again.publicKey]).toEqual([made.id, made.publicKey]);
  expect(await nodeCrypto.verify(made.publicKey, 'text', again.sign('text'))).toBe(true);
  expect(made.id).toMatch(/^[0-9a-f]{64}$/);
});

const torn: readonly [string, (text: string) => string][] = [
  ['emptied', () => ''],
  ['garbage', () => '\u0000\u0001{{{'],
  ['a list', () => '[]'],
  ['of another release', (text) => text.replace('"version": 1', '"version": 2')],
  [
    'with another device id',
    (text) => text.replace(/"deviceId": ".."/, '"deviceId": "zz"').replace(/"deviceId": "../, '"deviceId": "zz'),
  ],
  ['with half a key', (text) => text.replace(/(PRIVATE KEY-----\\n).{20}/, '$1')],
];
test.each(torn)(
  'T7: an identity file that is %s is refused with the command that mends it, and left alone',
  (_what, tear) => {
    openDeviceIdentity(stateDir, now);
    const path = deviceIdentityPath(stateDir);
    const text = tear(readFileSync(path, 'utf8'));
    writeFileSync(path, text);
    let failure: unknown;
    try {
      openDeviceIdentity(stateDir, now);
    } catch (error) {
      failure = error;
    }
    expect(failure).toMatchObject({ name: 'Failure', exitCode: 78 });
    expect(readFileSync(path, 'utf8')).toBe(text);
    const { run, message } = failure as Error & { run: string };
    expect(message).not.toContain('PRIVATE');
    // The way out is a command; after it a new device asks.
    const [, mend = ''] = /\(to ask anew as a new device: (.*)\)$/.exec(run) ?? [];
    execFileSync('sh', ['-c', mend]);
    expect(openDeviceIdentity(stateDir, now).id).toMatch(/^[0-9a-f]{64}$/);
    expect(readFileSync(`${path}.broken`, 'utf8')).toBe(text);
  },
);

test('T7: a file that others may read, or a link, is refused', () => {
  openDeviceIdentity(stateDir, now);
  pin(URL_A, 'a');
  chmodSync(deviceIdentityPath(stateDir), 0o640);
  chmodSync(credentialsPath(stateDir), 0o604);
  expect(() => openDeviceIdentity(stateDir, now)).toThrow(/others may read/);
  expect(() => readRecord(stateDir, URL_A)).toThrow(/others may read/);
  rmSync(deviceIdentityPath(stateDir));
  symlinkSync('/etc/hostname', deviceIdentityPath(stateDir));
  expect(() => openDeviceIdentity(stateDir, now)).toThrow(/symbolic link/);
});

test('A6: entries stand beside each other, and a change that changes nothing writes nothing', () => {
  expect(readRecord(stateDir, URL_A)).toEqual(NO_RECORD);
  pin(URL_A, 'a');
  pin(URL_B, 'b');
  expect(readRecord(stateDir, URL_A).gatewayKey).toBe(key('a'));
  expect(statSync(credentialsPath(stateDir)).mode & 0o777).toBe(0o600);
  const before = statSync(credentialsPath(stateDir));
  pin(URL_A, 'a');
  changeRecord(stateDir, 'wss://unknown.example', (record) => record);
  expect(statSync(credentialsPath(stateDir)).ino).toBe(before.ino);
  changeRecord(stateDir, URL_A, () => NO_RECORD);
  expect(Object.keys(credentials().gateways)).toEqual([URL_B]);
  for (const url of ['__proto__', 'constructor', 'toString']) expect(readRecord(stateDir, url)).toEqual(NO_RECORD);
});

test.each([
  ['emptied', ''],
  ['garbage', 'not json at all'],
  ['of another release', '{"version":2,"gateways":{}}'],
  ["OpenClaw's", '{"version":1,"deviceId":"x","tokens":{}}'],
  ['with an entry that is none', `{"version":1,"gateways":{"${URL_A}":{"gatewayKey":"short"}}}`],
])(
  'T7, A18: a credentials file that is %s is refused with the command that puts it aside, and left alone',
  (_what, text) => {
    const path = credentialsPath(stateDir);
    writeFileSync(path, text, { mode: 0o600 });
    let failure: unknown;
    try {
      pin(URL_A, 'a');
    } catch (error) {
      failure = error;
    }
    expect(failure).toMatchObject({ name: 'Failure', exitCode: 78 });
    expect(readFileSync(path, 'utf8')).toBe(text);
    const [mend = ''] = (failure as { run: string }).run.split('   (');
    execFileSync('sh', ['-c', mend]);
    expect(pin(URL_A, 'a').gatewayKey).toBe(key('a'));
    expect(readFileSync(`${path}.broken`, 'utf8')).toBe(text);
  },
);

const node = (script: string) =>
  new Promise<string>((done, fail) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.once('close', (code) => (code === 0 ? done(out) : fail(new Error(err))));
  });

test('T7: commands at once, in processes of their own, make one identity and lose no entry', async () => {
  const here = import.meta.dirname;
  const script = (n: number) => `
    const { openDeviceIdentity } = await import(${JSON.stringify(join(here, 'identity.ts'))});
    const { changeRecord } = await import(${JSON.stringify(join(here, 'credentials.ts'))});
    const stateDir = ${JSON.stringify(stateDir)};
    console.log(openDeviceIdentity(stateDir, () => 1).id);
    for (let i = 0; i < 10; i += 1) {
      changeRecord(stateDir, 'wss://g' + ${n} + '-' + i + '.example', (r) => ({ ...r, pinnedAtMs: i }));
    }`;
  const ids = await Promise.all([0, 1, 2, 3].map((n) => node(script(n))));
  expect(new Set(ids).size).toBe(1);
  expect(Object.keys(credentials().gateways)).toHaveLength(40);
});

test('A18: at a gateway that proves no key this host is another device, the same one each time, one for each address', () => {
  const identity = openDeviceIdentity(stateDir, () => 1_700_000_000_000);
  const there = identity.forAddress('wss://gateway.example:18789');
  const ids = [
    identity.id,
    there.id,
    identity.forAddress('ws://gateway.example:18789').id,
    identity.forAddress('wss://gateway.example').id,
    identity.forAddress('wss://other.example:18789').id,
  ];
  expect(new Set(ids).size).toBe(ids.length);
  expect(readDeviceIdentity(stateDir)?.forAddress('wss://gateway.example:18789').publicKey).toBe(there.publicKey);
  const raw = Buffer.from(there.publicKey, 'base64url');
  expect(there.id).toBe(deviceIdOf(raw));
  expect(verifyEd25519(raw, 'text', Buffer.from(there.sign('text') as string, 'base64url'))).toBe(true);
  // It is what is written in the head of identity.ts, so that it stays the same device in later releases.
  const { privateKeyPem } = JSON.parse(readFileSync(deviceIdentityPath(stateDir), 'utf8'));
  const { d = '' } = createPrivateKey(privateKeyPem).export({ format: 'jwk' });
  const info = 'latchkey-foreign-1|wss://gateway.example:18789';
  const seed = hkdfSync('sha256', Buffer.from(d, 'base64url'), '', info, 32);
  expect(new SigningKey(new Uint8Array(seed)).publicKey).toBe(there.publicKey);
});

test('T7: what a write that was killed left behind goes with the next one', () => {
  const left = (path: string) => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.0123.new`, 'half');
    return `${path}.0123.new`;
  };
  const leftovers = [left(deviceIdentityPath(stateDir)), left(credentialsPath(stateDir))];
  openDeviceIdentity(stateDir, () => 1);
  changeRecord(stateDir, 'ws://127.0.0.1:1', (record) => ({ ...record, gatewayKey: 'A'.repeat(43) }));
  expect(leftovers.filter((path) => existsSync(path))).toEqual([]);
});
