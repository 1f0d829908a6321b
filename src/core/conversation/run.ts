import type { Giver } from '../authz/principal.ts';
import type { Instant } from '../base/instant.ts';
import type { Mode, RunId } from '../lane/lane.ts';
import type { Attachment, Sender } from './row.ts';
import type { SessionId, SessionKey, Usage } from './session.ts';

/**
 * How a run ended. `joined`: what was said in it was said in another one, whose end is its own. `interrupted`: the
 * gateway ended while it ran; what it had written stays.
 */
export type RunEnd =
  | { readonly kind: 'ok' }
  | { readonly kind: 'joined'; readonly into: RunId }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'interrupted' }
  | {
      readonly kind: 'error';
      readonly code: string;
      readonly text: string;
      /** The command that helps, as it is run on the gateway's host. */
      readonly remedy?: string;
    };

/** What was asked for: enough to begin it, or to begin it after a restart. */
export interface RunAsk {
  readonly text: string;
  readonly from: Sender;
  readonly attachments: readonly Attachment[];
  /** Absent: as the session or the agent has it. */
  readonly mode?: Mode;
  readonly model?: string;
  readonly thinking?: string;
  /** How long it may work, from its start on; absent: as long as it takes. */
  readonly timeoutMs?: number;
}

/** One turn of an agent, from the moment that it was accepted: kept, so that its id means the same for good. */
export interface RunState {
  readonly id: RunId;
  readonly key: SessionKey;
  readonly session: SessionId;
  /** On whose behalf it runs (A12). */
  readonly giver: Giver;
  readonly ask: RunAsk;
  /** SHA-256 of what was asked: the same id with another ask is a conflict, not a repetition. */
  readonly fingerprint: string;
  readonly acceptedAt: Instant;
  readonly startedAt: Instant | null;
  readonly endedAt: Instant | null;
  readonly end: RunEnd | null;
  readonly usage: Usage;
  /** In millionths of a dollar; `null`: the model's price isn't known. */
  readonly costMicros: number | null;
  readonly revision: number;
}

export function isOver(run: RunState): boolean {
  return run.end !== null;
}
