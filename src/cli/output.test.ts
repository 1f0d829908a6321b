import { expect, test } from 'vitest';
import { painter, visible } from './output.ts';

test.each([
  ['an escape sequence', 'a\u001b[2Jb', 'a\\u001b[2Jb'],
  ['a title', '\u001b]0;evil\u0007', '\\u001b]0;evil\\u0007'],
  ['concealed text', '\u001b[8mx', '\\u001b[8mx'],
  ['C1 controls', '\u009b31m', '\\u009b31m'],
  ['another direction', 'a\u202eb', 'a\\u202eb'],
  ['an overwritten line', 'no\ryes', 'no\\ryes'],
])('A16 nothing reaches a terminal that it would obey: %s', (_name, text, shown) => {
  expect(visible(text)).toBe(shown);
  // In a document it stays the same character.
  expect(JSON.parse(visible(JSON.stringify({ text }, null, 2)))).toEqual({ text });
});

test('rule: lines, tabs and own colours stay', () => {
  const text = `${painter(true)('red', 'down')}\n\tü 🦊 ▀▄\n`;
  expect(visible(text)).toBe(text);
});
