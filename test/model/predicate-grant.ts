import type { Command, Connect, Decider, Effect, Step } from '../../src/core/authz/command.ts';
import { canGive, giveUntil, heldBy, isPermanentAdmin, isSelf } from '../../src/core/authz/decide.ts';
import type { Giver } from '../../src/core/authz/principal.ts';
import { beyond, coversAll, type Held, heldUntil, PAIRING, ROLES, type Role } from '../../src/core/authz/scope.ts';
import type { CodeState, DeviceState, GrantEntry } from '../../src/core/authz/state.ts';
import { isLive, reaches } from '../../src/core/base/instant.ts';
import { live } from './predicate-connect.ts';
import type { World } from './world.ts';

/** The first thing that is wrong with any of a list. */
export function firstOf<T>(list: readonly T[], judge: (value: T) => string | null): string | null {
  for (const value of list) {
    const wrong = judge(value);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** What is wrong with how a grant changed: whence each new scope came, and who took one away. */
export function wrongGrant(
  from: World,
  before: DeviceState,
  after: DeviceState,
  c: Command,
  role: Role,
): string | null {
  const was = before.roles[role];
  const is = after.roles[role];
  if (was === is) return null;
  const had = was.grant?.entries ?? [];
  for (const entry of is.grant?.entries ?? []) {
    if (!isLive(entry.until, c.at)) continue;
    const until = heldUntil(had, entry.scope, c.at);
    if (until !== undefined && reaches(until, entry.until)) continue;
    const wrong = wrongGift(from, before, role, c, entry);
    if (wrong !== null) return wrong;
  }
  if (was.grant === null && is.grant !== null && is.grant.entries.length === 0) {
    const wrong = wrongGift(from, before, role, c, null);
    if (wrong !== null) return wrong;
  }
  const lost = had.some((e) => {
    if (!isLive(e.until, c.at)) return false;
    const until = heldUntil(is.grant?.entries ?? [], e.scope, c.at);
    return until === undefined || !reaches(until, e.until);
  });
  return lost || (was.grant !== null && is.grant === null) ? wrongLoss(from, before, role, c) : null;
}

/** A7: each scope that is new was held by its giver at commit, for as long, and lies within what was asked. */
function wrongGift(from: World, before: DeviceState, role: Role, c: Command, entry: GrantEntry | null): string | null {
  const given: readonly Held[] = entry === null ? [] : [entry];
  switch (c.kind) {
    case 'approve': {
      const { request, rejection } = before.roles[role];
      const listed = [request, rejection].find((x) => x?.id === c.id);
      if (!listed) return 'A5: a closed id gave something';
      if (
        !coversAll(
          listed.scopes,
          given.map((g) => g.scope),
        )
      )
        return 'A7: more was given than was asked';
      return canGive(honest(from, c.decider, c.kind), role, given, 'judged')
        ? null
        : 'A7: the decider did not hold what it gave';
    }
    case 'ensure': {
      const decider = honest(from, c.decider, c.kind);
      if (!isPermanentAdmin(decider)) return 'A7: somebody other than owner or permanent admin ensured';
      return canGive(decider, role, given, 'judged') ? null : 'A7: the decider did not hold what it ensured';
    }
    case 'connect':
      return wrongByProof(from, before, role, c, given);
    default:
      return `A7: ${c.kind} gave ${entry?.scope}`;
  }
}

/** What a connect brings to a grant: the secret's first pairing, or a code; nothing that a person ended since. */
function wrongByProof(from: World, before: DeviceState, role: Role, c: Connect, given: readonly Held[]): string | null {
  const no = from.no[from.devices.indexOf(before)] ?? null;
  if (role !== c.role) return 'A1: something crossed roles';
  const code = c.code?.state ?? null;
  if (code !== null && isUsable(from, code, role, no) && given.every((g) => codeGives(from, code, g))) return null;
  const isPair = before.roles[role].grant === null && c.secret === 'right' && c.direct && role === 'operator';
  if (!isPair) return 'A4: a connect widened a grant by no proof that may';
  if (no !== null) return 'A13: the secret brought back what a person ended';
  return given.every((g) => coversAll(from.secret, [g.scope])) ? null : "A13: the secret gave what it doesn't hold";
}

function isUsable(from: World, code: CodeState, role: Role, no: number | null): boolean {
  const real = from.codes.find((x) => x.id === code.id);
  const isAlive = real !== undefined && real.usedBy === null && !real.ended && isLive(real.expiresAt, from.at);
  return isAlive && code.role === role && (no === null || no < code.made);
}

function codeGives(from: World, code: CodeState, given: Held): boolean {
  const by = holdings(from, code.maker);
  const decider: Decider = { principal: { kind: 'owner' }, held: by };
  return (
    code.scopes.includes(given.scope) &&
    canGive(decider, code.role, [given], 'judged') &&
    reaches(giveUntil(decider, code.role, given.scope), given.until)
  );
}

export function holdings(from: World, giver: Giver): readonly Held[] {
  const self = giver.kind === 'device' ? (from.devices.find((d) => d.device === giver.device) ?? null) : null;
  const facts = { self, secretScopes: from.secret };
  if (giver.kind === 'owner') return heldBy({ kind: 'owner' }, facts, from.at);
  if (giver.kind === 'secret') return heldBy({ kind: 'secret', asked: null }, facts, from.at);
  if (giver.kind === 'device')
    return heldBy({ kind: 'device', device: giver.device, role: 'operator', asked: null }, facts, from.at);
  return [];
}

/** A14: a code that counts is used and used up, where it adds something; no other is. */
export function wrongByCode(from: World, before: DeviceState, c: Connect, { reply, effects }: Step): string | null {
  const used = effects.filter((e) => e.kind === 'store.code.used');
  const isBy = reply.kind === 'connected' && reply.by === 'code';
  if (used.length !== (isBy ? 1 : 0)) return 'A14: a code was used and not used up, or the other way round';
  if (c.code === null || c.origin === 'foreign') return null;
  const { state } = c.code;
  const { grant } = before.roles[c.role];
  const no = from.no[from.devices.indexOf(before)] ?? null;
  const maker: Decider = { principal: { kind: 'owner' }, held: holdings(from, state.maker) };
  const gives = state.scopes.map((scope) => ({ scope, until: giveUntil(maker, state.role, scope) }));
  const mayGive = canGive(
    maker,
    state.role,
    state.scopes.map((scope) => ({ scope, until: null })),
    'aside',
  );
  const isNew = gives.some(({ scope, until }) => {
    const have = heldUntil(grant?.entries ?? [], scope, c.at);
    return have === undefined || !reaches(have, until);
  });
  const counts = isUsable(from, state, c.role, no) && mayGive && (grant === null || isNew);
  return counts === isBy ? null : `A14: a code that ${counts ? 'counts was not' : 'is as none was'} used`;
}

/**
 * What really counts in the decider now, whatever it was told: what its session holds or, of a no that the session may
 * say at all (A7.16), all that it could hold.
 */
export function honest(from: World, decider: Decider, kind: Command['kind']): Decider {
  const { principal } = decider;
  const self = principal.kind === 'device' ? (from.devices.find((d) => d.device === principal.device) ?? null) : null;
  const facts = { self, secretScopes: from.secret };
  const held = heldBy(principal, facts, from.at);
  const maySayNo = (kind === 'reject' || kind === 'remove') && held.some((h) => h.scope === PAIRING);
  return {
    principal,
    held: maySayNo && 'asked' in principal ? heldBy({ ...principal, asked: null }, facts, from.at) : held,
  };
}

/** A7, A4: a grant shrinks by a decision of somebody who could have given it, or by the device itself. */
function wrongLoss(from: World, before: DeviceState, role: Role, c: Command): string | null {
  switch (c.kind) {
    case 'narrow':
    case 'rotate':
    case 'revoke':
    case 'remove': {
      const entries = (before.roles[role].grant?.entries ?? []).filter((e) => isLive(e.until, c.at));
      if (isSelf(c.decider, before) || canGive(honest(from, c.decider, c.kind), role, entries, 'judged')) return null;
      return 'A7: somebody narrowed or ended what he could not have given';
    }
    case 'ensure':
      return isPermanentAdmin(honest(from, c.decider, c.kind)) ? null : 'A7: somebody ensured who may not';
    default:
      return c.kind === 'connect' ? 'A4: a connect lost something' : `A20: ${c.kind} took or shortened something`;
  }
}

/** What is wrong with the requests and listed rejections that were opened and closed. */
export function wrongAsks(
  before: DeviceState,
  after: DeviceState,
  c: Command,
  effects: readonly Effect[],
): string | null {
  return firstOf(ROLES, (role) => {
    const was = before.roles[role];
    const is = after.roles[role];
    const opened = effects.filter((e) => e.kind === 'tell.request.opened' && e.role === role);
    const isNew = is.request !== null && is.request.id !== was.request?.id;
    if (opened.length !== (isNew ? 1 : 0)) return 'A5: a request was opened untold, or told and not opened';
    if (
      was.request !== null &&
      is.request !== null &&
      was.request.id === is.request.id &&
      was.request.scopes.join() !== is.request.scopes.join()
    )
      return 'A5: an open request changed under its id';
    const shut = [was.request, was.rejection].filter(
      (x) => x !== null && x.id !== is.request?.id && x.id !== is.rejection?.id,
    );
    const told = effects.flatMap((e) => (e.kind === 'tell.request.closed' && e.role === role ? [e] : []));
    if (told.length !== shut.length || !shut.every((x) => told.some((e) => e.request.id === x?.id)))
      return `A5: of ${shut.length} that were closed, ${told.length} were told`;
    const closedAs = told.find((e) => e.request.id === was.request?.id)?.outcome;
    if (isNew && was.request !== null && closedAs === 'superseded' && is.request !== null) {
      const open = beyond(was.request.scopes, live(is, c.at));
      if (!coversAll(is.request.scopes, open)) return 'A5: a larger ask forgot what was asked before';
    }
    if (
      closedAs === 'approved' &&
      was.request !== null &&
      c.kind !== 'approve' &&
      !coversAll(live(is, c.at), was.request.scopes)
    )
      return 'A5: a request was closed as approved that was not met';
    if (
      is.rejection !== null &&
      was.rejection !== null &&
      is.rejection.id !== was.rejection.id &&
      isLive(was.rejection.until, c.at) &&
      beyond(was.rejection.scopes, [...is.rejection.scopes, ...live(is, c.at)]).length > 0
    )
      return 'A5: a new no forgot an older one';
    if (is.rejection !== null && is.grant !== null && beyond(is.rejection.scopes, live(is, c.at)).length === 0)
      return 'A5: a no is listed about what is held';
    return null;
  });
}
