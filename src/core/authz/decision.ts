import { earlier } from '../base/instant.ts';
import { changed, closed, isSame, record, refuse, settle, unchanged, widen } from './change.ts';
import type {
  Approve,
  Decider,
  Effect,
  Ensure,
  Narrow,
  Refusal,
  Reject,
  Remove,
  Rename,
  Revoke,
  Rotate,
  Step,
} from './command.ts';
import { asHeld, canGive, giveUntil, isPermanentAdmin, isSelf, maySeeScopes, REJECTION_MS } from './decide.ts';
import { type Giver, giverOf } from './principal.ts';
import {
  ADMIN,
  beyond,
  covers,
  type Held,
  heldUntil,
  implies,
  isKnown,
  liveScopes,
  PAIRING,
  ROLES,
  type Role,
  type Scope,
  scopeSet,
} from './scope.ts';
import { type DeviceState, type Grant, type GrantEntry, type Rejection, type Request, withRole } from './state.ts';

const NOT_FOUND: Refusal = { code: 'not_found', retry: 'never' };

/** Why a decider may not decide about `scopes` of this device; A7: others' rows are not found. */
function outOfReach(
  state: DeviceState,
  decider: Decider,
  role: Role,
  scopes: readonly Held[],
  ends: 'judged' | 'aside',
): Refusal | null {
  if (canGive(decider, role, scopes, ends)) return null;
  const have = decider.held.map((h) => h.scope);
  if (!covers(have, PAIRING)) return { code: 'missing_scope', retry: 'never', scopes: [PAIRING] };
  const names = scopes.map((s) => s.scope);
  if (!maySeeScopes(decider, state, role, names)) return NOT_FOUND;
  const over = role === 'operator' ? scopes.filter((s) => !canGive(decider, role, [s], ends)) : asHeld([ADMIN]);
  return { code: 'beyond_decider', retry: 'never', scopes: over.map((s) => s.scope) };
}

/** A7: narrows, rotates, revokes only what it could have given, ends included; its own device always. */
function mayReduce(state: DeviceState, decider: Decider, role: Role): Refusal | null {
  const grant = state.roles[role].grant;
  if (grant === null) return NOT_FOUND;
  return isSelf(decider, state) ? null : outOfReach(state, decider, role, grant.entries, 'judged');
}

/** What a decision names, by whom it is decided. */
interface Named {
  readonly role: Role;
  readonly listed: Request | Rejection;
  readonly by: Giver;
}

/** A5: a closed id never acts again. A7: approving and rejecting need the reach for all that was asked, ends aside. */
function named(state: DeviceState, c: Approve | Reject): Named | Refusal {
  const by = giverOf(c.decider.principal);
  if (by === null) return { code: 'missing_scope', retry: 'never', scopes: [PAIRING] };
  for (const role of ROLES) {
    const { request, rejection } = state.roles[role];
    const listed = [request, rejection].find((x) => x?.id === c.id);
    if (listed) return outOfReach(state, c.decider, role, asHeld(listed.scopes), 'aside') ?? { role, listed, by };
  }
  return c.past === null ? NOT_FOUND : { code: 'conflict', retry: 'never', outcome: c.past };
}

/** A5: adds to what was said no to, under a new id, for another 24 h. */
function sayNo(
  state: DeviceState,
  c: Approve | Reject,
  { role, listed, by }: Named,
  scopes: readonly Scope[],
): { readonly state: DeviceState; readonly effects: readonly Effect[] } {
  const before = state.roles[role].rejection;
  const rejection: Rejection = {
    id: c.fresh,
    scopes: scopeSet([...scopes, ...(before?.scopes ?? [])]),
    at: c.at,
    until: c.at + REJECTION_MS,
    by,
    label: listed.label,
  };
  return {
    state: withRole(state, role, { decided: c.seq, rejection }),
    effects: before === null || before === listed ? [] : closed(state, role, before, 'superseded'),
  };
}

export function approve(state: DeviceState, c: Approve): Step {
  const t = named(state, c);
  if ('code' in t) return refuse(state, t);
  const { role, listed, by } = t;
  const wide = beyond(c.scopes ?? [], listed.scopes);
  if (wide.length > 0) return refuse(state, { code: 'beyond_request', retry: 'never', scopes: wide });
  // A7: nobody gives for longer than they hold.
  const given = scopeSet(c.scopes ?? listed.scopes).map((scope) => ({
    scope,
    until: earlier(c.until, giveUntil(c.decider, role, scope)),
  }));
  const r = state.roles[role];
  const grant = widen(r.grant, given, by, c.at);
  const labelled = { ...state, label: listed.label };
  const isRequest = listed === r.request;
  const answered = withRole(labelled, role, isRequest ? { request: null } : { rejection: null });
  // A5: what a partial approval leaves out was said no to.
  const left = beyond(listed.scopes, liveScopes(grant.entries, c.at));
  const no = left.length === 0 ? { state: answered, effects: [] } : sayNo(answered, c, t, left);
  const next = settle(no.state, role, grant, c.at);
  const effects = [
    record(state, c, 'approve', by, role, given, c.id),
    ...closed(state, role, listed, 'approved'),
    ...no.effects,
    ...next.effects,
  ];
  return changed(next.state, effects, given);
}

export function reject(state: DeviceState, c: Reject): Step {
  const t = named(state, c);
  if ('code' in t) return refuse(state, t);
  const { role, listed, by } = t;
  if (listed !== state.roles[role].request)
    return refuse(state, { code: 'conflict', retry: 'never', outcome: 'rejected' });
  const no = sayNo(withRole(state, role, { request: null }), c, t, listed.scopes);
  return changed(no.state, [
    record(state, c, 'reject', by, role, asHeld(listed.scopes), c.id),
    ...closed(state, role, listed, 'rejected'),
    ...no.effects,
  ]);
}

/** The entry that remains of `grant` for `scope`: what it held, as long as it held it, from whom it held it. */
function remaining(grant: Grant, scope: Scope, held: Held): GrantEntry {
  const lasting = grant.entries.filter((e) => e.until === held.until && implies(e.scope, scope));
  const from = lasting.find((e) => e.scope === scope) ?? lasting[0];
  return { ...held, by: from?.by ?? grant.by, at: from?.at ?? grant.at };
}

function narrowTo(state: DeviceState, c: Narrow | Rotate, scopes: readonly Scope[]): Step | Refusal {
  const grant = state.roles[c.role].grant;
  if (grant === null) return NOT_FOUND;
  const wide = beyond(scopes, liveScopes(grant.entries, c.at));
  if (wide.length > 0) return { code: 'beyond_grant', retry: 'never', scopes: wide };
  const entries = scopeSet(scopes).flatMap((scope) => {
    const until = heldUntil(grant.entries, scope, c.at);
    return until === undefined ? [] : [remaining(grant, scope, { scope, until })];
  });
  if (isSame(entries, grant.entries)) return unchanged(state, grant.entries);
  const effects: Effect[] = [
    record(state, c, 'narrow', giverOf(c.decider.principal), c.role, entries),
    { kind: 'tell.grant', device: state.device, role: c.role },
  ];
  return changed(withRole(state, c.role, { grant: { ...grant, entries }, decided: c.seq }), effects, entries);
}

export function narrow(state: DeviceState, c: Narrow): Step {
  const next = mayReduce(state, c.decider, c.role) ?? narrowTo(state, c, c.scopes);
  return 'code' in next ? refuse(state, next) : next;
}

/** A10: raises the epoch; it closes nothing and is no revocation. */
export function rotate(state: DeviceState, c: Rotate): Step {
  const less =
    mayReduce(state, c.decider, c.role) ?? (c.scopes === null ? unchanged(state) : narrowTo(state, c, c.scopes));
  if ('code' in less) return refuse(state, less);
  const { epoch, grant } = less.state.roles[c.role];
  const given = grant?.entries ?? [];
  const effects = [record(state, c, 'rotate', giverOf(c.decider.principal), c.role, given), ...less.effects];
  return changed(withRole(less.state, c.role, { epoch: epoch + 1 }), effects, given);
}

/** A9: ends one role of a device, whatever stands in it. */
function end(state: DeviceState, c: Revoke | Remove, role: Role): Step {
  const { grant, request, rejection, epoch } = state.roles[role];
  const gone = { grant: null, request: null, rejection: null, decided: c.seq, gone: c.seq, epoch: epoch + 1 };
  return changed(withRole(state, role, gone), [
    record(state, c, c.kind, giverOf(c.decider.principal), role, grant?.entries ?? []),
    // The codes it made end with the grant that made them.
    ...(role === 'operator' ? [{ kind: 'store.codes.ended', maker: state.device } as const] : []),
    ...closed(state, role, request, 'ended'),
    ...closed(state, role, rejection, 'ended'),
    { kind: 'tell.grant', device: state.device, role },
  ]);
}

export function revoke(state: DeviceState, c: Revoke): Step {
  const no = mayReduce(state, c.decider, c.role);
  return no === null ? end(state, c, c.role) : refuse(state, no);
}

/** A7: a role is judged as revoking its grant is or, without one, as rejecting what it asks. */
function mayEnd(state: DeviceState, c: Remove, role: Role): Refusal | null {
  const { grant, request, rejection } = state.roles[role];
  if (isSelf(c.decider, state)) return null;
  if (grant !== null) return outOfReach(state, c.decider, role, grant.entries, 'judged');
  const asks = [...(request?.scopes ?? []), ...(rejection?.scopes ?? [])];
  return outOfReach(state, c.decider, role, asHeld(asks), 'aside');
}

export function remove(state: DeviceState, c: Remove): Step {
  const here = ROLES.filter((role) => {
    const { grant, request, rejection } = state.roles[role];
    return (grant ?? request ?? rejection) !== null;
  });
  if (here.length === 0) return refuse(state, NOT_FOUND);
  const no = here.map((role) => mayEnd(state, c, role)).find((x) => x !== null);
  if (no) return refuse(state, no);
  // A9: all roles are gone, so that none of them comes back by what a connect proves.
  return ROLES.reduce<Step>((s, role) => {
    const next = end(s.state, c, role);
    return changed(next.state, [...s.effects, ...next.effects]);
  }, unchanged(state));
}

/** A7: the grant becomes exactly these; it needs no request and overrides a rejection. */
export function ensure(state: DeviceState, c: Ensure): Step {
  const by = giverOf(c.decider.principal);
  if (by === null || !isPermanentAdmin(c.decider))
    return refuse(state, { code: 'missing_scope', retry: 'never', scopes: [ADMIN] });
  const unknown = c.scopes.map((s) => s.scope).filter((s) => !isKnown(c.role, s));
  if (unknown.length > 0) return refuse(state, { code: 'beyond_request', retry: 'never', scopes: unknown });
  const { grant, rejection } = state.roles[c.role];
  const exactly = widen(null, c.scopes, by, c.at).entries.map(
    (e) => grant?.entries.find((own) => isSame([own], [e])) ?? e,
  );
  if (grant !== null && rejection === null && isSame(exactly, grant.entries)) return unchanged(state, exactly);
  const ensured = withRole(state, c.role, { rejection: null, decided: c.seq });
  const next = settle(ensured, c.role, { by, at: c.at, ...grant, entries: exactly }, c.at);
  const effects = [
    record(state, c, 'ensure', by, c.role, exactly),
    ...closed(state, c.role, rejection, 'superseded'),
    ...next.effects,
  ];
  return changed(next.state, effects, exactly);
}

/** The name that people read; a device that holds nothing has none to keep. */
export function rename(state: DeviceState, c: Rename): Step {
  const paired = ROLES.filter((role) => state.roles[role].grant !== null);
  if (paired.length === 0) return refuse(state, NOT_FOUND);
  const no = paired.map((role) => mayReduce(state, c.decider, role)).find((x) => x !== null);
  if (no) return refuse(state, no);
  if (state.name === c.name) return unchanged(state);
  return changed({ ...state, name: c.name }, [record(state, c, 'rename', giverOf(c.decider.principal), null, [])]);
}
