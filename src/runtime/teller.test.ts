import { expect, test } from 'vitest';
import { MAIN, soon } from '../../test/talk.ts';
import type { RunId } from '../core/lane/lane.ts';
import { ScriptedClock } from '../system/clock.ts';
import type { RunEvent } from './runtime.ts';
import type { Piece } from './scribe.ts';
import { Teller } from './teller.ts';

const [A, B] = ['a' as RunId, 'b' as RunId];

/** A teller whose disk writes when it is told to, and fails when it is told to. */
function desk() {
  const clock = new ScriptedClock();
  const asked: { readonly pieces: readonly Piece[]; done(): void; fail(): void }[] = [];
  const errors: unknown[] = [];
  const teller = new Teller({
    clock,
    diary: { info() {}, error: (_, error) => void errors.push(error) },
    keep: (pieces) =>
      new Promise<void>((done, fail) => asked.push({ pieces, done, fail: () => fail(new Error('no room')) })),
  });
  const told: RunEvent[] = [];
  teller.subscribe((event) => void told.push(event));
  const say = (run: RunId, delta: string) => teller.text(run, MAIN, { model: 'lab/one', delta });
  const heard = () => told.map((event) => (event.kind === 'text' ? event.delta : event.kind));
  const next = async (how: 'done' | 'fail' = 'done') => {
    const one = asked.shift();
    if (one === undefined) throw new Error('nothing is being written');
    one[how]();
    await soon();
    return one.pieces.map(({ run, text }) => `${run}: ${text}`);
  };
  return { clock, teller, told, heard, asked, errors, say, next };
}

test('rule: what a run says is told once it is on disk, in its order', async () => {
  const { clock, teller, told, heard, asked, say, next } = desk();
  teller.run(A, MAIN, { kind: 'usage', outputTokens: 1 });
  say(A, 'one ');
  say(A, 'two ');
  teller.run(A, MAIN, { kind: 'usage', outputTokens: 2 });
  await soon();
  expect(heard()).toEqual(['usage']);
  expect(await next()).toEqual(['a: one ']);
  // What was said meanwhile is written after a while, and what happened behind it waits for it.
  expect(heard()).toEqual(['usage', 'one ']);
  expect([asked.length, clock.pending]).toEqual([0, 1]);
  clock.advance(50);
  expect(await next()).toEqual(['a: two ']);
  expect(heard()).toEqual(['usage', 'one ', 'two ', 'usage']);
  expect(told.map((event) => 'seq' in event && event.seq)).toEqual([1, 2, 3, 4]);
  expect(told[2]).toMatchObject({ text: 'one two ', delta: 'two ' });
  expect(clock.pending).toBe(0);
});

test('rule: however many runs speak, what they say is one transaction in a while', async () => {
  const { clock, asked, say, next, heard } = desk();
  say(A, 'first ');
  for (let n = 0; n < 100; n += 1) for (const run of [A, B]) say(run, `${n} `);
  expect(asked).toHaveLength(1);
  expect(await next()).toEqual(['a: first ']);
  // Somebody waits for the first words of the other.
  const whole = Array.from({ length: 100 }, (_, n) => `${n} `).join('');
  expect(await next()).toEqual([`b: ${whole}`]);
  for (const run of [A, B]) say(run, 'more ');
  expect(asked).toHaveLength(0);
  clock.advance(49);
  expect(asked).toHaveLength(0);
  clock.advance(1);
  expect(await next()).toEqual([`a: ${whole}more `, 'b: more ']);
  expect(heard()).toEqual(['first ', whole, `${whole}more `, 'more ']);
});

test('rule: first words wait for no beat while the disk is quick, and are gathered once it is not', async () => {
  const { clock, teller, asked, say, next } = desk();
  say(A, 'one ');
  await next();
  say(B, 'first ');
  say(A, 'two ');
  // They alone: the beat of the others goes on.
  expect(await next()).toEqual(['b: first ']);
  clock.advance(50);
  expect(await next()).toEqual(['a: two ']);
  say(A, 'three ');
  clock.advance(50);
  clock.advance(20);
  await next();
  teller.cut(B, MAIN);
  say(B, 'another ');
  expect(asked).toHaveLength(0);
  clock.advance(180);
  expect(await next()).toEqual(['b: another ']);
});

test('rule: a slow disk rests nine times as long as it worked, at most a quarter of a second', async () => {
  const { clock, asked, say, next } = desk();
  for (const [tookMs, restMs] of [
    [20, 180],
    [400, 250],
    [0, 50],
  ] as const) {
    clock.advance(2_000);
    say(A, 'x');
    expect(asked).toHaveLength(1);
    clock.advance(tookMs);
    await next();
    say(A, 'y');
    clock.advance(restMs - 1);
    expect(asked, `after ${tookMs}`).toHaveLength(0);
    clock.advance(1);
    expect(asked, `after ${tookMs}`).toHaveLength(1);
    await next();
  }
});

test('rule: what the disk refuses is not told, and is written again with what came behind it', async () => {
  const { clock, asked, errors, say, next, heard } = desk();
  say(A, 'one ');
  await next('fail');
  say(A, 'two ');
  expect([heard(), errors.length, asked.length]).toEqual([[], 1, 0]);
  clock.advance(5_000);
  expect(await next()).toEqual(['a: one two ']);
  expect(heard()).toEqual(['one ', 'two ']);
});

test('rule: what is about to stand in its row is not written beside it, and told with the row', async () => {
  const { clock, teller, asked, say, next, heard } = desk();
  say(A, 'one ');
  say(A, 'two ');
  teller.hold(A);
  await next();
  clock.advance(60_000);
  expect([heard(), asked.length]).toEqual([['one '], 0]);
  teller.stored(A);
  expect(heard()).toEqual(['one ', 'two ']);
  // A piece that was under way then is told once.
  clock.advance(60_000);
  say(A, 'three ');
  teller.hold(A);
  teller.stored(A);
  await next();
  expect(heard()).toEqual(['one ', 'two ', 'three ']);
  teller.cut(A, MAIN);
  clock.advance(60_000);
  say(A, 'another');
  await next();
  expect(heard().at(-1)).toBe('another');
  expect(clock.pending).toBe(0);
});

test('rule: once it has ended nothing is written', async () => {
  const { clock, teller, asked, say, next } = desk();
  say(A, 'one ');
  await next();
  say(A, 'two ');
  teller.end();
  say(A, 'three ');
  clock.advance(60_000);
  expect([asked.length, clock.pending]).toEqual([0, 0]);
});

test('rule: first words that are on their way when a beat falls are written once', async () => {
  const { clock, asked, say, next, heard } = desk();
  say(A, 'one ');
  await next();
  say(A, 'two ');
  clock.advance(49);
  say(B, 'first ');
  expect(asked).toHaveLength(1);
  clock.advance(1);
  expect(asked).toHaveLength(1);
  expect(await next()).toEqual(['b: first ']);
  expect(await next()).toEqual(['a: two ']);
  expect(heard()).toEqual(['one ', 'first ', 'two ']);
  expect([asked.length, clock.pending]).toEqual([0, 0]);
});

test('rule: a disk that refuses first words is not asked with the next beat', async () => {
  const { clock, asked, say, next, heard } = desk();
  say(A, 'one ');
  await next();
  say(A, 'two ');
  say(B, 'first ');
  await next('fail');
  clock.advance(4_999);
  expect(asked).toHaveLength(0);
  clock.advance(1);
  expect(await next()).toEqual(['a: two ', 'b: first ']);
  expect(heard()).toEqual(['one ', 'two ', 'first ']);
});
