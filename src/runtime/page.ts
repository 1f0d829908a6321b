import type { Instant } from '../core/base/instant.ts';
import type { Row, RowBody } from '../core/conversation/row.ts';
import type { RunState } from '../core/conversation/run.ts';
import type { SessionState } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
import type { WriteTx } from '../store/store.ts';

/** A conversation within one transaction: rows are added behind its last one, then it is saved with their number. */
export class Page {
  readonly rows: Row[] = [];
  readonly session: SessionState;
  readonly #tx: WriteTx;
  readonly #at: Instant;

  constructor(tx: WriteTx, session: SessionState, at: Instant) {
    this.#tx = tx;
    this.session = session;
    this.#at = at;
  }

  async add(run: RunId | null, body: RowBody): Promise<Row> {
    const { id, rows } = this.session;
    const row = { seq: rows + this.rows.length + 1, at: this.#at, run, body };
    await this.#tx.sessions.append(id, row);
    this.rows.push({ session: id, ...row });
    return { session: id, ...row };
  }

  async save(change: Partial<SessionState>): Promise<SessionState> {
    const { session } = this;
    const rows = session.rows + this.rows.length;
    const next = { ...session, ...change, rows, updatedAt: this.#at, revision: session.revision + 1 };
    await this.#tx.sessions.save(next, session.revision);
    return next;
  }
}

export async function pageOf(tx: WriteTx, run: RunState, at: Instant): Promise<Page> {
  const session = await tx.sessions.load(run.key);
  // Whoever resets or deletes a session has ended its runs before.
  if (session === null || session.id !== run.session) throw new Error('the conversation of a run is gone');
  return new Page(tx, session, at);
}
