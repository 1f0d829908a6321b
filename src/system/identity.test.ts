import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Failure } from './failure.ts';
import { identityPath, openGatewayIdentity, readGatewayIdentity, rotateSecret } from './identity.ts';
import { makeStateDir } from './state-dir.ts';

let home = '';
let dir = '';
const first = { storeExists: false, needsSecret: true };

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-id-'));
  dir = join(home, 's');
  makeStateDir(dir);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function refusalOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    return error as Failure;
  }
  throw new Error('nothing was refused');
}

test('rule: the identity is made once, private, and stays', () => {
  const made = openGatewayIdentity(dir, first);
  const again = openGatewayIdentity(dir, { ...first, storeExists: true });
  expect(again.signingKey.publicKey).toBe(made.signingKey.publicKey);
  expect(again.tokenKey.equals(made.tokenKey)).toBe(true);
  expect(again.secret).toBe(made.secret);
  expect(made.secret).toMatch(/^[0-9a-f]{48}$/);
  expect(statSync(identityPath(dir)).mode & 0o777).toBe(0o600);
});

test('A13 a secret is made only where the configuration names none, later too, and the key stays the same', () => {
  const without = openGatewayIdentity(dir, { storeExists: false, needsSecret: false });
  expect(without.secret).toBeNull();
  const withOne = openGatewayIdentity(dir, { storeExists: true, needsSecret: true });
  expect(withOne.secret).not.toBeNull();
  expect(withOne.signingKey.publicKey).toBe(without.signingKey.publicKey);
});

test('rule: missing beside a store is refused, never made anew', () => {
  const failure = refusalOf(() => openGatewayIdentity(dir, { storeExists: true, needsSecret: true }));
  expect(failure.exitCode).toBe(78);
  expect(failure.run).toContain('cp -p BACKUP/identity/gateway.json ');
  expect(existsSync(identityPath(dir))).toBe(false);
});

test.each([
  ['empty', ''],
  ['torn', '{"version": 1, "key": "'],
  ['garbage', '\u0000\u0001\u0002'],
  ['a list', '[]'],
  ['of a later release', '{"version": 2}'],
  ['with half a key', '{"version": 1, "key": "abc", "tokenKey": "abc"}'],
])('T11 %s: refused with the path, and left as it is', (_what, text) => {
  writeFileSync(identityPath(dir), text, { mode: 0o600 });
  for (const work of [() => openGatewayIdentity(dir, first), () => readGatewayIdentity(dir), () => rotateSecret(dir)]) {
    const failure = refusalOf(work);
    expect(failure.exitCode).toBe(78);
    expect(failure.run).toContain('cp -p BACKUP/identity/gateway.json ');
    expect(failure.what).toContain(identityPath(dir));
  }
  expect(readFileSync(identityPath(dir), 'utf8')).toBe(text);
});

test('threat 59: readable by others, or a link: refused', () => {
  openGatewayIdentity(dir, first);
  chmodSync(identityPath(dir), 0o640);
  expect(refusalOf(() => readGatewayIdentity(dir)).run).toBe(`chmod 600 ${identityPath(dir)}`);
  chmodSync(identityPath(dir), 0o600);
  const copy = join(home, 'copy.json');
  writeFileSync(copy, readFileSync(identityPath(dir)), { mode: 0o600 });
  rmSync(identityPath(dir));
  symlinkSync(copy, identityPath(dir));
  expect(refusalOf(() => readGatewayIdentity(dir)).why).toBe('it is a symbolic link');
});

test('rule: rotating the secret changes nothing else', () => {
  const before = openGatewayIdentity(dir, first);
  const secret = rotateSecret(dir);
  const after = readGatewayIdentity(dir);
  expect(secret).not.toBe(before.secret);
  expect(after?.secret).toBe(secret);
  expect(after?.signingKey.publicKey).toBe(before.signingKey.publicKey);
  expect(after?.tokenKey.equals(before.tokenKey)).toBe(true);
});
