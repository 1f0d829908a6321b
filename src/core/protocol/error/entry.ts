import type { Instant } from '../../base/instant.ts';
import { CLOSE, type CloseCode } from '../close.ts';

/** The top level of `error.code` (PROTOCOL.md §2.1). */
export type TopCode = 'NOT_PAIRED' | 'INVALID_REQUEST' | 'UNAVAILABLE' | 'FORBIDDEN';

/** Whether trying again helps: never, after a while (`retryAfterMs` says when), or once somebody approved (A16). */
export type Retry = 'never' | 'after' | 'onApproval';

/**
 * What a text can be about. The sender fills in what it knows; a client that looks a remedy up fills in what it was
 * told. Nothing in it changes which code is answered (A2): the client's id only picks the words of a hint.
 */
export interface ErrorContext {
  readonly protocol?: 3 | 4;
  readonly clientId?: string;
  readonly clientMode?: string;
  readonly authMode?: 'token' | 'password';
  /** A key was brought; it was proven. */
  readonly deviceId?: string;
  readonly role?: string;
  readonly method?: string;
  /** What is missing, or in the way. */
  readonly scopes?: readonly string[];
  /** What else was said about the request: `invalidText`. */
  readonly text?: string;
  /** Of an open request or a listed rejection. */
  readonly requestId?: string;
  readonly asked?: readonly string[];
  readonly expiresAt?: Instant;
  /** A19: the gateway's contribution, and the code where the device sent its own. */
  readonly s?: string;
  readonly comparisonCode?: string;
  readonly approvedRoles?: readonly string[];
  readonly approvedScopes?: readonly string[];
  /** What a decision named: `requestId`, `deviceId`. */
  readonly subject?: string;
  /** What became of it (A7). */
  readonly outcome?: string;
  /** Milliseconds until trying again helps. */
  readonly retryAfterMs?: number;
  readonly clientProtocols?: { readonly min: number; readonly max: number };
  /** Of Latchkey's command lines, so that a remedy can be pasted: `latchkey` by default. */
  readonly command?: string;
}

interface Answered {
  readonly code: TopCode;
  /** `details.code`, from OpenClaw's list where it has one (PROTOCOL.md §2.2). */
  readonly detail: string | null;
  readonly retry: Retry;
  /** With what a refused `connect`, or the session, is closed; `null`: it is only answered. */
  readonly close: CloseCode | null;
  readonly message: string | ((c: ErrorContext) => string);
}

/** What mends it: a command line that can be pasted as it stands, or, where none does, what to do in plain words. */
export type Entry = Answered & Remedy;
export type Remedy =
  | { readonly remedy: (c: ErrorContext) => string; readonly advice?: never }
  | { readonly advice: (c: ErrorContext) => string; readonly remedy?: never };

/** The text of either. */
export const remedyText = (entry: Entry, c: ErrorContext): string => (entry.remedy ?? entry.advice)(c);

export const run = (c: ErrorContext, args: string): string => `${c.command ?? 'latchkey'} ${args}`;
export const names = (scopes: readonly string[] | undefined): string => scopes?.join(', ') ?? '';
export const approve = (c: ErrorContext): string =>
  c.requestId === undefined ? run(c, 'devices list') : run(c, `devices approve ${c.requestId}`);
export const again = (): string => 'try again in a moment';

/** PROTOCOL.md §2.2: the hint in brackets, by client; the commands of old releases know their own. */
export function secretHint(c: ErrorContext): string {
  const what = c.authMode ?? 'token';
  if (c.clientMode === 'cli' || c.clientId === 'cli') {
    if (c.protocol === 3) return `set gateway.remote.${what} to match gateway.auth.${what}`;
    return `use this gateway's gateway.auth.${what}${what === 'token' ? ' or pair the device' : ''}`;
  }
  if (c.clientMode === 'webchat' || c.clientMode === 'ui') {
    return what === 'token'
      ? 'open the dashboard URL and paste the token in Control UI settings'
      : 'enter the password in Control UI settings';
  }
  return `provide gateway auth ${what}`;
}

export const PAIRING_WHY = {
  'not-paired': 'device is not approved yet',
  'role-upgrade': 'device is asking for a higher role than currently approved',
  'scope-upgrade': 'device is asking for more scopes than currently approved',
} as const;
export type PairingReason = keyof typeof PAIRING_WHY;

export function pairingReason(c: ErrorContext): PairingReason {
  if (c.approvedRoles === undefined || c.approvedRoles.length === 0) return 'not-paired';
  return c.role !== undefined && !c.approvedRoles.includes(c.role) ? 'role-upgrade' : 'scope-upgrade';
}

/** v3: the bare words, which old clients compare; v4: with the reason. */
export function pairing(c: ErrorContext, why: string): string {
  return c.protocol === 3 ? 'pairing required' : `pairing required: ${why}`;
}

type Open = Omit<Answered, 'close'> & Remedy;
export const refusal = (entry: Open): Entry => ({ ...entry, close: CLOSE.refused });
export const answer = (entry: Open): Entry => ({ ...entry, close: null });
