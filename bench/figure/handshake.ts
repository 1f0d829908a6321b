// Device-signed handshakes of a paired device.
import { Partner } from '../../test/partner/client.ts';
import { type Identity, newIdentity } from '../../test/partner/identity.ts';
import { readParams } from '../drive/socket.ts';
import type { Place } from '../place.ts';
import { compare } from '../round.ts';
import type { Figure } from './figure.ts';

export const pkcs8 = ({ privateKey }: Identity): string =>
  privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');

const CONCURRENCY = 16;

async function measure(place: Place, { isQuick }: { isQuick: boolean }) {
  const extent = { rounds: isQuick ? 2 : 5, operations: isQuick ? 500 : 2_000 };
  const gateway = await place.gateway();
  const identity = newIdentity();
  const owner = await gateway.owner();
  await owner.ask('device.pair.ensure', {
    publicKey: identity.publicKey,
    role: 'operator',
    scopes: ['operator.read'],
  });
  owner.end();
  const partner = await Partner.open({ port: gateway.port });
  const hello = await partner.connect(readParams(), { identity });
  partner.end();
  if (!hello.ok) throw new Error(`connect: ${hello.error.code} ${hello.error.message}`);
  const limit = await place.limit('handshake', { payload: hello.payload, publicKey: identity.publicKey });
  const job = { kind: 'handshake', privateKey: pkcs8(identity), concurrency: CONCURRENCY } as const;
  const paces = await compare(
    place,
    {
      gateway: { pid: gateway.pid, job: { ...job, port: gateway.port, challenged: true } },
      limit: { pid: limit.pid, job: { ...job, port: limit.port, challenged: false } },
    },
    extent,
  );
  await gateway.stop();
  await limit.stop();
  const bytes = `${Math.round(paces.gateway.answerBytes)} and ${Math.round(paces.limit.answerBytes)} bytes`;
  return {
    title: 'Handshakes',
    how: [
      `Server CPU (\`/proc/PID/stat\`) of ${paces.gateway.operations} handshakes a side in ${extent.rounds} alternating rounds after one to warm up, ${CONCURRENCY} at a time, the driver in another process. An operation: dial, upgrade, challenge, v3 \`connect\` of a paired device asking \`operator.read\`, \`hello-ok\`, socket gone.`,
      `Raw limit: \`node:http\` + \`ws\` upgrade, one Ed25519 verification with a key imported once, one JSON answer; no challenge frame. Answers of ${bytes}.`,
    ],
    rows: [
      {
        figure: 'handshakes a server CPU second',
        value: paces.gateway.perCpuSecond,
        limit: paces.limit.perCpuSecond,
        unit: '/s',
        target: { atLeast: 0.6 },
      },
    ],
  };
}

export const handshake: Figure = { name: 'handshakes', measure };
