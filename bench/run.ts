// `npm run bench`: every figure beside its raw limit, as a table and as bench/RESULTS.md.
//
//   npm run bench [-- --only NAME] [--quick]
//
// RESULTS.md is written by whole runs only: a part or a quick look is nothing to quote.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { approval } from './figure/approval.ts';
import { call } from './figure/call.ts';
import { commands } from './figure/command.ts';
import type { Figure } from './figure/figure.ts';
import { handshake } from './figure/handshake.ts';
import { memory } from './figure/memory.ts';
import { startup } from './figure/start.ts';
import { Place } from './place.ts';
import { machine, markdown, type Section, table } from './report.ts';

const FIGURES: readonly Figure[] = [commands, startup, memory, handshake, call, approval];

/** One figure in a place of its own, cleaned up whatever happens. */
async function measured(figure: Figure, isQuick: boolean): Promise<Section> {
  const place = new Place();
  const onSignal = () => void place.end().then(() => process.exit(130));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    return await figure.measure(place, { isQuick });
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await place.end();
  }
}

function chosen(only: readonly string[]): readonly Figure[] {
  const unknown = only.filter((name) => !FIGURES.some((figure) => figure.name === name));
  if (unknown.length === 0) return only.length === 0 ? FIGURES : FIGURES.filter(({ name }) => only.includes(name));
  console.error(`bench: no figure ${unknown.join(', ')}; there are: ${FIGURES.map(({ name }) => name).join(', ')}`);
  process.exit(64);
}

const { values } = parseArgs({
  options: { only: { type: 'string', multiple: true, default: [] }, quick: { type: 'boolean', default: false } },
});
if (process.platform !== 'linux') {
  console.error('bench: reads /proc, so it runs on Linux');
  process.exit(78);
}
const figures = chosen(values.only);
const sections: Section[] = [];
for (const figure of figures) {
  console.error(`measuring ${figure.name} …`);
  sections.push(await measured(figure, values.quick));
}
console.log(machine().join('\n'));
console.log(`\n${table(sections.flatMap(({ rows }) => rows))}`);
if (figures === FIGURES && !values.quick) {
  const today = new Date().toISOString().slice(0, 10);
  writeFileSync(join(import.meta.dirname, 'RESULTS.md'), markdown(today, sections));
  console.log('\nwritten to bench/RESULTS.md');
}
