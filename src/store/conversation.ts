import type { Instant } from '../core/base/instant.ts';
import type { Row, RowBody } from '../core/conversation/row.ts';
import type { RunState } from '../core/conversation/run.ts';
import type { SessionId, SessionKey, SessionState } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';

// Part of store.ts, which is what everybody imports.

/** A session's place in the list of all. A session itself is one. */
export interface SessionPlace {
  readonly updatedAt: Instant;
  readonly id: SessionId;
}

export interface SessionReader {
  load(key: SessionKey): Promise<SessionState | null>;
  /** Whose conversation has this id: the one that stands under its key now, or an earlier one. */
  keyOf(id: SessionId): Promise<SessionKey | null>;
  /** By the latest change, newest first, then by id. `agent`: its own alone. `before`: the last one of the page before. */
  list(filter: {
    readonly agent?: string;
    readonly limit: number;
    readonly before?: SessionPlace;
  }): Promise<readonly SessionState[]>;
  /** All there are; of one agent. */
  count(agent?: string): Promise<number>;
  /** Rows from `from` on, oldest first, at most `limit`: in time that the length of the transcript doesn't decide. */
  rows(id: SessionId, from: number, limit: number): Promise<readonly Row[]>;
  /** The last `limit` rows before `before` (absent: the very last), oldest first. */
  tail(id: SessionId, limit: number, before?: number): Promise<readonly Row[]>;
}

export interface SessionWriter extends SessionReader {
  /**
   * Stores the session. Another id than the stored one begins another conversation under the key: that of before was
   * reset at the session's `updatedAt`, and its rows stay. A new session or conversation is saved first, with no rows;
   * then they are appended.
   * @throws StaleRevision as DeviceWriter.save
   * @throws RangeError when `rows` is not how many rows the conversation has, or the id was an earlier conversation's
   */
  save(session: SessionState, expected: number): Promise<void>;
  /**
   * Adds a row behind the last one of a conversation: of the session, or of an earlier one. The session's own `rows`
   * follows by `save` in the same transaction.
   * @throws RangeError where there is no such conversation, or `seq` is not the number behind its last row
   */
  append(
    id: SessionId,
    row: { readonly seq: number; readonly at: Instant; readonly run: RunId | null; readonly body: RowBody },
  ): Promise<void>;
  /** Forgets the session, its conversations and their rows. @throws StaleRevision as `save` */
  drop(key: SessionKey, expected: number): Promise<void>;
  /** Forgets conversations that were reset before `at`, with their rows, at most `limit` of them; says how many. */
  prune(at: Instant, limit: number): Promise<number>;
}

export interface RunReader {
  load(id: RunId): Promise<RunState | null>;
  /** Those that have not ended, in the order in which they were accepted. */
  open(): Promise<readonly RunState[]>;
  /** Newest first. */
  list(filter: { readonly key?: SessionKey; readonly limit: number }): Promise<readonly RunState[]>;
  /**
   * What the runs of an agent took that ended at `since` or later or have not ended: tokens (in, out, read from and
   * written to the cache), and their price where it is known.
   */
  spent(agent: string, since: Instant): Promise<{ readonly tokens: number; readonly costMicros: number }>;
}

export interface RunWriter extends RunReader {
  /**
   * @throws StaleRevision as DeviceWriter.save; with `expected` 0 also where the id is taken
   * @throws RangeError when one of `end` and `endedAt` is there without the other
   */
  save(run: RunState, expected: number): Promise<void>;
  /** Forgets runs that ended before `at`, at most `limit`; says how many. Their rows stay. */
  prune(at: Instant, limit: number): Promise<number>;
}
