import type { Decided } from '../../authority/authority.ts';
import type { DeviceId, RequestId } from '../../core/authz/principal.ts';
import { isKnown, READ, ROLES, type Role, scopeSet, WRITE } from '../../core/authz/scope.ts';
import type { DeviceState } from '../../core/authz/state.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import { claimed } from '../connect.ts';
import { type Context, Denied, decidedOr, WrongParams } from './handler.ts';
import { decidedRow, pairedRow, pendingRows } from './row.ts';

type Paired = MethodOutput<'device.pair.approve'>['device'];
type GoingOn = Pick<MethodOutput<'device.grant.narrow'>, 'runs' | 'runsTotal'>;
type Aftermath = Omit<Left, keyof GoingOn>;
type Left = Pick<
  MethodOutput<'device.pair.remove'>,
  'closedSessions' | 'approved' | 'secretHolderCanReturn' | keyof GoingOn
>;

/** Runs that a reply names. */
const RUNS_MAX = 50;

/** `device.pair.list`. A7: a decider who isn't admin sees its own rows, and those that it could decide. */
export function list(c: Context): MethodOutput<'device.pair.list'> {
  const { authority } = c.services;
  const devices = authority.devices();
  // One moment for all of them: the clock is asked once.
  const context = rowContext(c);
  const pending = devices.flatMap((device) =>
    pendingRows(device, context.at)
      .filter((p) => authority.sees(c.principal, device, p.role, p.scopes))
      .map((p) => p.row),
  );
  const paired = devices.filter((d) => isSeen(c, d.device)).flatMap((device) => pairedRow(device, context) ?? []);
  return {
    pending: pending.sort((a, b) => b.ts - a.ts),
    paired: paired.sort((a, b) => b.approvedAtMs - a.approvedAtMs),
  };
}

/** A7: others' rows are not named to a decider who could not decide about them. */
function isSeen(c: Context, device: DeviceId): boolean {
  const state = c.services.authority.peek(device);
  return (
    state !== null &&
    ROLES.every((role) => {
      const { grant } = state.roles[role];
      return (
        grant === null ||
        c.services.authority.sees(
          c.principal,
          state,
          role,
          grant.entries.map((e) => e.scope),
        )
      );
    })
  );
}

/** A20: an end lies ahead; one that is over would give nothing and look like a gift. */
function ahead(c: Context, untilMs: number | null | undefined): number | null {
  if (untilMs != null && untilMs <= c.services.now()) throw new WrongParams('at /untilMs: must lie ahead');
  return untilMs ?? null;
}

function rowContext(c: Context) {
  return {
    at: c.services.now(),
    lastSeen: (device: DeviceId) => c.services.lastSeen(device),
    sessions: (device: DeviceId) => c.services.publisher.of(device).length,
  };
}

function rowOf(c: Context, state: DeviceState): Paired {
  const row = pairedRow(state, rowContext(c));
  if (row === null) throw new Error(`${state.device} was given something and has no grant`);
  return row;
}

const asId = (id: string) => id as RequestId;
const asDevice = (id: string) => id as DeviceId;

export async function approve(
  c: Context,
  input: MethodInput<'device.pair.approve'>,
): Promise<MethodOutput<'device.pair.approve'>> {
  const scopes = input.scopes === undefined ? null : scopeSet(input.scopes);
  const decided = await c.services.authority.decide(
    c.principal,
    { kind: 'approve', id: asId(input.requestId), scopes, until: ahead(c, input.untilMs) },
    null,
  );
  decidedOr(decided, 'requestId');
  return { requestId: input.requestId, device: rowOf(c, decided.state), ...decidedRow(decided) };
}

export async function reject(
  c: Context,
  input: MethodInput<'device.pair.reject'>,
): Promise<MethodOutput<'device.pair.reject'>> {
  const decided = await c.services.authority.decide(c.principal, { kind: 'reject', id: asId(input.requestId) }, null);
  decidedOr(decided, 'requestId');
  return { requestId: input.requestId, deviceId: decided.state.device, ...decidedRow(decided) };
}

export async function rename(
  c: Context,
  input: MethodInput<'device.pair.rename'>,
): Promise<MethodOutput<'device.pair.rename'>> {
  const name = claimed(input.label ?? undefined);
  const decided = await c.services.authority.decide(c.principal, { kind: 'rename', name }, asDevice(input.deviceId));
  decidedOr(decided, 'deviceId');
  return { deviceId: input.deviceId, label: name, ...decidedRow(decided) };
}

/** What the end of a grant leaves behind: said, never hidden (A9). `sessions`: how many the device had. */
async function aftermath(c: Context, { state, before }: Decided, sessions: number): Promise<Aftermath> {
  const { device } = state;
  const approved = (await c.services.authority.givenBy(device)).filter((d) => d !== device && isSeen(c, d));
  return {
    closedSessions: sessions - c.services.publisher.of(device).length,
    approved: approved.map((deviceId) => {
      const state = c.services.authority.peek(deviceId);
      const displayName = state?.name ?? state?.label?.name ?? null;
      return { deviceId, ...(displayName === null ? {} : { displayName }) };
    }),
    secretHolderCanReturn: ROLES.some((role) => before.roles[role].grant?.by.kind === 'pairing'),
  };
}

/**
 * A9: what the devices began and nobody ends with their leave. Asked before the decision, so that whoever gives up their own is
 * told by what they held; answered after it, when no other run of theirs can begin.
 */
function goingOn(c: Context): (devices: readonly DeviceId[]) => GoingOn {
  // Keys of sessions are for who may read.
  const reads = c.services.authority.holds(c.principal, READ);
  return (devices) => {
    const all = devices.flatMap((device) => c.services.conversations.atWork(device));
    const runs = reads ? all.slice(0, RUNS_MAX).map(({ id, key }) => ({ runId: id, sessionKey: key })) : [];
    return { runs, runsTotal: all.length };
  };
}

export async function remove(
  c: Context,
  input: MethodInput<'device.pair.remove'>,
): Promise<MethodOutput<'device.pair.remove'>> {
  const device = asDevice(input.deviceId);
  if (input.withAll === true) return removeWithAll(c, device);
  const sessions = c.services.publisher.of(device).length;
  const runsOf = goingOn(c);
  const decided = decidedOr(await c.services.authority.decide(c.principal, { kind: 'remove' }, device), 'deviceId');
  const left = await aftermath(c, decided, sessions);
  return { deviceId: device, ...decidedRow(decided), ...left, ...runsOf([device]) };
}

/** Ends what the device approved too, and what those approved. Those that the caller may not decide stay, and are listed. */
async function removeWithAll(c: Context, device: DeviceId): Promise<MethodOutput<'device.pair.remove'>> {
  const { authority, publisher } = c.services;
  const own = publisher.of(device).length;
  const runsOf = goingOn(c);
  const sessions = new Map(authority.devices().map((d) => [d.device, publisher.of(d.device).length]));
  const { decided, removed, kept } = await authority.removeWithAll(c.principal, device);
  decidedOr(decided, 'deviceId');
  const left = await aftermath(c, decided, own);
  const closed = removed.map((d) => (sessions.get(d) ?? 0) - publisher.of(d).length);
  return {
    deviceId: device,
    ...decidedRow(decided),
    ...left,
    ...runsOf([device, ...removed]),
    approved: kept.map((deviceId) => ({ deviceId })),
    closedSessions: closed.reduce((sum, n) => sum + n, left.closedSessions),
  };
}

function roleIn(c: Context, role: Role | undefined): Role {
  return role ?? (c.principal.kind === 'device' ? c.principal.role : 'operator');
}

export async function revoke(
  c: Context,
  input: MethodInput<'device.token.revoke'>,
): Promise<MethodOutput<'device.token.revoke'>> {
  const device = asDevice(input.deviceId);
  const role = roleIn(c, input.role);
  const sessions = c.services.publisher.of(device).length;
  const runsOf = goingOn(c);
  const decided = decidedOr(
    await c.services.authority.decide(c.principal, { kind: 'revoke', role }, device),
    'deviceId',
  );
  return {
    deviceId: device,
    role,
    revokedAtMs: c.services.now(),
    ...decidedRow(decided),
    ...(await aftermath(c, decided, sessions)),
    // What is said to agents is said as an operator.
    ...runsOf(role === 'operator' ? [device] : []),
  };
}

/** A10: the new value goes to the device itself and to nobody else. It is no revocation: live sessions stay. */
export async function rotate(
  c: Context,
  input: MethodInput<'device.token.rotate'>,
): Promise<MethodOutput<'device.token.rotate'>> {
  const device = asDevice(input.deviceId);
  const role = roleIn(c, input.role);
  const scopes = input.scopes === undefined ? null : scopeSet(input.scopes);
  const decided = decidedOr(
    await c.services.authority.decide(c.principal, { kind: 'rotate', role, scopes }, device),
    'deviceId',
  );
  const state = decided.state.roles[role];
  const own = c.principal.kind === 'device' && c.principal.device === device && c.principal.role === role;
  return {
    deviceId: device,
    role,
    scopes: state.grant?.entries.map((e) => e.scope) ?? [],
    rotatedAtMs: c.services.now(),
    ...(own
      ? { token: c.services.keys.deviceToken(device, role, state.epoch) }
      : { tokenDelivery: 'withheld-cross-device' as const }),
    note: 'A new token, no revocation: the key is the device, its sessions stay open and it is told the new value when it next connects.',
    ...decidedRow(decided),
  };
}

export async function narrow(
  c: Context,
  input: MethodInput<'device.grant.narrow'>,
): Promise<MethodOutput<'device.grant.narrow'>> {
  const device = asDevice(input.deviceId);
  const role = roleIn(c, input.role);
  const runsOf = goingOn(c);
  const decided = await c.services.authority.decide(
    c.principal,
    { kind: 'narrow', role, scopes: scopeSet(input.scopes) },
    device,
  );
  decidedOr(decided, 'deviceId');
  const talks = c.services.authority.holds({ kind: 'device', device, role: 'operator', asked: null }, WRITE);
  return {
    deviceId: device,
    role,
    scopes: decided.state.roles[role].grant?.entries.map((e) => e.scope) ?? [],
    ...decidedRow(decided),
    ...runsOf(talks || role !== 'operator' ? [] : [device]),
  };
}

function unknownScopes(role: Role, scopes: readonly string[]): readonly string[] {
  return scopes.filter((s) => !isKnown(role, s));
}

/** Declares what a key holds (A7), as often as wanted. */
export async function ensure(
  c: Context,
  input: MethodInput<'device.pair.ensure'>,
): Promise<MethodOutput<'device.pair.ensure'>> {
  const role = roleIn(c, input.role);
  const device = c.services.keys.deviceId(input.publicKey);
  if (device === null) throw new Denied({ code: 'not_found', retry: 'never' }, 'publicKey');
  const unknown = unknownScopes(role, input.scopes);
  if (unknown.length > 0) throw new Denied({ code: 'beyond_request', retry: 'never', scopes: unknown }, 'scopes');
  const until = ahead(c, input.untilMs);
  const scopes = scopeSet(input.scopes).map((scope) => ({ scope, until }));
  const { authority } = c.services;
  const name = claimed(input.displayName);
  const declared = { kind: 'ensure', role, scopes } as const;
  const decided = decidedOr(
    await authority.ensureNamed(c.principal, declared, name, device, input.publicKey),
    'deviceId',
  );
  return { deviceId: device, device: rowOf(c, decided.state), ...decidedRow(decided) };
}

function ownDevice(c: Context): Extract<Context['principal'], { readonly kind: 'device' }> {
  if (c.principal.kind !== 'device') throw new Denied({ code: 'identity_required', retry: 'never' }, 'device');
  return c.principal;
}

/** A5: asks explicitly, over a live session, without losing it. */
export async function requestUpgrade(
  c: Context,
  input: MethodInput<'device.scopes.requestUpgrade'>,
): Promise<MethodOutput<'device.scopes.requestUpgrade'>> {
  const principal = ownDevice(c);
  const unknown = unknownScopes(principal.role, input.scopes);
  const scopes = scopeSet(input.scopes.filter((s) => !unknown.includes(s)));
  const { session } = c;
  if (session === null) throw new Denied({ code: 'identity_required', retry: 'never' }, 'device');
  const decided = decidedOr(
    await c.services.authority.upgrade(principal, { scopes, label: session.label, source: session.source }),
    'deviceId',
  );
  const request = decided.reply.kind === 'done' ? decided.reply.request : null;
  if (request === null) return { requestId: null, status: 'approved', scopes, unknown };
  return { requestId: request.id, status: 'pending', scopes: request.scopes, expiresAtMs: request.expiresAt, unknown };
}

const WAIT_MS = 30_000;

export async function waitUpgrade(
  c: Context,
  input: MethodInput<'device.scopes.waitUpgrade'>,
): Promise<MethodOutput<'device.scopes.waitUpgrade'>> {
  const { device, role } = ownDevice(c);
  const { authority } = c.services;
  const id = asId(input.requestId);
  const open = () => authority.peek(device)?.roles[role].request?.id === id;
  const outcome = open()
    ? await c.services.settled(id, input.timeoutMs ?? WAIT_MS, c.left?.signal)
    : await authority.past(id);
  if (outcome === null && !open()) throw new Denied({ code: 'not_found', retry: 'never' }, 'requestId');
  if (outcome === null) return { status: 'pending', requestId: id };
  if (outcome !== 'approved')
    return { status: outcome === 'rejected' || outcome === 'superseded' ? outcome : 'expired', requestId: id };
  const now = authority.peek(device)?.roles[role];
  return {
    status: 'approved',
    requestId: id,
    deviceToken: c.services.keys.deviceToken(device, role, now?.epoch ?? 0),
    scopes: now?.grant?.entries.map((e) => e.scope) ?? [],
  };
}
