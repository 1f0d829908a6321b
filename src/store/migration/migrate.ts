import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Instant } from '../../core/base/instant.ts';
import type { Connection } from '../sqlite/connection.ts';
import { quoted } from '../sqlite/failure.ts';
import { backupName, makePrivate, sync } from '../sqlite/file.ts';
import { Inconsistent, StoreUnavailable } from '../store.ts';
import { type Migration, RECEIPT_TABLE, type Receipt } from './migration.ts';

export interface Migrating {
  readonly migrations: readonly Migration[];
  readonly backupsDir: string;
  readonly now: () => Instant;
  readonly programVersion: string;
  /** False: an older schema is refused. */
  readonly migrate: boolean;
}

/** Makes the tables of the newest schema in a new file. */
export function createSchema(connection: Connection, how: Migrating): void {
  connection.exec(RECEIPT_TABLE);
  for (const migration of how.migrations) apply(connection, migration, how);
}

/**
 * Brings an existing file to this program's schema, each step after a backup.
 * @throws StoreUnavailable for a newer schema, another program's, or an older one where `migrate` is false
 */
export function bringUp(connection: Connection, how: Migrating): void {
  const { migrations } = how;
  const receipts = readReceipts(connection);
  const have = receipts.length;
  const newest = receipts[have - 1];
  if (newest !== undefined && have > migrations.length) {
    throw new StoreUnavailable(
      `${connection.file} has schema ${have}, made by latchkey ${newest.program}; ` +
        `this is latchkey ${how.programVersion}, which knows schemas up to ${migrations.length}`,
      `npm install -g latchkey@${newest.program}`,
    );
  }
  receipts.forEach((receipt, i) => {
    const own = migrations[i];
    if (own === undefined || (own.name === receipt.name && own.sha256 === receipt.sha256)) return;
    throw new StoreUnavailable(
      `${connection.file}: step ${receipt.version} (${receipt.name}) of its schema, made by latchkey ` +
        `${receipt.program}, is not the one that latchkey ${how.programVersion} knows`,
      `npm install -g latchkey@${receipt.program}`,
    );
  });
  const missing = migrations.slice(have);
  if (missing.length === 0) return;
  if (!how.migrate) {
    throw new StoreUnavailable(
      `${connection.file} has schema ${have}; latchkey ${how.programVersion} works on schema ${migrations.length}, ` +
        'and only the gateway brings it there',
      'latchkey gateway run',
    );
  }
  missing.forEach((migration, i) => {
    const backup = backUp(connection, have + i, how);
    try {
      apply(connection, migration, how);
    } catch (error) {
      // Nothing was changed, and a service that starts again and again must not fill the disk with copies.
      rmSync(backup, { force: true });
      throw error;
    }
  });
}

function readReceipts(connection: Connection): readonly Receipt[] {
  const known = connection.get("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'receipt'");
  if (known === undefined) throw new Inconsistent('receipt', 'version', '1', 'the table is missing');
  const receipts = connection.all<Receipt>('SELECT * FROM receipt ORDER BY version');
  receipts.forEach(({ version }, i) => {
    if (version !== i + 1) throw new Inconsistent('receipt', 'version', String(version), `expected ${i + 1}`);
  });
  if (receipts.length === 0) throw new Inconsistent('receipt', 'version', '1', 'the row is missing');
  return receipts;
}

function apply(connection: Connection, migration: Migration, how: Migrating): void {
  // Foreign keys can't be switched within a transaction, and a table that others refer to can't be rebuilt under them.
  connection.exec('PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE');
  try {
    connection.exec(migration.sql);
    const loose = connection.get<{ table: string; rowid: number | null; parent: string }>('PRAGMA foreign_key_check');
    if (loose !== undefined) {
      throw new Inconsistent(loose.table, 'device', String(loose.rowid ?? '?'), `no such row in ${loose.parent}`);
    }
    connection.run(
      'INSERT INTO receipt (version, name, sha256, applied_at, program) VALUES (?, ?, ?, ?, ?)',
      migration.version,
      migration.name,
      migration.sha256,
      how.now(),
      how.programVersion,
    );
    connection.exec('COMMIT');
  } catch (error) {
    if (connection.inTransaction) connection.exec('ROLLBACK');
    throw error;
  } finally {
    connection.exec('PRAGMA foreign_keys = ON');
  }
}

/** Returns the file of the copy, which is on disk. */
function backUp(connection: Connection, version: number, how: Migrating): string {
  const isoTime = new Date(how.now()).toISOString();
  let file = '';
  for (let nth = 1; file === '' || existsSync(file); nth += 1) {
    file = join(how.backupsDir, backupName(version, isoTime, nth));
  }
  try {
    // Empty and private first: SQLite fills it without changing its mode.
    makePrivate(file);
    connection.run('VACUUM INTO ?', file);
    sync(file);
    return file;
  } catch (error) {
    rmSync(file, { force: true });
    throw new StoreUnavailable(`can't make the backup ${file}: ${String(error)}`, `df -h ${quoted(how.backupsDir)}`, {
      cause: error,
    });
  }
}
