// Approvals: each is a decision, recorded and durable before its answer.

import type { Gateway } from '../../test/gateway.ts';
import { connected, plainParams } from '../../test/partner/client.ts';
import { type Identity, newIdentity } from '../../test/partner/identity.ts';
import { Owner } from '../../test/partner/owner.ts';
import type { ApprovalJob } from '../drive/load.ts';
import type { Place } from '../place.ts';
import { compare } from '../round.ts';
import type { Figure } from './figure.ts';
import { pkcs8 } from './handshake.ts';

const CONCURRENCY = 8;
/** More than a person has; each is approved once in a wave. */
const DEVICES = 100;
/** A size that nobody has, to show what is paid for each device more. */
const CROWD = 5_000;

/** The answer to one approval, so that the limit's can be as long. */
async function answerOf(port: number, socketPath: string, admin: Identity): Promise<unknown> {
  const owner = await Owner.open(socketPath);
  const device = newIdentity();
  const ensure = (identity: Identity, scopes: readonly string[]) =>
    owner.ask('device.pair.ensure', { publicKey: identity.publicKey, role: 'operator', scopes });
  await ensure(admin, ['operator.admin']);
  await ensure(device, ['operator.read']);
  const asking = await connected({ port }, plainParams(), { identity: device });
  const { requestId } = await asking.partner.ask('device.scopes.requestUpgrade', { scopes: ['operator.write'] });
  const deciding = await connected({ port }, plainParams({ scopes: ['operator.admin'] }), { identity: admin });
  const payload = await deciding.partner.ask('device.pair.approve', { requestId });
  for (const peer of [asking.partner, deciding.partner, owner]) peer.end();
  return payload;
}

async function measure(place: Place, { isQuick }: { isQuick: boolean }) {
  const extent = { rounds: isQuick ? 2 : 5, operations: isQuick ? 200 : 1_000, waves: isQuick ? 2 : 10 };
  const gateway = await place.gateway();
  const crowded = await place.gateway();
  const admin = newIdentity();
  const payload = await answerOf(gateway.port, gateway.socketPath, admin);
  await answerOf(crowded.port, crowded.socketPath, admin);
  // Beside the gateway's own database: the same file system, the same disk.
  const alone = await place.limit('commit', { payload, database: place.path('alone.sqlite') });
  const grouped = await place.limit('commit', { payload, database: place.path('grouped.sqlite'), grouped: true });
  const job: Omit<ApprovalJob, 'port'> = {
    kind: 'approval',
    privateKey: pkcs8(admin),
    sockets: 1,
    concurrency: CONCURRENCY,
    devices: DEVICES,
  };
  const on = ({ pid, port, socketPath }: Gateway, devices: number) => ({
    pid,
    job: { ...job, port, ownerSocket: socketPath, devices },
  });
  const paces = await compare(
    place,
    {
      gateway: on(gateway, DEVICES),
      crowded: on(crowded, CROWD),
      alone: { pid: alone.pid, job: { ...job, port: alone.port } },
      grouped: { pid: grouped.pid, job: { ...job, port: grouped.port } },
    },
    extent,
  );
  for (const server of [gateway, crowded, alone, grouped]) await server.stop();
  const bytes = `${Math.round(paces.gateway.answerBytes)} and ${Math.round(paces.alone.answerBytes)} bytes`;
  const second = (figure: string, own: 'gateway' | 'crowded', limit: 'alone' | 'grouped') => ({
    figure,
    value: paces[own].perSecond,
    limit: paces[limit].perSecond,
    unit: '/s',
  });
  return {
    title: 'Approvals',
    how: [
      `Wall time of ${paces.gateway.operations} \`device.pair.approve\` a side in ${extent.rounds} alternating rounds after one to warm up, from one admin session with ${CONCURRENCY} in flight, for ${DEVICES} paired devices that hold \`operator.read\` and asked for \`operator.write\` by \`device.scopes.requestUpgrade\`. A round is ${extent.waves} waves: every device asks and its session ends, then the clock runs while the wave is approved. In the last row but one ${CROWD} devices are paired and take turns.`,
      `Raw limit: a \`ws\` server with the same driver that inserts one small row in \`node:sqlite\` (WAL, synchronous=FULL) before it answers. It stands behind the same door because eight at once mean nothing to a synchronous database without one. (Each admin session that is open is also told of each approval, so several would add events that the limit doesn't send.) Answers of ${bytes}.`,
      'Each commit alone is the limit of the target; rows that arrive in one turn committed together is what group commit could reach at best.',
    ],
    rows: [
      { ...second('approvals a second, of lone commits', 'gateway', 'alone'), target: { atLeast: 0.6 } },
      second('approvals a second, of grouped commits', 'gateway', 'grouped'),
      second(`approvals a second with ${CROWD} devices, of lone commits`, 'crowded', 'alone'),
      {
        figure: 'approvals a server CPU second, of lone commits',
        value: paces.gateway.perCpuSecond,
        limit: paces.alone.perCpuSecond,
        unit: '/s',
      },
    ],
  };
}

export const approval: Figure = { name: 'approvals', measure };
