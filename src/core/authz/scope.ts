import { type End, type Instant, isLive, later } from '../base/instant.ts';

export const ROLES = ['operator', 'node'] as const;
export type Role = (typeof ROLES)[number];

/** Every operator scope there is. Names outside this list can't be asked for. */
export const OPERATOR_SCOPES = [
  'operator.admin',
  'operator.approvals',
  'operator.pairing',
  'operator.questions',
  'operator.read',
  'operator.sessions.read',
  'operator.sessions.write',
  'operator.talk',
  'operator.talk.secrets',
  'operator.write',
] as const;
export type OperatorScope = (typeof OPERATOR_SCOPES)[number];

/** For role operator one of OPERATOR_SCOPES; for role node a command name in OpenClaw's grammar. */
export type Scope = string;

export const ADMIN: OperatorScope = 'operator.admin';
export const PAIRING: OperatorScope = 'operator.pairing';
export const READ: OperatorScope = 'operator.read';
export const WRITE: OperatorScope = 'operator.write';
export const APPROVALS: OperatorScope = 'operator.approvals';
export const TALK: OperatorScope = 'operator.talk';

/** An ask names at most this many scopes. */
export const ASK_MAX = 32;

const IMPLIED: Partial<Record<OperatorScope, readonly OperatorScope[]>> = {
  'operator.admin': OPERATOR_SCOPES,
  'operator.write': ['operator.read', 'operator.talk', 'operator.sessions.read', 'operator.sessions.write'],
  'operator.read': ['operator.sessions.read'],
  'operator.sessions.write': ['operator.sessions.read'],
};

const CLOSURE: ReadonlyMap<Scope, ReadonlySet<Scope>> = new Map(
  OPERATOR_SCOPES.map((s) => [s, new Set<Scope>([s, ...(IMPLIED[s] ?? [])])]),
);

const NODE_COMMAND = /^[a-z][A-Za-z0-9]{0,31}(\.[A-Za-z0-9]{1,32}){0,3}$/;

/** True when `name` is a scope that a device may ask for in `role`. */
export function isKnown(role: Role, name: string): boolean {
  // Nothing crosses roles: the name of an operator scope is no command, though it has the form of one.
  return role === 'operator' ? CLOSURE.has(name) : NODE_COMMAND.test(name) && !CLOSURE.has(name);
}

/** Sorted, without repeats: the one form in which sets of scopes are kept and compared. */
export function scopeSet(names: Iterable<Scope>): readonly Scope[] {
  return [...new Set(names)].sort();
}

/** True when holding `have` is holding `want`. Nothing crosses roles: node commands imply only themselves. */
export function implies(have: Scope, want: Scope): boolean {
  return have === want || (CLOSURE.get(have)?.has(want) ?? false);
}

/** want ∈ closure(have) */
export function covers(have: readonly Scope[], want: Scope): boolean {
  return have.some((h) => implies(h, want));
}

/** want ⊆ closure(have) */
export function coversAll(have: readonly Scope[], want: readonly Scope[]): boolean {
  return want.every((w) => covers(have, w));
}

/** The members of `want` outside closure(have). */
export function beyond(want: readonly Scope[], have: readonly Scope[]): readonly Scope[] {
  return want.filter((w) => !covers(have, w));
}

/** closure(scopes), sorted. */
export function closure(scopes: readonly Scope[]): readonly Scope[] {
  return scopeSet(scopes.flatMap((s) => [...(CLOSURE.get(s) ?? [s])]));
}

/** A scope that is held until an end. */
export interface Held {
  readonly scope: Scope;
  readonly until: End;
}

/** How long `want` is held by way of `have` at `at`: an end, `null` for ever, `undefined` not at all. */
export function heldUntil(have: readonly Held[], want: Scope, at: Instant): End | undefined {
  let best: End | undefined;
  for (const h of have) {
    if (!implies(h.scope, want) || !isLive(h.until, at)) continue;
    best = best === undefined ? h.until : later(best, h.until);
  }
  return best;
}

/** The scopes of `have` that hold at `at`. */
export function liveScopes(have: readonly Held[], at: Instant): readonly Scope[] {
  return have.filter((h) => isLive(h.until, at)).map((h) => h.scope);
}

/**
 * A1: what a connection that asked `asked` (`null`: for the whole grant) of `granted` is told that it holds:
 * the names of both that it holds, then the least that covers the rest.
 */
export function reported(asked: readonly Scope[] | null, granted: readonly Scope[]): readonly Scope[] {
  if (asked === null) return scopeSet(granted);
  const held = closure(asked).filter((s) => covers(granted, s));
  const named = [...asked, ...granted].filter((s) => held.includes(s));
  const rest = held.filter((s) => !covers(named, s));
  // No scope of `rest` is above another: with the closure as it is, what is above others is named (scope.test.ts).
  return scopeSet([...named, ...rest]);
}
