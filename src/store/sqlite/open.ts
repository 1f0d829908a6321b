import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Instant } from '../../core/base/instant.ts';
import { bringUp, createSchema, type Migrating } from '../migration/migrate.ts';
import type { Migration } from '../migration/migration.ts';
import { migrations } from '../migration/migrations.ts';
import { Inconsistent, type Store, StoreUnavailable } from '../store.ts';
import { Connection, type Durability } from './connection.ts';
import { isDamage, quoted } from './failure.ts';
import { APPLICATION_ID, inspect, keepPrivate, makePrivate, removeDatabase, restoreCommand, settle } from './file.ts';
import { Reserve } from './reserve.ts';
import { selfTest } from './selftest.ts';
import { SqliteStore } from './sqlite.ts';

export interface SqliteOptions {
  /** `<state>/state/latchkey.sqlite`. The reserve for narrowing lies beside it. */
  readonly file: string;
  /** Where the copy before each migration goes; an existing private directory. */
  readonly backupsDir: string;
  readonly now: () => Instant;
  /** Recorded in the receipts of migrations. */
  readonly programVersion: string;
  /** Make the file if it is missing: a new state directory. Otherwise a missing one is refused. */
  readonly create?: boolean;
  /** False: refuse an older schema. For commands that run without the gateway. */
  readonly migrate?: boolean;
  /** For tests: without it FULL, so that what was answered survives a power cut. */
  readonly synchronous?: Durability['synchronous'];
  /** For tests of migrations: without it the program's own. */
  readonly migrations?: readonly Migration[];
}

/** Up to this size every page is looked at before a start; larger ones are checked by `doctor`. */
const CHECK_MAX_BYTES = 16 * 1024 * 1024;

/**
 * Opens the truth. The caller holds the lock of the state directory.
 * @throws StoreUnavailable, with the command that mends it, for a missing, empty, foreign, damaged or newer file: there
 *   is never an empty store in the place of one that can't be read
 */
export async function openSqlite(options: SqliteOptions): Promise<Store> {
  const { file, backupsDir } = options;
  const durability = { synchronous: options.synchronous ?? 'FULL' };
  const how: Migrating = {
    migrations: options.migrations ?? migrations,
    backupsDir,
    now: options.now,
    programVersion: options.programVersion,
    migrate: options.migrate ?? true,
  };
  if (!inspect(file, backupsDir)) {
    if (options.create !== true) {
      throw new StoreUnavailable(`${file} is missing`, restoreCommand(file, backupsDir));
    }
    await unlessRefused(file, () => make(file, how));
  }
  return unlessRefused(file, () => {
    keepPrivate(file);
    const connection = connect(file, backupsDir, durability);
    try {
      check(connection, file, backupsDir);
      bringUp(connection, how);
      selfTest(connection);
      const reserve = new Reserve(join(dirname(file), 'reserve'), options.now);
      reserve.keep();
      return new SqliteStore(connection, reserve);
    } catch (error) {
      connection.close();
      throw error;
    }
  });
}

/** Errors of the file system, and rows that can't be, as what they mean to the caller: there is no store. */
async function unlessRefused<T>(file: string, work: () => T): Promise<T> {
  try {
    return work();
  } catch (error) {
    if (error instanceof StoreUnavailable || !(error instanceof Error)) throw error;
    if (error instanceof Inconsistent) {
      throw new StoreUnavailable(`${file}: ${error.message}`, `sqlite3 ${quoted(file)} .dump`, { cause: error });
    }
    throw new StoreUnavailable(`${file}: ${error.message}`, `ls -l ${quoted(dirname(file))}`, { cause: error });
  }
}

/** Built under another name: a crash leaves no half-made store, which the next start would have to refuse. */
function make(file: string, how: Migrating): void {
  const fresh = `${file}.new`;
  removeDatabase(fresh);
  makePrivate(fresh);
  const connection = new Connection(fresh, { synchronous: 'FULL' });
  try {
    connection.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    createSchema(connection, how);
  } finally {
    connection.close();
  }
  settle(fresh, file);
}

function connect(file: string, backupsDir: string, durability: Durability): Connection {
  try {
    return new Connection(file, durability);
  } catch (error) {
    throw damaged(error, file, backupsDir);
  }
}

function check(connection: Connection, file: string, backupsDir: string): void {
  if (statSync(file).size > CHECK_MAX_BYTES) return;
  try {
    // Pages, not meaning: one impossible row is refused where it is read, and stops nobody else.
    connection.exec('PRAGMA ignore_check_constraints = ON');
    const found = connection.get<{ quick_check: string }>('PRAGMA quick_check(1)')?.quick_check;
    connection.exec('PRAGMA ignore_check_constraints = OFF');
    if (found !== 'ok') {
      throw new StoreUnavailable(`${file} is damaged: ${found}`, restoreCommand(file, backupsDir));
    }
  } catch (error) {
    throw damaged(error, file, backupsDir);
  }
}

function damaged(error: unknown, file: string, backupsDir: string): unknown {
  if (!(error instanceof StoreUnavailable) || !isDamage(error.cause)) return error;
  return new StoreUnavailable(error.message, restoreCommand(file, backupsDir), { cause: error.cause });
}
