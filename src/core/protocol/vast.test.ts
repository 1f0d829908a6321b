import { expect, test } from 'vitest';
import { isVast } from './vast.ts';

const list = (length: number) => Array.from({ length }, () => 0);

test('threat 2: values are counted, whatever holds them, and no further than needed', () => {
  expect(isVast(list(9), 10)).toBe(false);
  expect(isVast(list(10), 10)).toBe(true);
  expect(isVast({ a: list(4), b: { c: list(3) } }, 11)).toBe(false);
  expect(isVast({ a: list(4), b: { c: list(3) } }, 10)).toBe(true);
  expect(isVast(Object.fromEntries(list(50).map((_, i) => [`k${i}`, i])), 50)).toBe(true);
  expect([null, 1, 'text', {}, []].map((value) => isVast(value, 1))).toEqual([false, false, false, false, false]);
  let deep: unknown = 1;
  for (let i = 0; i < 5_000; i += 1) deep = [deep];
  expect(isVast(deep)).toBe(true);
  let read = 0;
  const watched = new Proxy(list(1_000_000), { get: (target, name) => Reflect.get(target, name, ++read && target) });
  expect(isVast(watched)).toBe(true);
  expect(read).toBeLessThan(10);
});
