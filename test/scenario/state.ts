// Looks into a state directory from outside, read-only.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A reader that stays open, so that SQLite itself tells whether anybody committed anything. */
export class TruthReader {
  readonly #db: DatabaseSync;

  constructor(stateDir: string) {
    this.#db = new DatabaseSync(join(stateDir, 'state', 'latchkey.sqlite'), { readOnly: true });
  }

  /** Changes whenever another connection has committed a change, equal rows or not. */
  version(): unknown {
    return this.#db.prepare('PRAGMA data_version').get();
  }

  /** Every row of every table, in a fixed order. */
  tables(): Record<string, readonly string[]> {
    const names = this.#db
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .all()
      .map((row) => String(row.name));
    if (names.length === 0) throw new Error('no table in the truth');
    const text = (_key: string, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
    return Object.fromEntries(
      names.map((name) => [
        name,
        this.#db
          .prepare(`SELECT * FROM "${name.replaceAll('"', '""')}"`)
          .all()
          .map((row) => JSON.stringify(row, text))
          .sort(),
      ]),
    );
  }

  close(): void {
    this.#db.close();
  }
}

/** Exempt: decisions and last-seen times (T14), what is said in passing, and SQLite's own shared memory. */
const EXEMPT = /^(logs\/|state\/trace\.sqlite|run\/|state\/latchkey\.sqlite-shm$)/;

/** Path → hash of every file that reading must leave as it is. */
export function files(stateDir: string): Record<string, string> {
  const walk = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? walk(path) : entry.isFile() ? [path] : [];
    });
  return Object.fromEntries(
    walk(stateDir)
      .map((path) => [relative(stateDir, path), path] as const)
      .filter(([name]) => !EXEMPT.test(name))
      .sort()
      .map(([name, path]) => [
        name,
        `${statSync(path).mode.toString(8)} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`,
      ]),
  );
}
