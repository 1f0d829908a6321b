// Calls on sockets that stay open.
import { connected } from '../../test/partner/client.ts';
import { newIdentity } from '../../test/partner/identity.ts';
import { readParams } from '../drive/socket.ts';
import type { Place } from '../place.ts';
import { compare } from '../round.ts';
import type { Figure } from './figure.ts';
import { pkcs8 } from './handshake.ts';

const SOCKETS = 8;

async function measure(place: Place, { isQuick }: { isQuick: boolean }) {
  const extent = { rounds: isQuick ? 2 : 5, operations: isQuick ? 5_000 : 20_000 };
  const gateway = await place.gateway();
  const identity = newIdentity();
  const owner = await gateway.owner();
  await owner.ask('device.pair.ensure', {
    publicKey: identity.publicKey,
    role: 'operator',
    scopes: ['operator.read'],
  });
  owner.end();
  const { partner } = await connected({ port: gateway.port }, readParams(), { identity });
  const payload = await partner.ask('health', {});
  partner.end();
  const limit = await place.limit('echo', { payload });
  const job = { kind: 'call', privateKey: pkcs8(identity), sockets: SOCKETS, method: 'health' } as const;
  const paces = await compare(
    place,
    {
      gateway: { pid: gateway.pid, job: { ...job, port: gateway.port, connected: true } },
      limit: { pid: limit.pid, job: { ...job, port: limit.port, connected: false } },
    },
    extent,
  );
  await gateway.stop();
  await limit.stop();
  const bytes = `${Math.round(paces.gateway.answerBytes)} and ${Math.round(paces.limit.answerBytes)} bytes`;
  return {
    title: 'Calls',
    how: [
      `Server CPU of ${paces.gateway.operations} calls of \`health\` a side in ${extent.rounds} alternating rounds after one to warm up, on ${SOCKETS} open sockets of a paired device with one call in flight each, the driver in another process.`,
      `Raw limit: \`ws\`, \`JSON.parse\` of the request, \`JSON.stringify\` of the answer. Answers of ${bytes}.`,
    ],
    rows: [
      {
        figure: '`health` calls a server CPU second',
        value: paces.gateway.perCpuSecond,
        limit: paces.limit.perCpuSecond,
        unit: '/s',
        target: { atLeast: 0.6 },
      },
    ],
  };
}

export const call: Figure = { name: 'calls', measure };
