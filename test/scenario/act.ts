// What people do in the scenarios, in the words of the wire.
import { type ConnectOptions, connected, type OpenOptions, Partner, plainParams } from '../partner/client.ts';
import { type ConnectParams, type Identity, newIdentity } from '../partner/identity.ts';
import type { Answer, Payload, Peer } from '../partner/peer.ts';

export const READ = 'operator.read';
export const WRITE = 'operator.write';
export const ADMIN = 'operator.admin';
export const PAIRING = 'operator.pairing';
export const APPROVALS = 'operator.approvals';

export interface Place {
  readonly port: number;
  readonly token: string;
}

/** Asks for `scopes` and brings the shared secret only when told. */
export function asking(scopes: readonly string[], more: Partial<ConnectParams> = {}): ConnectParams {
  return plainParams({ scopes, ...more });
}

/** A connect that may be refused; the socket is ended when the test ends it. */
export async function attempt(
  open: OpenOptions,
  params: ConnectParams,
  options: ConnectOptions = {},
): Promise<{ partner: Partner; answer: Answer }> {
  const partner = await Partner.open(open);
  return { partner, answer: await partner.connect(params, options) };
}

/** Connects, hands back the answer and ends the socket. */
export async function once(open: OpenOptions, params: ConnectParams, options: ConnectOptions = {}): Promise<Answer> {
  const { partner, answer } = await attempt(open, params, options);
  partner.end();
  return answer;
}

/** The owner declares a device with exactly these scopes. */
export async function ensure(owner: Peer, identity: Identity, scopes: readonly string[]): Promise<Payload> {
  return owner.ask('device.pair.ensure', { publicKey: identity.publicKey, role: 'operator', scopes });
}

/** A new device that holds exactly these scopes. */
export async function paired(owner: Peer, scopes: readonly string[]): Promise<Identity> {
  const identity = newIdentity();
  await ensure(owner, identity, scopes);
  return identity;
}

/** A live session of a device: it asks for `scopes`, or for its whole grant. */
export function session(place: Place, identity: Identity, scopes?: readonly string[]) {
  const { scopes: _none, ...grant } = plainParams();
  return connected({ port: place.port }, scopes === undefined ? grant : asking(scopes), { identity });
}

export interface Rows {
  readonly open: readonly Payload[];
  readonly rejected: readonly Payload[];
  readonly paired: readonly Payload[];
}

/** `device.pair.list`, of one device where given. */
export async function rows(peer: Peer, identity?: Identity): Promise<Rows> {
  const { pending, paired } = await peer.ask('device.pair.list', {});
  const of = (list: readonly Payload[]) => list.filter((row) => identity === undefined || row.deviceId === identity.id);
  return {
    open: of(pending).filter((row) => row.state !== 'rejected'),
    rejected: of(pending).filter((row) => row.state === 'rejected'),
    paired: of(paired),
  };
}

/** The raw scopes of a device's operator grant, sorted; `null` without one. */
export async function granted(owner: Peer, identity: Identity): Promise<readonly string[] | null> {
  const row = (await rows(owner, identity)).paired[0];
  return row === undefined ? null : [...row.scopes].sort();
}

export function approve(peer: Peer, requestId: string, more: Record<string, unknown> = {}): Promise<Answer> {
  return peer.call('device.pair.approve', { requestId, ...more });
}

/** Approves until `forMs` from now by the gateway's own clock (A20). */
export async function approveFor(peer: Peer, requestId: string, forMs: number): Promise<Answer> {
  const { ts } = await peer.ask('health');
  return approve(peer, requestId, { untilMs: ts + forMs });
}

export function reject(peer: Peer, requestId: string): Promise<Answer> {
  return peer.call('device.pair.reject', { requestId });
}

export function narrow(peer: Peer, identity: Identity, scopes: readonly string[]): Promise<Answer> {
  return peer.call('device.grant.narrow', { deviceId: identity.id, role: 'operator', scopes });
}

export function rotate(peer: Peer, identity: Identity, scopes?: readonly string[]): Promise<Answer> {
  return peer.call('device.token.rotate', {
    deviceId: identity.id,
    role: 'operator',
    ...(scopes === undefined ? {} : { scopes }),
  });
}

export function revoke(peer: Peer, identity: Identity): Promise<Answer> {
  return peer.call('device.token.revoke', { deviceId: identity.id, role: 'operator' });
}

export function remove(peer: Peer, identity: Identity): Promise<Answer> {
  return peer.call('device.pair.remove', { deviceId: identity.id });
}

/** `CODE detail` of a refusal, `ok` otherwise: for comparing many answers at a glance. */
export function gist(answer: Answer): string {
  if (answer.ok) return 'ok';
  return `${answer.error.code} ${String(answer.error.details?.code ?? '')}`.trimEnd();
}
