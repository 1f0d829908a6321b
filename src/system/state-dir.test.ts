import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Failure } from './failure.ts';
import { fits, ownerSocketPlace } from './owner.ts';
import { enterStateDir, makeStateDir, PARTS, resolveStateDir } from './state-dir.ts';

const isRoot = process.getuid?.() === 0;
let home = '';
let dir = '';

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-sd-'));
  dir = join(home, 'state');
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

const modeOf = (path: string) => statSync(path).mode & 0o777;

test.each([
  [{ env: {} }, '/h/.latchkey', null, 'default'],
  [{ env: { LATCHKEY_PROFILE: 'work' } }, '/h/.latchkey-work', 'work', 'LATCHKEY_PROFILE'],
  [{ env: { LATCHKEY_STATE_DIR: '/x' } }, '/x', null, 'LATCHKEY_STATE_DIR'],
  [{ env: { LATCHKEY_STATE_DIR: '~/x' } }, '/h/x', null, 'LATCHKEY_STATE_DIR'],
  [
    { profile: 'work', env: { LATCHKEY_STATE_DIR: '/x', LATCHKEY_PROFILE: 'other' } },
    '/h/.latchkey-work',
    'work',
    '--profile',
  ],
  [{ profile: 'default', env: { LATCHKEY_STATE_DIR: '/x' } }, '/h/.latchkey', null, '--profile'],
  [{ stateDir: '/y', profile: 'work', env: { LATCHKEY_STATE_DIR: '/x' } }, '/y', 'work', '--state-dir'],
])('T18 %j is %s', (input, path, profile, from) => {
  expect(resolveStateDir({ home: '/h', ...input })).toEqual({ path, profile, from });
});

test.each(['../x', 'a/b', '', '-x', 'a b', 'x'.repeat(65)])('rule: %j is no profile', (profile) => {
  expect(refusalOf(() => resolveStateDir({ profile, env: {}, home: '/h' })).exitCode).toBe(2);
});

test('threat 59: a new state directory and its parts are 0700 under any umask', () => {
  const before = process.umask(0);
  try {
    makeStateDir(dir);
  } finally {
    process.umask(before);
  }
  for (const path of [dir, ...PARTS.map((part) => join(dir, part))]) expect(modeOf(path)).toBe(0o700);
});

test('threat 59: open to eyes is closed, open to hands is refused with the chmod that mends it', () => {
  mkdirSync(dir, { mode: 0o755 });
  makeStateDir(dir);
  expect(modeOf(dir)).toBe(0o700);
  for (const path of [dir, join(dir, 'run'), join(dir, 'identity')]) {
    chmodSync(path, 0o770);
    const failure = refusalOf(() => makeStateDir(dir));
    expect([failure.exitCode, failure.run]).toEqual([78, `chmod 700 ${path}`]);
    expect(failure.what).toContain(path);
    chmodSync(path, 0o700);
  }
});

test('threat 59: a link, a file, and a directory that everybody can move away are refused', () => {
  mkdirSync(dir, { mode: 0o700 });
  const link = join(home, 'link');
  symlinkSync(dir, link);
  expect(refusalOf(() => makeStateDir(link)).exitCode).toBe(78);
  const file = join(home, 'file');
  writeFileSync(file, '');
  expect(refusalOf(() => makeStateDir(file)).why).toBe('it is not a directory');
  chmodSync(home, 0o777);
  expect(refusalOf(() => enterStateDir(dir)).run).toBe(`chmod go-w ${home}`);
  chmodSync(home, 0o1777);
  expect(enterStateDir(dir)).toBe(true);
});

test.skipIf(!isRoot)('threat 59: a link of somebody else on the way is refused, one of root or our own is not', () => {
  const real = join(home, 'real');
  mkdirSync(join(real, 'state'), { recursive: true, mode: 0o700 });
  const way = join(home, 'way');
  symlinkSync(real, way);
  expect(enterStateDir(join(way, 'state'))).toBe(true);
  lchownSync(way, 65_534, 65_534);
  expect(refusalOf(() => enterStateDir(join(way, 'state'))).why).toContain('symbolic link');
});

test('rule: a directory that is missing is not made by looking', () => {
  expect(enterStateDir(dir)).toBe(false);
  expect(existsSync(dir)).toBe(false);
});

test("A11 another user's command is refused with the sudo line", () => {
  mkdirSync(dir, { mode: 0o700 });
  const failure = refusalOf(() => enterStateDir(dir, { uid: 4_242, become: () => {} }));
  expect(failure.exitCode).toBe(77);
  expect(failure.run).toMatch(/^sudo -u '?[\w#-]+'? latchkey --state-dir /);
});

test.skipIf(!isRoot)("A11 root goes on as the directory's owner, and then is bound as the owner is", () => {
  mkdirSync(dir, { mode: 0o700 });
  chownSync(dir, 65_534, 65_533);
  const became: number[][] = [];
  expect(enterStateDir(dir, { uid: 0, become: (uid, gid) => became.push([uid, gid]) })).toBe(true);
  expect(became).toEqual([[65_534, 65_533]]);
  chmodSync(dir, 0o777);
  expect(refusalOf(() => enterStateDir(dir, { uid: 0, become: () => {} })).exitCode).toBe(78);
});

test.skipIf(!isRoot)(
  'A11 a real process of root leaves nothing of root behind, one of another user leaves nothing',
  () => {
    chmodSync(home, 0o755);
    mkdirSync(dir, { mode: 0o700 });
    chownSync(dir, 65_534, 65_534);
    // The checkout may lie where another user can't read: program and code are copied to where everybody can.
    const node = join(home, 'node');
    copyFileSync(process.execPath, node);
    chmodSync(node, 0o755);
    cpSync(import.meta.dirname, join(home, 'system'), { recursive: true });
    const script = `import(${JSON.stringify(join(home, 'system', 'state-dir.ts'))}).then((m) => {
    try { m.makeStateDir(${JSON.stringify(dir)}); console.log(process.getuid(), process.getgid(), process.getgroups().join()); }
    catch (error) { console.log(error.exitCode); }
  })`;
    const run = (uid: number) => {
      const { stdout, stderr } = spawnSync(node, ['-e', script], {
        uid,
        gid: uid,
        encoding: 'utf8',
        cwd: '/',
      });
      return `${stdout}${stderr}`.trim();
    };
    expect(run(65_533)).toBe('77');
    expect(existsSync(join(dir, 'run'))).toBe(false);
    expect(run(0)).toBe('65534 65534 65534');
    expect(statSync(join(dir, 'run')).uid).toBe(65_534);
  },
);

test('A11 the owner socket is in run/, or in a private place of its own where that is too long', () => {
  mkdirSync(dir, { mode: 0o700 });
  expect(ownerSocketPlace(dir, {}).path).toBe(join(dir, 'run', 'gateway.sock'));
  const long = join(home, 'x'.repeat(120));
  mkdirSync(long, { mode: 0o700 });
  const place = ownerSocketPlace(long, { XDG_RUNTIME_DIR: '/run/user/1' });
  expect(place.path).toMatch(/^\/run\/user\/1\/latchkey\/[0-9a-f]{32}\.sock$/);
  expect(place.directory).toBe('/run/user/1/latchkey');
  for (const env of [{}, { XDG_RUNTIME_DIR: 'relative' }, { XDG_RUNTIME_DIR: `/${'r'.repeat(90)}` }]) {
    const fallback = ownerSocketPlace(long, env).path;
    expect(fallback).toContain(`latchkey-${process.getuid?.()}/`);
    expect(fits(fallback)).toBe(true);
  }
  const link = join(home, 'y'.repeat(120));
  symlinkSync(long, link);
  // The same directory by another name is the same gateway.
  expect(ownerSocketPlace(link, {}).path).toBe(ownerSocketPlace(long, {}).path);
  expect([fits('x'.repeat(103)), fits('x'.repeat(104)), fits('ü'.repeat(52))]).toEqual([true, false, false]);
});
