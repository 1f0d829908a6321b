import { chmodSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { DeviceId, RequestId } from '../../core/authz/principal.ts';
import { type Instant, MINUTE_MS } from '../../core/base/instant.ts';
import type { StoredTrace, Trace, TraceEntry, TraceFilter } from '../store.ts';

/** A17: rows kept for proven callers and for all others, apart, so that a flood of strangers pushes nobody out. */
const ROWS_MAX = 10_000;
/** Notes held in memory until the next flush; more are left out. Rows that a repeat is added to, likewise. */
const NOTES_MAX = 2_000;
/** Connections named in one row. */
const CONNS_MAX = 16;
/** Raised with the table's shape; rows of another shape are dropped, as nothing in them is the truth. */
const VERSION = 2;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS decision (
    id TEXT PRIMARY KEY, at INTEGER NOT NULL, last_at INTEGER NOT NULL, kind TEXT NOT NULL, code TEXT, device TEXT,
    role TEXT NOT NULL, source TEXT NOT NULL, request TEXT, proven INTEGER NOT NULL, facts TEXT NOT NULL,
    conns TEXT NOT NULL, count INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS decision_at ON decision (proven, at);
  CREATE INDEX IF NOT EXISTS decision_device ON decision (device) WHERE device IS NOT NULL;
  CREATE INDEX IF NOT EXISTS decision_request ON decision (request) WHERE request IS NOT NULL;
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

/** A row on its way: the entry that began it, and what repeats added. */
interface Row {
  entry: TraceEntry;
  count: number;
  lastAt: Instant;
  /** Oldest first. */
  conns: string[];
}

class SqliteTrace implements Trace {
  readonly #db: DatabaseSync;
  readonly #seen = new Map<DeviceId, { at: Instant; reason: string }>();
  readonly #unsaved = new Set<DeviceId>();
  readonly #notes = new Map<string, Row>();
  /** The row that an equal note within the minute is added to: apart too, so that strangers part no proven caller's. */
  readonly #recent = { proven: new Map<string, Row>(), others: new Map<string, Row>() };

  constructor(file: string) {
    this.#db = new DatabaseSync(file);
    chmodSync(file, 0o600);
    this.#db.exec('PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = OFF;');
    if (this.#db.prepare('PRAGMA user_version').get()?.user_version !== VERSION) {
      this.#db.exec(`DROP TABLE IF EXISTS decision; PRAGMA user_version = ${VERSION};`);
    }
    this.#db.exec(SCHEMA);
    for (const row of this.#db.prepare('SELECT device, at, reason FROM seen').all()) {
      this.#seen.set(row.device as DeviceId, { at: Number(row.at), reason: String(row.reason) });
    }
  }

  note(entry: TraceEntry): string | null {
    const recent = entry.proven ? this.#recent.proven : this.#recent.others;
    const key = [entry.kind, entry.code, entry.device ?? entry.source, entry.role, entry.request, entry.about].join(
      ' ',
    );
    const before = recent.get(key);
    if (before !== undefined && entry.at - before.entry.at < MINUTE_MS && entry.at >= before.entry.at) {
      // A connection that is judged again is no second one.
      if (before.conns.at(-1) !== entry.conn) before.conns.push(entry.conn);
      if (before.conns.length > CONNS_MAX) before.conns.shift();
      before.count += 1;
      before.lastAt = entry.at;
      before.entry = { ...before.entry, facts: entry.facts };
      this.#notes.set(before.entry.id, before);
      return before.entry.id;
    }
    if (this.#notes.size >= NOTES_MAX && !entry.proven) return null;
    const row: Row = { entry, count: 1, lastAt: entry.at, conns: [entry.conn] };
    recent.delete(key);
    recent.set(key, row);
    if (recent.size > NOTES_MAX) recent.delete(recent.keys().next().value ?? '');
    this.#notes.set(entry.id, row);
    return entry.id;
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
    return row === undefined ? null : storedOf(row);
  }

  list(limit: number, filter: TraceFilter = {}): readonly StoredTrace[] {
    this.flush();
    const where: string[] = ['1'];
    const values: string[] = [];
    const need = (clause: string, value: string) => {
      where.push(clause);
      values.push(value);
    };
    if (filter.device !== undefined) need('device = ?', filter.device);
    // Not LIKE: what somebody wrote is text, not a pattern.
    if (filter.conn !== undefined) need('instr(conns, ?) > 0', filter.conn);
    if (filter.request !== undefined) {
      need('request >= ?', filter.request);
      need('request < ?', `${filter.request}\uffff`);
    }
    if (filter.refused) where.push("kind IN ('refused', 'denied')");
    const sql = `SELECT * FROM decision WHERE ${where.join(' AND ')} ORDER BY last_at DESC, id LIMIT ?`;
    return this.#db
      .prepare(sql)
      .all(...values, Math.max(0, limit))
      .map(storedOf);
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
    const put = this.#db.prepare('INSERT OR REPLACE INTO decision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    for (const { entry: e, count, lastAt, conns } of this.#notes.values()) {
      const facts = JSON.stringify(e.facts);
      const named = conns.toReversed().join(' ');
      const proven = e.proven ? 1 : 0;
      put.run(e.id, e.at, lastAt, e.kind, e.code, e.device, e.role, e.source, e.request, proven, facts, named, count);
    }
    const seen = this.#db.prepare('INSERT OR REPLACE INTO seen VALUES (?, ?, ?)');
    for (const device of this.#unsaved) {
      const last = this.#seen.get(device);
      if (last !== undefined) seen.run(device, last.at, last.reason);
    }
    const drop = this.#db.prepare(
      'DELETE FROM decision WHERE proven = ? AND at < (SELECT at FROM decision WHERE proven = ? ORDER BY at DESC LIMIT 1 OFFSET ?)',
    );
    for (const proven of [0, 1]) drop.run(proven, proven, ROWS_MAX);
    this.#db.exec('COMMIT');
  }

  close(): void {
    this.flush();
    this.#db.close();
  }
}

function storedOf(row: Record<string, unknown>): StoredTrace {
  return {
    id: String(row.id),
    at: Number(row.at),
    lastAt: Number(row.last_at),
    kind: row.kind as TraceEntry['kind'],
    code: row.code as string | null,
    device: row.device as DeviceId | null,
    role: String(row.role),
    source: String(row.source),
    request: row.request as RequestId | null,
    proven: row.proven === 1,
    facts: factsOf(String(row.facts)),
    conns: String(row.conns).split(' '),
    count: Number(row.count),
  };
}

/** The file is expendable and may have been damaged: a row that can't be read says less. */
function factsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
