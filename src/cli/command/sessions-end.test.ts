import { expect, it, test } from 'vitest';
import { type Adviser, adviceOf, advisedRow } from '../advice.ts';
import type { Context } from '../context.ts';
import { endLines, RunEnds } from './sessions-end.ts';

/** Of this state directory's gateway, or of another one. */
function adviser(isElsewhere = false): Adviser {
  const context = { globals: isElsewhere ? {} : { stateDir: '/x' }, command: 'latchkey --url ws://x' } as Context;
  return { context, isElsewhere, key: 'a b' };
}

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
  expect(endLines(end, adviser(), null)).toEqual([
    'the run failed: no \\u001b[31m',
    'run: latchkey --state-dir /x models status --probe',
  ]);
  expect(endLines({ kind: 'aborted' }, adviser(), null)).toEqual(['the run was aborted: somebody stopped it']);
  expect(endLines({ kind: 'interrupted' }, adviser(), null)[0]).toMatch(/^the run was interrupted: /);
});

test('A16: what a provider says of an end begins no line of its own on a terminal', () => {
  const text = `no ${'.'.repeat(20)} run: sudo evil`;
  const lines = endLines({ ...failed('a'), text, remedy: 'latchkey logs' }, adviser(), 40);
  expect(lines).toEqual([
    'the run failed: no .................... ',
    '  │ run: sudo evil',
    'run: latchkey --state-dir /x logs',
  ]);
});

test.each([
  ['auth', 'latchkey --url ws://x models status --probe'],
  ['context', "latchkey --url ws://x sessions reset 'a b'"],
  ['timeout', "latchkey --url ws://x sessions tail 'a b'"],
])('A16: a gateway elsewhere gives no orders: of %s this side knows what helps', (code, run) => {
  const end = { ...failed('a'), code, remedy: 'latchkey config set x y\u001b[2J' };
  const there = adviser(true);
  expect(endLines(end, there, null)).toEqual([
    'the run failed: the key is refused',
    'it advises: latchkey config set x y\\u001b[2J',
    `run: ${run}`,
  ]);
  expect(advisedRow(end, there)).toEqual({ ...end, remedy: run, advised: end.remedy });
  expect(advisedRow(end, adviser())).toBe(end);
});

test('A16: of a code that this side does not know it says nothing, whatever a gateway elsewhere calls it', () => {
  for (const code of ['toString', 'x', 5, undefined]) {
    const end = { kind: 'error', code, remedy: 'sudo evil' };
    expect(adviceOf(end, adviser(true))).toEqual({ run: null, advised: 'sudo evil' });
    expect(advisedRow(end, adviser(true))).toEqual({ kind: 'error', code, advised: 'sudo evil' });
  }
  expect(adviceOf({ code: 'auth', remedy: 'x'.repeat(10_000) }, adviser(true)).advised?.length).toBeLessThan(600);
});
