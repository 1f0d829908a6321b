// Device-signed connects of a paired device.
import { Partner } from '../../test/partner/client.ts';
import { newIdentity } from '../../test/partner/identity.ts';
import { readParams } from '../drive/socket.ts';
import { pkcs8 } from '../figure/handshake.ts';
import type { Place } from '../place.ts';
import type { PeerExtent, PeerFigure, Row } from './figure.ts';
import { deviceToken } from './gate.ts';
import { endGates, gatesIn, type JobAt, limitCpu, serverCpu } from './server.ts';

const AT_ONCE = 16;

async function measure(place: Place, extent: PeerExtent) {
  const { isQuick, say } = extent;
  const gates = await gatesIn(place, extent);
  const identity = newIdentity();
  for (const gate of [gates.latchkey, ...gates.peers]) await gate.pair(identity);
  const job =
    (concurrency: number, by: 'token' | 'deviceToken'): JobAt =>
    async (gate, { protocol }) => {
      const value = by === 'token' ? gate.token : await deviceToken(gate, identity);
      // The older release's own clients send a device token under both names.
      const auth = by === 'deviceToken' && protocol === 3 ? { token: value, deviceToken: value } : { [by]: value };
      const speech = { protocol, auth };
      return { kind: 'handshake', port: gate.port, privateKey: pkcs8(identity), concurrency, challenged: true, speech };
    };
  const extents = ([newer, older]: readonly [number, number]) => ({
    rounds: isQuick ? 1 : 5,
    latchkey: { operations: isQuick ? 500 : 1_000 },
    peers: [{ operations: isQuick ? 50 : newer }, { operations: isQuick ? 100 : older }] as const,
  });
  const rows: Row[] = [];
  const counts: string[] = [];
  const cases = [
    { figure: `connect by device token, ${AT_ONCE} at a time`, at: job(AT_ONCE, 'deviceToken'), peers: [500, 1_000] },
    { figure: 'connect by device token, one after the other', at: job(1, 'deviceToken'), peers: [200, 500] },
    { figure: `connect by shared secret, ${AT_ONCE} at a time`, at: job(AT_ONCE, 'token'), peers: [200, 500] },
  ] as const;
  for (const { figure, at, peers } of cases) {
    say(`  ${figure}`);
    const { row, operations } = await serverCpu(place, gates, at, extents(peers), { figure, timesLess: 10 });
    rows.push(row);
    counts.push(`${figure}: ${operations}`);
  }
  const partner = await Partner.open({ port: gates.latchkey.port });
  const hello = await partner.connect(readParams(), { identity });
  partner.end();
  const limit = { kind: 'handshake', privateKey: pkcs8(identity), concurrency: AT_ONCE, challenged: false } as const;
  const input = { payload: hello.payload, publicKey: identity.publicKey };
  const counted = { rounds: isQuick ? 1 : 5, operations: isQuick ? 500 : 1_000 };
  rows.push(await limitCpu(place, 'handshake', input, (port) => ({ ...limit, port }), counted));
  await endGates(gates);
  return {
    title: 'Device-signed connects',
    how: [
      `Server CPU of the process tree for one connect of a paired device that asks \`operator.read\`: dial, upgrade, challenge, v3 signature, \`hello-ok\`, socket gone. Medians of ${isQuick ? 1 : 5} alternating rounds after one to warm up, the same driver in another process. Latchkey under protocols 4 and 3, the costlier one is shown.`,
      `Connects counted at Latchkey (under each protocol), 2026.9.6 and 2026.3.13: ${counts.join('; ')}. OpenClaw's take so long that 5,000 of each kind would be most of the run.`,
      "Raw limit: `node:http` + `ws` upgrade, one Ed25519 verification with a key imported once, one JSON answer as long as Latchkey's; no challenge, no decision. The bar divided by it is the factor that this machine allows.",
    ],
    rows,
  };
}

export const connects: PeerFigure = { name: 'connects', measure };
