import type { DeviceId, Principal, RequestId } from '../../src/core/authz/principal.ts';
import type { Scope } from '../../src/core/authz/scope.ts';

/** What a device brings to its `connect`, as far as it is judged by it. Always in role operator. */
export interface Knock {
  readonly device: DeviceId;
  readonly key: string;
  readonly asked: readonly Scope[] | null;
  readonly secret: 'right' | 'wrong' | 'none';
  /** The setup code itself. */
  readonly code: string | null;
  /** A device token, of whatever age. */
  readonly token: string | null;
  readonly waits: boolean;
  /** Where it comes from: a loopback address is direct. */
  readonly address: string;
}

export type Asked =
  | {
      readonly kind: 'call';
      readonly as: Principal;
      readonly method: string;
      readonly params: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'connect'; readonly knock: Knock }
  /** What becomes of a `connect` that waited at `request` (A8). */
  | { readonly kind: 'enter'; readonly knock: Knock; readonly request: RequestId };

/**
 * What was answered, reduced to what a sequential run has to answer too. Ids of requests stand apart: those that the
 * round makes are known by another name in the sequential run.
 */
export interface Reply {
  readonly kind: 'done' | 'asked' | 'listed' | 'code' | 'fine' | 'connected' | 'waiting' | 'refused';
  readonly says: Readonly<Record<string, unknown>>;
  readonly ids: Readonly<Record<string, string | null>>;
}

/** One operation as it was seen from outside. */
export interface Operation {
  readonly by: string;
  readonly asked: Asked;
  /** When it was sent and answered. An operation whose connection ended first may have happened or not. */
  readonly sent: number;
  readonly seen: number;
  readonly reply: Reply | null;
}

export const NEVER = Number.POSITIVE_INFINITY;

/** Real time: `a` was answered before `b` was sent. */
export function precedes(a: Operation, b: Operation): boolean {
  return a.seen < b.sent;
}

const short = (text: string): string =>
  text.replace(/\b([0-9a-f]{6})[0-9a-f]{58}\b/g, '$1…').replace(/operator\./g, '');

export function lineOf(operation: Operation): string {
  const { by, asked, sent, seen, reply } = operation;
  const what =
    asked.kind === 'call'
      ? `${asked.method} ${JSON.stringify(asked.params)} as ${JSON.stringify(asked.as)}`
      : asked.kind === 'connect'
        ? `connect ${JSON.stringify(asked.knock)}`
        : `enter after ${asked.request}`;
  const answer =
    reply === null ? 'connection ended' : `${reply.kind} ${JSON.stringify({ ...reply.says, ...reply.ids })}`;
  return short(`  ${String(sent).padStart(4)}–${seen === NEVER ? '∞' : seen}  ${by}: ${what}\n          → ${answer}`);
}
