import type { Command, Decider, Effect } from '../../../src/core/authz/command.ts';
import { asHeld, heldBy, makeCode } from '../../../src/core/authz/decide.ts';
import type { CodeId, DeviceId, Giver, Principal, RequestId } from '../../../src/core/authz/principal.ts';
import { OPERATOR_SCOPES, PAIRING, READ, ROLES, type Role, WRITE } from '../../../src/core/authz/scope.ts';
import { blankDevice, type CodeState, type DeviceState, type Label } from '../../../src/core/authz/state.ts';
import { step } from '../../../src/core/authz/step.ts';
import type { Instant } from '../../../src/core/base/instant.ts';
import { isForgettable, type WriteTx } from '../../../src/store/store.ts';
import { DEVICES, type Op, type Who } from './op.ts';

export const deviceId = (n: number): DeviceId => n.toString(16).padStart(64, 'd') as DeviceId;
export const codeId = (n: number): CodeId => n.toString(16).padStart(64, 'c') as CodeId;
export const requestId = (n: number): RequestId => `request-${n}` as RequestId;
export const SECRET_SCOPES = [PAIRING, READ, WRITE];
const TOKEN_ENDS = 2_000_000_000_000;

/** What a step reads of its surroundings besides the store. */
export interface Now {
  readonly at: Instant;
  /** The order number: the same in every store, so that their states can be compared. */
  readonly seq: number;
}

const labelOf = (op: Op): Label => ({
  name: op.n % 3 === 0 ? 'a\0b \ud800' : null,
  platform: 'linux',
  family: null,
  clientId: 'cli',
  clientMode: 'cli',
  version: String(op.n),
  remote: '127.0.0.1',
});

function principalOf(who: Who): Principal {
  if (who === 'owner') return { kind: 'owner' };
  if (who === 'secret') return { kind: 'secret', asked: null };
  if (who === 'token') return { kind: 'token', name: 'ci\0', scopes: [PAIRING, READ], until: TOKEN_ENDS };
  return { kind: 'device', device: deviceId(who), role: 'operator', asked: null };
}

async function deciderOf(tx: WriteTx, who: Who, at: Instant): Promise<Decider> {
  const principal = principalOf(who);
  const self = principal.kind === 'device' ? await tx.devices.load(principal.device) : null;
  return { principal, held: heldBy(principal, { self, secretScopes: SECRET_SCOPES }, at) };
}

async function makerHeld(tx: WriteTx, maker: Giver, at: Instant): Promise<Decider['held']> {
  if (maker.kind === 'owner') return asHeld(OPERATOR_SCOPES);
  if (maker.kind === 'secret') return (await deciderOf(tx, 'secret', at)).held;
  if (maker.kind === 'token') return (await deciderOf(tx, 'token', at)).held;
  for (let n = 0; n < DEVICES; n += 1) {
    if (maker.kind === 'device' && maker.device === deviceId(n)) return (await deciderOf(tx, n, at)).held;
  }
  return [];
}

/** What can be named by a decision: open requests, listed rejections, and some that are over. */
async function listed(tx: WriteTx): Promise<readonly RequestId[]> {
  const ids: RequestId[] = [];
  for (const { roles } of await tx.devices.list()) {
    for (const role of ROLES)
      ids.push(...[roles[role].request?.id, roles[role].rejection?.id].filter((id) => id != null));
  }
  return [...ids.sort(), requestId(0), requestId(1)];
}

const pickAt = <T>(items: readonly T[], at: number): T => items[at % items.length] as T;

/**
 * Runs one command as authority/ does: load, judge by what is loaded, save, store the effects. Returns everything that
 * would be told.
 */
export async function run(tx: WriteTx, op: Op, now: Now): Promise<unknown> {
  if (op.kind === 'tick') return tickAll(tx, op, now);
  if (op.kind === 'forget') return forgetAll(tx);
  if (op.kind === 'code') return newCode(tx, op, now);
  const found = await targetOf(tx, op);
  if (found === null) return 'nothing there';
  const { device, id, role } = found;
  const before = (await tx.devices.load(device)) ?? blankDevice(device, `key of ${device}`);
  return apply(tx, before, await commandOf(tx, op, now, id, role));
}

type Single = Exclude<Op, { kind: 'tick' | 'forget' | 'code' }>;

async function targetOf(
  tx: WriteTx,
  op: Single,
): Promise<{ readonly device: DeviceId; readonly id: RequestId; readonly role: Role } | null> {
  if (!('listedAt' in op)) {
    return { device: deviceId(op.device), id: requestId(op.n), role: 'role' in op ? op.role : 'operator' };
  }
  const id = pickAt(await listed(tx), op.listedAt);
  const there = await tx.devices.find(id);
  // A closed id is named about whichever device: the answer is what became of it.
  return there === null ? { device: deviceId(0), id, role: 'operator' } : { ...there, id };
}

async function commandOf(tx: WriteTx, op: Single, now: Now, id: RequestId, role: Role): Promise<Command> {
  const common = { at: now.at, seq: now.seq, fresh: requestId(op.n) };
  const label = labelOf(op);
  const until = 'forMs' in op && op.forMs !== null ? now.at + op.forMs : null;
  if (op.kind === 'connect') {
    const waitedAt = new Set(op.waitedAt.map((at) => requestId(op.n - 1 - at)));
    const room = await tx.devices.room(op.source, now.at, waitedAt);
    const code = op.codeAt === null ? null : await recentCode(tx, op.n, op.codeAt);
    const fact = code === null ? null : { state: code, maker: await makerHeld(tx, code.maker, now.at) };
    const comparison = op.n % 2 === 0 ? null : { r: 'r', s: 's', code: '1234 5678' };
    const { asked, origin, secret, direct, waits, askMode, source } = op;
    const facts = { asked, origin, secret, direct, waits, askMode, source, role, room, label, comparison, code: fact };
    return { ...common, ...facts, kind: 'connect', secretScopes: SECRET_SCOPES };
  }
  if (op.kind === 'upgrade') return { ...common, kind: op.kind, role, scopes: op.scopes, source: 'loopback', label };
  if (op.kind === 'evict') return { ...common, kind: op.kind, role, id };
  const deciding = { ...common, decider: await deciderOf(tx, op.who, now.at) };
  switch (op.kind) {
    case 'approve':
      return { ...deciding, kind: op.kind, id, scopes: op.scopes, until, past: await tx.devices.past(id) };
    case 'reject':
      return { ...deciding, kind: op.kind, id, past: await tx.devices.past(id) };
    case 'narrow':
      return { ...deciding, kind: op.kind, role, scopes: op.scopes };
    case 'rotate':
      return { ...deciding, kind: op.kind, role, scopes: op.scopes };
    case 'revoke':
      return { ...deciding, kind: op.kind, role };
    case 'remove':
      return { ...deciding, kind: op.kind };
    case 'ensure':
      return { ...deciding, kind: op.kind, role, scopes: op.scopes.map((scope) => ({ scope, until })) };
    case 'rename':
      return { ...deciding, kind: op.kind, name: op.name };
  }
}

/** One of the codes that were made lately, used or not. */
async function recentCode(tx: WriteTx, before: number, at: number): Promise<CodeState | null> {
  const codes: CodeState[] = [];
  for (let n = before - 1; n >= Math.max(0, before - 40); n -= 1) {
    const code = await tx.codes.load(codeId(n));
    if (code !== null) codes.push(code);
  }
  return codes.length === 0 ? null : pickAt(codes, at);
}

async function apply(tx: WriteTx, before: DeviceState, command: Command): Promise<unknown> {
  const { state, reply, effects } = step(before, command);
  // The core gives the same object back when there is nothing to save.
  if (state !== before) await tx.devices.save(state, before.revision);
  const told: unknown[] = [reply];
  for (const effect of effects) told.push(effect, await store(tx, effect, state, command));
  return told;
}

async function store(tx: WriteTx, effect: Effect, state: DeviceState, command: Command): Promise<unknown> {
  switch (effect.kind) {
    case 'store.change':
      return tx.changes.add(effect.change);
    case 'store.code.used': {
      const code = await tx.codes.load(effect.code);
      if (code === null) throw new Error('a code was used that is not there');
      const used: CodeState = { ...code, usedBy: effect.device, revision: code.revision + 1 };
      return tx.codes.save(used, code.revision);
    }
    case 'store.codes.ended':
      return tx.codes.endBy(effect.maker);
    case 'store.evict': {
      const other = await tx.devices.load(effect.device);
      if (other === null) throw new Error('room is made by a device that is not there');
      const { at, seq, fresh } = command;
      return apply(tx, other, { kind: 'evict', at, seq, fresh, role: effect.role, id: effect.id });
    }
    case 'tell.request.opened':
      return state.roles[effect.role].grant === null ? tx.devices.countAsk(command.at) : undefined;
    case 'tell.request.closed':
      return tx.devices.close(effect.request.id, effect.outcome, command.at);
    case 'tell.grant':
      return undefined;
  }
}

async function tickAll(tx: WriteTx, op: Op, now: Now): Promise<unknown> {
  const told: unknown[] = [];
  for (const device of await tx.devices.due(now.at)) {
    const before = await tx.devices.load(device);
    if (before === null) throw new Error('a device is due that is not there');
    told.push(device, await apply(tx, before, { kind: 'tick', at: now.at, seq: now.seq, fresh: requestId(op.n) }));
  }
  await tx.codes.drop(now.at);
  return told;
}

async function forgetAll(tx: WriteTx): Promise<unknown> {
  const forgotten = (await tx.devices.list()).filter(isForgettable);
  for (const { device, revision } of forgotten) await tx.devices.drop(device, revision);
  return forgotten;
}

async function newCode(tx: WriteTx, op: Extract<Op, { kind: 'code' }>, now: Now): Promise<unknown> {
  const decider = await deciderOf(tx, op.who, now.at);
  const { role, scopes } = op;
  const made = makeCode({ at: now.at, seq: now.seq, decider, id: codeId(op.n), role, scopes });
  if (made.ok) await tx.codes.save({ ...made.value, revision: 1 }, 0);
  return made;
}
