import { unreachable } from '../base/never.ts';
import { type Close, closeReason } from './close.ts';
import { ACCESS } from './error/access.ts';
import { CALL, END } from './error/call.ts';
import { CHAT } from './error/chat.ts';
import { type Entry, type ErrorContext, pairingReason, type Retry, remedyText } from './error/entry.ts';
import { HANDSHAKE, PROOF } from './error/handshake.ts';
import type { WireError } from './frame.ts';
import { NONCE_RETRY_MS, RETRY_MAX_MS } from './limit.ts';

export type { ErrorContext, PairingReason, Retry } from './error/entry.ts';

/** A16: every reason for which something is refused on the wire. The set is closed. */
export const ERRORS = { ...ACCESS, ...PROOF, ...HANDSHAKE, ...CALL, ...CHAT, ...END } as const satisfies Record<
  string,
  Entry
>;
export type ErrorCode = keyof typeof ERRORS;

/** An error and how the connection goes on. */
export interface Refused {
  readonly error: WireError;
  /** `null`: it stays open. */
  readonly close: Close | null;
  /** The command that mends it; `null`: none does. */
  readonly remedy: string | null;
}

function isErrorCode(name: string): name is ErrorCode {
  return Object.hasOwn(ERRORS, name);
}

function retryOf(entry: Entry, c: ErrorContext): number | null {
  if (entry.retry === 'never') return c.retryAfterMs ?? null;
  if (c.retryAfterMs !== undefined) return c.retryAfterMs;
  return entry.detail === 'DEVICE_AUTH_NONCE_REQUIRED' ? NONCE_RETRY_MS : null;
}

/** `details` of a refused pairing; `code` is OpenClaw's name, the rest its fields and Latchkey's (PROTOCOL.md §2.2, §9). */
function pairingDetails(entry: Entry, c: ErrorContext): Record<string, unknown> {
  return {
    reason: pairingReason(c),
    ...(c.requestId === undefined ? {} : { requestId: c.requestId }),
    remediationHint: remedyText(entry, c),
    ...(c.deviceId === undefined ? {} : { deviceId: c.deviceId }),
    ...(c.role === undefined ? {} : { requestedRole: c.role }),
    ...(c.asked === undefined ? {} : { requestedScopes: c.asked }),
    ...(c.approvedRoles === undefined ? {} : { approvedRoles: c.approvedRoles }),
    ...(c.approvedScopes === undefined ? {} : { approvedScopes: c.approvedScopes }),
    ...(c.s === undefined ? {} : { s: c.s }),
    ...(c.comparisonCode === undefined ? {} : { comparisonCode: c.comparisonCode }),
    ...(c.expiresAt === undefined ? {} : { expiresAtMs: c.expiresAt }),
  };
}

function detailsOf(name: ErrorCode, entry: Entry, c: ErrorContext): Record<string, unknown> {
  switch (entry.detail) {
    case 'PAIRING_REQUIRED':
      return pairingDetails(entry, c);
    case 'MISSING_SCOPE':
      return {
        missingScope: c.scopes?.[0] ?? '',
        requiredScopes: c.scopes ?? [],
        ...(c.requestId === undefined ? {} : { requestId: c.requestId }),
      };
    case 'CONTROL_UI_ORIGIN_NOT_ALLOWED':
      return { reason: 'origin not allowed' };
    case 'AUTH_TOKEN_MISMATCH':
      return {
        authReason: `${c.authMode ?? 'token'}_mismatch`,
        // A4: a granted key beside a wrong secret was let in already; a second try would bring nothing new.
        canRetryWithDeviceToken: false,
        recommendedNextStep: 'update_auth_credentials',
      };
    case 'PROTOCOL_MISMATCH':
      return {
        expectedProtocol: c.protocol ?? 4,
        minimumProbeProtocol: 3,
        ...(c.clientProtocols === undefined
          ? {}
          : { clientMinProtocol: c.clientProtocols.min, clientMaxProtocol: c.clientProtocols.max }),
      };
    case 'CONFLICT':
      return c.outcome === undefined ? {} : { outcome: c.outcome };
    case 'BEYOND_REQUEST':
    case 'BEYOND_GRANT':
      return { scopes: c.scopes ?? [] };
    case 'STARTING':
      return { reason: 'startup-sidecars' };
    default:
      return name === 'wrong_role' ? { role: c.role ?? '' } : {};
  }
}

/**
 * What goes out for `name`: the error of the answer, and the close frame if the connection ends with it. `details`
 * always holds `refusal`, Latchkey's own name, by which its clients look up the remedy.
 */
export function refuse(name: ErrorCode, c: ErrorContext): Refused {
  const entry: Entry = ERRORS[name];
  const message = typeof entry.message === 'string' ? entry.message : entry.message(c);
  const retryAfterMs = retryOf(entry, c);
  const detail =
    entry.detail === 'AUTH_TOKEN_MISMATCH' ? `AUTH_${(c.authMode ?? 'token').toUpperCase()}_MISMATCH` : entry.detail;
  const error: WireError = {
    // A v3 client knows no FORBIDDEN.
    code: entry.code === 'FORBIDDEN' && c.protocol === 3 ? 'INVALID_REQUEST' : entry.code,
    message,
    details: { ...(detail === null ? {} : { code: detail }), ...detailsOf(name, entry, c), refusal: name },
    ...(entry.retry === 'after' ? { retryable: true } : {}),
    ...(retryAfterMs === null ? {} : { retryAfterMs: Math.max(0, Math.ceil(retryAfterMs)) }),
  };
  const remedy = entry.remedy?.(c) ?? null;
  if (entry.close === null) return { error, close: null, remedy };
  const named = entry.detail === 'PAIRING_REQUIRED' && c.protocol !== 3 && c.requestId !== undefined;
  const reason = closeReason(named ? `${message} (requestId: ${c.requestId})` : message);
  return { error, close: { code: entry.close, reason }, remedy };
}

/**
 * A16: what helps, for a refusal that arrived under Latchkey's name; `null` for a name that isn't known. `remedy` is a
 * command line, or with `isAdvice` what to do in plain words.
 */
export function remedyFor(
  name: string,
  c: ErrorContext,
): { readonly retry: Retry; readonly remedy: string; readonly isAdvice: boolean } | null {
  if (!isErrorCode(name)) return null;
  const entry: Entry = ERRORS[name];
  return { retry: entry.retry, remedy: remedyText(entry, c), isAdvice: entry.advice !== undefined };
}

/** How a waiting socket is answered when its request ended otherwise than by approval (A8). */
export function refusalOfOutcome(outcome: 'rejected' | 'superseded' | 'expired' | 'replaced' | 'ended'): ErrorCode {
  switch (outcome) {
    case 'rejected':
      return 'rejected';
    case 'superseded':
      return 'ask_superseded';
    case 'expired':
      return 'ask_expired';
    case 'replaced':
      return 'ask_replaced';
    case 'ended':
      return 'ask_ended';
    default:
      return unreachable(outcome);
  }
}

/** A16: how long a refusal that came `times` times in a row puts the next try off, in milliseconds. */
export function backoffMs(times: number): number {
  return Math.min(1000 * 2 ** Math.min(Math.max(times - 1, 0), 16), RETRY_MAX_MS);
}
