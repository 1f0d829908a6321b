// The committed tables: one section a part, one row a finding, one column a release. What is written is read back
// exactly, or a run would be compared with something else than what was seen.
import { RELEASES, type ReleaseName } from './release.ts';
import { type Finding, isWorse, type Verdict } from './verdict.ts';

/** Cells of one row, by release; none: that release has no such row, or was never run. */
export type Cells = Readonly<Partial<Record<ReleaseName, Finding>>>;

export interface Table {
  /** The part's name. */
  readonly name: string;
  readonly about: string;
  readonly rows: ReadonlyMap<string, Cells>;
}

export interface Page {
  readonly title: string;
  /** How it was made, in some lines of text. */
  readonly made: string;
  /** Of the last run that wrote into it: `2026-01-31`. */
  readonly date: string;
  readonly tables: readonly Table[];
}

const VERDICTS: readonly Verdict[] = ['works', 'degraded', 'not yet', 'fails', 'not run'];
const DATE = 'Last run: ';

function escaped(text: string): string {
  return text.trim().replaceAll('\\', '\\\\').replaceAll('|', '\\|').replaceAll('\n', '\\n');
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
}

function cellOf(finding: Finding | undefined): string {
  if (finding === undefined) return '';
  const says = escaped(finding.says);
  return says === '' ? finding.verdict : `${finding.verdict}: ${says}`;
}

function findingOf(cell: string): Finding | null {
  if (cell === '') return null;
  const verdict = VERDICTS.find((name) => cell === name || cell.startsWith(`${name}: `));
  if (verdict === undefined) throw new Error(`no verdict that is known: ${cell}`);
  return { verdict, says: unescaped(cell.slice(verdict.length + 2)) };
}

function renderTable({ name, about, rows }: Table): string {
  const lines = [...rows].map(([row, cells]) =>
    [escaped(row), ...RELEASES.map((release) => cellOf(cells[release]))].join(' | '),
  );
  const head = ['row', ...RELEASES].join(' | ');
  const rule = ['row', ...RELEASES].map(() => '---').join('|');
  return [`## ${name}`, '', about.trim(), '', `| ${head} |`, `|${rule}|`, ...lines.map((line) => `| ${line} |`)].join(
    '\n',
  );
}

export function render({ title, made, date, tables }: Page): string {
  return [`# ${title}`, made.trim(), `${DATE}${date}`, renderTables(tables)].join('\n\n');
}

/** The tables alone: what was found, without a word of when the page was written. */
export function renderTables(tables: readonly Table[]): string {
  return `${tables.map(renderTable).join('\n\n')}\n`;
}

/** Cells of a line of a table: a bar that is escaped is none. */
function cellsOf(line: string): readonly string[] {
  return line
    .split(/(?<!(?<!\\)(?:\\\\)*\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function parseTable(section: string): Table {
  const lines = section.split('\n');
  const bars = lines.findIndex((line) => line.startsWith('|'));
  const end = bars < 0 ? lines.length : bars;
  const columns = cellsOf(lines[end] ?? '').slice(1);
  const rows = new Map<string, Cells>();
  for (const line of lines.slice(end + 2)) {
    if (!line.startsWith('|')) continue;
    const [row = '', ...cells] = cellsOf(line);
    const found: Partial<Record<ReleaseName, Finding>> = {};
    for (const release of RELEASES) {
      const finding = findingOf(cells[columns.indexOf(release)] ?? '');
      if (finding !== null) found[release] = finding;
    }
    rows.set(unescaped(row), found);
  }
  return { name: (lines[0] ?? '').trim(), about: lines.slice(1, end).join('\n').trim(), rows };
}

/** @throws Error at a cell that begins with no verdict */
export function parse(text: string): Page {
  const [top = '', ...sections] = text.split(/^## /m);
  const [title = '', ...made] = top.split('\n');
  const date = made.findLast((line) => line.startsWith(DATE)) ?? DATE;
  return {
    title: title.replace(/^# /, ''),
    made: made
      .filter((line) => line !== date)
      .join('\n')
      .trim(),
    date: date.slice(DATE.length),
    tables: sections.map(parseTable),
  };
}

/** One release's column of a table, as it was found or as it stands there. */
export type Column = ReadonlyMap<string, Finding>;

export function columnOf(table: Table | undefined, release: ReleaseName): Column {
  const column = new Map<string, Finding>();
  for (const [row, cells] of table?.rows ?? []) {
    const finding = cells[release];
    if (finding !== undefined) column.set(row, finding);
  }
  return column;
}

/** The table with this release's column as it was found; the other columns are as they were. */
export function withColumn(table: Table, release: ReleaseName, column: Column): Table {
  const rows = new Map<string, Cells>();
  for (const row of new Set([...column.keys(), ...table.rows.keys()])) {
    const { [release]: _old, ...others } = table.rows.get(row) ?? {};
    const finding = column.get(row);
    const cells: Cells = finding === undefined ? others : { ...others, [release]: finding };
    if (Object.keys(cells).length > 0) rows.set(row, cells);
  }
  return { ...table, rows };
}

/** `missing`: expected and not found; `unexpected`: found, and no expectation to compare it with. */
export interface Difference {
  readonly kind: 'worse' | 'missing' | 'unexpected' | 'better' | 'says';
  readonly row: string;
  readonly what: string;
}

function difference(row: string, was: Finding, is: Finding): Difference | null {
  const what = `${cellOf(was)} → ${cellOf(is)}`;
  if (was.verdict === is.verdict) return was.says.trim() === is.says.trim() ? null : { kind: 'says', row, what };
  // A row that once ran and can't be run any more shows nothing any more.
  const isLost = is.verdict === 'not run' && was.verdict !== 'not run';
  return { kind: isLost || isWorse(is.verdict, was.verdict) ? 'worse' : 'better', row, what };
}

/** @param whole false: rows that weren't run on purpose are not missed; those without expectation are told all the same */
export function compare(expected: Column, found: Column, whole: boolean): readonly Difference[] {
  const differences: Difference[] = [];
  for (const [row, is] of found) {
    const was = expected.get(row);
    const one: Difference | null =
      was === undefined ? { kind: 'unexpected', row, what: cellOf(is) } : difference(row, was, is);
    if (one !== null) differences.push(one);
  }
  if (!whole) return differences;
  for (const row of expected.keys()) if (!found.has(row)) differences.push({ kind: 'missing', row, what: 'not found' });
  return differences;
}
