import { DAY_MS, type End, type Instant, isLive, MINUTE_MS, reaches } from '../base/instant.ts';
import { unreachable } from '../base/never.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { CodeFact, Command, Connect, Decider, MakeCode, Refusal } from './command.ts';
import { COMPONENTS, type CodeId, type Giver, giverOf, type Principal } from './principal.ts';
import {
  ADMIN,
  beyond,
  closure,
  covers,
  type Held,
  heldUntil,
  isKnown,
  liveScopes,
  OPERATOR_SCOPES,
  PAIRING,
  type Role,
  reported,
  type Scope,
  scopeSet,
} from './scope.ts';
import { type CodeState, type DeviceState, lastNo, type RoleState } from './state.ts';

/** A5: how long a no is not asked again. */
export const REJECTION_MS = DAY_MS;
/** A15, A5: how long a request stays open, without a grant and with one. */
export const ASK_MS = 10 * MINUTE_MS;
export const UPGRADE_MS = 7 * DAY_MS;
/** A14 */
export const CODE_MS = 10 * MINUTE_MS;
/** A15: open requests of keys without a grant. */
export const ROOM = { perSource: 3, total: 40, withSecret: 10, recent: 1_000 } as const;

/** What the closure of a principal is computed from: its device's aggregate and the secret's grant, as they are now. */
export interface Facts {
  /** For `device` principals: their own aggregate. */
  readonly self: DeviceState | null;
  /** A13: the shared secret's grant. */
  readonly secretScopes: readonly Scope[];
}

/** How long `principal` holds `scope` at `at`: an end, `null` for ever, `undefined` not at all. A1, A12, A13, A20, A21. */
export function holds(principal: Principal, facts: Facts, scope: Scope, at: Instant): End | undefined {
  switch (principal.kind) {
    case 'owner':
      return null;
    case 'device': {
      if (principal.asked !== null && !covers(principal.asked, scope)) return undefined;
      const grant = facts.self?.device === principal.device ? facts.self.roles[principal.role].grant : null;
      return grant === null ? undefined : heldUntil(grant.entries, scope, at);
    }
    case 'secret':
      if (principal.asked !== null && !covers(principal.asked, scope)) return undefined;
      return covers(facts.secretScopes, scope) ? null : undefined;
    case 'internal':
      return covers(COMPONENTS[principal.component].scopes, scope) ? null : undefined;
    case 'token':
      return covers(principal.scopes, scope) && isLive(principal.until, at) ? principal.until : undefined;
    case 'sender':
      return covers(principal.scopes, scope) ? null : undefined;
    default:
      return unreachable(principal);
  }
}

/** Everything that `principal` holds at `at`: closed under implication, so that any subset of it can be given on. */
export function heldBy(principal: Principal, facts: Facts, at: Instant): readonly Held[] {
  const role = principal.kind === 'device' ? principal.role : 'operator';
  const names =
    role === 'operator' ? OPERATOR_SCOPES : closure((facts.self?.roles[role].grant?.entries ?? []).map((e) => e.scope));
  return names.flatMap((scope) => {
    const until = holds(principal, facts, scope, at);
    return until === undefined ? [] : [{ scope, until }];
  });
}

const whole = (p: Principal): Principal => (p.kind === 'device' || p.kind === 'secret' ? { ...p, asked: null } : p);

/**
 * A7: who decides, with what counts in it. A no gives nobody anything: beside `pairing`, a session rejects and removes
 * by all that it could hold, as it sees the list. OpenClaw's 9.6 asks for `pairing` alone to do so.
 */
export function deciderOf(kind: Command['kind'], principal: Principal, facts: Facts, at: Instant): Decider {
  const isNo = (kind === 'reject' || kind === 'remove') && holds(principal, facts, PAIRING, at) !== undefined;
  return { principal, held: heldBy(isNo ? whole(principal) : principal, facts, at) };
}

/** What a connection of `role` is told that it holds of its grant. */
export function effective(role: RoleState, asked: readonly Scope[] | null, at: Instant): readonly Scope[] {
  return reported(asked, liveScopes(role.grant?.entries ?? [], at));
}

/** What one method asks of its caller. `none`: any session of the role. */
export interface Need {
  readonly method: string;
  readonly role: Role | 'any';
  readonly scope: Scope | 'none';
}

export type Denial =
  | { readonly code: 'role'; readonly role: Role }
  | { readonly code: 'missing_scope'; readonly scope: Scope }
  | { readonly code: 'component' };

/** The verdict on one call. The only place where a method's scope meets a principal. */
export function mayCall(principal: Principal, facts: Facts, need: Need, at: Instant): Result<null, Denial> {
  const role = principal.kind === 'device' ? principal.role : 'operator';
  // The owner decides for every role (A11) but is no node: a node's methods act for the node itself.
  if (need.role !== 'any' && need.role !== role) return err({ code: 'role', role });
  if (!isStanding(principal, facts, at)) return err({ code: 'role', role });
  if (principal.kind === 'internal') {
    // A12: a constant least table first, and the scope check for them too.
    const table: readonly string[] = COMPONENTS[principal.component].methods;
    if (!table.includes(need.method)) return err({ code: 'component' });
  }
  if (need.scope === 'none') return ok(null);
  return holds(principal, facts, need.scope, at) === undefined
    ? err({ code: 'missing_scope', scope: need.scope })
    : ok(null);
}

/** A9, A21: a device without a grant for its role, or a token past its end, has no call that needs no scope either. */
function isStanding(principal: Principal, facts: Facts, at: Instant): boolean {
  if (principal.kind === 'token') return isLive(principal.until, at);
  if (principal.kind !== 'device') return true;
  return facts.self?.device === principal.device && facts.self.roles[principal.role].grant !== null;
}

/** May an event that needs `scope` go to this principal? (PROTOCOL.md §6) */
export function maySee(principal: Principal, facts: Facts, scope: Scope | 'none', at: Instant): boolean {
  return (
    scope === 'none' ||
    (!(principal.kind === 'device' && principal.role !== 'operator') &&
      holds(principal, facts, scope, at) !== undefined)
  );
}

function until(decider: Decider, scope: Scope): End | undefined {
  // Ends were judged when `held` was made; before all of them, each is alive.
  return heldUntil(decider.held, scope, Number.NEGATIVE_INFINITY);
}

/**
 * A7: can this decider give `scopes`, each at least until its end? Roles other than operator need admin, which then
 * stands for what it gives.
 */
export function canGive(decider: Decider, role: Role, scopes: readonly Held[], ends: 'judged' | 'aside'): boolean {
  if (until(decider, PAIRING) === undefined) return false;
  if (role !== 'operator' && until(decider, ADMIN) === undefined) return false;
  return scopes.every((s) => {
    const have = until(decider, role === 'operator' ? s.scope : ADMIN);
    return have !== undefined && (ends === 'aside' || reaches(have, s.until));
  });
}

/** A7: until when this decider can give `scope`; nobody gives for longer than they hold. */
export function giveUntil(decider: Decider, role: Role, scope: Scope): End {
  return until(decider, role === 'operator' ? scope : ADMIN) ?? null;
}

/** A7: holds admin without an end. */
export const isPermanentAdmin = (decider: Decider): boolean => until(decider, ADMIN) === null;

/** A7: may this decider set what any admin may, one without an end, or the owner alone (config/apply.ts says which)? */
export function mayWrite(decider: Decider, writer: 'admin' | 'permanent' | 'owner'): boolean {
  if (decider.principal.kind === 'owner') return true;
  return writer === 'admin' ? until(decider, ADMIN) !== undefined : writer === 'permanent' && isPermanentAdmin(decider);
}

export function isSelf(decider: Decider, state: DeviceState): boolean {
  return decider.principal.kind === 'device' && decider.principal.device === state.device;
}

export const asHeld = (scopes: readonly Scope[]): readonly Held[] => scopes.map((scope) => ({ scope, until: null }));

/** A7: what of a device a decider sees: its own rows, and those that it could decide. */
export function maySeeScopes(decider: Decider, state: DeviceState, role: Role, scopes: readonly Scope[]): boolean {
  return isSelf(decider, state) || canGive(decider, role, asHeld(scopes), 'aside');
}

/**
 * A7: does `principal` see this row in a list, or hear of it? By all that it could hold, not by what its session asked
 * for: OpenClaw's 9.6 lists with `pairing` alone and asks for more to decide. What gives is judged by the session.
 */
export function sees(
  principal: Principal,
  facts: Facts,
  row: { readonly device: DeviceState; readonly role: Role; readonly scopes: readonly Scope[] },
  at: Instant,
): boolean {
  const all = whole(principal);
  // Asked for each session and event: what admin covers needs no list of all that is held.
  if (holds(all, facts, ADMIN, at) !== undefined) return true;
  return maySeeScopes({ principal: all, held: heldBy(all, facts, at) }, row.device, row.role, row.scopes);
}

/** A14: a code that counts now, and what it gives; `null` where it is as none. */
export function usableCode(
  fact: CodeFact | null,
  c: Connect,
  subject: DeviceState,
): { readonly id: CodeId; readonly maker: Giver; readonly gives: readonly Held[] } | null {
  if (fact === null) return null;
  const { state, maker } = fact;
  if (state.usedBy !== null || state.ended || state.role !== c.role || !isLive(state.expiresAt, c.at)) return null;
  // Older than a no to that device, in whatever role: nothing.
  if ((lastNo(subject) ?? state.made) > state.made) return null;
  const by: Decider = { principal: { kind: 'owner' }, held: maker };
  if (!canGive(by, state.role, asHeld(state.scopes), 'aside')) return null;
  const gives = state.scopes.map((scope) => ({ scope, until: giveUntil(by, state.role, scope) }));
  return { id: state.id, maker: state.maker, gives };
}

/** A14: contained when made. */
export function makeCode(c: MakeCode): Result<CodeState, Refusal> {
  const maker: Giver | null = giverOf(c.decider.principal);
  const unknown = c.scopes.filter((s) => !isKnown(c.role, s));
  if (unknown.length > 0) return err({ code: 'beyond_request', retry: 'never', scopes: unknown });
  if (maker === null || until(c.decider, PAIRING) === undefined)
    return err({ code: 'missing_scope', retry: 'never', scopes: [PAIRING] });
  if (!canGive(c.decider, c.role, asHeld(c.scopes), 'aside')) {
    const have = c.decider.held.map((h) => h.scope);
    const over = beyond(c.role === 'operator' ? c.scopes : [ADMIN], have);
    return err({ code: 'beyond_decider', retry: 'never', scopes: over });
  }
  return ok({
    id: c.id,
    role: c.role,
    scopes: scopeSet(c.scopes),
    maker,
    made: c.seq,
    madeAt: c.at,
    expiresAt: c.at + CODE_MS,
    usedBy: null,
    ended: false,
    revision: 0,
  });
}

/** A connect without a key. The secret opens a session on a direct socket, and nothing anywhere else (A13). */
export function decideKeyless(c: Pick<Connect, 'origin' | 'secret' | 'direct' | 'role'>): Result<null, Refusal> {
  if (c.origin === 'foreign') return err({ code: 'origin', retry: 'never' });
  if (c.secret === 'wrong') return err({ code: 'secret_mismatch', retry: 'never' });
  if (c.secret !== 'right' || !c.direct || c.role !== 'operator')
    return err({ code: 'identity_required', retry: 'never' });
  return ok(null);
}
