import type { Giver } from '../../core/authz/principal.ts';
import type { Instant } from '../../core/base/instant.ts';
import type { SessionId, SessionKey } from '../../core/conversation/session.ts';
import type { Conversation } from '../store.ts';
import { giverAlone, integer, integerOrNull } from './decode.ts';
import { textOf } from './said.ts';
import type { Session } from './session.ts';

// What is kept of conversations and how much that is, and how it goes.

interface ConversationRow {
  readonly id: string;
  readonly key: string;
  readonly reset_at: number | null;
  readonly bytes: number;
  readonly dropped: number;
}

const COLUMNS = 'id, key, reset_at, bytes, dropped';

function conversationOf(row: ConversationRow): Conversation {
  const cell = (column: string) => ({ table: 'conversation', column, row: row.id });
  return {
    id: row.id as SessionId,
    key: textOf(cell('key'), row.key) as SessionKey,
    resetAt: integerOrNull(cell('reset_at'), row.reset_at),
    bytes: integer(cell('bytes'), row.bytes, 0),
    dropped: integer(cell('dropped'), row.dropped, 0),
  };
}

export function conversationAt(sql: Session, id: SessionId): Conversation | null {
  const row = sql.get<ConversationRow>(`SELECT ${COLUMNS} FROM conversation WHERE id = ?`, id);
  return row === undefined ? null : conversationOf(row);
}

/** By the index of keys: how many others were reset doesn't matter. */
export function earlierOf(sql: Session, key: SessionKey, limit: number): readonly Conversation[] {
  return sql
    .all<ConversationRow>(
      `SELECT ${COLUMNS} FROM conversation WHERE key = ? AND reset_at IS NOT NULL ORDER BY reset_at DESC, id DESC LIMIT ?`,
      JSON.stringify(key),
      Math.max(0, limit),
    )
    .map(conversationOf);
}

export function resetsOf(sql: Session, agent: string, limit: number): readonly Conversation[] {
  return sql
    .all<ConversationRow>(
      `SELECT ${COLUMNS} FROM conversation WHERE agent = ? AND reset_at IS NOT NULL ORDER BY reset_at, id LIMIT ?`,
      agent,
      Math.max(0, limit),
    )
    .map(conversationOf);
}

export function bytesOf(sql: Session, agent: string): number {
  const sum = 'SELECT coalesce(sum(bytes), 0) AS bytes FROM conversation WHERE agent = ?';
  return sql.get<{ bytes: number }>(sum, agent)?.bytes ?? 0;
}

export function giversSince(sql: Session, at: Instant): readonly Giver[] {
  type Begun = { readonly giver: string };
  const standing = sql.all<Begun>('SELECT giver FROM session WHERE created_at >= ?', at);
  // Begun by a reset: by the one before them, which was at `at` or later, and not the last.
  const reset = sql.all<Begun>(
    `SELECT s.giver FROM conversation c CROSS JOIN session s ON s.key = c.key
     WHERE c.reset_at >= ? AND c.reset_at < s.created_at`,
    at,
  );
  return [...standing, ...reset].map(({ giver }) =>
    giverAlone({ table: 'session', column: 'giver', row: `since ${at}` }, giver),
  );
}

/** Each name once, in order, by one step along the index for each: however many rows have it. */
export function agentsIn(sql: Session, table: 'session' | 'run'): readonly string[] {
  const agents: string[] = [];
  for (;;) {
    const next = sql.get<{ agent: string | null }>(
      `SELECT min(agent) AS agent FROM ${table} WHERE agent > ?`,
      agents.at(-1) ?? '',
    );
    if (next?.agent == null) return agents;
    agents.push(next.agent);
  }
}

/** @throws RangeError for a conversation that stands, or is not known */
export function forgetReset(sql: Session, id: SessionId): void {
  const gone = sql.run('DELETE FROM conversation WHERE id = ? AND reset_at IS NOT NULL', id);
  if (gone !== 1) throw new RangeError(`conversation ${id} is not known, or was not reset`);
}

/** @param last the number of its last row @throws RangeError where there is no such conversation, or nothing would be left */
export function cutRows(sql: Session, id: SessionId, through: number, last: number): number {
  const have = conversationAt(sql, id);
  if (have === null || through >= last) throw new RangeError(`conversation ${id} has no row behind ${through}`);
  if (through <= have.dropped) return 0;
  const gone = 'SELECT sum(length(CAST(body AS BLOB))) AS bytes FROM transcript WHERE session = ? AND seq <= ?';
  const bytes = sql.get<{ bytes: number | null }>(gone, id, through)?.bytes ?? 0;
  const rows = sql.run('DELETE FROM transcript WHERE session = ? AND seq <= ?', id, through);
  sql.run('UPDATE conversation SET dropped = ?, bytes = max(0, bytes - ?) WHERE id = ?', through, bytes, id);
  return rows;
}
