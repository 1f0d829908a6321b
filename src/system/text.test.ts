import { expect, test } from 'vitest';
import { claimText, escapeText, nearest, shellWord, truncateBytes } from './text.ts';

test.each([
  ['a\r\nb\tc', 'a\\r\\nb\\tc'],
  ['\u001b[31mred', '\\u001b[31mred'],
  ['\u202egnp.exe', '\\u202egnp.exe'],
  ['a\u200bb\ufeff', 'a\\u200bb\\ufeff'],
  ['\u2028\u0085', '\\u2028\\u0085'],
  ['\ud800x', '\\ud800x'],
  ['Grüße 🦊', 'Grüße 🦊'],
])('A16 %j is shown as %s', (text, shown) => {
  expect(escapeText(text)).toBe(shown);
});

test('rule: a claim has at most 256 bytes, says what was cut, and is cut between characters', () => {
  expect(claimText('x'.repeat(256))).toBe('x'.repeat(256));
  expect(claimText('x'.repeat(70_000))).toBe(`${'x'.repeat(256)}…[+69744 bytes]`);
  const foxes = truncateBytes('🦊'.repeat(100), 255);
  expect(foxes).toBe(`${'🦊'.repeat(63)}…[+148 bytes]`);
});

test.each([
  ['lst', ['list', 'reject'], 'list'],
  ['devcies', ['devices', 'gateway'], 'devices'],
  ['Port', ['port', 'bind'], 'port'],
  ['zzzz', ['port', 'bind'], null],
])('rule: the nearest to %s', (word, known, near) => {
  expect(nearest(word, known)).toBe(near);
});

test('rule: a path becomes one word of a shell', () => {
  expect(shellWord('/home/user/.latchkey')).toBe('/home/user/.latchkey');
  expect(shellWord("/tmp/it's here; rm -rf /")).toBe(`'/tmp/it'\\''s here; rm -rf /'`);
});
