// `npm run bench`: every figure beside its raw limit, as a table and as the first part of bench/RESULTS.md.
// `npm run bench -- --peer`: every figure beside OpenClaw's, as a table and as the second part.
//
//   npm run bench [-- [--peer] [--only NAME] [--quick]]
//
// RESULTS.md is written by whole runs only: a part or a quick look is nothing to quote.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { approvals as peerApprovals } from './beside/approval.ts';
import { calls as peerCalls } from './beside/call.ts';
import { commands as peerCommands } from './beside/command.ts';
import { connects as peerConnects } from './beside/connect.ts';
import type { PeerExtent, PeerFigure } from './beside/figure.ts';
import { aboutPeers, installedPeers } from './beside/peer.ts';
import * as beside from './beside/report.ts';
import { startup as peerStartup } from './beside/start.ts';
import { storms } from './beside/storm.ts';
import { besideOpenClaw, replacePart } from './document.ts';
import { approval } from './figure/approval.ts';
import { call } from './figure/call.ts';
import { commands } from './figure/command.ts';
import type { Extent, Figure } from './figure/figure.ts';
import { handshake } from './figure/handshake.ts';
import { heap } from './figure/heap.ts';
import { memory } from './figure/memory.ts';
import { page } from './figure/page.ts';
import { startup } from './figure/start.ts';
import { stream } from './figure/stream.ts';
import { Place } from './place.ts';
import { machine, markdown, type Section, table } from './report.ts';

const FIGURES: readonly Figure[] = [commands, startup, memory, handshake, call, approval, stream, page, heap];
const PEER_FIGURES: readonly PeerFigure[] = [peerCommands, peerStartup, peerConnects, peerCalls, peerApprovals, storms];
const RESULTS = join(import.meta.dirname, 'RESULTS.md');

const USAGE = 64;
const HELP = `Measures Latchkey, each figure beside its raw limit on this machine. Linux only.

  npm run bench                     every figure: about a quarter of an hour; written to bench/RESULTS.md
  npm run bench -- --peer           the same work done by OpenClaw, beside it: about 20 minutes on an idle machine

  --only NAME   one figure (repeatable): ${FIGURES.map(({ name }) => name).join(', ')};
                with --peer: ${PEER_FIGURES.map(({ name }) => name).join(', ')}
  --quick       small counts, for looking
  --peer        installs OpenClaw's releases from the npm registry into LATCHKEY_INTEROP_CACHE, else into a folder of
                your cache

bench/RESULTS.md is written by whole runs only: without --only and --quick.
`;

/** Ends the run with a line for a person. */
function stop(what: string): never {
  console.error(`bench: ${what}\n  run: npm run bench -- --help`);
  process.exit(USAGE);
}

function options() {
  try {
    return parseArgs({
      options: {
        peer: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        quick: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return stop(error instanceof Error ? error.message : String(error));
  }
}

interface Measurable<E, S> {
  readonly name: string;
  measure(place: Place, extent: E): Promise<S>;
}

/** One figure in a place of its own, cleaned up whatever happens. */
async function measured<E, S>(figure: Measurable<E, S>, extent: E): Promise<S> {
  const place = new Place();
  const onSignal = () => void place.end().then(() => process.exit(130));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    return await figure.measure(place, extent);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await place.end();
  }
}

function chosen<F extends { readonly name: string }>(figures: readonly F[], only: readonly string[]): readonly F[] {
  const unknown = only.filter((name) => !figures.some((figure) => figure.name === name));
  if (unknown.length === 0) return only.length === 0 ? figures : figures.filter(({ name }) => only.includes(name));
  return stop(`no figure ${unknown.join(', ')}; there are: ${figures.map(({ name }) => name).join(', ')}`);
}

const say = (line: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);

async function all<E, S>(figures: readonly Measurable<E, S>[], extent: E): Promise<readonly S[]> {
  const sections: S[] = [];
  for (const figure of figures) {
    say(`measuring ${figure.name} …`);
    sections.push(await measured(figure, extent));
  }
  return sections;
}

async function besideLimits(figures: readonly Figure[], extent: Extent): Promise<void> {
  const sections: readonly Section[] = await all(figures, extent);
  console.log(machine().join('\n'));
  console.log(`\n${table(sections.flatMap(({ rows }) => rows))}`);
  if (figures !== FIGURES || extent.isQuick) return;
  replacePart(RESULTS, { limits: markdown(new Date().toISOString().slice(0, 10), sections) });
  console.log('\nwritten to bench/RESULTS.md');
}

async function besidePeers(figures: readonly PeerFigure[], { isQuick }: Extent): Promise<void> {
  const releases = await installedPeers(say);
  const extent: PeerExtent = { isQuick, releases, say };
  const sections = await all(figures, extent);
  console.log(machine().join('\n'));
  console.log(`\n${beside.table(sections.flatMap(({ rows }) => rows))}\n`);
  console.log(sections.flatMap(({ how }) => how).join('\n'));
  if (figures !== PEER_FIGURES || isQuick) return;
  const about = aboutPeers(new Date().toISOString().slice(0, 10), machine());
  replacePart(RESULTS, { openclaw: besideOpenClaw(beside.markdown(about, sections)) });
  console.log('\nwritten to bench/RESULTS.md');
}

const values = options();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
if (process.platform !== 'linux') {
  console.error('bench: reads /proc, so it runs on Linux');
  process.exit(78);
}
const extent: Extent = { isQuick: values.quick };
if (values.peer) await besidePeers(chosen(PEER_FIGURES, values.only), extent);
else await besideLimits(chosen(FIGURES, values.only), extent);
