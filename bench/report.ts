// What a bench says: a table for the terminal, and bench/RESULTS.md.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';

/** One line of the table. `value` and `limit` are medians in `unit`. */
export interface Row {
  readonly figure: string;
  readonly value: number;
  readonly limit: number;
  readonly unit: string;
  /** What the ratio value : limit must keep to, or their difference in `unit`; absent where nothing is demanded. */
  readonly target?: { readonly atMost: number } | { readonly atLeast: number } | { readonly moreAtMost: number };
}

/** What one figure found, and how. */
export interface Section {
  readonly title: string;
  /** Commands, counts and what the raw limit does. */
  readonly how: readonly string[];
  readonly rows: readonly Row[];
}

export const ratioOf = (row: Row): number => row.value / row.limit;

export function isMet(row: Row): boolean | null {
  if (row.target === undefined) return null;
  if ('moreAtMost' in row.target) return row.value - row.limit <= row.target.moreAtMost;
  return 'atMost' in row.target ? ratioOf(row) <= row.target.atMost : ratioOf(row) >= row.target.atLeast;
}

export function amount(value: number): string {
  if (Number.isInteger(value) && value < 1_000) return String(value);
  if (value >= 1_000) return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ');
  if (value >= 100) return value.toFixed(0);
  return value >= 1 ? value.toFixed(1) : value.toPrecision(2);
}

/** How `value` stands to `limit`, and how it should. */
function comparison(row: Row): readonly [string, string] {
  const { target, value, limit, unit } = row;
  const times = `${ratioOf(row).toFixed(2)} ×`;
  if (target === undefined) return [times, ''];
  if ('atMost' in target) return [times, `≤ ${target.atMost} ×`];
  if ('atLeast' in target) return [`${(ratioOf(row) * 100).toFixed(0)} %`, `≥ ${target.atLeast * 100} %`];
  const more = value - limit;
  return [`${more < 0 ? '-' : '+'} ${amount(Math.abs(more))} ${unit}`, `≤ + ${target.moreAtMost} ${unit}`];
}

function cells(row: Row): readonly string[] {
  const [ratio, target] = comparison(row);
  const met = isMet(row);
  return [
    row.figure,
    `${amount(row.value)} ${row.unit}`,
    `${amount(row.limit)} ${row.unit}`,
    ratio,
    target,
    met === null ? '' : met ? 'met' : 'MISSED',
  ];
}

const HEAD = ['figure', 'latchkey', 'raw limit', 'ratio', 'target', ''] as const;

/** Lines of cells under one another; the first line is the head. */
export function columns(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The table in columns, for a terminal. */
export function table(rows: readonly Row[]): string {
  return columns([HEAD, ...rows.map(cells)]);
}

function fileSystem(path: string): string {
  const { stdout } = spawnSync('df', ['--output=fstype', path], { encoding: 'utf8' });
  return stdout.trim().split('\n').at(-1) ?? 'unknown';
}

/** The machine in a few lines; the load says whether it had anything else to do. */
export function machine(): readonly string[] {
  const [cpu] = cpus();
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  return [
    `${cpu?.model.trim() ?? 'unknown CPU'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${system}, kernel ${release()}, temporary files on ${fileSystem(tmpdir())}`,
    `Node ${process.versions.node} (the copy in node_modules), SQLite ${process.versions.sqlite}`,
    `load average over a minute at the end: ${loadavg()[0]?.toFixed(2)}`,
  ];
}

export function markdownRow(line: readonly string[]): string {
  return `| ${line.join(' | ')} |`;
}

/** The whole of RESULTS.md. @param at date of the run, `YYYY-MM-DD`. */
export function markdown(at: string, sections: readonly Section[]): string {
  const out = [
    '# Results',
    '',
    `Written by \`npm run bench\` on ${at}; how it is measured stands in CONTRIBUTING.md, and beside each table. All are`,
    'medians; each raw limit was measured in the same run, by turns with what it limits.',
    '',
    ...machine().map((line) => `- ${line}`),
  ];
  for (const { title, how, rows } of sections) {
    out.push('', `## ${title}`, '');
    out.push(markdownRow(HEAD), '|---|---|---|---|---|---|', ...rows.map((row) => markdownRow(cells(row))), '');
    out.push(...how.map((line) => `- ${line}`));
  }
  return `${out.join('\n')}\n`;
}
