// Decisions about a device that asks at the gateway: each judged by what the gateway lists afterwards.
import { Partner } from '../../partner/client.ts';
import { type Identity, newIdentity, type SignatureVersion } from '../../partner/identity.ts';
import type { ForeignGateway } from '../foreign.ts';
import type { Finding } from '../verdict.ts';
import { documentOf, judged } from './command.ts';
import type { Traveller, Went } from './traveller.ts';

/** As a release signs. */
export const signatureOf = (release: ForeignGateway['release']): SignatureVersion =>
  release.name === '2026.2.19' ? 'v2' : 'v3';

/**
 * A device asks in a way that no release approves by itself: the older ones not for what comes through a proxy that
 * they don't know, 2026.9.6 not for a command line that names an `Origin`.
 */
async function ask({ release, port, token }: ForeignGateway): Promise<Identity> {
  const identity = newIdentity();
  const open =
    release.protocol === 4 ? { origin: `http://127.0.0.1:${port}` } : { headers: { 'X-Forwarded-For': '192.0.2.7' } };
  const partner = await Partner.open({ port, ...open });
  const answer = await partner.connect(
    {
      minProtocol: release.protocol,
      maxProtocol: release.protocol,
      client: { id: 'cli', mode: 'cli', version: release.name, platform: 'linux' },
      role: 'operator',
      scopes: ['operator.read'],
      caps: [],
      auth: { token },
    },
    { identity, version: signatureOf(release), timeoutMs: 60_000 },
  );
  partner.end();
  if (answer.ok || answer.error.code !== 'NOT_PAIRED') {
    throw new Error(`openclaw ${release.name} let nobody ask: ${JSON.stringify(answer)}`);
  }
  return identity;
}

interface Listed {
  readonly requestId: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: a row as the gateway gives it
  readonly paired: any;
}

async function listed(traveller: Traveller, { id }: Identity): Promise<Listed> {
  const { pending = [], paired = [] } = documentOf(await traveller.run(['gateway', 'call', 'device.pair.list']));
  const isIts = (row: { deviceId?: unknown }) => row.deviceId === id;
  return { requestId: pending.find(isIts)?.requestId ?? null, paired: paired.find(isIts) ?? null };
}

const tokenOf = (list: Listed) => list.paired?.tokens?.find((row: { role?: unknown }) => row.role === 'operator');

/** Every decision, in the order in which they can be made; the rows by name. */
export async function decisions(
  gateway: ForeignGateway,
  traveller: Traveller,
): Promise<readonly (readonly [string, Finding])[]> {
  const found: (readonly [string, Finding])[] = [];
  const device = await ask(gateway);
  const { requestId } = await listed(traveller, device);
  const add = async (ran: Went, isRight: (list: Listed) => boolean) => {
    const list = await listed(traveller, device);
    found.push([`devices ${ran.args[1]}`, judged(ran, ran.code === 0 && isRight(list))]);
    return list;
  };
  const asked = await traveller.run(['devices', 'list']);
  found.push(['devices list, of who asks', judged(asked, requestId !== null && asked.stdout.includes(requestId))]);
  // The beginning of an id is enough, as at home.
  const { paired } = await add(
    await traveller.run(['devices', 'approve', requestId?.slice(0, 8) ?? 'none']),
    (list) => list.requestId === null && list.paired?.scopes?.join() === 'operator.read',
  );
  const before = tokenOf({ requestId: null, paired });
  await add(
    await traveller.run(['devices', 'rotate', device.id.slice(0, 12)]),
    (list) => (tokenOf(list)?.rotatedAtMs ?? 0) >= (before?.createdAtMs ?? Number.POSITIVE_INFINITY),
  );
  await add(
    await traveller.run(['devices', 'revoke', device.id.slice(0, 12)]),
    (list) => list.paired === null || tokenOf(list)?.revokedAtMs !== undefined,
  );
  await add(await traveller.run(['devices', 'remove', device.id]), (list) => list.paired === null);
  const other = await ask(gateway);
  const { requestId: unwanted } = await listed(traveller, other);
  const rejected = await traveller.run(['devices', 'reject', unwanted ?? 'none']);
  const after = await listed(traveller, other);
  const isGone = after.requestId === null && after.paired === null;
  found.push(['devices reject', judged(rejected, rejected.code === 0 && isGone)]);
  return found;
}
