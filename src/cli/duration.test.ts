import { expect, test } from 'vitest';
import { parseDuration, renderAge, renderDuration, renderEnd } from './duration.ts';

test.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['30m', 1_800_000],
  ['12h', 43_200_000],
  ['7d', 604_800_000],
  ['2w', 1_209_600_000],
  ['0s', 0],
])('A20 %s is %i ms', (text, size) => {
  expect(parseDuration(text)).toBe(size);
});

test.each([
  '',
  '30',
  '-30m',
  '+1h',
  '1.5h',
  '1 h',
  '1H',
  '1y',
  '1 hour',
  'forever',
  'Infinityh',
  '1e3s',
  '007s',
  '9999999999d',
  '1h30m',
])('A20 %j is no duration', (text) => {
  expect(parseDuration(text)).toBeNull();
});

test('rule: durations, ages and ends as people say them', () => {
  expect([0, 1_500, 90_000, 7_200_000, 172_800_000].map(renderDuration)).toEqual(['0 s', '2 s', '2 min', '2 h', '2 d']);
  expect(renderAge(1_000, 1_200)).toBe('just now');
  // A clock that was set back makes nobody younger than now.
  expect(renderAge(5_000, 1_000)).toBe('just now');
  expect(renderAge(0, 60_000)).toBe('1 min ago');
  expect(renderEnd(3_600_000, 0)).toMatch(/^1970-01-01 \d\d:\d\d UTC([+-]\d\d:\d\d)? \(in 1 h\)$/);
  // Right after --for 12h a moment has passed.
  expect(renderEnd(43_200_000, 300)).toMatch(/\(in 12 h\)$/);
  expect([59_500, 3_599_000, 59_400].map(renderDuration)).toEqual(['1 min', '1 h', '59 s']);
  expect(renderEnd(0, 1)).toMatch(/\(ended\)$/);
});
