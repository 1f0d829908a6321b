import type { Result } from './run.ts';
import type { Target } from './target.ts';

const WORD = { pass: 'pass', fail: 'FAIL', skip: 'skip' } as const;

/** One line for each check, as it comes. */
export function line({ id, verdict, ms, title, note }: Result): string {
  const time = ms < 10_000 ? `${ms} ms` : `${Math.round(ms / 1_000)} s`;
  return `${WORD[verdict]}  ${id.padEnd(16)} ${time.padStart(8)}  ${title}${note === '' ? '' : `\n${' '.repeat(34)}${note.slice(0, 600)}`}`;
}

export function count(results: readonly Result[]): { passed: number; failed: number; skipped: number } {
  const of = (verdict: Result['verdict']) => results.filter((result) => result.verdict === verdict).length;
  return { passed: of('pass'), failed: of('fail'), skipped: of('skip') };
}

/** What a run came to, after its lines. */
export function summary(results: readonly Result[], target: Target): string {
  const { passed, failed, skipped } = count(results);
  const { seed, quick } = target.options;
  const logs = results.flatMap(({ id, log }) => (log === null ? [] : [`  ${id}: ${log}`]));
  return [
    '',
    `${target.product} ${target.version}, seed ${seed}, ${quick ? 'quick' : 'full'} counts`,
    `${passed} passed, ${failed} failed, ${skipped} skipped (a skip is not a pass)`,
    ...(logs.length === 0 ? [] : ['frame logs:', ...logs]),
  ].join('\n');
}
