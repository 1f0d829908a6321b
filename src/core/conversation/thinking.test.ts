import { expect, test } from 'vitest';
import { effective, levelIn, thinkingOf } from './thinking.ts';

test('rule: a level is found by the words that clients write for it, and what is no such word is none', () => {
  const words = ['off', 'None', 'minimal', 'LOW', 'on', 'med', 'high', 'x-high', 'extra high', 'max', 'adaptive'];
  expect(words.map(thinkingOf)).toEqual([
    'off',
    'off',
    'minimal',
    'low',
    'low',
    'medium',
    'high',
    'xhigh',
    'xhigh',
    'xhigh',
    'adaptive',
  ]);
  for (const word of ['', 'bananas', 'constructor', '7']) expect(thinkingOf(word)).toBeNull();
});

test('rule: a level that a model does not have is lowered, and never to no thought at all', () => {
  const some = ['off', 'low', 'medium', 'high'] as const;
  expect(levelIn(some, 'xhigh')).toBe('high');
  expect(levelIn(some, 'minimal')).toBe('low');
  expect(levelIn(some, 'off')).toBe('off');
  expect(levelIn(['low', 'high'], 'medium')).toBe('low');
  expect(levelIn(['low', 'high'], 'off')).toBe('low');
  expect(levelIn(['off'], 'high')).toBe('off');
});

test('rule: where nothing was said a model thinks as it does by itself', () => {
  expect(effective(['low', 'high'], null)).toBe('adaptive');
  expect(effective(['low', 'high'], 'adaptive')).toBe('adaptive');
  expect(effective(['off'], null)).toBe('off');
  expect(effective(['off'], 'adaptive')).toBe('off');
  expect(effective(['low', 'high'], 'medium')).toBe('low');
});
