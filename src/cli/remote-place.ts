import { type Address, parseAddress } from '../client/address.ts';
import type { Given } from '../client/handshake.ts';
import { readRecord } from '../client/node/credentials.ts';
import { type DeviceIdentity, openDeviceIdentity } from '../client/node/identity.ts';
import type { MethodName } from '../core/protocol/registry.ts';
import { makeStateDir } from '../system/state-dir.ts';
import type { Context } from './context.ts';
import { badAddress, readCredential, sourceOf } from './remote-credential.ts';
import { isReadable, type Remembered } from './remote-memory.ts';
import type { RemoteTarget } from './remote-target.ts';
import type { Place } from './remote-text.ts';

/** What is known of another gateway before it is dialed. */
export interface Remote extends Place, Remembered {
  readonly address: Address;
  readonly device: DeviceIdentity;
  readonly given: Given;
  /** A certificate that a setup code or the configuration names: it counts before what is remembered. */
  readonly toldFingerprint: string | null;
  readonly insecure: boolean;
  readonly waitMs: number | null;
  readonly openclawScopes: readonly string[];
}

/** The places where the gateway may be, the best first: more than one where a setup code names them. */
export async function prepare(
  context: Context,
  target: RemoteTarget,
  methods: readonly MethodName[],
): Promise<readonly [Remote, ...Remote[]]> {
  const { path: stateDir } = context.state;
  const { remedyFor } = await import('../core/protocol/error.ts');
  const { scopesFor } = await import('../core/protocol/ask.ts');
  const { OPENCLAW_ASK } = await import('../core/protocol/method/scope.ts');
  const { given, code } = await readCredential(context, target.credential);
  const [text = '', ...others] = target.url === null ? (code?.urls ?? []) : [target.url];
  const address = parseAddress(text);
  if (!address.ok) throw badAddress(target.from, address.error);
  makeStateDir(stateDir);
  const isPinned = code?.gatewayKey != null;
  const isFirstReadable = isReadable(context, address.value.key, isPinned);
  const device = openDeviceIdentity(stateDir, () => context.host.clock.now());
  const remoteAt = (place: Address): Remote => ({
    url: place.key,
    address: place,
    device,
    given,
    shown: target.credential === null ? null : sourceOf(target.credential),
    toldKey: code?.gatewayKey ?? null,
    toldFingerprint: code?.tlsFingerprint ?? target.tlsFingerprint,
    newFingerprint: code?.tlsFingerprint ?? null,
    insecure: target.insecure,
    waitMs: target.waitMs,
    scopes: scopesFor(methods),
    openclawScopes: OPENCLAW_ASK,
    remedies: remedyFor,
    // One file holds them all.
    remembers: isFirstReadable,
    said: { proofless: false, remembered: false },
    isKnown: isPinned || (isFirstReadable && readRecord(stateDir, place.key).gatewayKey !== null),
  });
  const more = others.map(parseAddress).flatMap((other) => (other.ok ? [remoteAt(other.value)] : []));
  return [remoteAt(address.value), ...more];
}

/** Nobody answers there; somebody may elsewhere. */
export const isAway = (error: unknown): boolean =>
  error instanceof Error &&
  error.name === 'DialFailed' &&
  'kind' in error &&
  /^(unreachable|silent)$/.test(String(error.kind));

export function nextOf(remote: Remote, all: readonly [Remote, ...Remote[]]): Remote {
  return all[all.indexOf(remote) + 1] ?? all[0];
}
