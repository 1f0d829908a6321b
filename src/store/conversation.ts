import type { Giver } from '../core/authz/principal.ts';
import type { Instant } from '../core/base/instant.ts';
import type { Row, RowBody } from '../core/conversation/row.ts';
import type { RunEnd, RunState } from '../core/conversation/run.ts';
import type { SessionId, SessionKey, SessionState, Usage } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';

// Part of store.ts, which is what everybody imports.

/** What a run is saying: an answer that is no row of its transcript yet. */
export interface Saying {
  /** `provider/model`, as it was last said by. */
  readonly model: string;
  readonly text: string;
}

/** A session's place in the list of all. A session itself is one. */
export interface SessionPlace {
  readonly updatedAt: Instant;
  readonly id: SessionId;
}

/** One conversation: the one that stands under its key, or an earlier one, which was reset. */
export interface Conversation {
  readonly id: SessionId;
  readonly key: SessionKey;
  /** `null`: it stands. */
  readonly resetAt: Instant | null;
  /** Of its rows, as they are stored: the UTF-8 of their bodies as JSON. */
  readonly bytes: number;
  /** Rows up to this one were taken away: the first that is left is the one behind it. */
  readonly dropped: number;
}

/** What runs took. */
export interface Spending {
  readonly runs: number;
  readonly usage: Usage;
  /** In millionths of a dollar, of those whose price is known. */
  readonly costMicros: number;
  /** Runs that took something whose price isn't known. */
  readonly unpriced: number;
  /** Runs that took nothing: no model was asked in them, or what they said was answered in another one. */
  readonly idle: number;
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
  /** Those of an agent that changed before an instant, the longest unchanged first. `after`: the last one of the page before. */
  oldest(filter: {
    readonly agent: string;
    readonly before: Instant;
    readonly limit: number;
    readonly after?: SessionPlace;
  }): Promise<readonly SessionState[]>;
  /** Agents that have a session, by name. */
  agents(): Promise<readonly string[]>;
  /**
   * By whom conversations were begun since an instant: one for each that stands, and one for each that was begun by a reset
   * since and reset again, of whoever began the one that stands there now.
   */
  begunSince(at: Instant): Promise<readonly Giver[]>;
  /** `null`: there is none, or no more. */
  conversation(id: SessionId): Promise<Conversation | null>;
  /** Conversations under a key that were reset, the newest reset first. */
  earlier(key: SessionKey, limit: number): Promise<readonly Conversation[]>;
  /** Conversations of an agent that were reset, the oldest reset first. */
  resets(filter: { readonly agent: string; readonly limit: number }): Promise<readonly Conversation[]>;
  /** Of all rows of an agent's conversations; see `Conversation.bytes`. */
  bytes(agent: string): Promise<number>;
  /** Rows from `from` on, or from the first that is left, oldest first, at most `limit`: in time that the length of the transcript doesn't decide. */
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
  /** Forgets one conversation that was reset, with its rows. @throws RangeError for one that stands, or is not known */
  forget(id: SessionId): Promise<void>;
  /**
   * Takes the rows of a conversation up to `through` away, and says how many that were. Numbers stay as they are.
   * @throws RangeError where there is no such conversation, or no row would be left
   */
  cut(id: SessionId, through: number): Promise<number>;
  /** Forgets conversations that were reset before `at`, with their rows, at most `limit` of them; says how many. */
  prune(at: Instant, limit: number): Promise<number>;
}

export interface RunReader {
  load(id: RunId): Promise<RunState | null>;
  /** How those of them ended that are known and have: nothing else of them is read. */
  ends(ids: readonly RunId[]): Promise<ReadonlyMap<RunId, RunEnd>>;
  /** Those that have not ended, in the order in which they were accepted. */
  open(): Promise<readonly RunState[]>;
  /** Newest first. */
  list(filter: { readonly key?: SessionKey; readonly limit: number }): Promise<readonly RunState[]>;
  /**
   * What the runs of an agent took that ended at `since` or later or have not ended: tokens (in, out, read from and
   * written to the cache), and their price where it is known.
   */
  spent(agent: string, since: Instant): Promise<{ readonly tokens: number; readonly costMicros: number }>;
  /** Agents of which there are runs, by name. */
  agents(): Promise<readonly string[]>;
  /** What an agent's runs took that ended from `from` on and before `to`; `to` `null`: and those that have not ended. */
  used(agent: string, from: Instant, to: Instant | null): Promise<Spending>;
  /** What a run is saying, whole; `null`: nothing. */
  saying(id: RunId): Promise<Saying | null>;
}

export interface RunWriter extends RunReader {
  /**
   * @throws StaleRevision as DeviceWriter.save; with `expected` 0 also where the id is taken
   * @throws RangeError when one of `end` and `endedAt` is there without the other
   */
  save(run: RunState, expected: number): Promise<void>;
  /** Adds to what an open run is saying. False: there is no such run, or it has ended. */
  say(id: RunId, more: Saying): Promise<boolean>;
  /** What it was saying is a row now, or nothing. A run that ends says nothing more: `save` calls this by itself. */
  said(id: RunId): Promise<void>;
  /** Forgets runs that ended before `at`, at most `limit`; says how many. Their rows stay. */
  prune(at: Instant, limit: number): Promise<number>;
}
