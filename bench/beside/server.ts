// The CPU of a server for one operation, at both products under the same driver.
import type { Job, Speech } from '../drive/load.ts';
import type { LimitInput } from '../limit/listen.ts';
import type { LimitName, Place } from '../place.ts';
import { compare, type Extent, type Pace, type Side } from '../round.ts';
import { eachOf, type PeerExtent, type Row } from './figure.ts';
import { type Gate, latchkeyGate, openclawGate, speech } from './gate.ts';

export type LatchkeyGate = Awaited<ReturnType<typeof latchkeyGate>>;
export type OpenClawGate = Awaited<ReturnType<typeof openclawGate>>;

export interface Gates {
  readonly latchkey: LatchkeyGate;
  /** In the order of `PEERS`. */
  readonly peers: readonly [OpenClawGate, OpenClawGate];
}

export async function gatesIn(place: Place, { releases, say }: PeerExtent): Promise<Gates> {
  const latchkey = await latchkeyGate(place);
  const peers = await eachOf(releases, async (release) => {
    say(`  starting ${release.name}`);
    return openclawGate(place, release);
  });
  return { latchkey, peers };
}

export async function endGates({ latchkey, peers }: Gates): Promise<void> {
  for (const gate of [latchkey, ...peers]) await gate.stop();
}

/** What one load is at a gate. */
export type JobAt = (gate: Gate, speech: Speech) => Promise<Job> | Job;

type Sides = 'latchkey4' | 'latchkey3' | 'newer' | 'older';

/** Operations of one round at Latchkey and at each peer, which need more time for each. */
export interface Extents {
  readonly rounds: number;
  readonly latchkey: Omit<Extent, 'rounds'>;
  readonly peers: readonly [Omit<Extent, 'rounds'>, Omit<Extent, 'rounds'>];
}

export interface Measured {
  readonly row: Row;
  /** How many were counted: Latchkey (under each protocol), and the peers. */
  readonly operations: string;
}

/** What the machine allows at best: CPU for one operation of a server that does nothing beside, with answers as long. */
export async function limitCpu(
  place: Place,
  name: LimitName,
  input: LimitInput,
  jobAt: (port: number) => Job,
  extent: Extent,
): Promise<Row> {
  const server = await place.limit(name, input);
  const { limit } = await compare(place, { limit: { pid: server.pid, job: jobAt(server.port) } }, extent);
  await server.stop();
  return {
    figure: 'the same of the raw limit, in place of latchkey',
    unit: 'µs',
    latchkey: perOperationUs(limit),
    peers: ['', ''],
  };
}

const perOperationUs = ({ perCpuSecond }: Pace): number => 1_000_000 / perCpuSecond;

/**
 * CPU of the process tree for one operation. Latchkey is measured under both protocols, each in turn with the peer
 * that speaks it, and the costlier one is what is shown.
 */
export async function serverCpu(
  place: Place,
  { latchkey, peers }: Gates,
  jobAt: JobAt,
  extents: Extents,
  { figure, timesLess }: { readonly figure: string; readonly timesLess?: number },
): Promise<Measured> {
  const side = async (gate: Gate, protocol: 3 | 4, extent: Omit<Extent, 'rounds'>): Promise<Side> => ({
    pid: gate.pid,
    job: await jobAt(gate, speech({ protocol })),
    cpuMs: gate.cpuMs,
    extent,
  });
  const [newer, older] = peers;
  const sides: Record<Sides, Side> = {
    latchkey4: await side(latchkey, 4, extents.latchkey),
    newer: await side(newer, newer.protocol, extents.peers[0]),
    latchkey3: await side(latchkey, 3, extents.latchkey),
    older: await side(older, older.protocol, extents.peers[1]),
  };
  const paces = await compare(place, sides, { rounds: extents.rounds, ...extents.latchkey });
  return {
    row: {
      figure,
      unit: 'µs',
      latchkey: Math.max(perOperationUs(paces.latchkey4), perOperationUs(paces.latchkey3)),
      peers: [perOperationUs(paces.newer), perOperationUs(paces.older)],
      ...(timesLess === undefined ? {} : { aim: { timesLess } }),
    },
    operations: [paces.latchkey4, paces.newer, paces.older].map(({ operations }) => operations).join(', '),
  };
}
