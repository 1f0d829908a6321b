import { expect, test } from 'vitest';
import { INPUT_DEPTH_MAX, isTooDeep, Shape } from './shape.ts';

function shapeOf(json: string, size = json.length): Shape {
  const shape = new Shape();
  const bytes = Buffer.from(json);
  for (let at = 0; at < bytes.length; at += size) shape.take(bytes.subarray(at, at + size));
  return shape;
}

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

test('A16: how deep a text nests is found in one pass, whatever stands in its strings and wherever it is cut', () => {
  const text = String.raw`{"a":"[[{\"{\\","b":[{"c":"\\"},[1,"]]"]],"d":{}}`;
  for (let size = 1; size <= text.length; size += 1) expect(shapeOf(text, size).depth).toBe(3);
  expect(shapeOf(nested(2_000_000)).depth).toBe(2_000_000);
  expect(shapeOf(']]]]}}[').depth).toBe(1);
});

test('A16: arguments of a call may nest so deep and no deeper', () => {
  expect(isTooDeep(nested(INPUT_DEPTH_MAX))).toBe(false);
  expect(isTooDeep(nested(INPUT_DEPTH_MAX + 1))).toBe(true);
  expect(isTooDeep(JSON.stringify({ text: '['.repeat(1_000) }))).toBe(false);
});

test("A16: a list that is the provider's own is bounded, one in a model's arguments by its share of the event alone", () => {
  const list = (n: number) => Array.from({ length: n }, (_, i) => ({ i }));
  const outer = (n: number) => JSON.stringify({ choices: [{ delta: { tool_calls: list(n) } }] });
  const args = (n: number) =>
    JSON.stringify({ candidates: [{ content: { parts: [{ functionCall: { args: { rows: list(n) } } }] } }] });
  expect(shapeOf(outer(1_024)).excess).toBeNull();
  expect(shapeOf(outer(1_025)).excess).toMatch(/a list of more than 1024/);
  expect(shapeOf(args(20_000)).excess).toBeNull();
  expect(shapeOf(args(30_000)).excess).toMatch(/more than 50000 values/);
  // Keys are no entries of a list.
  expect(shapeOf(JSON.stringify(Object.fromEntries(list(5_000).map(({ i }) => [i, i])))).excess).toBeNull();
});
