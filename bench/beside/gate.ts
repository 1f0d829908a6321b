// A running gateway of either product, as the drivers see it: where it is, who decides there, what it has used.
import type { Release } from '../../test/interop/release.ts';
import { Partner, plainParams } from '../../test/partner/client.ts';
import { type ConnectParams, type Identity, newIdentity } from '../../test/partner/identity.ts';
import type { Owner } from '../../test/partner/owner.ts';
import type { Speech } from '../drive/load.ts';
import { pkcs8 } from '../figure/handshake.ts';
import type { Place } from '../place.ts';
import { endTree, firstAnswer, Installation } from './openclaw.ts';
import { treeCpuMs } from './tree.ts';

const READ = ['operator.read'];
const DECIDES = ['operator.admin', 'operator.pairing', 'operator.read'];

export interface Gate {
  readonly pid: number;
  readonly port: number;
  readonly token: string;
  readonly protocol: 3 | 4;
  /** Who decides: a device, or whoever brings the shared secret. */
  readonly admin: Identity | null;
  /** Pairs a device that may read. */
  pair(identity: Identity): Promise<void>;
  cpuMs(): number;
  stop(): Promise<void>;
}

/** How a driver's sessions speak at a gate: its protocol and, where given, credentials. */
export function speech({ protocol }: Pick<Gate, 'protocol'>, auth?: Readonly<Record<string, string>>): Speech {
  return { protocol, ...(auth === undefined ? {} : { auth }) };
}

export function params({ protocol, auth }: Speech, scopes: readonly string[]): ConnectParams {
  const version = { minProtocol: protocol, maxProtocol: protocol };
  return plainParams({ ...version, scopes, ...(auth === undefined ? {} : { auth }) });
}

const admins = (owner: Owner, { publicKey }: Identity) =>
  owner.ask('device.pair.ensure', { publicKey, role: 'operator', scopes: DECIDES });

/** Latchkey on a fresh state directory, with an admin device. */
export async function latchkeyGate(
  place: Place,
): Promise<Gate & { readonly socketPath: string; readonly stateDir: string; halt(): Promise<void> }> {
  const gateway = await place.gateway();
  const owner = await gateway.owner();
  const admin = newIdentity();
  await admins(owner, admin);
  const { pid, port, token, socketPath, stateDir } = gateway;
  return {
    pid,
    port,
    token,
    protocol: 4,
    admin,
    socketPath,
    stateDir,
    pair: async ({ publicKey }) => {
      await owner.ask('device.pair.ensure', { publicKey, role: 'operator', scopes: READ });
    },
    cpuMs: () => treeCpuMs(pid),
    halt: async () => {
      owner.end();
      await gateway.halt();
    },
    stop: () => gateway.stop(),
  };
}

/**
 * The gateway of a release, with somebody who decides: what its own command line would be there.
 * @param known where it ran before; absent: in a new home
 */
export async function openclawGate(
  place: Place,
  release: Release,
  known?: Installation,
): Promise<Gate & { readonly installation: Installation }> {
  const installation = known ?? (await Installation.make(place, release));
  const child = installation.spawn(place);
  await firstAnswer(installation, child);
  const { port, token, protocol } = installation;
  // The newer one's command line shows no device to a gateway on the same host.
  const admin = protocol === 4 ? null : newIdentity();
  const secret = speech(installation, { token });
  const open = async (identity: Identity | null, scopes: readonly string[]) => {
    const partner = await Partner.open({ port });
    return { partner, answer: await partner.connect(params(secret, scopes), identity === null ? {} : { identity }) };
  };
  const deciding = await open(admin, DECIDES);
  if (!deciding.answer.ok) throw new Error(`${release.name} refused its admin: ${deciding.answer.error.message}`);
  const pid = child.pid ?? 0;
  return {
    pid,
    port,
    token,
    protocol,
    admin,
    installation,
    pair: async (identity) => {
      const { partner, answer } = await open(identity, READ);
      partner.end();
      if (answer.ok) return;
      const requestId = answer.error.details?.requestId;
      if (requestId === undefined) throw new Error(`${release.name} refused: ${answer.error.message}`);
      await deciding.partner.ask('device.pair.approve', { requestId });
    },
    cpuMs: () => treeCpuMs(pid),
    stop: async () => {
      deciding.partner.end();
      await endTree(child);
    },
  };
}

/** The token that the gateway hands to a paired device. */
export async function deviceToken(gate: Gate, identity: Identity): Promise<string> {
  const partner = await Partner.open({ port: gate.port });
  const answer = await partner.connect(params(speech(gate, { token: gate.token }), READ), { identity });
  partner.end();
  const token = answer.ok ? answer.payload.auth?.deviceToken : undefined;
  if (typeof token !== 'string') throw new Error('a paired device was handed no token');
  return token;
}

/** What a job says of who decides. */
export function deciding(gate: Gate): {
  readonly privateKey: string | null;
  readonly speech: Speech;
  readonly scopes: readonly string[];
} {
  const { admin, token } = gate;
  return { privateKey: admin === null ? null : pkcs8(admin), speech: speech(gate, { token }), scopes: DECIDES };
}
