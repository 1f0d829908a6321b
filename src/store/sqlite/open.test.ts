import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StoreUnavailable } from '../store.ts';
import { device, deviceId } from '../suite/sample.ts';
import { backupName } from './file.ts';
import { openSqlite, type SqliteOptions } from './open.ts';
import { makeScratch, type Scratch } from './scratch.ts';

let scratch: Scratch;
let options: SqliteOptions;
beforeEach(() => {
  scratch = makeScratch();
  // As the next start of a gateway: there is a store already.
  options = { ...scratch.options, create: false };
});
afterEach(() => scratch.clear());

async function makeStore(): Promise<void> {
  const store = await openSqlite(scratch.options);
  await store.write(async (tx) => {
    for (let n = 1; n <= 200; n += 1) await tx.devices.save(device(n), 0);
  });
  await store.close();
}

async function refusal(more: Partial<SqliteOptions> = {}): Promise<StoreUnavailable> {
  const opened = await openSqlite({ ...options, ...more }).catch((error: unknown) => error);
  if (opened instanceof StoreUnavailable) return opened;
  if (opened instanceof Error) throw opened;
  throw new Error('the store was opened');
}

const sh = (command: string) => execFileSync('/bin/sh', ['-c', command], { stdio: 'pipe' });
const mode = (file: string) => (statSync(file).mode & 0o777).toString(8);
const bytes = () =>
  ['', '-wal'].map((end) =>
    createHash('sha256')
      .update(readFileSync(scratch.file + end))
      .digest('hex'),
  );

describe('S6 what only reads writes nothing', () => {
  test('S6 neither a read nor a transaction that only took numbers changes a byte on disk', async () => {
    await makeStore();
    const store = await openSqlite(options);
    await store.write((tx) => tx.devices.countAsk(1));
    const before = bytes();
    const seqs = [await store.write((tx) => tx.nextSeq()), await store.write((tx) => tx.nextSeq())];
    await store.read(async (tx) => [await tx.devices.list(), await tx.devices.nextEnd(), await tx.changes.list(9)]);
    const undone = store.write(async (tx) => {
      await tx
        .part(async () => {
          await tx.devices.save(device(999), 0);
          throw new Error('undone');
        })
        .catch(() => undefined);
      return tx.nextSeq();
    });
    seqs.push(await undone);
    expect(bytes()).toEqual(before);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    await store.close();
  });

  test('S6 what a read is handed can not write', async () => {
    const store = await openSqlite(scratch.options);
    const names = await store.read(async (tx) =>
      Object.values(tx).flatMap((r) => ['save', 'add', 'drop'].filter((n) => n in r)),
    );
    expect(names).toEqual([]);
    await store.close();
  });
});

describe('S22 private files', () => {
  test.each([0o000, 0o077, 0o777])('S22 every file is 0600 under umask %o', async (umask) => {
    const before = process.umask(umask);
    try {
      const store = await openSqlite(scratch.options);
      await store.write((tx) => tx.devices.save(device(1), 0));
      for (const end of ['', '-wal', '-shm']) expect(mode(scratch.file + end), end).toBe('600');
      expect(mode(join(scratch.dir, 'reserve'))).toBe('600');
      await store.close();
    } finally {
      process.umask(before);
    }
  });

  test('S22 a file that others could read is closed to them', async () => {
    await makeStore();
    chmodSync(scratch.file, 0o644);
    const store = await openSqlite(options);
    await store.write((tx) => tx.devices.save(device(999), 0));
    expect([mode(scratch.file), mode(`${scratch.file}-wal`)]).toEqual(['600', '600']);
    await store.close();
  });
});

describe('S23 never an empty store in the place of one that can not be read', () => {
  test('S23 a missing file is made only where that was asked for', async () => {
    const error = await refusal();
    expect(error.message).toContain(`${scratch.file} is missing`);
    expect(readdirSync(scratch.dir)).toEqual(['backups']);
    await (await openSqlite(scratch.options)).close();
    expect(readdirSync(scratch.dir).sort()).toEqual(['backups', 'latchkey.sqlite', 'reserve']);
  });

  test('S23 a crash while the file was made leaves nothing that stops the next start', async () => {
    for (const end of ['.new', '.new-wal', '.new-journal']) writeFileSync(scratch.file + end, 'half a datab');
    await (await openSqlite(scratch.options)).close();
    expect(readdirSync(scratch.dir).sort()).toEqual(['backups', 'latchkey.sqlite', 'reserve']);
  });

  const spoilt: readonly (readonly [string, string, () => void])[] = [
    ['an empty file', 'is empty', () => truncateSync(scratch.file, 0)],
    ['a file that ends in its header', 'damaged or not a SQLite database', () => truncateSync(scratch.file, 60)],
    ['text', 'damaged or not a SQLite database', () => writeFileSync(scratch.file, '{"devices": {}}'.repeat(900))],
    ['a torn file', 'damaged', () => truncateSync(scratch.file, statSync(scratch.file).size - 4096)],
    [
      'a page of garbage',
      'damaged',
      () => {
        const all = readFileSync(scratch.file);
        all.fill(0xa5, 4096 * 3, 4096 * 4);
        writeFileSync(scratch.file, all);
      },
    ],
    [
      "another program's database",
      'another program',
      () => {
        rmSync(scratch.file);
        const other = new DatabaseSync(scratch.file);
        other.exec('CREATE TABLE device (id TEXT)');
        other.close();
      },
    ],
    [
      'a file without its receipts',
      'receipt.version of 1',
      () => {
        const own = new DatabaseSync(scratch.file);
        own.exec('DELETE FROM receipt');
        own.close();
      },
    ],
    [
      'a log without its database',
      'was moved or deleted',
      () => {
        rmSync(scratch.file);
        writeFileSync(`${scratch.file}-wal`, 'frames');
      },
    ],
  ];

  test.each(spoilt)('S23 %s is refused with path and remedy, and left as it is', async (_, text, spoil) => {
    await makeStore();
    spoil();
    const before = existsSync(scratch.file) ? readFileSync(scratch.file) : null;
    for (const create of [false, true]) {
      const error = await refusal({ create });
      expect(error.message).toContain(scratch.file);
      expect(error.message).toContain(text);
      expect(error.remedy).not.toBe('');
    }
    expect(existsSync(scratch.file) ? readFileSync(scratch.file) : null).toEqual(before);
  });

  test('S23 a directory in its place is refused', async () => {
    sh(`mkdir '${scratch.file}'`);
    expect((await refusal({ create: true })).message).toContain('not a regular file');
  });

  test('S23 the remedy of a damaged file puts the newest backup in its place, and keeps the damaged one', async () => {
    await makeStore();
    const backup = (iso: string) => join(options.backupsDir, backupName(1, iso));
    writeFileSync(backup('2026-01-01T00:00:00.000Z'), 'an older one');
    copyFileSync(scratch.file, backup('2026-01-02T00:00:00.000Z'));
    writeFileSync(join(options.backupsDir, 'notes.txt'), '');
    truncateSync(scratch.file, 5000);
    appendFileSync(`${scratch.file}-wal`, 'frames of the damaged one');
    sh((await refusal()).remedy);
    const store = await openSqlite(options);
    expect((await store.read((tx) => tx.devices.load(deviceId(200))))?.revision).toBe(1);
    await store.close();
    expect(statSync(`${scratch.file}.damaged`).size).toBe(5000);
    expect(existsSync(`${scratch.file}-wal`)).toBe(false);
  });

  test('S23 the remedy works in a directory whose name a shell would read', async () => {
    const odd = join(scratch.dir, "it's $HOME & co");
    sh(`mkdir "$(printf '%s' "${odd.replace('$', '\\$')}")"`);
    const file = join(odd, 'latchkey.sqlite');
    writeFileSync(file, 'no database');
    sh((await refusal({ file, backupsDir: odd })).remedy);
    expect(readdirSync(odd)).toEqual(['latchkey.sqlite.damaged']);
  });
});
