import { expect, test } from 'vitest';
import { GuessBrake } from './guess.ts';

const rules = { maxAttempts: 3, windowMs: 60_000, maxDelayMs: 10_000 };

test('A16 the first wrong secrets are answered at once, later ones later and later, up to a bound', () => {
  const brake = new GuessBrake(() => rules);
  const delays = Array.from({ length: 12 }, () => brake.wrong('a', 0));
  expect(delays.slice(0, 3)).toEqual([0, 0, 0]);
  for (let i = 4; i < delays.length; i += 1) expect(delays[i]).toBeGreaterThanOrEqual(delays[i - 1] ?? 0);
  expect(Math.max(...delays)).toBe(10_000);
});

test('threat 32 guessing in parallel is not faster: answers to one source queue', () => {
  const brake = new GuessBrake(() => ({ ...rules, maxDelayMs: 1_000_000 }));
  const at = Array.from({ length: 8 }, () => brake.wrong('a', 0)).slice(3);
  expect(new Set(at).size).toBe(at.length);
});

test('threat 31 sources are apart, and forgotten after the window', () => {
  const brake = new GuessBrake(() => rules);
  for (let i = 0; i < 10; i += 1) brake.wrong('a', 0);
  expect(brake.wrong('b', 0)).toBe(0);
  expect(brake.wrong('a', 60_001)).toBe(0);
});
