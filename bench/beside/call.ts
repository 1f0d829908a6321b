// Calls on sockets that stay open.
import { connected } from '../../test/partner/client.ts';
import { identityFrom, newIdentity } from '../../test/partner/identity.ts';
import { readParams } from '../drive/socket.ts';
import type { Place } from '../place.ts';
import type { PeerExtent, PeerFigure, Row } from './figure.ts';
import { deciding } from './gate.ts';
import { endGates, gatesIn, type JobAt, limitCpu, serverCpu } from './server.ts';

const SOCKETS = 8;

async function measure(place: Place, extent: PeerExtent) {
  const { isQuick, say } = extent;
  const gates = await gatesIn(place, extent);
  const all = [gates.latchkey, ...gates.peers];
  let paired = 0;
  async function pairUpTo(count: number): Promise<void> {
    for (; paired < count; paired += 1) {
      const identity = newIdentity();
      for (const gate of all) await gate.pair(identity);
    }
  }
  const calling =
    (method: string): JobAt =>
    (gate, { protocol }) => {
      const { privateKey, speech, scopes } = deciding(gate);
      const job = { port: gate.port, privateKey, scopes, sockets: SOCKETS, method, connected: true };
      return { kind: 'call', ...job, speech: { ...speech, protocol } };
    };
  const rows: Row[] = [];
  const counts: string[] = [];
  const cases = [
    { method: 'health', devices: 8, timesLess: 1.5, latchkey: 20_000, peers: [1_000, 5_000] },
    { method: 'device.pair.list', devices: 8, timesLess: 3, latchkey: 10_000, peers: [1_000, 2_000] },
    { method: 'device.pair.list', devices: 100, timesLess: 3, latchkey: 2_000, peers: [1_000, 1_000] },
  ] as const;
  for (const { method, devices, timesLess, latchkey, peers } of cases) {
    await pairUpTo(devices);
    const figure = `\`${method}\`, ${devices} devices`;
    say(`  ${figure}`);
    const part = isQuick ? 5 : 1;
    const extents = {
      rounds: isQuick ? 1 : 5,
      latchkey: { operations: latchkey / part },
      peers: [{ operations: peers[0] / part }, { operations: peers[1] / part }] as const,
    };
    const { row, operations } = await serverCpu(place, gates, calling(method), extents, { figure, timesLess });
    rows.push(row);
    counts.push(`${figure}: ${operations}`);
    const { privateKey, speech, scopes } = deciding(gates.latchkey);
    const { partner } = await connected({ port: gates.latchkey.port }, readParams(speech, scopes), {
      identity: identityFrom(String(privateKey)),
    });
    const input = { payload: await partner.ask(method, {}) };
    partner.end();
    const echo = { kind: 'call', privateKey: null, sockets: SOCKETS, method, connected: false } as const;
    const counted = { rounds: extents.rounds, ...extents.latchkey };
    rows.push(await limitCpu(place, 'echo', input, (port) => ({ ...echo, port }), counted));
  }
  await endGates(gates);
  return {
    title: 'Calls',
    how: [
      `Server CPU of the process tree for one call, on ${SOCKETS} open sockets of who decides there with one call in flight each; medians of ${isQuick ? 1 : 5} alternating rounds after one to warm up, the same driver in another process. Latchkey under protocols 4 and 3, the costlier one is shown.`,
      `Who decides is a paired device with the shared secret; at 2026.9.6, as its own command line is, a session by the shared secret alone.`,
      "Raw limit: `ws`, `JSON.parse` of the request, `JSON.stringify` of an answer that is Latchkey's. The bar divided by it is the factor that this machine allows.",
      `Calls counted at Latchkey (under each protocol), 2026.9.6 and 2026.3.13: ${counts.join('; ')}.`,
    ],
    rows,
  };
}

export const calls: PeerFigure = { name: 'calls', measure };
