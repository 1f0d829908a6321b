// What a run beside OpenClaw says. All its figures are costs: less is better.
import { amount, columns, markdownRow } from '../report.ts';

/** A figure, or in words why there is none. */
export type Cell = number | string;

export interface Row {
  readonly figure: string;
  readonly unit: string;
  readonly latchkey: Cell;
  /** In the order of `PEERS`. */
  readonly peers: readonly [Cell, Cell];
  /** What is wanted: so many times less than the bar, or that it is at most so much itself. */
  readonly aim?: { readonly timesLess: number } | { readonly atMost: number };
}

export interface Section {
  readonly title: string;
  /** Commands, counts, and what a reader must know to judge. */
  readonly how: readonly string[];
  readonly rows: readonly Row[];
}

export const PEERS = ['2026.9.6', '2026.3.13'] as const;

const HEAD = ['figure', 'latchkey', ...PEERS, 'bar', 'ratio', 'aim', ''] as const;

/** The better of the two; `null` where neither has a figure. */
export function barOf({ peers }: Row): number | null {
  const figures = peers.filter((cell) => typeof cell === 'number');
  return figures.length === 0 ? null : Math.min(...figures);
}

export function isMet(row: Row): boolean | null {
  const { aim, latchkey } = row;
  if (aim === undefined) return null;
  if (typeof latchkey !== 'number') return false;
  if ('atMost' in aim) return latchkey <= aim.atMost;
  const bar = barOf(row);
  return bar === null ? null : bar / latchkey >= aim.timesLess;
}

function aimOf({ aim }: Row): string {
  if (aim === undefined) return '';
  return 'atMost' in aim ? `≤ ${aim.atMost}` : `≥ ${aim.timesLess} ×`;
}

function cells(row: Row): readonly string[] {
  const shown = (cell: Cell | null) => {
    if (cell === null) return '';
    return typeof cell === 'string' ? cell : `${amount(cell)} ${row.unit}`.trim();
  };
  const bar = barOf(row);
  // Nothing is no cost that another one could be so many times of.
  const isRatio = bar !== null && typeof row.latchkey === 'number' && row.latchkey > 0;
  const ratio = isRatio ? `${(bar / Number(row.latchkey)).toFixed(1)} ×` : '';
  const met = isMet(row);
  const verdict = met === null ? '' : met ? 'met' : 'MISSED';
  return [row.figure, shown(row.latchkey), ...row.peers.map(shown), shown(bar), ratio, aimOf(row), verdict];
}

/** The table in columns, for a terminal. */
export function table(rows: readonly Row[]): string {
  return columns([HEAD, ...rows.map(cells)]);
}

/** The lines of a section of RESULTS.md. @param about lines that stand above all tables */
export function markdown(about: readonly string[], sections: readonly Section[]): readonly string[] {
  const out = [...about];
  for (const { title, how, rows } of sections) {
    out.push('', `### ${title}`, '');
    out.push(markdownRow(HEAD), `|${'---|'.repeat(HEAD.length)}`, ...rows.map((row) => markdownRow(cells(row))), '');
    out.push(...how.map((line) => `- ${line}`));
  }
  return out;
}
