import { createHash } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSqlite, type SqliteOptions } from '../sqlite/open.ts';
import { makeScratch, type Scratch } from '../sqlite/scratch.ts';
import { StoreUnavailable } from '../store.ts';
import { byDevice, change, code, codeId, device, deviceId, fullDevice, NOON } from '../suite/sample.ts';
import { session, sessionId, talk } from '../suite/talk.ts';
import type { Migration, Receipt } from './migration.ts';
import { migrations } from './migrations.ts';

const later = (version: number, sql: string): Migration => ({
  version,
  name: `test-${version}`,
  sql,
  sha256: createHash('sha256').update(sql).digest('hex'),
});
const note = later(
  migrations.length + 1,
  'CREATE TABLE note (text TEXT NOT NULL) STRICT; INSERT INTO note VALUES (1);',
);
const rebuild = later(
  migrations.length + 2,
  `CREATE TABLE device_new (id TEXT NOT NULL PRIMARY KEY, key TEXT NOT NULL, name TEXT, label TEXT,
     revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   INSERT INTO device_new SELECT * FROM device; DROP TABLE device; ALTER TABLE device_new RENAME TO device;`,
);

let scratch: Scratch;
let options: SqliteOptions;
beforeEach(async () => {
  scratch = makeScratch();
  options = { ...scratch.options, create: false };
  const store = await openSqlite(scratch.options);
  await store.write((tx) => tx.devices.save(fullDevice(1), 0));
  await store.close();
});
afterEach(() => scratch.clear());

const open = (more: Partial<SqliteOptions> = {}) => openSqlite({ ...options, ...more });
const backups = () => readdirSync(options.backupsDir).sort();

async function refusal(more: Partial<SqliteOptions>): Promise<StoreUnavailable> {
  const error = await open(more).catch((e: unknown) => e);
  if (!(error instanceof StoreUnavailable)) throw new Error(`not refused: ${String(error)}`);
  return error;
}

function query<Row>(file: string, sql: string): Row[] {
  const db = new DatabaseSync(file);
  try {
    return db.prepare(sql).all() as Row[];
  } finally {
    db.close();
  }
}

const receipts = () => query<Receipt>(scratch.file, 'SELECT * FROM receipt ORDER BY version');

test('S24 migrations are numbered without a gap, and each hash is that of its text: a released one never changes', () => {
  expect(migrations.map((m) => m.version)).toEqual(migrations.map((_, i) => i + 1));
  for (const m of migrations) expect(m.sha256, m.name).toBe(createHash('sha256').update(m.sql).digest('hex'));
  // Written down a second time, so that a changed text does not pass by changing its hash.
  expect(migrations.map((m) => m.sha256)).toEqual([
    '4859c126ce682d0e1a71ba0b20dcde20aa56c159f0405607b396665131b5f49e',
    'e9a4d362285eaafabcd229baebec59a09c6ab92b5c1158f06b6a5b2ef11cbc3f',
    'ac01726a9a3f0bb2cd2f07b50220725e3cb3e04a2929c86443e5a83c8589874f',
    '199c354fadbde531626c7cb710d72555dbfe3d6d312d8865b747511ee317bc5b',
  ]);
});

test('S24 a new file has a receipt of each migration, and no backup', () => {
  expect(receipts()).toEqual(
    migrations.map(({ version, name, sha256 }) => ({ version, name, sha256, applied_at: NOON, program: '0.1.0' })),
  );
  expect(backups()).toEqual([]);
});

test('S24 each step of an existing file follows a private backup of what was there', async () => {
  const store = await open({
    migrations: [...migrations, note, rebuild],
    programVersion: '0.3.0',
    now: () => NOON + 1,
  });
  expect(await store.read((tx) => tx.devices.load(deviceId(1)))).toStrictEqual(fullDevice(1));
  await store.write((tx) => tx.devices.save(device(1, {}, 10), 9));
  await store.close();
  expect(receipts().slice(-2)).toEqual([
    { version: note.version, name: note.name, sha256: note.sha256, applied_at: NOON + 1, program: '0.3.0' },
    { version: rebuild.version, name: rebuild.name, sha256: rebuild.sha256, applied_at: NOON + 1, program: '0.3.0' },
  ]);
  const [first = '', second = ''] = backups().map((name) => join(options.backupsDir, name));
  expect(backups()).toHaveLength(2);
  const named = (version: number) => new RegExp(`latchkey-${version}-20261121T1200000\\d\\dZ\\.sqlite$`);
  expect(first).toMatch(named(migrations.length));
  expect(second).toMatch(named(migrations.length + 1));
  for (const file of [first, second]) expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
  const tables = (file: string) =>
    query<{ name: string }>(file, "SELECT name FROM sqlite_schema WHERE name = 'note'").length;
  expect([tables(first), tables(second)]).toEqual([0, 1]);
  const copy = await open({ file: first });
  expect(await copy.read((tx) => tx.devices.load(deviceId(1)))).toStrictEqual(fullDevice(1));
  await copy.close();
});

/** A file of each schema that there ever was, as the program of then left it, with something in it. */
describe.each(migrations.slice(0, -1).map((m) => m.version))('rule S24: a file of schema %i', (version) => {
  let old: SqliteOptions;
  beforeEach(async () => {
    old = { ...scratch.options, file: join(scratch.dir, 'old.sqlite'), migrations: migrations.slice(0, version) };
    const store = await openSqlite(old);
    await store.write(async (tx) => {
      for (const n of [1, 2]) await tx.devices.save(fullDevice(n), 0);
      await tx.codes.save(code(1, { maker: byDevice(3) }), 0);
      await tx.changes.add(change(await tx.nextSeq(), 1));
    });
    await store.close();
  });

  test('S24 is brought to this schema with all that is in it, and keeps what is said from then on', async () => {
    const store = await open({ file: old.file });
    await store.read(async (tx) => {
      for (const n of [1, 2]) expect(await tx.devices.load(deviceId(n))).toStrictEqual(fullDevice(n));
      expect(await tx.codes.load(codeId(1))).toStrictEqual(code(1, { maker: byDevice(3) }));
      expect(await tx.changes.list(9)).toStrictEqual([{ ...change(1, 1), id: 'ch_1' }]);
      expect([await tx.sessions.count(), await tx.runs.open()]).toEqual([0, []]);
    });
    expect(await store.write((tx) => tx.nextSeq())).toBe(2);
    await store.write((tx) => talk(tx, session(1), 2));
    await store.close();
    const schema = 'SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name';
    expect(query(old.file, schema)).toEqual(query(scratch.file, schema));
    const again = await open({ file: old.file });
    expect(await again.read((tx) => tx.sessions.tail(sessionId(1), 9))).toHaveLength(2);
    await again.close();
    expect(backups()).toHaveLength(migrations.length - version);
  });

  test('S24 is refused to the program of then once it was brought here, and the backup is not', async () => {
    await (await open({ file: old.file, programVersion: '0.9.1' })).close();
    const error = await refusal({ ...old, create: false, programVersion: '0.1.0' });
    expect(error.message).toContain(`schema ${migrations.length}, made by latchkey 0.9.1`);
    expect(error.remedy).toBe('npm install -g latchkey@0.9.1');
    const copy = await open({ ...old, create: false, file: join(options.backupsDir, backups()[0] ?? '') });
    expect(await copy.read((tx) => tx.devices.load(deviceId(2)))).toStrictEqual(fullDevice(2));
    await copy.close();
  });
});

test('S24 a step that fails leaves the file on the schema before it, usable by the program before', async () => {
  const bad = later(migrations.length + 1, 'CREATE TABLE note (text TEXT) STRICT; INSERT INTO nowhere VALUES (1);');
  await refusal({ migrations: [...migrations, bad] });
  const loose = later(migrations.length + 1, "DELETE FROM role WHERE role = 'operator';");
  expect((await refusal({ migrations: [...migrations, loose] })).message).toContain('no such row in role');
  const store = await open();
  expect(await store.read((tx) => tx.devices.load(deviceId(1)))).toStrictEqual(fullDevice(1));
  await store.close();
  expect(receipts()).toHaveLength(migrations.length);
  expect(backups()).toEqual([]);
});

test('S24 without room for a backup nothing is migrated', async () => {
  rmSync(options.backupsDir, { recursive: true });
  const error = await refusal({ migrations: [...migrations, note] });
  expect(error.message).toContain('backup');
  expect(receipts()).toHaveLength(migrations.length);
});

test('S24 a newer schema is refused, naming both versions and what to install', async () => {
  await (await open({ migrations: [...migrations, note], programVersion: '0.9.1' })).close();
  const error = await refusal({ programVersion: '0.1.0' });
  expect(error.message).toContain(`schema ${note.version}, made by latchkey 0.9.1`);
  expect(error.message).toContain(`latchkey 0.1.0, which knows schemas up to ${migrations.length}`);
  expect(error.remedy).toBe('npm install -g latchkey@0.9.1');
});

test('S24 an older schema is refused where migrating is not allowed', async () => {
  const error = await refusal({ migrations: [...migrations, note], migrate: false });
  expect(error.message).toContain('only the gateway brings it there');
  expect(error.remedy).toBe('latchkey gateway run');
  expect(backups()).toEqual([]);
  await (await open({ migrate: false })).close();
});

test('S24 a step that was applied from another text is refused', async () => {
  const [first, ...rest] = migrations;
  if (first === undefined) throw new Error('no migrations');
  const error = await refusal({ migrations: [{ ...first, sha256: 'f'.repeat(64) }, ...rest], programVersion: '0.2.0' });
  expect(error.message).toContain('made by latchkey 0.1.0, is not the one that latchkey 0.2.0 knows');
});
