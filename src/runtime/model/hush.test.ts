import { expect, test } from 'vitest';
import { Hush } from './hush.ts';

const KEY = 'sk-aab-sk-aac-4711';

test('A16: a key is in nothing that is told, however it is cut up', () => {
  const text = `it is ${KEY}, I say ${KEY}${KEY}. sk-aab-sk-`;
  const wanted = 'it is [redacted], I say [redacted][redacted]. sk-aab-sk-';
  for (let size = 1; size <= text.length; size += 1) {
    const hush = new Hush([KEY, 'another-one']);
    let told = '';
    for (let at = 0; at < text.length; at += size) told += hush.take(text.slice(at, at + size));
    expect(told.includes(KEY)).toBe(false);
    expect(told + hush.rest()).toBe(wanted);
  }
});

test('rule: what is no beginning of a key is told at once, and of two that begin alike the longer goes', () => {
  const hush = new Hush([KEY]);
  expect(hush.take('a risk s')).toBe('a risk ');
  expect(hush.take('aid')).toBe('said');
  const both = new Hush(['token-12345', 'token-12345-678']);
  expect(both.whole('token-12345-678 token-12345')).toBe('[redacted] [redacted]');
  expect(new Hush(['short']).take('a short word')).toBe('a short word');
});
