// Approvals: each is a decision, recorded before its answer.
import { pkcs8 } from '../figure/handshake.ts';
import type { Place } from '../place.ts';
import type { PeerExtent, PeerFigure } from './figure.ts';
import { deciding, type Gate } from './gate.ts';
import { endGates, gatesIn, type JobAt, serverCpu } from './server.ts';

const IN_FLIGHT = 8;
/** Requests of one wave: as many are open, and as many devices paired, when it ends. */
const WAVE = 100;

async function measure(place: Place, extent: PeerExtent) {
  const { isQuick, say } = extent;
  const gates = await gatesIn(place, extent);
  const { latchkey } = gates;
  const at: JobAt = (gate: Gate, { protocol }) => {
    const { privateKey, speech, scopes } = deciding(gate);
    if (gate !== latchkey || latchkey.admin === null) {
      const origin = `http://127.0.0.1:${gate.port}`;
      const said = { ...speech, protocol };
      return { kind: 'pairing', port: gate.port, privateKey, speech: said, scopes, origin, concurrency: IN_FLIGHT };
    }
    return {
      kind: 'approval',
      port: gate.port,
      privateKey: pkcs8(latchkey.admin),
      sockets: 1,
      concurrency: IN_FLIGHT,
      ownerSocket: latchkey.socketPath,
      devices: WAVE,
    };
  };
  const waves = (count: number) => ({ operations: WAVE * count, waves: count });
  const extents = {
    rounds: isQuick ? 1 : 5,
    latchkey: waves(isQuick ? 2 : 10),
    peers: [waves(isQuick ? 1 : 2), waves(isQuick ? 1 : 4)] as const,
  };
  say('  approvals');
  const { row, operations } = await serverCpu(place, gates, at, extents, {
    figure: 'approval',
    timesLess: 5,
  });
  await endGates(gates);
  return {
    title: 'Approvals',
    how: [
      `Server CPU of the process tree for one \`device.pair.approve\` from one session of who decides, ${IN_FLIGHT} in flight; medians of ${extents.rounds} alternating rounds after one to warm up, in waves of ${WAVE} requests that are made before the clock runs.`,
      `At OpenClaw the requests are those of new keys, which an \`Origin\` keeps from being paired at once (2026.9.6 with \`gateway.nodes.pairing.autoApproveLocal: false\`); what a wave paired is removed before the next one. Latchkey holds at most three requests of new keys from one source, so there ${WAVE} paired devices ask for more, by \`device.scopes.requestUpgrade\`.`,
      `Approvals counted at Latchkey (twice), 2026.9.6 and 2026.3.13: ${operations}. Making and removing a request costs OpenClaw more than approving it, so there are fewer than 5,000.`,
    ],
    rows: [row],
  };
}

export const approvals: PeerFigure = { name: 'approvals', measure };
