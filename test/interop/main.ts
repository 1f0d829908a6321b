// `npm run interop`: OpenClaw's unchanged programs against Latchkey, and what they say beside what is expected.
//
//   npm run interop -- [--openclaw 2026.9.6,…] [--only commands,…] [--quick] [--later] [--update] [--list] [--json]
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { abroad } from './abroad.ts';
import { commands } from './commands.ts';
import { narrowed } from './narrowed.ts';
import { outcomeOf } from './outcome.ts';
import type { Part, Result } from './part.ts';
import { raw } from './raw.ts';
import { cacheFolder, installed, isReleaseName, RELEASES, type Release, type ReleaseName } from './release.ts';
import { seedProofs, seeds } from './seed.ts';
import { type Column, columnOf, type Page, parse, render, renderTables, type Table, withColumn } from './table.ts';
import { talk } from './talk.ts';

const PARTS: readonly Part[] = [commands('latchkey'), seeds, narrowed, raw, abroad, talk];

/** What is run against OpenClaw's own gateway: the same judges must find what is known to fail there. */
const PROOFS: readonly Part[] = [commands('openclaw'), seedProofs];

const USAGE = 64;
const HELP = `Drives OpenClaw's unchanged programs against Latchkey, and compares with test/interop/EXPECTED.md.

  npm run interop                    every part, every release: most of an hour
  npm run interop -- --openclaw 2026.9.6 --only commands --quick

  --openclaw LIST    releases: ${RELEASES.join(', ')}
  --only LIST        parts: see --list
  --quick            small counts, for looking
  --later            of the commands those that issues to come make possible alone: minutes
  --update           write what was found into EXPECTED.md; not with --quick
  --gateway openclaw the commands against the release's own gateway, to see that they can fail; --update writes PROOFS.md
  --list             the parts and the rows that are expected, without running any
  --json             one object a row, the last with "done":true

Releases are installed from the npm registry into LATCHKEY_INTEROP_CACHE, else into a folder of your cache.
`;

const FILES = {
  latchkey: {
    name: 'EXPECTED.md',
    title: 'What OpenClaw’s unchanged programs do with Latchkey',
    made: 'Written by `npm run interop -- --update`. A cell is the verdict, and what the program said where it isn’t `works`.',
  },
  openclaw: {
    name: 'PROOFS.md',
    title: 'What the same checks find at OpenClaw’s own gateways',
    made: `Written by \`npm run interop -- --gateway openclaw --update\`: the same commands, orders and judges against the
release's own gateway in place of Latchkey. A check that finds nothing anywhere would show nothing.`,
  },
} as const;

/** Ends the run with a line for a person. */
function stop(what: string): never {
  console.error(`interop: ${what}\n  run: npm run interop -- --help`);
  process.exit(USAGE);
}

function options() {
  try {
    return parseArgs({
      options: {
        openclaw: { type: 'string' },
        only: { type: 'string' },
        gateway: { type: 'string', default: 'latchkey' },
        quick: { type: 'boolean', default: false },
        later: { type: 'boolean', default: false },
        update: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return stop(error instanceof Error ? error.message : String(error));
  }
}

type Options = ReturnType<typeof options>;
type Kind = keyof typeof FILES;

function namesIn(list: string | undefined): readonly string[] {
  return (list ?? '').split(',').filter((name) => name !== '');
}

function chosenReleases(values: Options): readonly ReleaseName[] {
  const names = namesIn(values.openclaw);
  const unknown = names.find((name) => !isReleaseName(name));
  if (unknown !== undefined) stop(`--openclaw ${unknown}: there are ${RELEASES.join(', ')}`);
  return names.length === 0 ? RELEASES : RELEASES.filter((name) => names.includes(name));
}

function chosenParts(values: Options, kind: Kind): readonly Part[] {
  const all = kind === 'latchkey' ? PARTS : PROOFS;
  const names = namesIn(values.only);
  const unknown = names.find((name) => all.every((part) => part.name !== name));
  if (unknown !== undefined) stop(`--only ${unknown}: there are ${all.map(({ name }) => name).join(', ')}`);
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

function kindOf(values: Options): Kind {
  const { gateway } = values;
  return gateway === 'latchkey' || gateway === 'openclaw' ? gateway : stop(`--gateway ${gateway}: latchkey, openclaw`);
}

function pageOf(kind: Kind): Page {
  const { name, title, made } = FILES[kind];
  const file = join(import.meta.dirname, name);
  const old: Page = existsSync(file) ? parse(readFileSync(file, 'utf8')) : { title, made, date: '', tables: [] };
  return { ...old, title, made };
}

function tableOf(page: Page, part: Part): Table {
  const old = page.tables.find(({ name }) => name === part.name);
  return { name: part.name, about: part.about, rows: old?.rows ?? new Map() };
}

function list(parts: readonly Part[], page: Page): void {
  for (const part of parts) {
    console.log(`${part.name}\n${part.about.trim().replaceAll(/^/gm, '  ')}`);
    for (const row of tableOf(page, part).rows.keys()) console.log(`    ${row}`);
  }
}

/** The releases that are here or can be had; of the others a line for a person. */
async function available(names: readonly ReleaseName[]): Promise<readonly Release[]> {
  const releases: Release[] = [];
  for (const name of names) {
    try {
      releases.push(await installed(name, cacheFolder(), (line) => console.error(line)));
    } catch (error) {
      console.error(`interop: ${error instanceof Error ? error.message : String(error)}\n  its rows are not run`);
    }
  }
  return releases;
}

interface Run {
  readonly part: Part;
  readonly release: ReleaseName;
  readonly column: Column;
}

function columnFrom(results: readonly Result[]): Column {
  const column = new Map<string, Result['finding']>();
  for (const { row, finding } of results) {
    if (column.has(row)) throw new Error(`two rows are named ${row}`);
    column.set(row, { verdict: finding.verdict, says: finding.says.trim() });
  }
  return column;
}

async function runPart(part: Part, release: Release, values: Options): Promise<Run | null> {
  const began = performance.now();
  const say = (line: string) => console.error(line);
  say(`${part.name}, openclaw ${release.name}`);
  try {
    const column = columnFrom(
      await part.run(release, { quick: values.quick, later: values.later, update: values.update, say }),
    );
    say(`${part.name}, openclaw ${release.name}: ${Math.round((performance.now() - began) / 1_000)} s`);
    return { part, release: release.name, column };
  } catch (error) {
    console.error(`interop: ${part.name}, openclaw ${release.name}, broke off:`, error);
    return null;
  }
}

/** Tells what was found: not the page, which says that it was written. */
function show(runs: readonly Run[], json: boolean): void {
  if (json) {
    for (const { part, release, column } of runs)
      for (const [row, finding] of column) console.log(JSON.stringify({ part: part.name, release, row, ...finding }));
    return;
  }
  const tables = [...new Set(runs.map(({ part }) => part))].map((part) => {
    const empty: Table = { name: part.name, about: part.about, rows: new Map() };
    const own = runs.filter((run) => run.part === part);
    return own.reduceRight((table, { release, column }) => withColumn(table, release, column), empty);
  });
  console.log(renderTables(tables));
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

/** How the run ends, with a line for each difference to what is expected. */
function concluded(
  kind: Kind,
  page: Page,
  runs: readonly Run[],
  values: Options,
): { isGood: boolean; verdict: string } {
  const rows = runs.reduce((sum, { column }) => sum + column.size, 0);
  const { name } = FILES[kind];
  if (values.update) return { isGood: true, verdict: `${rows} rows, written to test/interop/${name}` };
  if (kind === 'openclaw') return { isGood: true, verdict: `${rows} rows, compared with nothing` };
  const outcome = outcomeOf(
    runs.map(({ part, release, column }) => ({
      part: part.name,
      release,
      expected: columnOf(tableOf(page, part), release),
      found: column,
    })),
    !values.quick && !values.later,
  );
  for (const line of outcome.lines) console.error(line);
  if (outcome.isNews) console.error('  run: npm run interop -- --update');
  return outcome;
}

/** With the rows that were not run, as they were. */
function completed(kind: Kind, run: Run): Run {
  const old = columnOf(tableOf(pageOf(kind), run.part), run.release);
  return { ...run, column: new Map([...old, ...run.column]) };
}

function update(kind: Kind, page: Page, runs: readonly Run[]): void {
  const parts = kind === 'latchkey' ? PARTS : PROOFS;
  const tables = parts
    .map((part) =>
      runs
        .filter((run) => run.part === part)
        .reduceRight((table, { release, column }) => withColumn(table, release, column), tableOf(page, part)),
    )
    .filter(({ rows }) => rows.size > 0);
  writeFileSync(join(import.meta.dirname, FILES[kind].name), render({ ...page, date: today(), tables }));
}

async function main(): Promise<number> {
  const values = options();
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const kind = kindOf(values);
  const parts = chosenParts(values, kind);
  const names = chosenReleases(values);
  if (values.update && values.quick) stop('--update needs a whole run, not --quick');
  const page = pageOf(kind);
  if (values.list) {
    list(parts, page);
    return 0;
  }
  const began = performance.now();
  const releases = await available(names);
  const runs: Run[] = [];
  let isWhole = true;
  for (const part of parts) {
    for (const release of releases) {
      const run = await runPart(part, release, values);
      if (run === null) isWhole = false;
      else runs.push(run);
      // After each, so that a run that is broken off keeps what it found.
      if (run !== null && values.update) update(kind, pageOf(kind), [values.later ? completed(kind, run) : run]);
    }
  }
  show(runs, values.json);
  const { isGood, verdict } = concluded(kind, page, runs, values);
  const minutes = Math.round((performance.now() - began) / 6_000) / 10;
  const missing = names.filter((name) => releases.every((release) => release.name !== name));
  const rows = runs.reduce((sum, { column }) => sum + column.size, 0);
  const passed = isWhole && isGood && releases.length > 0;
  if (values.json) console.log(JSON.stringify({ done: true, rows, isGood: passed, verdict, notRun: missing, minutes }));
  else {
    if (missing.length > 0) console.error(`not run: ${missing.join(', ')}`);
    console.error(`${verdict}; ${minutes} min: ${passed ? 'passed' : 'failed'}`);
  }
  return passed ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`interop: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
