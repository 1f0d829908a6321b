// What a run comes to beside the committed table: the lines for a person, the last line, and whether it passes.
import type { ReleaseName } from './release.ts';
import { type Column, compare, type Difference } from './table.ts';

export interface Compared {
  readonly part: string;
  readonly release: ReleaseName;
  /** What stands in the committed table; empty: nothing, so the run shows nothing. */
  readonly expected: Column;
  readonly found: Column;
}

export interface Outcome {
  readonly isGood: boolean;
  /** Whether the committed table could be written anew: something is better, or says something else. */
  readonly isNews: boolean;
  /** One a difference. */
  readonly lines: readonly string[];
  /** `7 rows as expected, 0 better, …` */
  readonly verdict: string;
}

const NAMES: Readonly<Record<Difference['kind'], string>> = {
  worse: 'worse',
  missing: 'not found',
  unexpected: 'without expectation',
  better: 'better',
  says: 'says something else',
};

/** @param whole false: a quick look, which runs some rows only, and is judged by those that have an expectation */
export function outcomeOf(runs: readonly Compared[], whole: boolean): Outcome {
  const lines: string[] = [];
  const kinds: Record<Difference['kind'], number> = { worse: 0, missing: 0, unexpected: 0, better: 0, says: 0 };
  let rows = 0;
  let isBlind = false;
  for (const { part, release, expected, found } of runs) {
    rows += found.size;
    if (expected.size === 0) {
      lines.push(`nothing is expected: ${part}, ${release}: there is no such column in the committed table`);
      isBlind = true;
    }
    for (const { kind, row, what } of compare(expected, found, whole)) {
      lines.push(`${NAMES[kind]}: ${part}, ${release}, ${row}: ${what}`);
      kinds[kind] += 1;
    }
  }
  const { worse, missing, unexpected, better, says } = kinds;
  const same = rows - worse - unexpected - better;
  return {
    isGood: !isBlind && rows > 0 && worse === 0 && missing === 0 && (unexpected === 0 || !whole),
    isNews: better > 0 || says > 0 || unexpected > 0 || isBlind,
    lines,
    verdict:
      `${same} rows as expected${says > 0 ? ` (${says} in other words)` : ''}, ${better} better, ${worse} worse, ` +
      `${unexpected} without expectation${missing > 0 ? `, ${missing} expected and not found` : ''}`,
  };
}
