import type { Command, Connect, Decider, Effect, Step } from '../../src/core/authz/command.ts';
import { canGive, isPermanentAdmin, isSelf } from '../../src/core/authz/decide.ts';
import { beyond, closure, coversAll, ROLES, type Role } from '../../src/core/authz/scope.ts';
import type { CodeState, DeviceState, Grant, GrantEntry } from '../../src/core/authz/state.ts';
import { DAY_MS, isLive } from '../../src/core/base/instant.ts';
import { live, wrongConnect } from './predicate-connect.ts';
import { firstOf, holdings, honest, wrongAsks, wrongByCode, wrongGrant } from './predicate-grant.ts';
import type { Client, Made, World } from './world.ts';

/**
 * What has to hold of every transition. Judged with the real closure and the real reading of grants, whatever core
 * made the transition: a changed copy is not asked whether it is right.
 */
export function wrongEdge(from: World, made: Made): string | null {
  const { command, result } = made;
  if (command === null || result === null) return wrongNewCode(from, made);
  const no = from.no[made.device] ?? null;
  // Worlds that differ only in what is round the device share what a command did to it: judged once.
  if (JUDGED.get(result) !== (no ?? -1)) {
    const wrong = wrongStep(from, command, result, made);
    if (wrong !== null) return wrong;
    JUDGED.set(result, no ?? -1);
  }
  return wrongScreen(from, command, result) ?? wrongCodes(made);
}

const JUDGED = new WeakMap<Step, number>();

function wrongStep(from: World, command: Command, result: Step, made: Made): string | null {
  const { reply, effects, state: after } = result;
  const before = from.devices[made.device] as DeviceState;
  if (command.kind === 'connect') {
    const wrong = wrongConnect(from, before, after, command, reply) ?? wrongByCode(from, before, command, result);
    if (wrong !== null) return wrong;
  } else {
    const wrong = wrongReply(from, before, after, command, result);
    if (wrong !== null) return wrong;
  }
  if (after === before) {
    const stored = effects.find((e) => e.kind.startsWith('store.'));
    return stored === undefined ? null : `A6: nothing changed, but ${stored.kind} is to be done`;
  }
  return (
    wrongMarks(before, after, command, made) ??
    wrongBooks(before, after, command, effects) ??
    wrongAsks(before, after, command, effects) ??
    firstOf(ROLES, (role) => wrongGrant(from, before, after, command, role)) ??
    wrongDecision(from, before, after, command)
  );
}

/** A14: contained when made. */
function wrongNewCode(from: World, { to }: Made): string | null {
  const made = to.codes.find((code) => code.made > from.seq);
  if (made === undefined) return null;
  const all = made.scopes.map((scope) => ({ scope, until: null }));
  const maker: Decider = { principal: { kind: 'owner' }, held: holdings(from, made.maker) };
  return canGive(maker, made.role, all, 'aside') ? null : 'A14: a code was made for more than its maker holds';
}

/** What is told to who decides, and to who asks by hand. */
function wrongReply(
  from: World,
  before: DeviceState,
  after: DeviceState,
  c: Exclude<Command, Connect>,
  { reply, effects }: Step,
): string | null {
  if (reply.kind === 'refused') {
    if (after !== before || effects.length > 0) return 'A16: a refused decision changed something';
    const isReducing = c.kind === 'narrow' || c.kind === 'rotate' || c.kind === 'revoke' || c.kind === 'remove';
    const isOwn = isReducing && isSelf(c.decider, before);
    if (isOwn && !['not_found', 'beyond_grant'].includes(reply.refusal.code)) return 'A7: a device may not end its own';
    const hasAll = 'decider' in c && isPermanentAdmin(honest(from, c.decider, c.kind));
    return hasAll && ['missing_scope', 'beyond_decider'].includes(reply.refusal.code)
      ? 'A7: an admin may not decide'
      : null;
  }
  if (c.kind === 'upgrade') {
    const missing = beyond(c.scopes, live(after.roles[c.role], c.at));
    const { request } = after.roles[c.role];
    return missing.length === 0 || (request !== null && coversAll(request.scopes, missing))
      ? null
      : 'A5: an explicit ask was not opened';
  }
  const isOver = ROLES.some((role) => before.roles[role].grant?.entries.some((e) => !isLive(e.until, c.at)));
  return c.kind === 'tick' && isOver && after === before ? 'A20: the ticker left what is over' : null;
}

/** Marks are set by a person's no, and by nothing else. */
function wrongMarks(before: DeviceState, after: DeviceState, c: Command, { to, device }: Made): string | null {
  const isMarked = ROLES.some((role) => after.roles[role].decided === c.seq);
  if (isMarked !== (to.no[device] === c.seq))
    return `A9: ${isMarked ? 'a no was marked that nobody said' : 'a no was not marked'}`;
  if (c.kind !== 'narrow' || !isSame(before.roles[c.role].grant, after.roles[c.role].grant)) return null;
  return 'A9: narrowing to what holds changed something';
}

/** A9: an operator grant that is gone leaves no code behind that works. */
function wrongCodes({ command, result, to }: Made): string | null {
  const hasEnded = command?.kind === 'remove' || (command?.kind === 'revoke' && command.role === 'operator');
  if (!hasEnded || result?.reply.kind !== 'done') return null;
  const { device } = result.state;
  const isMaker = (code: CodeState) => code.maker.kind === 'device' && code.maker.device === device;
  const isOpen = to.codes.some((code) => isMaker(code) && code.usedBy === null && !code.ended);
  return isOpen ? 'A9: the codes that it made still work' : null;
}

/** A5: nobody can approve more than the screen showed. */
function wrongScreen(from: World, c: Command, { reply }: Step): string | null {
  if (c.kind !== 'approve' || from.screen?.id !== c.id || reply.kind !== 'done') return null;
  const given = reply.given.map((g) => g.scope);
  return coversAll(from.screen.scopes, given) ? null : 'A5: more was approved than the screen showed';
}

function wrongBooks(before: DeviceState, after: DeviceState, c: Command, effects: readonly Effect[]): string | null {
  if (after.revision !== before.revision + 1) return 'revision: it was not raised by one';
  const firstTold = effects.findIndex((e) => !e.kind.startsWith('store.'));
  if (firstTold >= 0 && effects.slice(firstTold).some((e) => e.kind.startsWith('store.')))
    return 'A17: told before stored';
  for (const role of ROLES) {
    const was = before.roles[role];
    const is = after.roles[role];
    if (is.epoch < was.epoch) return 'A10: the epoch went back';
    if (is.decided !== was.decided && is.decided !== c.seq)
      return 'A9: a mark changed to something else than this decision';
    const dead = was.grant?.entries.filter((e) => !isLive(e.until, c.at)) ?? [];
    if (dead.some((e) => is.grant?.entries.includes(e))) return 'A20: a change left an end unwritten';
    const isGrantChanged = was.grant !== is.grant && !isSame(was.grant, is.grant);
    if (!isGrantChanged) continue;
    if (!effects.some((e) => e.kind === 'tell.grant' && e.role === role))
      return 'A8, A9: sessions were not told of a changed grant';
    if (!effects.some((e) => e.kind === 'store.change' && e.change.role === role))
      return 'A17: a changed grant was not recorded';
  }
  return null;
}

function isSame(a: Grant | null, b: Grant | null): boolean {
  const x = a?.entries ?? [];
  const y = b?.entries ?? [];
  const isEqual = (e: GrantEntry, i: number) => e.scope === y[i]?.scope && e.until === y[i]?.until;
  return (a === null) === (b === null) && x.length === y.length && x.every(isEqual);
}

function wrongDecision(from: World, before: DeviceState, after: DeviceState, c: Command): string | null {
  switch (c.kind) {
    case 'approve':
    case 'reject': {
      const role = ROLES.find((r) => [before.roles[r].request?.id, before.roles[r].rejection?.id].includes(c.id));
      if (role === undefined) return 'A5: a closed id acted';
      const listed = [before.roles[role].request, before.roles[role].rejection].find((x) => x?.id === c.id);
      if ([after.roles[role].request?.id, after.roles[role].rejection?.id].includes(c.id))
        return 'A5: a decided id stays open';
      const all = (listed?.scopes ?? []).map((scope) => ({ scope, until: null }));
      if (!canGive(honest(from, c.decider, c.kind), role, all, 'aside'))
        return 'A7: decided about an ask beyond the decider';
      if (c.kind === 'reject' && live(after.roles[role], c.at).join() !== live(before.roles[role], c.at).join())
        return 'A7: a rejection touched the grant';
      const left = beyond(listed?.scopes ?? [], live(after.roles[role], c.at));
      const no = after.roles[role].rejection;
      if (left.length > 0 && (no === null || !coversAll(no.scopes, left)))
        return 'A5: what was left out is not listed as a no';
      if (no !== null && no.id === c.fresh && no.until < c.at + DAY_MS) return 'A5: a no is over within a day';
      return after.roles[role].gone !== null && c.kind === 'approve' ? 'A9: approved and still gone' : null;
    }
    case 'narrow': {
      const want = closure(c.scopes).join();
      return closure(live(after.roles[c.role], c.at)).join() === want ? null : 'A9: narrowing is not what holds next';
    }
    case 'ensure': {
      const want = c.scopes.filter((s) => isLive(s.until, c.at));
      const is = (after.roles[c.role].grant?.entries ?? []).filter((e) => isLive(e.until, c.at));
      const isExact =
        is.length === want.length && want.every((s) => is.some((e) => e.scope === s.scope && e.until === s.until));
      if (!isExact) return 'A7: the grant is not exactly what was ensured';
      return after.roles[c.role].rejection === null ? null : 'A7: ensure left a no standing';
    }
    case 'revoke':
      return wrongEnd(before, after, c, c.role);
    case 'remove':
      return firstOf(ROLES, (role) => wrongEnd(before, after, c, role) ?? wrongAskEnd(from, before, c, role));
    case 'rotate': {
      if (after.roles[c.role].epoch <= before.roles[c.role].epoch) return 'A10: rotated, and the token is the same';
      const is = closure(live(after.roles[c.role], c.at)).join();
      return c.scopes === null || is === closure(c.scopes).join() ? null : 'A10: rotated, and not narrowed as asked';
    }
    default:
      return null;
  }
}

/** A7: where a role has no grant, removing ends an ask: only who could have rejected it may. */
function wrongAskEnd(from: World, before: DeviceState, c: Command & { kind: 'remove' }, role: Role): string | null {
  const { grant, request, rejection } = before.roles[role];
  const asks = [request, rejection].flatMap((x) =>
    x !== null && isLive('until' in x ? x.until : x.expiresAt, c.at) ? [x] : [],
  );
  if (grant !== null || asks.length === 0 || isSelf(c.decider, before)) return null;
  const all = asks.flatMap((x) => x.scopes).map((scope) => ({ scope, until: null }));
  return canGive(honest(from, c.decider, c.kind), role, all, 'aside') ? null : 'A7: removed an ask beyond the decider';
}

function wrongEnd(before: DeviceState, after: DeviceState, c: Command, role: Role): string | null {
  const r = after.roles[role];
  if (r.grant !== null || r.request !== null || r.rejection !== null) return 'A9: something of an ended role is left';
  if (r.gone !== c.seq || r.decided !== c.seq) return 'A9: the role is not marked';
  if (r.epoch <= before.roles[role].epoch) return 'A10: the role ended, and its token is the same';
  return null;
}

/** Of the sockets and caches round a device. */
export function wrongClient(device: DeviceState, client: Client): string | null {
  if (client.session !== undefined && device.roles.operator.grant === null) return 'A9: a session outlived its grant';
  if (client.waits !== null && device.roles.operator.request?.id !== client.waits.id)
    return 'A8: a socket waits for nothing';
  if (client.cached !== null && (client.cached === device.roles.operator.epoch) !== client.isValid)
    return `A10: a cached token is ${client.isValid ? 'void without a reason' : 'good after it was ended'}`;
  return null;
}
