// What runs leave behind in memory.
import { setTimeout as sleep } from 'node:timers/promises';
import { INSPECTED, Inspector } from '../inspector.ts';
import { memoryOf } from '../measure.ts';
import type { Place } from '../place.ts';
import type { Row } from '../report.ts';
import { Driver } from '../round.ts';
import type { Figure } from './figure.ts';
import { pkcs8 } from './handshake.ts';
import { talking } from './stream.ts';

const STREAMS = 8;
const WORDS = 20;
const SETTLE_MS = 1_000;
/** Runs after which it is looked. The first of them fill what is filled once: compiled code, pools, prepared statements. */
const STAGES = [200, 600, 1_000] as const;
const QUICK_STAGES = [40, 80, 120] as const;

interface Look {
  readonly runs: number;
  readonly heapMib: number;
  readonly pssMib: number;
}

async function look(inspector: Inspector, pid: number, runs: number): Promise<Look> {
  await sleep(SETTLE_MS);
  const heapMib = await inspector.heapMib();
  return { runs, heapMib, pssMib: memoryOf(pid).pss };
}

function rowsOf([first, ...later]: readonly Look[]): readonly Row[] {
  if (first === undefined) throw new Error('nobody looked');
  return later.flatMap(({ runs, heapMib, pssMib }) => {
    const when = `after ${runs} runs, of ${first.runs}`;
    return [
      { figure: `heap ${when}`, value: heapMib, limit: first.heapMib, unit: 'MiB', target: { atMost: 1.1 } },
      { figure: `PSS ${when}`, value: pssMib, limit: first.pssMib, unit: 'MiB' },
    ];
  });
}

async function measure(place: Place, { isQuick }: { isQuick: boolean }) {
  const stages = isQuick ? QUICK_STAGES : STAGES;
  const model = await place.model();
  const { gateway, identities } = await talking(place, model.port, ['main', 'other'], 1, INSPECTED);
  const inspector = await Inspector.open(gateway.logs());
  const load = { clients: 1, streams: STREAMS, words: WORDS, paceMs: 0, agents: ['main', 'other'] } as const;
  const looks: Look[] = [];
  let done = 0;
  for (const runs of stages) {
    // A client of its own, which is gone again when it is looked.
    const driver = new Driver(place.driver());
    const job = { kind: 'stream', port: gateway.port, via: 'gateway', privateKeys: identities.map(pkcs8) } as const;
    await driver.tell({ kind: 'job', job: { ...job, ...load } });
    await driver.tell({ kind: 'prepare', operations: (runs - done) * WORDS });
    await driver.tell({ kind: 'run' });
    driver.end();
    done = runs;
    looks.push(await look(inspector, gateway.pid, runs));
  }
  inspector.end();
  for (const server of [gateway, model]) await server.stop();
  return {
    title: 'Memory of runs',
    how: [
      `One gateway, whose runs follow one another, ${STREAMS} at a time, answers of ${WORDS} tokens, at most eight in a session; after ${stages.join(', ')} of them the client is gone, and ${SETTLE_MS / 1_000} s later the heap in use is read over the inspector after three forced collections, and PSS right then. One process, each stage once; there is no raw limit: it stands beside itself, earlier.`,
      'PSS is told for the whole of it; it also grows by what SQLite caches and by free room in the heap. The target is of our own: a heap comes and goes by half a MiB from look to look, and 800 runs of which one KiB each were kept would still pass, of which three KiB each were kept would not.',
    ],
    rows: rowsOf(looks),
  };
}

export const heap: Figure = { name: 'runs', measure };
