import type { Row } from '../../core/conversation/row.ts';
import type { SessionId } from '../../core/conversation/session.ts';
import type { RunId } from '../../core/lane/lane.ts';
import { checkBody, checkNext } from '../sound.ts';
import { integer, wrong } from './decode.ts';
import { conversationAt } from './kept.ts';
import { bodyOf, jsonOrNull, textOf } from './said.ts';
import type { Session } from './session.ts';

// Every question is answered by the index on (session, seq): what it costs is what it returns.

interface TranscriptRow {
  readonly seq: number;
  readonly said_at: number;
  readonly run: string | null;
  readonly body: string;
}

const COLUMNS = 'seq, said_at, run, body';

export function lastSeq(sql: Session, id: SessionId): number {
  const last = 'SELECT seq FROM transcript WHERE session = ? ORDER BY seq DESC LIMIT 1';
  return sql.get<{ seq: number }>(last, id)?.seq ?? 0;
}

export function rowsFrom(sql: Session, id: SessionId, from: number, limit: number): readonly Row[] {
  const first = Math.max(1, from);
  const rows = sql.all<TranscriptRow>(
    `SELECT ${COLUMNS} FROM transcript WHERE session = ? AND seq >= ? ORDER BY seq LIMIT ?`,
    id,
    first,
    Math.max(0, limit),
  );
  return page(id, rows, rows.length === 0 || rows[0]?.seq === first ? first : Math.max(first, firstLeft(sql, id)));
}

export function rowsBefore(sql: Session, id: SessionId, limit: number, before: number | null): readonly Row[] {
  const most = Math.max(0, limit);
  const rows =
    before === null
      ? sql.all<TranscriptRow>(
          `SELECT ${COLUMNS} FROM transcript WHERE session = ? ORDER BY seq DESC LIMIT ?`,
          id,
          most,
        )
      : sql.all<TranscriptRow>(
          `SELECT ${COLUMNS} FROM transcript WHERE session = ? AND seq < ? ORDER BY seq DESC LIMIT ?`,
          id,
          before,
          most,
        );
  rows.reverse();
  // Fewer than were asked for: the first one of all that are left is among them.
  const isFirst = rows.length > 0 && rows.length < most;
  return page(id, rows, isFirst ? (rows[0]?.seq === 1 ? 1 : firstLeft(sql, id)) : null);
}

function firstLeft(sql: Session, id: SessionId): number {
  return (conversationAt(sql, id)?.dropped ?? 0) + 1;
}

/**
 * Neighbours of one transcript, oldest first.
 * @param first the number that the first one must have; `null`: any
 * @throws Inconsistent where one is missing
 */
function page(id: SessionId, rows: readonly TranscriptRow[], first: number | null): readonly Row[] {
  let next = first ?? rows[0]?.seq ?? 1;
  return rows.map((row) => {
    const cell = (column: string) => ({ table: 'transcript', column, row: `${id} ${row.seq}` });
    const seq = integer(cell('seq'), row.seq, 1);
    if (seq !== next) throw wrong(cell('seq'), `row ${next} before it is missing`);
    next += 1;
    return {
      session: id,
      seq,
      at: integer(cell('said_at'), row.said_at),
      run: row.run === null ? null : (textOf(cell('run'), row.run) as RunId),
      body: bodyOf(cell('body'), row.body),
    };
  });
}

/** @throws RangeError where `row` does not follow the last one of a known conversation */
export function addRow(sql: Session, id: SessionId, row: Omit<Row, 'session'>): void {
  if (sql.get('SELECT 1 FROM conversation WHERE id = ?', id) === undefined) {
    throw new RangeError(`conversation ${id} is not known`);
  }
  checkNext(id, row.seq, lastSeq(sql, id));
  checkBody(id, row.seq, row.body);
  const body = JSON.stringify(row.body);
  sql.run(
    'INSERT INTO transcript (session, seq, said_at, run, body) VALUES (?, ?, ?, ?, ?)',
    id,
    row.seq,
    row.at,
    jsonOrNull(row.run),
    body,
  );
  sql.run('UPDATE conversation SET bytes = bytes + ? WHERE id = ?', Buffer.byteLength(body), id);
}
