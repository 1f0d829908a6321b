import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScriptedClock } from './clock.ts';
import { createLog } from './log.ts';
import { readLog } from './log-read.ts';
import { FileSink } from './log-sink.ts';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lk-logread-'));
  file = join(folder, 'gateway.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const line = (n: number) => `{"time":"2026-01-01T00:00:00.000Z","n":${n}}`;
const text = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${line(from + i)}\n`).join('');
const numbers = (lines: readonly string[]) => lines.map((l) => Number(/"n":(\d+)/.exec(l)?.[1]));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const ask = (cursor?: number, more: { limit?: number; maxBytes?: number } = {}) =>
  readLog(file, { limit: 500, maxBytes: 250_000, ...more, ...(cursor === undefined ? {} : { cursor }) });
const rotate = () => {
  renameSync(file, file.replace('.jsonl', '.1.jsonl'));
};

test('rule: without a log there is nothing, and what comes first is told to who saw nothing', async () => {
  const none = await ask();
  expect(none).toEqual({ file, cursor: 0, size: 0, lines: [], truncated: false, reset: false, skippedBytes: 0 });
  writeFileSync(file, text(0, 3));
  const first = await ask(none.cursor);
  expect(numbers(first.lines)).toEqual([0, 1, 2]);
  expect(first).toMatchObject({ reset: false, truncated: false });
});

test('rule: the newest lines, and that there are older ones', async () => {
  writeFileSync(file, text(0, 10));
  expect(numbers((await ask(undefined, { limit: 3 })).lines)).toEqual([7, 8, 9]);
  expect(await ask(undefined, { limit: 3 })).toMatchObject({ truncated: true, reset: false });
  expect(await ask()).toMatchObject({ truncated: false });
  expect(numbers((await ask(undefined, { maxBytes: 100 })).lines)).toEqual([8, 9]);
});

test('rule: what came since, in order and each once, however it is cut', async () => {
  writeFileSync(file, text(0, 5));
  let { cursor } = await ask();
  appendFileSync(file, text(5, 60));
  const seen: number[] = [];
  for (let again = true; again; ) {
    const answer = await ask(cursor, { limit: 7, maxBytes: 200 });
    expect(answer.lines.join('\n').length).toBeLessThanOrEqual(200);
    seen.push(...numbers(answer.lines));
    ({ cursor } = answer);
    again = answer.truncated;
  }
  expect(seen).toEqual(range(5, 60));
});

test('rule: a line that is still being written is left for later', async () => {
  writeFileSync(file, `${text(0, 2)}${line(2).slice(0, 9)}`);
  const first = await ask();
  expect(numbers(first.lines)).toEqual([0, 1]);
  expect((await ask(first.cursor)).lines).toEqual([]);
  appendFileSync(file, `${line(2).slice(9)}\n`);
  expect(numbers((await ask(first.cursor)).lines)).toEqual([2]);
});

test('rule: a cursor outlives rotation', async () => {
  writeFileSync(file, text(0, 5));
  const { cursor } = await ask();
  appendFileSync(file, text(5, 8));
  rotate();
  writeFileSync(file, text(8, 10));
  const answer = await ask(cursor);
  expect(numbers(answer.lines)).toEqual([5, 6, 7, 8, 9]);
  expect(answer.reset).toBe(false);
  expect(numbers((await ask(undefined, { limit: 4 })).lines)).toEqual([6, 7, 8, 9]);
  // Also while the newest file is not there, or has no whole line yet.
  rmSync(file);
  expect(numbers((await ask(cursor)).lines)).toEqual([5, 6, 7]);
  writeFileSync(file, line(8).slice(0, 5));
  const late = await ask(cursor);
  expect(numbers(late.lines)).toEqual([5, 6, 7]);
  expect((await ask(late.cursor)).lines).toEqual([]);
});

test('rule: of a file that is gone the newest lines are told, and that some are missing', async () => {
  writeFileSync(file, text(0, 5));
  const { cursor } = await ask();
  writeFileSync(file, text(100, 120));
  const answer = await ask(cursor);
  expect(answer).toMatchObject({ reset: true });
  expect(numbers(answer.lines)).toEqual(range(100, 120));
  expect((await ask(answer.cursor)).lines).toEqual([]);
  expect(await ask(Number.MAX_SAFE_INTEGER)).toMatchObject({ reset: true });
  expect(await ask(cursor + 3)).toMatchObject({ reset: true });
});

test('threat 37 a line that no answer could hold is left out and counted', async () => {
  writeFileSync(file, text(0, 2));
  const { cursor } = await ask();
  appendFileSync(file, `${'x'.repeat(200_000)}\n${text(2, 4)}`);
  const answer = await ask(cursor, { maxBytes: 1_000 });
  expect(numbers(answer.lines)).toEqual([2, 3]);
  expect(answer.skippedBytes).toBe(200_001);
  // From the middle of it nothing whole can be told, and the next answer goes on behind it.
  writeFileSync(file, `${text(0, 2)}${'x'.repeat(200_000)}`);
  const inside = await ask(undefined, { maxBytes: 1_000 });
  expect(inside.lines).toEqual([]);
  appendFileSync(file, `\n${text(5, 6)}`);
  expect(numbers((await ask(inside.cursor, { maxBytes: 1_000 })).lines)).toEqual([5]);
});

test('rule: what is no plain file is not read', async () => {
  writeFileSync(join(folder, 'elsewhere'), text(0, 1));
  symlinkSync(join(folder, 'elsewhere'), file);
  await expect(ask()).rejects.toThrow();
  rmSync(file);
  mkdirSync(file);
  await expect(ask()).rejects.toThrow();
});

test('rule: each line of a sink that rotates under a reader is told once', async () => {
  const sink = new FileSink({ level: 'info', path: file, maxBytes: 1_500, keep: 3 });
  const clock = new ScriptedClock();
  const log = createLog({ clock, sinks: [sink] });
  const seen: number[] = [];
  let { cursor } = await ask();
  for (let i = 0; i < 300; i += 1) {
    clock.advance(1);
    log.info('m', { n: i });
    if (i % 11 !== 0) continue;
    log.flush();
    for (let again = true; again; ) {
      const answer = await ask(cursor, { limit: 6 });
      expect(answer.reset).toBe(false);
      seen.push(...numbers(answer.lines));
      ({ cursor } = answer);
      again = answer.truncated;
    }
  }
  sink.close();
  const rest = await ask(cursor);
  expect([...seen, ...numbers(rest.lines)]).toEqual(range(0, 300));
});
