import type { Connect, Reply } from '../../src/core/authz/command.ts';
import { beyond, closure, coversAll, liveScopes, type Scope } from '../../src/core/authz/scope.ts';
import type { DeviceState, RoleState } from '../../src/core/authz/state.ts';
import { isLive } from '../../src/core/base/instant.ts';
import type { World } from './world.ts';

/** What a role's grant holds now. */
export function live(r: RoleState, at: number): readonly Scope[] {
  return liveScopes(r.grant?.entries ?? [], at);
}

/** What is wrong with the answer to a verified key that connects. */
export function wrongConnect(
  from: World,
  before: DeviceState,
  after: DeviceState,
  c: Connect,
  reply: Reply,
): string | null {
  const was = withoutEnded(before.roles[c.role], c.at);
  const is = withoutEnded(after.roles[c.role], c.at);
  if (c.origin === 'foreign')
    return reply.kind === 'refused' && after === before ? null : 'A15: a foreign origin got in, or asked';
  if (was.grant !== null && reply.kind !== 'connected') return 'A4: a granted device was refused';
  if (reply.kind === 'connected') return wrongHello(was, is, c, reply);
  if (is.grant !== null) return 'A4: a device that has a grant now was not let in';
  return reply.kind === 'waiting' || (reply.kind === 'refused' && reply.refusal.code === 'pairing_required')
    ? wrongAsk(was, is, c, reply)
    : wrongNo(from, before, after, c, reply);
}

/** As time leaves it, written or not (A20). */
function withoutEnded(r: RoleState, at: number): RoleState {
  const { request, rejection } = r;
  return {
    ...r,
    request: request !== null && isLive(request.expiresAt, at) ? request : null,
    rejection: rejection !== null && isLive(rejection.until, at) ? rejection : null,
  };
}

function wrongHello(was: RoleState, is: RoleState, c: Connect, reply: Reply & { kind: 'connected' }): string | null {
  if (is.grant === null) return 'A1: connected without a grant';
  const have = live(is, c.at);
  const should = closure(c.asked ?? have).filter((s) => coversAll(have, [s]));
  if (closure(reply.held).join() !== should.join()) return `A1: told that it holds ${reply.held}, holds ${should}`;
  const names = new Set([...(c.asked ?? []), ...have].filter((s) => should.includes(s)));
  if (![...names].every((s) => reply.held.includes(s)))
    return `A1: a name of ask or grant that it holds is not reported: ${reply.held}`;
  const extra = reply.held.filter((s) => !names.has(s));
  if (
    extra.some((s) =>
      coversAll(
        reply.held.filter((o) => o !== s),
        [s],
      ),
    )
  )
    return `A1: reported is more than the least: ${reply.held}`;
  const missing = beyond(c.asked ?? [], have);
  if (reply.missing.join() !== missing.join()) return `A4: told that it misses ${reply.missing}, misses ${missing}`;
  if (missing.length === 0) return is.request?.id === c.fresh ? 'A5: something was asked that is held' : null;
  const isAsked = is.request !== null && coversAll(is.request.scopes, missing);
  const isRejected = is.rejection !== null && coversAll(is.rejection.scopes, missing);
  if (!isAsked && !isRejected) return 'A5: what is missing is neither asked nor rejected';
  if (isRejected && is.request?.id === c.fresh) return 'A5: what a person rejected was asked again';
  if ((reply.request !== null) !== isAsked || (reply.rejection !== null) !== isRejected)
    return 'A4: the request or rejection is not reported';
  if (c.secret === 'wrong' && !reply.ignored.includes('secret')) return 'A4: a wrong secret is not named';
  if (c.code !== null && reply.by !== 'code' && !reply.ignored.includes('code'))
    return 'A4: a code left unused is not named';
  return was.rejection !== null && is.request?.id === c.fresh && coversAll(was.rejection.scopes, missing)
    ? 'A5: asked over a no'
    : null;
}

function wrongAsk(was: RoleState, is: RoleState, c: Connect, reply: Reply): string | null {
  const told = reply.kind === 'waiting' ? reply.request : reply.kind === 'refused' ? reply.refusal.request : undefined;
  if (is.request === null || told?.id !== is.request.id) return 'A5: told to wait for a request that is not open';
  if (was.rejection !== null) return 'A5: a rejected key asked again';
  if (c.secret === 'wrong') return 'A13: a wrong secret could ask';
  if (!coversAll(is.request.scopes, c.asked ?? [])) return 'A5: the open request does not cover what was asked';
  if (is.request.id !== c.fresh) return null;
  if (was.request !== null && coversAll(was.request.scopes, c.asked ?? []))
    return 'A5: the same ask, or a smaller one, was opened anew';
  if (c.askMode === 'closed' || (c.askMode === 'secret' && c.secret !== 'right'))
    return 'A15: a key asked against the ask mode';
  if (reply.kind === 'waiting' && !c.waits) return 'A8: a client was kept waiting that cannot wait';
  return was.request === null && c.room.fromSource >= 3 && c.room.oldest === null ? 'A15: asked without room' : null;
}

/** Refusals of a key without a grant that leave no request: each only for its reason. */
function wrongNo(from: World, before: DeviceState, after: DeviceState, c: Connect, reply: Reply): string | null {
  if (reply.kind !== 'refused') return 'A16: no reply of a known kind';
  if (after !== before) return 'A6: a refusal was written';
  const was = before.roles[c.role];
  const isPaired =
    c.secret === 'right' && c.direct && c.role === 'operator' && from.no[from.devices.indexOf(before)] === null;
  if (isPaired) return 'A13: the right secret did not pair a key about which nobody decided';
  const isRejected = was.rejection !== null && isLive(was.rejection.until, c.at);
  switch (reply.refusal.code) {
    case 'secret_mismatch':
      return c.secret === 'wrong' ? null : 'A13: mismatch without a wrong secret';
    case 'rejected':
      return isRejected ? null : 'A5: told rejected without a no that still holds';
    case 'ask_closed':
      return c.askMode === 'closed' ? null : 'A15: asking is not closed';
    case 'ask_needs_secret':
      return c.askMode === 'secret' && c.secret !== 'right' ? null : 'A15: no secret is needed';
    case 'ask_full':
      return c.room.fromSource >= 3 || c.room.total >= 40 || c.room.recent >= 1000 ? null : 'A15: there is room';
    default:
      return `A16: ${reply.refusal.code} is no answer to a connect of a key`;
  }
}
