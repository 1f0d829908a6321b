import { chmodSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { DeviceId } from '../../core/authz/principal.ts';
import { type Instant, MINUTE_MS } from '../../core/base/instant.ts';
import type { StoredTrace, Trace, TraceEntry } from '../store.ts';

/** A17: rows kept for proven callers and for all others, apart, so that a flood of strangers pushes nobody out. */
const ROWS_MAX = 10_000;
/** Notes held in memory until the next flush; more are counted and left out. */
const NOTES_MAX = 2_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS decision (
    id TEXT PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, code TEXT, device TEXT, role TEXT NOT NULL,
    source TEXT NOT NULL, proven INTEGER NOT NULL, facts TEXT NOT NULL, count INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS decision_at ON decision (proven, at);
  CREATE TABLE IF NOT EXISTS seen (device TEXT PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

/** `state/trace.sqlite`. A file that can't be read is made anew: nothing in it is the truth. */
export function openTrace(file: string): Trace {
  try {
    return new SqliteTrace(file);
  } catch {
    for (const end of ['', '-wal', '-shm', '-journal']) rmSync(file + end, { force: true });
    return new SqliteTrace(file);
  }
}

class SqliteTrace implements Trace {
  readonly #db: DatabaseSync;
  readonly #seen = new Map<DeviceId, { at: Instant; reason: string }>();
  readonly #unsaved = new Set<DeviceId>();
  readonly #notes = new Map<string, StoredTrace>();
  /** The row that an equal note within the minute is added to. */
  readonly #recent = new Map<string, StoredTrace>();

  constructor(file: string) {
    this.#db = new DatabaseSync(file);
    chmodSync(file, 0o600);
    this.#db.exec('PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = OFF;');
    this.#db.exec(SCHEMA);
    for (const row of this.#db.prepare('SELECT device, at, reason FROM seen').all()) {
      this.#seen.set(row.device as DeviceId, { at: Number(row.at), reason: String(row.reason) });
    }
  }

  note(entry: TraceEntry): void {
    const key = [entry.kind, entry.code, entry.device ?? entry.source, entry.role].join(' ');
    const before = this.#recent.get(key);
    if (before !== undefined && entry.at - before.at < MINUTE_MS) {
      const row = { ...before, count: before.count + 1 };
      this.#recent.set(key, row);
      this.#notes.set(row.id, row);
      return;
    }
    if (this.#notes.size >= NOTES_MAX && !entry.proven) return;
    const row = { ...entry, count: 1 };
    this.#recent.delete(key);
    this.#recent.set(key, row);
    if (this.#recent.size > NOTES_MAX) this.#recent.delete(this.#recent.keys().next().value ?? '');
    this.#notes.set(row.id, row);
  }

  seen(device: DeviceId, at: Instant, reason: string): void {
    this.#seen.set(device, { at, reason });
    this.#unsaved.add(device);
  }

  lastSeen(device: DeviceId): { readonly at: Instant; readonly reason: string } | null {
    return this.#seen.get(device) ?? null;
  }

  find(id: string): StoredTrace | null {
    this.flush();
    const row = this.#db.prepare('SELECT * FROM decision WHERE id = ?').get(id);
    if (row === undefined) return null;
    return {
      id: String(row.id),
      at: Number(row.at),
      kind: row.kind as TraceEntry['kind'],
      code: row.code as string | null,
      device: row.device as DeviceId | null,
      role: String(row.role),
      source: String(row.source),
      proven: row.proven === 1,
      facts: String(row.facts),
      count: Number(row.count),
    };
  }

  flush(): void {
    if (this.#notes.size === 0 && this.#unsaved.size === 0) return;
    try {
      this.#write();
    } catch {
      // Expendable (A17): on a full disk decisions go on, and what can't be traced isn't.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    }
    this.#notes.clear();
    this.#unsaved.clear();
  }

  #write(): void {
    this.#db.exec('BEGIN');
    const put = this.#db.prepare('INSERT OR REPLACE INTO decision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    for (const n of this.#notes.values()) {
      put.run(n.id, n.at, n.kind, n.code, n.device, n.role, n.source, n.proven ? 1 : 0, n.facts, n.count);
    }
    const seen = this.#db.prepare('INSERT OR REPLACE INTO seen VALUES (?, ?, ?)');
    for (const device of this.#unsaved) {
      const last = this.#seen.get(device);
      if (last !== undefined) seen.run(device, last.at, last.reason);
    }
    for (const proven of [0, 1]) {
      this.#db
        .prepare(
          'DELETE FROM decision WHERE proven = ? AND at < (SELECT at FROM decision WHERE proven = ? ORDER BY at DESC LIMIT 1 OFFSET ?)',
        )
        .run(proven, proven, ROWS_MAX);
    }
    this.#db.exec('COMMIT');
  }

  close(): void {
    this.flush();
    this.#db.close();
  }
}
