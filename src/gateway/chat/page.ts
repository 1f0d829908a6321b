import type { Row } from '../../core/conversation/row.ts';
import type { SessionState } from '../../core/conversation/session.ts';
import type { Context } from '../method/handler.ts';

/** Rows that are held at once while a conversation is read. A row may be large. */
const ROWS_MAX = 16;

/**
 * Rows of one conversation, the newest first, at most `limit`. They are read a few at a time, and others are served between:
 * whoever takes no more of them has read at most as many too much as before.
 */
export async function* backwards(
  c: Context,
  { key, id }: SessionState,
  limit: number,
  before?: number,
): AsyncGenerator<Row> {
  let [left, end, size] = [limit, before, 1];
  while (left > 0) {
    await pause();
    const wanted = Math.min(size, left);
    const rows = await c.services.conversations.tail(key, wanted, end);
    for (const row of rows.toReversed()) {
      // Another conversation was begun under the key meanwhile: that one was not asked for.
      if (row.session !== id) return;
      yield row;
    }
    if (rows.length < wanted) return;
    [left, end, size] = [left - wanted, rows[0]?.seq, Math.min(size * 2, ROWS_MAX)];
  }
}

/** About as many characters as were read for it. */
export function sizeOf(row: Row): number {
  return JSON.stringify(row.body).length;
}

/** One line of at most `max` characters. What is not shown of a long text is not looked at either. */
export function short(text: string, max: number): string {
  const rest = text.trimStart();
  const line = rest
    .slice(0, max * 4)
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > max || rest.length > max * 4 ? `${line.slice(0, max - 1)}…` : line;
}

/** Others are served in between. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
