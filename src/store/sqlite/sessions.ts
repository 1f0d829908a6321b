import type { Giver } from '../../core/authz/principal.ts';
import type { Instant } from '../../core/base/instant.ts';
import type { Row } from '../../core/conversation/row.ts';
import type { SessionId, SessionKey, SessionState } from '../../core/conversation/session.ts';
import { checkSession } from '../sound.ts';
import {
  type Conversation,
  type SessionPlace,
  type SessionReader,
  type SessionWriter,
  StaleRevision,
} from '../store.ts';
import { agentsIn, bytesOf, conversationAt, cutRows, earlierOf, forgetReset, giversSince, resetsOf } from './kept.ts';
import { jsonOrNull, textOf } from './said.ts';
import type { Session } from './session.ts';
import { type SessionRow, sessionOf } from './sessionrows.ts';
import { addRow, lastSeq, rowsBefore, rowsFrom } from './transcript.ts';

export class SqliteSessionReader implements SessionReader {
  protected readonly sql: Session;

  constructor(sql: Session) {
    this.sql = sql;
  }

  async load(key: SessionKey): Promise<SessionState | null> {
    const row = this.sql.get<SessionRow>('SELECT * FROM session WHERE key = ?', JSON.stringify(key));
    return row === undefined ? null : sessionOf(row);
  }

  async keyOf(id: SessionId): Promise<SessionKey | null> {
    const row = this.sql.get<{ key: string }>('SELECT key FROM conversation WHERE id = ?', id);
    return row === undefined
      ? null
      : (textOf({ table: 'conversation', column: 'key', row: id }, row.key) as SessionKey);
  }

  async list(filter: {
    readonly agent?: string;
    readonly limit: number;
    readonly before?: SessionPlace;
  }): Promise<readonly SessionState[]> {
    const { agent, before, limit } = filter;
    const place = before === undefined ? '' : '(updated_at, id) < (?, ?)';
    const conditions = [agent === undefined ? '' : 'agent = ?', place].filter((c) => c !== '').join(' AND ');
    const rows = this.sql.all<SessionRow>(
      `SELECT * FROM session ${conditions && `WHERE ${conditions}`} ORDER BY updated_at DESC, id DESC LIMIT ?`,
      ...(agent === undefined ? [] : [agent]),
      ...(before === undefined ? [] : [before.updatedAt, before.id]),
      Math.max(0, limit),
    );
    return rows.map(sessionOf);
  }

  async count(agent?: string): Promise<number> {
    const row =
      agent === undefined
        ? this.sql.get<{ n: number }>('SELECT count(*) AS n FROM session')
        : this.sql.get<{ n: number }>('SELECT count(*) AS n FROM session WHERE agent = ?', agent);
    return row?.n ?? 0;
  }

  async oldest(filter: {
    readonly agent: string;
    readonly before: Instant;
    readonly limit: number;
    readonly after?: SessionPlace;
  }): Promise<readonly SessionState[]> {
    const { agent, before, after, limit } = filter;
    const place = after === undefined ? '' : 'AND (updated_at, id) > (?, ?)';
    const rows = this.sql.all<SessionRow>(
      `SELECT * FROM session WHERE agent = ? AND updated_at < ? ${place} ORDER BY updated_at, id LIMIT ?`,
      agent,
      before,
      ...(after === undefined ? [] : [after.updatedAt, after.id]),
      Math.max(0, limit),
    );
    return rows.map(sessionOf);
  }

  async agents(): Promise<readonly string[]> {
    return agentsIn(this.sql, 'session');
  }

  async begunSince(at: Instant): Promise<readonly Giver[]> {
    return giversSince(this.sql, at);
  }

  async conversation(id: SessionId): Promise<Conversation | null> {
    return conversationAt(this.sql, id);
  }

  async earlier(key: SessionKey, limit: number): Promise<readonly Conversation[]> {
    return earlierOf(this.sql, key, limit);
  }

  async resets({ agent, limit }: { readonly agent: string; readonly limit: number }): Promise<readonly Conversation[]> {
    return resetsOf(this.sql, agent, limit);
  }

  async bytes(agent: string): Promise<number> {
    return bytesOf(this.sql, agent);
  }

  async rows(id: SessionId, from: number, limit: number): Promise<readonly Row[]> {
    return rowsFrom(this.sql, id, from, limit);
  }

  async tail(id: SessionId, limit: number, before?: number): Promise<readonly Row[]> {
    return rowsBefore(this.sql, id, limit, before ?? null);
  }
}

export class SqliteSessions extends SqliteSessionReader implements SessionWriter {
  async save(session: SessionState, expected: number): Promise<void> {
    const what = `session ${session.key}`;
    if (session.revision <= expected) {
      throw new RangeError(`${what}: revision ${session.revision} does not follow ${expected}`);
    }
    const key = JSON.stringify(session.key);
    const have = this.sql.get<{ id: string; revision: number }>('SELECT id, revision FROM session WHERE key = ?', key);
    if ((have?.revision ?? 0) !== expected) throw new StaleRevision(what);
    checkSession(session, lastSeq(this.sql, session.id));
    const isAnother = have?.id !== session.id;
    if (isAnother && this.sql.get('SELECT 1 FROM conversation WHERE id = ?', session.id) !== undefined) {
      throw new RangeError(`${what}: conversation ${session.id} was begun before`);
    }
    this.#put(session, key);
    if (!isAnother) return;
    if (have !== undefined) {
      this.sql.run('UPDATE conversation SET reset_at = ? WHERE id = ?', session.updatedAt, have.id);
    }
    this.sql.run('INSERT INTO conversation (id, key, agent) VALUES (?, ?, ?)', session.id, key, session.agent);
  }

  #put(session: SessionState, key: string): void {
    const { usage } = session;
    // An update, never a replacement: that would take the conversations of the session with it.
    this.sql.run(
      `INSERT INTO session (id, agent, giver, created_at, updated_at, settings, row_count, compacted, input, output,
         cache_read, cache_write, context, last_run, revision, key)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET id = excluded.id, agent = excluded.agent, giver = excluded.giver,
         created_at = excluded.created_at, updated_at = excluded.updated_at, settings = excluded.settings,
         row_count = excluded.row_count, compacted = excluded.compacted, input = excluded.input,
         output = excluded.output, cache_read = excluded.cache_read, cache_write = excluded.cache_write,
         context = excluded.context, last_run = excluded.last_run, revision = excluded.revision`,
      session.id,
      session.agent,
      JSON.stringify(session.giver),
      session.createdAt,
      session.updatedAt,
      JSON.stringify(session.settings),
      session.rows,
      session.compacted,
      usage.input,
      usage.output,
      usage.cacheRead,
      usage.cacheWrite,
      session.context,
      jsonOrNull(session.lastRun),
      session.revision,
      key,
    );
  }

  async append(id: SessionId, row: Omit<Row, 'session'>): Promise<void> {
    addRow(this.sql, id, row);
  }

  async drop(key: SessionKey, expected: number): Promise<void> {
    const dropped = this.sql.run('DELETE FROM session WHERE key = ? AND revision = ?', JSON.stringify(key), expected);
    if (dropped !== 1) throw new StaleRevision(`session ${key}`);
  }

  async forget(id: SessionId): Promise<void> {
    forgetReset(this.sql, id);
  }

  async cut(id: SessionId, through: number): Promise<number> {
    return cutRows(this.sql, id, through, lastSeq(this.sql, id));
  }

  async prune(at: Instant, limit: number): Promise<number> {
    return this.sql.run(
      `DELETE FROM conversation WHERE id IN
         (SELECT id FROM conversation WHERE reset_at < ? ORDER BY reset_at, id LIMIT ?)`,
      at,
      Math.max(0, limit),
    );
  }
}
