import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** A larger store is not looked through while somebody waits: reading it all would hold up the gateway. */
const LOOKED_THROUGH_BYTES = 64 * 1024 * 1024;

export interface StoreCheck {
  readonly sizeBytes: number;
  /** The first thing that is wrong, in SQLite's words; `null`: nothing was found. */
  readonly problem: string | null;
  /** It was looked through; else it is too large for that. */
  readonly isWhole: boolean;
}

/** Looks a store through on a connection of its own that can't write. */
export function checkStore(file: string, lookedThroughBytes = LOOKED_THROUGH_BYTES): StoreCheck {
  let sizeBytes = 0;
  let database: DatabaseSync | null = null;
  try {
    sizeBytes = statSync(file).size;
    const isWhole = sizeBytes <= lookedThroughBytes;
    database = new DatabaseSync(file, { readOnly: true, timeout: 100 });
    const sql = isWhole ? 'PRAGMA quick_check(1)' : 'SELECT count(*) FROM sqlite_schema';
    const row = database.prepare(sql).get() ?? {};
    const said = String(Object.values(row)[0]);
    return { sizeBytes, isWhole, problem: isWhole && said !== 'ok' ? said : null };
  } catch (error) {
    return { sizeBytes, isWhole: false, problem: error instanceof Error ? error.message : String(error) };
  } finally {
    database?.close();
  }
}
