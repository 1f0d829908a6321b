import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Failure } from '../system/failure.ts';
import type { SecretInput } from './schema.ts';
import { type Keyring, resolveSecret } from './secret.ts';
import { weaknessOf } from './weak.ts';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-se-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const resolve = (input: SecretInput, env: Record<string, string> = {}, keyring?: Keyring) =>
  resolveSecret(input, {
    path: 'gateway.auth.token',
    file: join(home, 'latchkey.json'),
    env: { PATH: process.env.PATH, ...env },
    ...(keyring === undefined ? {} : { keyring }),
  });

async function refusalOf(work: Promise<unknown>): Promise<Failure> {
  const failed = await work.then(
    () => null,
    (error: unknown) => error as Failure,
  );
  if (failed === null) throw new Error('nothing was refused');
  return failed;
}

const node = (script: string): SecretInput => ({ source: 'exec', id: [process.execPath, '-e', script] });

test('rule: a secret comes from where it is said to be', async () => {
  writeFileSync(join(home, 'token'), 'from a file\n');
  expect(await resolve('plain')).toBe('plain');
  expect(await resolve({ source: 'env', id: 'T' }, { T: 'from env' })).toBe('from env');
  expect(await resolve({ source: 'file', id: 'token' })).toBe('from a file');
  expect(await resolve({ source: 'file', id: join(home, 'token') })).toBe('from a file');
  expect(await resolve(node('console.log("from " + process.argv[1])'))).toBe('from undefined');
});

test('rule: no shell reads the arguments of a program', async () => {
  const echo = 'process.stdout.write(process.argv[1])';
  expect(await resolve({ source: 'exec', id: [process.execPath, '-e', echo, '$(id); `id` && x'] })).toBe(
    '$(id); `id` && x',
  );
});

test.each<[string, SecretInput, string]>([
  ['an unset variable', { source: 'env', id: 'NOT_SET' }, "env 'NOT_SET'"],
  ['what every object has', { source: 'env', id: 'constructor' }, "env 'constructor'"],
  ['what every object comes from', { source: 'env', id: '__proto__' }, "env '__proto__'"],
  ['an empty variable', { source: 'env', id: 'EMPTY' }, "env 'EMPTY'"],
  ['a missing file', { source: 'file', id: 'nowhere' }, '/nowhere'],
  ['an empty file', { source: 'file', id: 'empty' }, '/empty'],
  ['a file of two lines', { source: 'file', id: 'two' }, '/two'],
  ['a missing program', { source: 'exec', id: ['/nowhere/program', 'hush'] }, '/nowhere/program'],
  ['a program that fails', node('console.log("half"); process.exit(3)'), 'exec'],
  ['a silent program', node(''), 'exec'],
  ['a pipe', { source: 'file', id: '/dev/null' }, '/dev/null'],
])('rule: %s fails closed, naming field and source', async (_what, input, source) => {
  writeFileSync(join(home, 'empty'), '\n');
  writeFileSync(join(home, 'two'), 'a\nb\n');
  const failure = await refusalOf(resolve(input, { EMPTY: '' }));
  expect(failure.exitCode).toBe(78);
  expect(failure.what).toContain('gateway.auth.token');
  expect(failure.what).toContain(source);
  expect(`${failure.what}${failure.why}${failure.run}`).not.toMatch(/hush|half/);
});

test.each<[string, SecretInput]>([
  ['a constant', 'sk-4711\u0000hush'],
  ['a constant of two lines', 'sk-4711\nhush'],
  ['a variable', { source: 'env', id: 'ODD' }],
  ['a variable of two lines', { source: 'env', id: 'LINES' }],
  ['a program', node('process.stdout.write("sk-4711\\u0001hush")')],
])('A16: %s with a control character is refused, and not quoted', async (_what, input) => {
  const failure = await refusalOf(resolve(input, { ODD: 'sk-4711\u001bhush', LINES: 'sk-4711\nhush' }));
  expect(failure.exitCode).toBe(78);
  expect(`${failure.what}${failure.why}${failure.run}`).not.toMatch(/4711|hush/);
  expect(failure.why).toMatch(/control character|more than one line/);
});

test('rule: a keyring is asked by service and account, and fails closed', async () => {
  const asked: string[] = [];
  const keyring: Keyring = async (service, account) => {
    asked.push(`${service} ${account}`);
    return account === 'a/b' ? 'from the keyring' : null;
  };
  expect(await resolve({ source: 'keyring', id: 'mine/a/b' }, {}, keyring)).toBe('from the keyring');
  const none = await refusalOf(resolve({ source: 'keyring', id: 'gone' }, {}, keyring));
  expect([none.exitCode, none.why]).toEqual([78, "it holds nothing of 'gone' for 'latchkey'"]);
  expect(asked).toEqual(['mine a/b', 'latchkey gone']);
  const locked = await refusalOf(
    resolve({ source: 'keyring', id: 'x' }, {}, async () => {
      throw new Error('locked\nand more');
    }),
  );
  expect([locked.exitCode, locked.why]).toEqual([78, 'there is no keyring to read: locked']);
});

test('rule: where there is no keyring, that is said and what to do instead', async () => {
  // In a process of its own without a session bus: whoever runs the tests may have one.
  const script = `import { resolveSecret } from ${JSON.stringify(join(import.meta.dirname, 'secret.ts'))};
    resolveSecret({ source: 'keyring', id: 'x' }, { path: 'a.b', file: '/c', env: {} }).catch((e) => console.log(JSON.stringify([e.exitCode, e.what, e.run])));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere/bus' },
  });
  const [code, what, run] = JSON.parse(stdout);
  expect([code, what]).toEqual([78, "can't resolve a.b from keyring 'x'"]);
  expect(run).toContain('source: "file"');
});

test.each([
  'changeme',
  'ChangeMe ',
  '<your-token>',
  `$${'{TOKEN}'}`,
  '{{ token }}',
  '$TOKEN',
  '%TOKEN%',
  'undefined',
  '"null"',
  '********************************',
  '__OPENCLAW_REDACTED__',
])('threat 28: %j is a placeholder', (secret) => {
  expect(weaknessOf(secret)?.kind).toBe('placeholder');
});

test.each([
  'ab',
  'Tr0ub4dor&3',
  'abcabcabcabcabcabcabcabc',
  'abcdefghijklmnopqrstuvwxyz',
  '0123456789012345678901',
  '11112222111122221111222',
])('threat 28: %j is weak', (secret) => {
  expect(weaknessOf(secret)?.kind).toBe('weak');
});

test.each([
  '3f9c1e7ab2d84056c8a1f03be97d52641c0ffee0d15ea5e0',
  'correct horse battery staple',
  'eyAzokHFwKSSY1P7_rmaYnU0yB05ZcQ90gIFvyD_tk8',
  '550e8400-e29b-41d4-a716-446655440000',
])('rule: %j is good', (secret) => {
  expect(weaknessOf(secret)).toBeNull();
});
