import type { Command, Decider } from '../../src/core/authz/command.ts';
import * as decide from '../../src/core/authz/decide.ts';
import type { CodeId, DeviceId, Principal, RequestId } from '../../src/core/authz/principal.ts';
import { coversAll, OPERATOR_SCOPES, ROLES, type Scope } from '../../src/core/authz/scope.ts';
import { lookup, rowFor } from '../../src/core/protocol/registry.ts';
import type { Run } from './books.ts';
import type { Asked, Knock, Operation, Reply } from './history.ts';
import {
  advance,
  type Fixed,
  factsOf,
  heldBy,
  labelFrom,
  listing,
  outcomeOf,
  refusalOf,
  refused,
  roleIn,
  setOf,
  stateOf,
  type Turned,
} from './model.ts';

type Call = Extract<Asked, { kind: 'call' }>;
type Params = Call['params'];

/** Calls that are decided in a commit. */
const DECISIONS: ReadonlySet<string> = new Set([
  'device.pair.approve',
  'device.pair.reject',
  'device.pair.ensure',
  'device.pair.remove',
  'device.grant.narrow',
  'device.token.rotate',
  'device.token.revoke',
  'device.scopes.requestUpgrade',
]);

/**
 * What one operation does and answers after all that `run` holds; nothing where it can't come here (it still waits).
 * A call is let through when it arrives and decided in its commit: `earlier` are the runs since it may have arrived.
 */
export function turned(run: Run, operation: Operation, earlier: readonly Run[], fixed: Fixed): readonly Turned[] {
  const { asked } = operation;
  switch (asked.kind) {
    case 'call':
      return called(run, asked, earlier, fixed);
    case 'connect':
      return [connected(run, asked.knock, fixed)];
    case 'enter': {
      const next = entered(run, asked.knock, known(run, asked.request), operation.reply, fixed);
      return next === null ? [] : [next];
    }
  }
}

function known(run: Run, id: string): RequestId {
  return (run.names.get(id) ?? id) as RequestId;
}

// ---- connecting -----------------------------------------------------------------------------------------------------

function connected(run: Run, knock: Knock, fixed: Fixed): Turned {
  const { device, key, address } = knock;
  const asked = knock.asked === null ? null : setOf(knock.asked);
  const code = knock.code === null ? undefined : run.codes.get(fixed.codeId(knock.code) as CodeId);
  const direct = address.startsWith('127.');
  const room = { fromSource: 0, total: 0, recent: 0, oldest: null, freeAt: 0 };
  const { run: after, done: result } = advance(run, device, key, (seq, fresh) => ({
    kind: 'connect',
    at: fixed.at,
    seq,
    fresh,
    role: 'operator',
    asked,
    origin: 'none',
    secret: knock.secret,
    direct,
    secretScopes: OPERATOR_SCOPES,
    code: code === undefined ? null : { state: code, maker: makerHolds(run, code.maker, fixed.at) },
    waits: knock.waits,
    askMode: 'open',
    room,
    source: direct ? 'loopback' : address,
    label: labelFrom(address),
    comparison: null,
  }));
  const { reply } = result;
  if (reply.kind === 'refused') return { run: after, reply: refusalOf(reply.refusal) };
  if (reply.kind === 'waiting') {
    const { request } = reply;
    return { run: after, reply: { kind: 'waiting', says: { scopes: request.scopes }, ids: { request: request.id } } };
  }
  if (reply.kind !== 'connected') throw new Error(`a connect was answered ${reply.kind}`);
  const role = result.state.roles.operator;
  const token = fixed.deviceToken(device, role.epoch);
  const stale = knock.token !== null && knock.token !== token;
  const whole = decide.effective(role, null, fixed.at);
  const ignored = new Set<string>(reply.ignored);
  if (knock.code !== null && reply.by !== 'code') ignored.add('code');
  if (stale) ignored.add('deviceToken');
  return {
    run: after,
    reply: {
      kind: 'connected',
      says: {
        held: reply.held,
        missing: reply.missing,
        rejected: reply.rejection !== null,
        ignored: [...ignored].sort(),
        token: coversAll(reply.held, whole) || stale ? token : null,
      },
      ids: { request: reply.request?.id ?? reply.rejection },
    },
  };
}

function makerHolds(run: Run, maker: { readonly kind: string; readonly device?: DeviceId }, at: number) {
  const principal: Principal =
    maker.device !== undefined
      ? { kind: 'device', device: maker.device, role: 'operator', asked: null }
      : maker.kind === 'secret'
        ? { kind: 'secret', asked: null }
        : { kind: 'owner' };
  return decide.heldBy(principal, factsOf(run, principal), at);
}

/** A8: a socket that waited is answered however its request ended; after an approval it is judged again. */
function entered(run: Run, knock: Knock, request: RequestId, seen: Reply | null, fixed: Fixed): Turned | null {
  // A newer socket of the same key took its place: nothing is decided by that.
  if (seen?.says.code === 'ask_elsewhere') return { run, reply: refused('ask_elsewhere') };
  const outcome = outcomeOf(run, request);
  if (outcome === null) return null;
  if (outcome !== 'approved') return { run, reply: refused(outcome === 'rejected' ? 'rejected' : `ask_${outcome}`) };
  const next = connected(run, knock, fixed);
  // What it waited for was approved and is gone again.
  return next.reply.kind === 'waiting'
    ? { ...next, reply: refused('pairing_required', {}, next.reply.ids.request) }
    : next;
}

// ---- calls ----------------------------------------------------------------------------------------------------------

function called(run: Run, call: Call, earlier: readonly Run[], fixed: Fixed): readonly Turned[] {
  const denied = denial(run, call, fixed.at);
  if (denied === null) return [once(run, call, fixed)];
  // Let through a moment ago, and judged now: by `step` alone.
  const isLate = DECISIONS.has(call.method) && earlier.some((before) => denial(before, call, fixed.at) === null);
  return [{ run, reply: denied }, ...(isLate ? [once(run, call, fixed)] : [])];
}

/** What was sent twice under one key happens once (idempotency). */
function once(run: Run, call: Call, fixed: Fixed): Turned {
  const { as, method, params } = call;
  const key = params.idempotencyKey;
  if (key === undefined) return done(run, call, fixed);
  const name = JSON.stringify([as.kind, as.kind === 'device' ? as.device : null, method, key]);
  const before = run.answers.get(name);
  if (before !== undefined) return { run, reply: before };
  const next = done(run, call, fixed);
  return { ...next, run: { ...next.run, answers: new Map(next.run.answers).set(name, next.reply) } };
}

function denial(run: Run, { as, method, params }: Call, at: number): Reply | null {
  const rows = lookup(method);
  if (rows === undefined) throw new Error(`no such method: ${method}`);
  const row = rowFor(rows, params, as.kind === 'device' ? { deviceId: as.device, role: as.role } : null);
  const allowed = decide.mayCall(as, factsOf(run, as), { method, role: row.role, scope: row.scope }, at);
  if (allowed.ok) return null;
  return allowed.error.code === 'missing_scope'
    ? refused('missing_scope', { scopes: [allowed.error.scope] })
    : refused('wrong_role');
}

function done(run: Run, call: Call, fixed: Fixed): Turned {
  const { as, method, params } = call;
  switch (method) {
    case 'device.pair.list':
      return { run, reply: listed(run, as, fixed.at) };
    case 'device.scopes.requestUpgrade':
      return upgraded(run, as, params, fixed);
    default: {
      const decision = decisionOf(run, method, params, as, fixed);
      return decision === null
        ? { run, reply: { kind: 'fine', says: {}, ids: {} } }
        : decided(run, as, decision, fixed);
    }
  }
}

interface Decision {
  readonly device: DeviceId;
  readonly key: string;
  readonly make: (common: { at: number; seq: number; fresh: RequestId; decider: Decider }) => Command;
  /** Told beside the decision: that the shared secret had paired it (A9), the token that its own device is given (A10). */
  readonly ends?: true;
  readonly rotates?: true;
}

function decisionOf(run: Run, method: string, params: Params, as: Principal, fixed: Fixed): Decision | null {
  const device = params.deviceId as DeviceId;
  const role = roleIn(as, params.role);
  const scopes = params.scopes === undefined ? null : setOf(params.scopes);
  switch (method) {
    case 'device.pair.approve':
    case 'device.pair.reject': {
      const id = known(run, params.requestId as string);
      const subject = listing(run, id);
      const past = subject === null ? outcomeOf(run, id) : null;
      const kind = method === 'device.pair.approve' ? 'approve' : 'reject';
      const make: Decision['make'] = (c) =>
        kind === 'approve' ? { ...c, kind, id, past, scopes, until: null } : { ...c, kind, id, past };
      return { device: subject ?? ('' as DeviceId), key: '', make };
    }
    case 'device.pair.ensure': {
      const key = params.publicKey as string;
      const held = (scopes ?? []).map((scope) => ({ scope, until: null }));
      return { device: fixed.deviceId(key), key, make: (c) => ({ ...c, kind: 'ensure', role, scopes: held }) };
    }
    case 'device.grant.narrow':
      return { device, key: '', make: (c) => ({ ...c, kind: 'narrow', role, scopes: scopes ?? [] }) };
    case 'device.token.rotate':
      return { device, key: '', rotates: true, make: (c) => ({ ...c, kind: 'rotate', role, scopes }) };
    case 'device.token.revoke':
      return { device, key: '', ends: true, make: (c) => ({ ...c, kind: 'revoke', role }) };
    case 'device.pair.remove':
      return { device, key: '', ends: true, make: (c) => ({ ...c, kind: 'remove' }) };
    case 'status':
    case 'health':
      return null;
    default:
      throw new Error(`${method} is in no race`);
  }
}

function decided(run: Run, as: Principal, decision: Decision, fixed: Fixed): Turned {
  const { device, key, make } = decision;
  const before = stateOf(run, device, key);
  const {
    run: after,
    done: result,
    changes,
  } = advance(run, device, key, (seq, fresh) => make({ at: fixed.at, seq, fresh, decider: heldBy(run, as, fixed.at) }));
  if (result.reply.kind === 'refused') return { run: after, reply: refusalOf(result.reply.refusal) };
  if (result.reply.kind !== 'done') throw new Error(`a decision was answered ${result.reply.kind}`);
  const { changed, given } = result.reply;
  const own = as.kind === 'device' && as.device === device;
  const { epoch } = result.state.roles.operator;
  const says = {
    changed,
    given: given.map((g) => g.scope),
    changes,
    ...(decision.rotates ? { token: own ? fixed.deviceToken(device, epoch) : null } : {}),
    ...(decision.ends ? { bySecret: ROLES.some((r) => before.roles[r].grant?.by.kind === 'pairing') } : {}),
  };
  return { run: after, reply: { kind: 'done', says, ids: {} } };
}

function upgraded(run: Run, as: Principal, params: Params, fixed: Fixed): Turned {
  if (as.kind !== 'device') throw new Error('only a device asks for more');
  const { device, role } = as;
  const { run: after, done: result } = advance(run, device, '', (seq, fresh) => ({
    kind: 'upgrade',
    at: fixed.at,
    seq,
    fresh,
    role,
    scopes: setOf(params.scopes),
    source: params.source as string,
    label: labelFrom(params.from as string),
  }));
  if (result.reply.kind === 'refused') return { run: after, reply: refusalOf(result.reply.refusal) };
  const request = result.reply.kind === 'done' ? result.reply.request : null;
  const scopes = request?.scopes ?? setOf(params.scopes);
  return { run: after, reply: { kind: 'asked', says: { scopes }, ids: { request: request?.id ?? null } } };
}

function listed(run: Run, as: Principal, at: number): Reply {
  const facts = factsOf(run, as);
  const says: Record<string, unknown> = {};
  const ids: Record<string, string> = {};
  for (const device of run.devices.values()) {
    const sees = (scopes: readonly Scope[]) => decide.sees(as, facts, { device, role: 'operator', scopes }, at);
    const { request, rejection, grant } = device.roles.operator;
    for (const [state, row] of [
      ['open', request],
      ['rejected', rejection],
    ] as const) {
      if (row === null || !sees(row.scopes)) continue;
      says[`${state} ${device.device}`] = row.scopes;
      ids[`${state} ${device.device}`] = row.id;
    }
    const given = grant?.entries.map((e) => e.scope);
    if (given !== undefined && sees(given)) says[`paired ${device.device}`] = given;
  }
  return { kind: 'listed', says, ids };
}
