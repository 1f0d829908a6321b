import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqlite } from '../../src/store/sqlite/open.ts';
import { NOON } from '../../src/store/suite/sample.ts';
import { Random } from '../random.ts';
import { generate } from './sequence/op.ts';
import { Plain } from './sequence/plain.ts';
import { everything } from './sequence/run.ts';
import { run } from './sequence/shell.ts';

const CHILD = join(import.meta.dirname, 'child', 'commit.ts');
const COUNT = 400;
const NEVER = -1;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'latchkey-crash-'));
  mkdirSync(join(dir, 'backups'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Runs the child until it ends, or kills it once so many commands were answered. Returns how many were. */
async function answered(seed: number, diesWithin: number, killAfter: number): Promise<number> {
  const args = [CHILD, dir, String(seed), String(COUNT), String(diesWithin)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    // The store goes on meanwhile: the kill comes at some point of a later command.
    if (output.split('\n').length > killAfter) child.kill('SIGKILL');
  });
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return output.split('\n').length - 1;
}

/** The state that the first `count` commands leave, by the core alone. */
async function expected(seed: number, count: number): Promise<unknown> {
  const plain = new Plain();
  const ops = generate(new Random(seed), COUNT);
  let at = NOON;
  for (const op of ops.slice(0, count)) {
    at += op.passMs;
    await plain.write((tx) => run(tx, op, { at, seq: op.n + 1 }));
  }
  return plain.write((tx) => everything(tx, ops, NOON));
}

async function found(seed: number): Promise<unknown> {
  const file = join(dir, 'latchkey.sqlite');
  const store = await openSqlite({ file, backupsDir: join(dir, 'backups'), now: () => NOON, programVersion: '0.1.0' });
  const tables = await store.read((tx) => everything(tx, generate(new Random(seed), COUNT), NOON));
  await store.close();
  const db = new DatabaseSync(file);
  expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
  expect(db.prepare('PRAGMA foreign_key_check').all()).toEqual([]);
  db.close();
  return tables;
}

test.each([1, 2, 3, 17, 60])(
  'S26 threat 56 killed within the transaction of command %i: the state is that before it',
  async (n) => {
    expect(await answered(n, n, Number.POSITIVE_INFINITY)).toBe(n);
    expect(await found(n)).toEqual(await expected(n, n));
  },
);

test.each([1, 2, 5, 20, 50, 80, 120])(
  'S26 threat 56 killed some time after answer %i: what was answered is there, and of the rest only whole commands',
  async (n) => {
    const seed = 100 + n;
    const count = await answered(seed, NEVER, n);
    expect(count).toBeGreaterThanOrEqual(n);
    const state = await found(seed);
    // Committed and not yet answered: at most the one that was being written.
    const after = [await expected(seed, count), await expected(seed, Math.min(count + 1, COUNT))];
    expect(after).toContainEqual(state);
  },
);
