import { expect, it } from 'vitest';
import { endLines, RunEnds } from './sessions-end.ts';

const failed = (runId: string) => ({ runId, kind: 'error', code: 'auth', text: 'the key is refused' });

/** `r1`: a row of it; `-`: one of none; in brackets: the end that is told there. */
function story(rows: readonly (string | null)[], ends: readonly Readonly<Record<string, unknown>>[]): string {
  const told = new RunEnds();
  told.learn(ends);
  const mark = (end: Readonly<Record<string, unknown>> | null) => (end === null ? [] : [`[${end.runId}]`]);
  return [...rows.flatMap((run) => [...mark(told.before(run)), run ?? '-']), ...mark(told.rest())].join(' ');
}

it('rule: the end of a run stands behind the last of its rows, once', () => {
  expect(story(['a', 'a', 'b'], [failed('a')])).toBe('a a [a] b');
  expect(story(['a', 'b', 'b'], [failed('b')])).toBe('a b b [b]');
  expect(story(['a', null, 'a', null, 'b'], [failed('a'), failed('b')])).toBe('a - a - [a] b [b]');
  // What joined it is answered in it: before it began, and while it was at work.
  const joined = (runId: string) => ({ runId, kind: 'joined', into: 'a' });
  expect(story(['x', 'a', 'y', 'a', 'b'], [joined('x'), failed('a'), joined('y')])).toBe('x a y a [a] b');
  expect(story([null, null], [failed('a')])).toBe('- -');
});

it('rule: an end that comes later than its row is told once it is known, and not again', () => {
  const told = new RunEnds();
  expect([told.before('a'), told.rest()]).toEqual([null, null]);
  told.learn([failed('a')]);
  expect([told.rest(), told.rest(), told.before('b')]).toEqual([failed('a'), null, null]);
});

it('A16: an end says why, and what to run for this state directory', () => {
  const end = { ...failed('a'), remedy: 'latchkey models status --probe', text: 'no \u001b[31m' };
  expect(endLines(end, { stateDir: '/x' })).toEqual([
    'the run failed: no \\u001b[31m',
    'run: latchkey --state-dir /x models status --probe',
  ]);
  expect(endLines({ kind: 'aborted' }, {})).toEqual(['the run was aborted: somebody stopped it']);
  expect(endLines({ kind: 'interrupted' }, {})[0]).toMatch(/^the run was interrupted: /);
});
