import type { Instant } from '../core/base/instant.ts';
import type { Row } from '../core/conversation/row.ts';
import type { SessionId } from '../core/conversation/session.ts';
import type { Conversation, Spending } from '../store/store.ts';

// Part of runtime.ts, which is what everybody imports.

/** What is kept of conversations. `null`: for good, without a bound. */
export interface Retention {
  /** `warn`: nothing is forgotten, and the log says what would be. */
  readonly mode: 'enforce' | 'warn';
  /** How long an ended run keeps its id and what it took. */
  readonly runsMs: number | null;
  /** How long a conversation that was reset keeps its rows. */
  readonly resetsMs: number | null;
  /** How long a session is kept in which nothing changes. */
  readonly idleMs: number | null;
  /** Sessions of one agent. */
  readonly entries: number | null;
  /** Rows of all conversations of one agent. */
  readonly bytes: number | null;
  /** Of one conversation. */
  readonly rows: number | null;
  readonly rowBytes: number | null;
  /** Of everything that came with messages, of all agents. */
  readonly attachmentBytes: number | null;
}

/** What one pass forgot; with `warn`, what it would have. */
export interface Kept {
  readonly mode: Retention['mode'];
  readonly at: Instant;
  readonly sessions: number;
  /** That were reset, with their rows. */
  readonly conversations: number;
  /** Of conversations that stand. */
  readonly rows: number;
  readonly runs: number;
  /** Conversations of which nothing is left that came with messages. */
  readonly attachments: number;
}

/** What runs took that ended on one day; today's with what open ones took so far. */
export interface Day extends Spending {
  /** `2026-11-21` */
  readonly date: string;
  /** False: some of its runs may be forgotten already. */
  readonly isWhole: boolean;
}

/** Oldest first. */
export interface Days {
  readonly at: Instant;
  /** IANA: in which they are counted. */
  readonly zone: string;
  readonly days: readonly Day[];
}

/** What is kept, to be counted and read: nothing here changes anything. */
export interface Books {
  /** Agents that have a session, also those that are no more. */
  agents(): Promise<readonly string[]>;
  /** Sessions of an agent. */
  count(agent: string): Promise<number>;
  /** `null`: there is none, or no more. */
  conversation(id: SessionId): Promise<Conversation | null>;
  /** Rows from `from` on, oldest first, at most `limit`. */
  rows(id: SessionId, from: number, limit: number): Promise<readonly Row[]>;
  /** What came with a message, as base64; `null`: it is gone. */
  content(id: SessionId, sha256: string): string | null;
  /** A text without secrets, for what leaves the house. */
  clean(text: string): string;
  /** What is kept, and what was forgotten last; `last` `null`: nothing since the start. */
  kept(): { readonly rules: Retention; readonly last: Kept | null };
  /** The last days, today included. `agent`: its own alone. */
  days(filter: { readonly days: number; readonly agent?: string }): Promise<Days>;
}
