import fc from 'fast-check';
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

/** Of a few characters, so that secrets stand in secrets, overlap, and begin where others end. */
const secret = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 8, maxLength: 12 });
const pieces = (secrets: readonly string[]) =>
  fc.array(fc.oneof(fc.constantFrom(...secrets), fc.string({ unit: fc.constantFrom('a', 'b', ' '), maxLength: 9 })), {
    maxLength: 12,
  });
const spoken = fc
  .array(secret, { minLength: 1, maxLength: 4 })
  .chain((secrets) => fc.record({ secrets: fc.constant(secrets), text: pieces(secrets).map((all) => all.join('')) }));

test('threat 53: what is told of a text that comes in pieces is what is told of all of it, and no secret is in it', () => {
  fc.assert(
    fc.property(spoken, fc.array(fc.nat(14), { minLength: 1 }), ({ secrets, text }, sizes) => {
      const hush = new Hush(secrets);
      const cut: string[] = [];
      for (let at = 0, i = 0; at < text.length; i += 1) {
        const size = Math.max(i % 5 === 4 ? 1 : 0, sizes[i % sizes.length] ?? 1);
        cut.push(text.slice(at, at + size));
        at += size;
      }
      const whole = new Hush(secrets).whole(text);
      const told = cut.map((piece) => hush.take(piece)).join('') + hush.rest();
      expect(told).toBe(whole);
      expect(hush.each(cut).join('')).toBe(whole);
      for (const one of secrets) expect(whole.includes(one)).toBe(false);
      // Nothing that is no part of a secret is missing: what is left of a text in which each is a mark of its own length.
      const marks = [...text].map((_, at) =>
        secrets.some((one) =>
          Array.from({ length: one.length }, (_unused, back) => at - back).some(
            (from) => from >= 0 && text.startsWith(one, from),
          ),
        ),
      );
      expect(whole.replaceAll('[redacted]', '')).toBe([...text].filter((_, at) => marks[at] !== true).join(''));
    }),
    { numRuns: 500 },
  );
});

test('threat 53: of one secret in another, or across another, nothing is left', () => {
  const told = (secrets: readonly string[], ...deltas: readonly string[]) => {
    const hush = new Hush(secrets);
    return deltas.map((delta) => hush.take(delta)).join('') + hush.rest();
  };
  expect(told(['token-12345', 'token-12345-678'], 'token-12345', '-678.')).toBe('[redacted].');
  expect(told(['abcdefgh12', 'gh12345678'], 'abcdefgh12', '345678.')).toBe('[redacted].');
  expect(new Hush(['abcdefgh12', 'gh12345678']).whole('abcdefgh12345678.')).toBe('[redacted].');
});

test('threat 53: texts that follow each other have no half of a secret each', () => {
  const hush = new Hush([KEY]);
  expect(hush.each(['it is sk-aab', '-sk-', 'aac-4711, said', ' I'])).toEqual(['it is [redacted]', '', ', said', ' I']);
  expect(hush.each([KEY, KEY, 'no risk'])).toEqual(['[redacted]', '[redacted]', 'no risk']);
});
