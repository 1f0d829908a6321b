import { type Instant, isLive } from '../base/instant.ts';
import { unreachable } from '../base/never.ts';
import { closed, record, unchanged } from './change.ts';
import type { Command, Effect, Step } from './command.ts';
import { connect, evict, upgrade } from './connect.ts';
import { approve, ensure, narrow, reject, remove, rename, revoke, rotate } from './decision.ts';
import { ROLES } from './scope.ts';
import { type DeviceState, withRole } from './state.ts';

/**
 * Everything that changes who may do what happens here. Pure: the clock, ids, counts and verified facts come in with
 * the command; what is to be stored and told goes out as effects. Rules: README.md beside this file.
 */
export function step(state: DeviceState, command: Command): Step {
  const now = expire(state, command.at, command.seq);
  const next = apply(now.state, command);
  const isChanged = next.state !== now.state || (command.kind === 'tick' && now.state !== state);
  // A6, A20: an end counts whether it is written or not; it is written along with a change, never by a read.
  if (!isChanged) return { ...next, state };
  const effects = [...now.effects, ...next.effects];
  const isStored = (effect: Effect): boolean => effect.kind.startsWith('store.');
  return {
    reply: next.reply,
    state: { ...next.state, revision: state.revision + 1 },
    // Persist before send: nobody is told what was not stored.
    effects: [...effects.filter(isStored), ...effects.filter((effect) => !isStored(effect))],
  };
}

function apply(state: DeviceState, c: Command): Step {
  switch (c.kind) {
    case 'connect':
      return connect(state, c);
    case 'upgrade':
      return upgrade(state, c);
    case 'approve':
      return approve(state, c);
    case 'reject':
      return reject(state, c);
    case 'narrow':
      return narrow(state, c);
    case 'rotate':
      return rotate(state, c);
    case 'revoke':
      return revoke(state, c);
    case 'remove':
      return remove(state, c);
    case 'ensure':
      return ensure(state, c);
    case 'rename':
      return rename(state, c);
    case 'tick':
      return unchanged(state);
    case 'evict':
      return evict(state, c);
    default:
      return unreachable(c);
  }
}

/** What time has ended is dropped from view, for this command and, if it changes anything, from the store. */
function expire(
  before: DeviceState,
  at: Instant,
  seq: number,
): { readonly state: DeviceState; readonly effects: readonly Effect[] } {
  let state = before;
  const effects: Effect[] = [];
  for (const role of ROLES) {
    const { grant, request, rejection } = before.roles[role];
    const over = grant?.entries.filter((e) => !isLive(e.until, at)) ?? [];
    if (grant !== null && over.length > 0) {
      const entries = grant.entries.filter((e) => isLive(e.until, at));
      state = withRole(state, role, { grant: { ...grant, entries } });
      effects.push(record(state, { at, seq }, 'expire', null, role, over));
      effects.push({ kind: 'tell.grant', device: state.device, role });
    }
    if (request !== null && !isLive(request.expiresAt, at)) {
      effects.push(...closed(state, role, request, 'expired'));
      state = withRole(state, role, { request: null });
    }
    if (rejection !== null && !isLive(rejection.until, at)) {
      effects.push(...closed(state, role, rejection, 'expired'));
      state = withRole(state, role, { rejection: null });
    }
  }
  return { state, effects };
}
