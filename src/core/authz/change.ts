import { type End, type Instant, later } from '../base/instant.ts';
import type { Change, Effect, Outcome, Refusal, Step } from './command.ts';
import type { Giver, RequestId } from './principal.ts';
import { beyond, coversAll, type Held, liveScopes, type Role, type Scope } from './scope.ts';
import {
  type DeviceState,
  type Grant,
  type GrantEntry,
  type Rejection,
  type Request,
  type RoleState,
  withRole,
} from './state.ts';

export function refuse(state: DeviceState, refusal: Refusal): Step {
  return { state, reply: { kind: 'refused', refusal }, effects: [] };
}

/** What was decided holds already: nothing to save, nothing to tell. */
export function unchanged(state: DeviceState, given: readonly Held[] = [], request: Request | null = null): Step {
  return { state, reply: { kind: 'done', changed: false, given: plain(given), request }, effects: [] };
}

export function changed(
  state: DeviceState,
  effects: readonly Effect[],
  given: readonly Held[] = [],
  request: Request | null = null,
): Step {
  return { state, reply: { kind: 'done', changed: true, given: plain(given), request }, effects };
}

/** Without who gave it and when. */
function plain(entries: readonly Held[]): readonly Held[] {
  return entries.map(({ scope, until }) => ({ scope, until }));
}

/** A17: the record of a change, in the same transaction. */
export function record(
  state: DeviceState,
  c: { readonly at: Instant; readonly seq: number },
  what: Change['what'],
  by: Giver | null,
  role: Role | null,
  scopes: readonly Held[],
  request: RequestId | null = null,
): Effect {
  const change = { what, device: state.device, role, by, at: c.at, seq: c.seq, request, scopes: plain(scopes) };
  return { kind: 'store.change', change };
}

/** A5: a closed id never acts again; its outcome is kept for who names it too late, be it a request or a listed no. */
export function closed(
  state: DeviceState,
  role: Role,
  listed: Request | Rejection | null,
  outcome: Outcome,
): readonly Effect[] {
  if (listed === null) return [];
  const request = 'openedAt' in listed ? listed : asRequest(listed);
  return [{ kind: 'tell.request.closed', device: state.device, role, request, outcome }];
}

function asRequest({ id, scopes, at, until, label }: Rejection): Request {
  return { id, scopes, label, openedAt: at, expiresAt: until, source: '', withSecret: false, comparison: null };
}

/** What the role's grant holds now, as it is written: neither expanded nor reduced. */
export function granted(role: RoleState, at: Instant): readonly Scope[] {
  return liveScopes(role.grant?.entries ?? [], at);
}

function isLonger(end: End, than: End): boolean {
  return later(than, end) !== than;
}

/** True when giving `given` to who holds `have` for so long would add a scope or time. */
export function adds(given: readonly Held[], have: (scope: Scope) => End | undefined): boolean {
  return given.some((g) => {
    const until = have(g.scope);
    return until === undefined || isLonger(g.until, until);
  });
}

/** The union of a grant and what is given now. A20: nothing that is held is shortened. */
export function widen(grant: Grant | null, given: readonly Held[], by: Giver, at: Instant): Grant {
  const entries = new Map<Scope, GrantEntry>((grant?.entries ?? []).map((e) => [e.scope, e]));
  for (const g of given) {
    const have = entries.get(g.scope);
    if (have === undefined || isLonger(g.until, have.until)) entries.set(g.scope, { ...g, by, at });
  }
  const sorted = [...entries.values()].sort((a, b) => (a.scope < b.scope ? -1 : 1));
  return { by: grant?.by ?? by, at: grant?.at ?? at, entries: sorted };
}

export function isSame(a: readonly Held[], b: readonly Held[]): boolean {
  return a.length === b.length && a.every((e, i) => e.scope === b[i]?.scope && e.until === b[i]?.until);
}

/**
 * Sets a grant and lets it answer what it answers. A5: whatever grants what a request wanted closes it as approved and
 * wakes who waits, a listed no likewise. A9: the grant is back, so the role is no longer gone.
 */
export function settle(
  state: DeviceState,
  role: Role,
  grant: Grant,
  at: Instant,
): { readonly state: DeviceState; readonly effects: readonly Effect[] } {
  const { request, rejection } = state.roles[role];
  const have = liveScopes(grant.entries, at);
  const met = request !== null && coversAll(have, request.scopes) ? request : null;
  const still = beyond(rejection?.scopes ?? [], have);
  const over = still.length === 0 ? rejection : null;
  return {
    state: withRole(state, role, {
      grant,
      gone: null,
      request: met === null ? request : null,
      rejection: rejection === null || over !== null ? null : { ...rejection, scopes: still },
    }),
    effects: [
      ...closed(state, role, met, 'approved'),
      ...closed(state, role, over, 'approved'),
      { kind: 'tell.grant', device: state.device, role },
    ],
  };
}
