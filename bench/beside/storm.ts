// Every paired device comes back at the same moment, as they do when a gateway was restarted.

import { start } from '../../test/gateway.ts';
import type { Release } from '../../test/interop/release.ts';
import { namedIdentity } from '../../test/partner/identity.ts';
import type { Speech, Storm } from '../drive/load.ts';
import type { Place } from '../place.ts';
import { Driver } from '../round.ts';
import { eachOf, type PeerExtent, type PeerFigure } from './figure.ts';
import { type Gate, latchkeyGate, openclawGate, speech } from './gate.ts';
import type { Cell, Row } from './report.ts';
import { treeCpuMs } from './tree.ts';

const KEYS = 5_000;
/** As many as the peers bear. */
const FEW = 100;
const DRIVERS = 2;

interface Outcome extends Storm {
  readonly keys: number;
  readonly wallMs: number;
  readonly serverCpuMs: number;
}

/** A part of the devices from each driver, all told to begin in the same turn. */
async function blow(place: Place, gate: Pick<Gate, 'port' | 'cpuMs'>, said: Speech, keys: number): Promise<Outcome> {
  const drivers = await Promise.all(
    Array.from({ length: DRIVERS }, async (_, index) => {
      const driver = new Driver(place.driver());
      const from = Math.floor((keys * index) / DRIVERS);
      const count = Math.floor((keys * (index + 1)) / DRIVERS) - from;
      await driver.tell({ kind: 'job', job: { kind: 'storm', port: gate.port, name: 'storm', from, speech: said } });
      await driver.tell({ kind: 'prepare', operations: count });
      return driver;
    }),
  );
  const before = gate.cpuMs();
  const replies = await Promise.all(drivers.map((driver) => driver.tell({ kind: 'run' })));
  const serverCpuMs = gate.cpuMs() - before;
  for (const driver of drivers) driver.end();
  const storms = replies.flatMap((reply) => (reply.kind === 'ran' && reply.storm !== undefined ? [reply.storm] : []));
  const firstSynMs = Math.min(...storms.map((storm) => storm.firstSynMs));
  const lastHelloMs = Math.max(...storms.map((storm) => storm.lastHelloMs));
  const refused: Record<string, number> = {};
  for (const storm of storms) {
    for (const [kind, count] of Object.entries(storm.refused)) refused[kind] = (refused[kind] ?? 0) + count;
  }
  const sum = (of: 'admitted' | 'cpuMs') => storms.reduce((total, storm) => total + storm[of], 0);
  return {
    keys,
    firstSynMs,
    lastHelloMs,
    admitted: sum('admitted'),
    refused,
    cpuMs: sum('cpuMs'),
    wallMs: lastHelloMs - firstSynMs,
    serverCpuMs,
  };
}

const refusedOf = ({ keys, admitted }: Outcome): number => keys - admitted;

/** What is said of those that didn't get in. */
function reasons({ refused }: Outcome): string {
  return Object.entries(refused)
    .map(([kind, count]) => `${count} × ${kind}`)
    .join('; ');
}

/** A storm on Latchkey restarted, and how many requests it made there. */
async function latchkeyStorm(
  place: Place,
  keys: number,
): Promise<{ outcome: Outcome; requests: number; paired: number }> {
  const gate = await latchkeyGate(place);
  for (let i = 0; i < keys; i += 1) await gate.pair(namedIdentity(`storm-${i}`));
  await gate.halt();
  const again = await start({ stateDir: gate.stateDir });
  place.atEnd(() => again.kill());
  // Nothing but its key: that is all a paired device needs.
  const said = speech({ protocol: 4 });
  const outcome = await blow(place, { port: again.port, cpuMs: () => treeCpuMs(again.pid) }, said, keys);
  const owner = await again.owner();
  const { pending, paired } = await owner.ask('device.pair.list', {});
  owner.end();
  await gate.stop();
  await again.halt();
  return { outcome, requests: pending.length, paired: paired.length };
}

async function peerStorm(place: Place, release: Release): Promise<Outcome> {
  const gate = await openclawGate(place, release);
  for (let i = 0; i < FEW; i += 1) await gate.pair(namedIdentity(`storm-${i}`));
  await gate.stop();
  const again = await openclawGate(place, release, gate.installation);
  const outcome = await blow(place, again, speech(again, { token: again.token }), FEW);
  await again.stop();
  return outcome;
}

function few(own: Outcome, peers: readonly [Outcome, Outcome]): readonly Row[] {
  const each = (of: (outcome: Outcome) => Cell) => ({
    latchkey: of(own),
    peers: [of(peers[0]), of(peers[1])] as const,
  });
  const whole = (value: number, outcome: Outcome): Cell =>
    refusedOf(outcome) === 0 ? value : `${outcome.admitted} of ${outcome.keys} got in`;
  return [
    { figure: `${FEW} at once: turned away`, unit: '', ...each(refusedOf), aim: { atMost: 0 } },
    { figure: `${FEW} at once: first SYN to last \`hello-ok\``, unit: 'ms', ...each((o) => whole(o.wallMs, o)) },
    { figure: `${FEW} at once: server CPU`, unit: 'ms', ...each((o) => whole(o.serverCpuMs, o)) },
  ];
}

async function measure(place: Place, { isQuick, releases, say }: PeerExtent) {
  const keys = isQuick ? 500 : KEYS;
  say(`  latchkey, ${keys} keys`);
  const large = await latchkeyStorm(place, keys);
  say(`  latchkey, ${FEW} keys`);
  const small = await latchkeyStorm(place, FEW);
  const peers = await eachOf(releases, async (release) => {
    say(`  ${release.name}, ${FEW} keys`);
    return peerStorm(place, release);
  });
  const { outcome } = large;
  const alone = (figure: string, unit: string, latchkey: number, atMost?: number): Row => ({
    figure: `${keys} at once: ${figure}`,
    unit,
    latchkey,
    peers: ['', ''],
    ...(atMost === undefined ? {} : { aim: { atMost } }),
  });
  const turnedAway = releases.flatMap(({ name }, index) => {
    const text = reasons(peers[index] as Outcome);
    return text === '' ? [] : [`${name} turned away: ${text}.`];
  });
  const own = reasons(outcome);
  return {
    title: 'Reconnect storm',
    how: [
      `The gateway is started again on a state directory in which the devices are paired; then ${DRIVERS} driver processes dial for all of them in one turn each, sign what they are sent, and keep the connection. Nobody tries a second time. One storm each.`,
      `Drivers' own CPU in the storm of ${keys}: ${Math.round(outcome.cpuMs)} ms, beside ${Math.round(outcome.serverCpuMs)} ms of the server, on the same cores.`,
      `Paired at the end: ${large.paired - 1} of ${keys}. Devices show their key alone to Latchkey, and the shared secret beside it to OpenClaw.`,
      ...turnedAway,
      ...(own === '' ? [] : [`latchkey turned away: ${own}.`]),
    ],
    rows: [
      alone('turned away', '', refusedOf(outcome), 0),
      alone('requests created', '', large.requests, 0),
      alone('first SYN to last `hello-ok`', 'ms', outcome.wallMs),
      alone('server CPU', 'ms', outcome.serverCpuMs),
      ...few(small.outcome, peers),
    ],
  };
}

export const storms: PeerFigure = { name: 'storm', measure };
