import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isSamePlace, openClawGateways, runningGateways, stateDirsOf } from './members.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-m-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** A process in a /proc of the test's own. */
function running(pid: number, words: readonly string[], more: { env?: string; open?: readonly string[] } = {}): void {
  const folder = join(home, 'proc', String(pid));
  mkdirSync(join(folder, 'fd'), { recursive: true });
  writeFileSync(join(folder, 'cmdline'), `${words.join('\0')}\0`);
  if (more.env !== undefined) writeFileSync(join(folder, 'environ'), more.env);
  symlinkSync('/somewhere', join(folder, 'cwd'));
  (more.open ?? []).forEach((file, fd) => {
    symlinkSync(file, join(folder, 'fd', String(fd)));
  });
}

const look = () => runningGateways(join(home, 'proc'));

test('rule: a gateway is known by its command line, and its state directory as it was told it', () => {
  running(1, ['node', '/opt/latchkey/dist/cli.cjs', 'gateway', 'run', '--state-dir', 'x']);
  running(2, ['latchkey', '--profile', 'work', 'gateway', 'run'], { env: 'HOME=/home/me\0' });
  running(3, ['node', 'cli.cjs', 'gateway', 'run'], { env: 'HOME=/home/me\0LATCHKEY_STATE_DIR=/data/lk\0' });
  running(4, ['node', 'cli.cjs', 'gateway', 'run']);
  expect(look().map(({ pid, stateDir }) => [pid, stateDir])).toEqual([
    [1, '/somewhere/x'],
    [2, '/home/me/.latchkey-work'],
    [3, '/data/lk'],
    // Another user's environment is closed to us: nothing is made up for it.
    [4, null],
  ]);
});

test('rule: other commands and other programs are none', () => {
  running(1, ['node', 'cli.cjs', 'gateway', 'status']);
  running(2, ['node', 'openclaw.mjs', 'gateway', 'run']);
  running(3, ['vi', 'notes', 'about', 'the', 'latchkey', 'gateway', 'run']);
  running(4, ['node', 'cli.cjs', 'status']);
  expect(look()).toEqual([]);
});

test('rule: what it has open says which state directories it holds, whatever it was told', () => {
  const open = ['/a/run/gateway.lock', '/a/state/latchkey.sqlite', '/b/state/latchkey.sqlite', 'socket:[7]'];
  running(7, ['node', 'cli.cjs', 'gateway', 'run', '--state-dir', '/c'], { open });
  expect(look()).toMatchObject([{ pid: 7, stateDir: '/c', holds: ['/a', '/b'] }]);
});

test('rule: a command line can not bring control characters to a screen', () => {
  running(8, ['latchkey', 'gateway', 'run', '--bind', '\u001b[2J']);
  expect(look()[0]?.command).toBe('latchkey gateway run --bind ?[2J');
});

test('rule: without /proc nobody is seen', () => {
  expect(runningGateways(join(home, 'nowhere'))).toEqual([]);
});

test('rule: profiles are found by the names of their directories', () => {
  for (const name of ['.latchkey', '.latchkey-work', '.latchkeys', 'latchkey', '.latchkey-'])
    mkdirSync(join(home, name));
  expect(stateDirsOf(home).map((path) => path.slice(home.length))).toEqual(['/.latchkey', '/.latchkey-work']);
  symlinkSync(join(home, '.latchkey'), join(home, 'link'));
  expect(isSamePlace(join(home, 'link'), join(home, '.latchkey'))).toBe(true);
  expect(isSamePlace(join(home, '.latchkey'), join(home, '.latchkey-work'))).toBe(false);
});

test('rule: an OpenClaw gateway is believed while its process lives, and a broken lock file is none', () => {
  const place = join(home, '.openclaw', 'tmp', 'openclaw-1000');
  mkdirSync(place, { recursive: true });
  const lock = (name: string, text: string) => writeFileSync(join(place, name), text);
  lock('gateway.a.lock', JSON.stringify({ pid: process.pid, port: 18_789 }));
  lock('gateway.b.lock', JSON.stringify({ pid: process.pid }));
  lock('gateway.c.lock', JSON.stringify({ pid: 2 ** 30, port: 1 }));
  lock('gateway.d.lock', '{');
  lock('gateway.e.lock', JSON.stringify({ pid: -1 }));
  expect(openClawGateways(home)).toHaveLength(1);
  expect(openClawGateways(home)[0]).toMatchObject({ pid: process.pid, stateDir: join(home, '.openclaw') });
  expect(openClawGateways(join(home, 'nowhere'))).toEqual([]);
});
