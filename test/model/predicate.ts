import type { Command, Effect, Step } from '../../src/core/authz/command.ts';
import { canGive } from '../../src/core/authz/decide.ts';
import { beyond, closure, coversAll, ROLES, type Role } from '../../src/core/authz/scope.ts';
import type { CodeState, DeviceState, Grant, GrantEntry } from '../../src/core/authz/state.ts';
import { isLive } from '../../src/core/base/instant.ts';
import { live, wrongConnect } from './predicate-connect.ts';
import { firstOf, honest, wrongAsks, wrongGrant } from './predicate-grant.ts';
import type { Client, Made, World } from './world.ts';

/**
 * What has to hold of every transition. Judged with the real closure and the real reading of grants, whatever core
 * made the transition: a changed copy is not asked whether it is right.
 */
export function wrongEdge(from: World, made: Made): string | null {
  const { command, result } = made;
  if (command === null || result === null) return null;
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
    const wrong = wrongConnect(from, before, after, command, reply);
    if (wrong !== null) return wrong;
  } else if (reply.kind === 'refused' && (after !== before || effects.length > 0)) {
    return 'A16: a refused decision changed something';
  }
  if (after === before) {
    const stored = effects.find((e) => e.kind.startsWith('store.'));
    return stored === undefined ? null : `A6: nothing changed, but ${stored.kind} is to be done`;
  }
  return (
    wrongBooks(before, after, command, effects) ??
    wrongAsks(before, after, command, effects) ??
    firstOf(ROLES, (role) => wrongGrant(from, before, after, command, role)) ??
    wrongDecision(from, before, after, command)
  );
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
      if (!canGive(honest(from, c.decider), role, all, 'aside')) return 'A7: decided about an ask beyond the decider';
      if (c.kind === 'reject' && live(after.roles[role], c.at).join() !== live(before.roles[role], c.at).join())
        return 'A7: a rejection touched the grant';
      const left = beyond(listed?.scopes ?? [], live(after.roles[role], c.at));
      const no = after.roles[role].rejection;
      if (left.length > 0 && (no === null || !coversAll(no.scopes, left)))
        return 'A5: what was left out is not listed as a no';
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
    case 'remove':
      return firstOf(c.kind === 'remove' ? ROLES : [c.role], (role) => wrongEnd(before, after, c, role));
    case 'rotate':
      return after.roles[c.role].epoch > before.roles[c.role].epoch ? null : 'A10: rotated, and the token is the same';
    case 'upgrade': {
      const is = after.roles[c.role];
      const missing = beyond(c.scopes, live(is, c.at));
      return missing.length === 0 || (is.request !== null && coversAll(is.request.scopes, missing))
        ? null
        : 'A5: an explicit ask was not opened';
    }
    default:
      return null;
  }
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
