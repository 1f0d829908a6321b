import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkStore } from './check.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lk-k-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function made(): string {
  const file = join(folder, 'a.sqlite');
  const database = new DatabaseSync(file);
  database.exec('CREATE TABLE t (a TEXT); CREATE INDEX i ON t (a)');
  const insert = database.prepare('INSERT INTO t VALUES (?)');
  for (let i = 0; i < 500; i += 1) insert.run(`${i}`.padStart(200, 'x'));
  database.close();
  return file;
}

test('S1 a sound store has no problem, and looking at it writes nothing', () => {
  const file = made();
  const before = readFileSync(file);
  expect(checkStore(file)).toEqual({ sizeBytes: before.length, isWhole: true, problem: null });
  expect(readFileSync(file).equals(before)).toBe(true);
});

test('S1 a torn page is found', () => {
  const file = made();
  const bytes = readFileSync(file);
  bytes.fill(0xa5, 8_192, 12_288);
  writeFileSync(file, bytes);
  expect(checkStore(file).problem).toMatch(/\w/);
});

test('S1 what is no store, or is gone, is a problem and no exception', () => {
  const file = join(folder, 'b.sqlite');
  expect(checkStore(file).problem).toMatch(/ENOENT/);
  writeFileSync(file, 'not a database, but long enough to be taken for one '.repeat(100));
  expect(checkStore(file).problem).toMatch(/not a database/);
});

test('S1 a store that is too large is opened, and not looked through', () => {
  expect(checkStore(made(), 1_000)).toMatchObject({ isWhole: false, problem: null });
});
