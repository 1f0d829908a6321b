import type { DeviceId, Giver } from '../core/authz/principal.ts';
import type { Instant } from '../core/base/instant.ts';
import type { Row, Sender, ToolCall, ToolResult } from '../core/conversation/row.ts';
import type { RunState } from '../core/conversation/run.ts';
import type { SessionKey, SessionSettings, SessionState } from '../core/conversation/session.ts';
import type { Level, Thinking } from '../core/conversation/thinking.ts';
import type { Mode, RunId } from '../core/lane/lane.ts';
import type { Books } from './kept.ts';

export type { Books, Day, Days, Kept, Retention } from './kept.ts';

/** Longest message, in bytes of UTF-8. */
export const TEXT_MAX = 1024 * 1024;
/** What was to be put in is longer than TEXT_MAX. */
export class TextTooLarge extends Error {
  override readonly name = 'TextTooLarge';
}
/** Whoever asks for it began SESSIONS_A_DAY_MAX conversations today: this would be another. */
export class TooManySessions extends Error {
  override readonly name = 'TooManySessions';
}

/** What comes with a message, as bytes: images and text files (bounded by core/protocol/attachment.ts). */
export interface Enclosure {
  readonly name: string;
  readonly mediaType: string;
  readonly base64: string;
}

export interface Send {
  /** The idempotency key: what it was accepted for stays what it means, across restarts. */
  readonly id: RunId;
  readonly key: SessionKey;
  /** On whose behalf (A12). */
  readonly giver: Giver;
  readonly from: Sender;
  readonly text: string;
  readonly enclosures?: readonly Enclosure[];
  readonly mode?: SessionSettings['queue'];
  readonly model?: string;
  readonly thinking?: string;
  /** How long its run may work, from its start on: then it ends as an error, `timeout`. Absent: as long as it takes. */
  readonly timeoutMs?: number;
}

export type UnknownModel = Extract<RefusedSend, { readonly code: 'unknown_model' }>;

/** `again`: it was accepted before, and is as it is now. */
export type Accepted = { readonly run: RunState; readonly again: boolean };

export type RefusedSend =
  /** The id was used for something else, or by somebody else. */
  | { readonly code: 'run_conflict' }
  /** WAITING_MAX messages wait in this session, or OPEN_MAX runs are open on behalf of the same giver. */
  | { readonly code: 'lane_full' }
  /** Whoever says it began SESSIONS_A_DAY_MAX conversations today: this one would be another. */
  | { readonly code: 'too_many_sessions' }
  | { readonly code: 'unknown_agent'; readonly agent: string }
  | { readonly code: 'unknown_model'; readonly model: string }
  | { readonly code: 'too_large'; readonly text: string }
  /** Neither an image nor a text file, or no base64. */
  | { readonly code: 'bad_attachment'; readonly text: string }
  /** The gateway ends. */
  | { readonly code: 'stopping' }
  /** No gateway runs here: conversations can be read, and nobody thinks. */
  | { readonly code: 'not_running' };

/** What happens, in the order in which it does. `seq` counts the events of one run from 1, without a gap. */
export type RunEvent =
  | ({ readonly run: RunId; readonly key: SessionKey; readonly seq: number; readonly at: Instant } & (
      | { readonly kind: 'start'; readonly startedAt: Instant }
      /** Who answers from now on, and how much it thinks: a level that it doesn't have is lowered. */
      | { readonly kind: 'model'; readonly provider: string; readonly model: string; readonly thinking: Thinking }
      /** What it thinks, apart from what it says. `text`: all of this step so far; `delta`: what is new. */
      | { readonly kind: 'thinking'; readonly text: string; readonly delta: string }
      /** `text`: all of this answer so far; `delta`: what is new. Cut where a step with tools begins another answer. */
      | { readonly kind: 'text'; readonly text: string; readonly delta: string }
      | { readonly kind: 'usage'; readonly outputTokens: number }
      | { readonly kind: 'retry'; readonly why: string; readonly waitMs: number }
      /** The model calls a tool: `input` is its JSON as the model wrote it. Then, what came of it. */
      | { readonly kind: 'tool'; readonly phase: 'start'; readonly call: ToolCall }
      | { readonly kind: 'tool'; readonly phase: 'result'; readonly result: ToolResult }
      | { readonly kind: 'compaction'; readonly phase: 'start' | 'end' }
      /** Last of every run that was accepted, also of one that never began. `text`: the whole answer, `null`: none. */
      | { readonly kind: 'end'; readonly state: RunState; readonly text: string | null; readonly stop: string }
    ))
  /** A session was made, changed, reset or deleted, or has new rows; `session`: `null` once deleted. */
  | {
      readonly kind: 'session';
      readonly key: SessionKey;
      readonly reason: 'created' | 'send' | 'run' | 'patch' | 'reset' | 'delete' | 'compact' | 'inject';
      readonly session: SessionState | null;
      /** The rows that were added. */
      readonly rows: readonly Row[];
    };

/** How an agent shows itself to people; `avatar`: a picture's URL. */
export interface Identity {
  readonly name?: string;
  readonly theme?: string;
  readonly emoji?: string;
  readonly avatar?: string;
}

export interface Agent {
  readonly id: string;
  readonly name: string;
  /** `provider/model`; how it is chosen: main/models.ts. */
  readonly model: string;
  readonly contextWindow: number | null;
  /** How much its model can be told to think, and what it does where nobody says. */
  readonly levels: readonly Level[];
  readonly thinking: Thinking;
  readonly workspace: string;
  /** What becomes of a message while it is busy, where its session says nothing. */
  readonly queue: Mode;
  readonly isDefault: boolean;
  readonly identity?: Identity;
  /** What it may take in a day. `null`: without a bound. */
  readonly budget: { readonly tokensPerDay: number | null; readonly usdPerDay: number | null };
}

/** Conversations and the runs in them. Whether the caller may is decided before (dispatch). */
export interface Conversations {
  readonly books: Books;
  /** The agents of the configuration, the default one first. */
  agents(): Promise<readonly Agent[]>;
  /** What is known of a model by its name or alias; `null`: there is none. */
  thinker(model: string): Promise<Pick<Agent, 'model' | 'contextWindow' | 'levels'> | null>;
  /** Resolves when the message is on disk: from then on it is never lost. */
  send(send: Send): Promise<Accepted | RefusedSend>;
  /**
   * A message that the gateway answers itself, without a model and outside of the lane: `answer` is called once for its id,
   * then run and row are stored, in the conversation that stands under the key by then. What `answer` throws is thrown.
   */
  command(send: Send, answer: () => Promise<string>): Promise<Accepted | RefusedSend>;
  /** As it is once it has ended, or as it is after `timeoutMs` or once `left` is aborted; `null`: no such run. */
  wait(run: RunId, timeoutMs: number, left?: AbortSignal): Promise<RunState | null>;
  /** What it answered; `null`: nothing yet, or nothing at all. */
  answer(run: RunId): Promise<{ readonly text: string; readonly model: string } | null>;
  /** Ends a run of the session, or all of them with what waits. The model's connection is closed before this resolves. */
  abort(key: SessionKey, run: RunId | null): Promise<readonly RunId[]>;
  session(key: SessionKey): Promise<SessionState | null>;
  sessions(filter: { readonly agent?: string; readonly limit: number }): Promise<readonly SessionState[]>;
  /** The last rows before `before`, oldest first. */
  tail(key: SessionKey, limit: number, before?: number): Promise<readonly Row[]>;
  /** Runs of the session that wait or run. */
  open(key: SessionKey): readonly RunState[];
  /** A9: runs of a device that have begun and go on, also those that joined another one: aborting one of them ends that. */
  atWork(device: DeviceId): readonly RunState[];
  /** Begins another conversation under the key; what runs in it is aborted. @throws TooManySessions: nothing was done */
  reset(key: SessionKey, giver: Giver): Promise<SessionState>;
  patch(
    key: SessionKey,
    giver: Giver,
    settings: { readonly [K in keyof SessionSettings]: SessionSettings[K] | null },
  ): Promise<SessionState | UnknownModel | Extract<RefusedSend, { readonly code: 'too_many_sessions' }>>;
  delete(key: SessionKey): Promise<boolean>;
  /**
   * Sums up what is old, in a seat of the giver's. `false`: there is nothing to sum up. `stillMay` is asked once it is its turn:
   * where it says no the model is not asked.
   */
  compact(
    key: SessionKey,
    giver: Giver,
    stillMay: () => boolean,
  ): Promise<
    | boolean
    | { readonly code: 'not_allowed' }
    | Extract<RefusedSend, { readonly code: 'stopping' } | { readonly code: 'not_running' }>
  >;
  /** Puts in a row as the agent's words. @throws TextTooLarge, TooManySessions */
  inject(key: SessionKey, giver: Giver, text: string, label: string | null): Promise<Row>;
  subscribe(listener: (event: RunEvent) => void): () => void;
}

/** The same, for whoever starts and ends it. */
export interface Talk extends Conversations {
  /**
   * Ends as interrupted what ran when the gateway died, and begins what had been accepted and had not begun. Before
   * anything is sent; whoever is to be told has subscribed.
   */
  start(): Promise<void>;
  /** No more is accepted; what runs is ended as interrupted, what waits begins at the next start. At most `graceMs`. */
  stop(graceMs: number): Promise<void>;
  /** Forgets what is older or more than is kept (`Retention`). */
  prune(): Promise<void>;
}
