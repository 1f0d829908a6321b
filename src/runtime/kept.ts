import type { Instant } from '../core/base/instant.ts';
import type { Row } from '../core/conversation/row.ts';
import type { RunEnd } from '../core/conversation/run.ts';
import type { SessionId, SessionKey, SessionState } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
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
  /** Of all these days together, by agent, also by those that are no more; without those of which no run is kept. */
  readonly agents: readonly (Spending & { readonly agent: string })[];
}

export interface DaysFilter {
  readonly days: number;
  /** Its own alone. */
  readonly agent?: string;
  /** Which of these days count for `agents`; absent: all. */
  readonly isIn?: (date: string) => boolean;
}

/** What is kept, to be counted and read: nothing here changes anything. */
export interface Books {
  /** Agents that have a session, also those that are no more. */
  agents(): Promise<readonly string[]>;
  /** Agents of which a run is kept, also those that are no more. */
  spenders(): Promise<readonly string[]>;
  /** Of these agents and of all that have a session: how many, and the latest changed first. One look, for who asks often. */
  newest(
    agents: readonly string[],
    limit: number,
  ): Promise<readonly { readonly agent: string; readonly count: number; readonly sessions: readonly SessionState[] }[]>;
  /** `null`: there is none, or no more. */
  conversation(id: SessionId): Promise<Conversation | null>;
  /** Conversations under a key that were reset, the newest reset first. */
  earlier(key: SessionKey, limit: number): Promise<readonly Conversation[]>;
  /** How runs ended: of those that have, and whose ids are kept. */
  ends(runs: readonly RunId[]): Promise<ReadonlyMap<RunId, RunEnd>>;
  /** Rows from `from` on, oldest first, at most `limit`. */
  rows(id: SessionId, from: number, limit: number): Promise<readonly Row[]>;
  /** What came with a message, as base64; `null`: it is gone. */
  content(id: SessionId, sha256: string): string | null;
  /** A text without secrets, for what leaves the house. */
  clean(text: string): string;
  /** What is kept, and what was forgotten last; `last` `null`: nothing since the start. */
  kept(): { readonly rules: Retention; readonly last: Kept | null };
  /** The last days, today included. */
  days(filter: DaysFilter): Promise<Days>;
}
