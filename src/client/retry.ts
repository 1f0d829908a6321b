import { RETRY_MAX_MS } from '../core/protocol/limit.ts';
import type { ConnectionLost, NoAnswer, RemoteError } from './client.ts';
import { textOf } from './hello.ts';

/** A16: whether trying again helps. `afterMs`: not before then; `null`: whenever. `why` is for people. */
export interface Verdict {
  readonly retry: 'never' | 'after' | 'onApproval';
  readonly afterMs: number | null;
  readonly why: string;
}

/** Latchkey's own name of a refusal → whether trying again helps: `remedyFor` of core/protocol/error.ts. */
export type RetryTable = (refusal: string) => 'never' | 'after' | 'onApproval' | null;

/**
 * What an error of dialing, of the handshake or of the connection means for the next try. By name, not by class: some
 * of them come out of another bundle.
 */
export function verdictOf(error: unknown, table: RetryTable): Verdict {
  if (!(error instanceof Error)) return { retry: 'never', afterMs: null, why: String(error) };
  const why = error.message;
  switch (error.name) {
    case 'RemoteError':
      return ofRefusal(error as RemoteError, table);
    case 'ConnectionLost':
      return { retry: 'after', afterMs: null, why: why || String((error as ConnectionLost).code ?? 'it ended') };
    case 'NoAnswer':
      return { retry: 'after', afterMs: null, why: `no answer within ${(error as NoAnswer).afterMs} ms` };
    case 'DialFailed':
      return ofDial(error as Error & { readonly kind: string; readonly status: number | null });
    case 'StillWaiting':
      return { retry: 'onApproval', afterMs: null, why };
    default:
      // A gateway that can't be trusted, and whatever nobody foresaw, is not tried again by itself.
      return { retry: 'never', afterMs: null, why };
  }
}

function ofRefusal(refused: RemoteError, table: RetryTable): Verdict {
  const { retryAfterMs, retryable, details } = refused.error;
  const why = refused.message;
  const afterMs = retryAfterMs ?? null;
  const known = refused.refusal === null ? null : table(refused.refusal);
  if (known !== null) return { retry: known, afterMs, why };
  // Another gateway than Latchkey, or a later release of it: what it says in the protocol's own words.
  if (textOf(details?.code) === 'PAIRING_REQUIRED' || (refused.error.code === 'NOT_PAIRED' && details?.requestId)) {
    return { retry: 'onApproval', afterMs, why };
  }
  return { retry: retryable === true || retryAfterMs !== undefined ? 'after' : 'never', afterMs, why };
}

/** A proxy whose gateway is away says so with these. */
const AWAY: readonly number[] = [429, 500, 502, 503, 504];

function ofDial({ kind, status, message }: Error & { readonly kind: string; readonly status: number | null }): Verdict {
  const isAway = kind === 'unreachable' || kind === 'silent' || (status !== null && AWAY.includes(status));
  return { retry: isAway ? 'after' : 'never', afterMs: null, why: message };
}

const FIRST_MS = 1_000;

/**
 * How long to wait before the next try: growing from a second to a minute, spread so that the clients of a gateway that
 * restarts don't come all at once, never earlier than the gateway said.
 * @param times how many tries have failed in a row, from 1 @param chance from 0 up to 1
 */
export function pauseMs(verdict: Verdict, times: number, chance: number): number {
  const grown = Math.min(FIRST_MS * 2 ** Math.min(times - 1, 16), RETRY_MAX_MS);
  const spread = grown * (0.5 + chance / 2);
  return verdict.afterMs === null ? spread : Math.max(verdict.afterMs + spread / 4, times > 1 ? spread : 0);
}
