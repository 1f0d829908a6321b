import { SECOND_MS } from '../base/instant.ts';
import { adds, changed, closed, granted, record, refuse, settle, unchanged, widen } from './change.ts';
import type { Connect, Effect, Ignored, Refusal, Step, Upgrade } from './command.ts';
import { ASK_MS, asHeld, effective, ROOM, UPGRADE_MS, usableCode } from './decide.ts';
import type { Giver } from './principal.ts';
import { ASK_MAX, beyond, coversAll, type Held, heldUntil, type Scope, scopeSet } from './scope.ts';
import { type DeviceState, lastNo, type Request, withRole } from './state.ts';

/** A verified key connects: by its grant, a code, or the secret that pairs; else it asks. */
export function connect(state: DeviceState, c: Connect): Step {
  // A4, A15: a page from elsewhere can neither use what the browser holds nor ask for more.
  if (c.origin === 'foreign') return refuse(state, { code: 'origin', retry: 'never' });
  const { grant, rejection } = state.roles[c.role];
  const code = usableCode(c.code, c, state);
  // A6: a code that gives nothing new is left unused.
  if (code !== null && (grant === null || adds(code.gives, (s) => heldUntil(grant.entries, s, c.at)))) {
    const by: Giver = { kind: 'code', code: code.id, maker: code.maker };
    const used: Effect = { kind: 'store.code.used', code: code.id, device: state.device };
    return enter(give(state, c, 'redeem', code.gives, by, [used]), c, 'code');
  }
  if (grant !== null) return enter(unchanged(state), c, 'grant');
  // A13: of all that is proved, only the secret on a direct socket pairs, and only a key that nobody said no to.
  if (c.secret === 'right' && c.direct && c.role === 'operator' && lastNo(state) === null) {
    return enter(give(state, c, 'pair', asHeld(c.secretScopes), { kind: 'pairing' }, []), c, 'pairing');
  }
  if (c.secret === 'wrong') return refuse(state, { code: 'secret_mismatch', retry: 'never' });
  if (rejection !== null)
    return refuse(state, { code: 'rejected', retry: { at: rejection.until }, rejection: rejection.id });
  return ask(state, c);
}

function give(
  state: DeviceState,
  c: Connect,
  what: 'pair' | 'redeem',
  given: readonly Held[],
  by: Giver,
  used: readonly Effect[],
): Step {
  const grant = widen(state.roles[c.role].grant, given, by, c.at);
  const next = settle({ ...state, label: c.label }, c.role, grant, c.at);
  return changed(next.state, [record(state, c, what, by, c.role, given), ...used, ...next.effects]);
}

/** A4: a verified key with a grant always connects; what it asked beyond that is asked of a person, or was. */
function enter(before: Step, c: Connect, by: 'grant' | 'pairing' | 'code'): Step {
  const missing = beyond(c.asked ?? [], granted(before.state.roles[c.role], c.at));
  const asked = more(before.state, c, missing, UPGRADE_MS);
  const end = asked.state.roles[c.role];
  const covering = <T extends { readonly scopes: readonly Scope[] }>(listed: T | null): T | null =>
    listed !== null && missing.length > 0 && coversAll(listed.scopes, missing) ? listed : null;
  const ignored: Ignored[] = [];
  if (c.secret === 'wrong') ignored.push('secret');
  if (c.code !== null && by !== 'code') ignored.push('code');
  return {
    state: asked.state,
    effects: [...before.effects, ...asked.effects],
    reply: {
      kind: 'connected',
      by,
      missing,
      ignored,
      held: effective(end, c.asked, c.at),
      request: covering(end.request),
      rejection: covering(end.rejection)?.id ?? null,
    },
  };
}

/** A5: a paired device asks for what it misses, unless that is open already, or a person said no to all of it. */
function more(state: DeviceState, c: Connect | Upgrade, missing: readonly Scope[], ttlMs: number): Step {
  const { request, rejection } = state.roles[c.role];
  if (missing.length === 0) return unchanged(state);
  if (request !== null && coversAll(request.scopes, missing)) return unchanged(state, [], request);
  const isExplicit = c.kind === 'upgrade';
  if (!isExplicit && rejection !== null && coversAll(rejection.scopes, missing)) return unchanged(state);
  const asked = open(state, c, missing, ttlMs);
  return changed(asked.state, asked.effects, [], asked.request);
}

interface Opened {
  readonly state: DeviceState;
  readonly effects: readonly Effect[];
  readonly request: Request;
}

/** A5: one open request per role; a larger ask is the union of all that is missing, under a new id. */
function open(state: DeviceState, c: Connect | Upgrade, missing: readonly Scope[], ttlMs: number): Opened {
  const before = state.roles[c.role];
  const union = scopeSet([...missing, ...(before.request?.scopes ?? [])]);
  const request: Request = {
    id: c.fresh,
    // An ask has a bound: a union over it would grow with every connect. Then this ask stands alone.
    scopes: beyond(union.length > ASK_MAX ? missing : union, granted(before, c.at)),
    openedAt: c.at,
    expiresAt: c.at + ttlMs,
    source: c.source,
    withSecret: c.kind === 'connect' && c.secret === 'right',
    label: c.label,
    comparison: c.kind === 'connect' ? c.comparison : null,
  };
  return {
    state: withRole(state, c.role, { request }),
    request,
    effects: [
      record(state, c, 'ask', null, c.role, asHeld(request.scopes), request.id),
      ...closed(state, c.role, before.request, 'superseded'),
      { kind: 'tell.request.opened', device: state.device, role: c.role, request },
    ],
  };
}

/** A15: a key without a grant asks; open, and bounded. */
function ask(state: DeviceState, c: Connect): Step {
  const { request } = state.roles[c.role];
  const asked = c.asked ?? [];
  if (request !== null && coversAll(request.scopes, asked)) return answer({ state, effects: [], request }, c);
  if (c.askMode === 'closed') return refuse(state, { code: 'ask_closed', retry: 'never' });
  if (c.askMode === 'secret' && c.secret !== 'right')
    return refuse(state, { code: 'ask_needs_secret', retry: 'never' });
  const full: Refusal = { code: 'ask_full', retry: { at: Math.max(c.room.freeAt, c.at + 10 * SECOND_MS) } };
  if (c.room.recent >= ROOM.recent) return refuse(state, full);
  // A larger ask takes the room of the one that it supersedes.
  const room = request === null ? makeRoom(state, c) : { state, effects: [] };
  if (room === null) return refuse(state, full);
  const opened = open({ ...room.state, label: c.label }, c, asked, ASK_MS);
  return answer({ ...opened, effects: [...room.effects, ...opened.effects] }, c);
}

/** A15: ends the source's oldest request that nobody waits at, where the source has its fill; `null`: no room. */
function makeRoom(
  state: DeviceState,
  c: Connect,
): { readonly state: DeviceState; readonly effects: readonly Effect[] } | null {
  const { fromSource, total, oldest } = c.room;
  const mayHave = ROOM.total + (c.secret === 'right' ? ROOM.withSecret : 0);
  if (fromSource < ROOM.perSource) return total < mayHave ? { state, effects: [] } : null;
  if (oldest === null || total - 1 >= mayHave) return null;
  // This key's own ask in another role is ended here: a second step on the same aggregate would be overwritten.
  if (oldest.device === state.device) return evict(state, oldest);
  return { state, effects: [{ kind: 'store.evict', ...oldest }] };
}

/** A15: ends a request of a key without a grant, to make room for another. */
export function evict(state: DeviceState, c: Pick<Request, 'id'> & { readonly role: Connect['role'] }): Step {
  const { request, grant } = state.roles[c.role];
  if (request?.id !== c.id || grant !== null) return unchanged(state);
  return changed(withRole(state, c.role, { request: null }), closed(state, c.role, request, 'replaced'));
}

function answer({ state, effects, request }: Opened, c: Connect): Step {
  // A8: only a client that says it can wait is kept waiting.
  if (c.waits) return { state, effects, reply: { kind: 'waiting', request } };
  return { ...refuse(state, { code: 'pairing_required', retry: 'onApproval', request }), effects };
}

/** A5: an explicit ask by a session of the device itself; it may repeat what a person said no to. */
export function upgrade(state: DeviceState, c: Upgrade): Step {
  const r = state.roles[c.role];
  if (r.grant === null) return refuse(state, { code: 'not_found', retry: 'never' });
  return more(state, c, beyond(c.scopes, granted(r, c.at)), UPGRADE_MS);
}
