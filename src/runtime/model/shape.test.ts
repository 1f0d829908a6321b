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

test("A16: a provider's own list may have as many numbers as a long prompt has tokens, and no more objects than before", () => {
  const ids = (n: number) => JSON.stringify({ prompt_token_ids: Array.from({ length: n }, (_, i) => i), choices: [] });
  expect(shapeOf(ids(131_072)).excess).toBeNull();
  expect(shapeOf(ids(170_000)).excess).toMatch(/more than 160000 numbers/);
  // A number between them hides no objects, and keys of an object are not taken for numbers.
  expect(shapeOf(`{"a":[${'1,{},'.repeat(1_025)}1]}`).excess).toMatch(/a list of more than 1024/);
  expect(shapeOf(`{"a":{${'"x":1,'.repeat(50_001)}"y":1}}`).excess).toMatch(/more than 50000 values/);
  expect(shapeOf(`{"a":[${'[],'.repeat(1_025)}1]}`).excess).toMatch(/a list of more than 1024/);
});

const pathIn = (path: string, name = 'jsonPath', before = '') =>
  `{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{${before}"${name}" : "${path}"}]}}]}}]}`;

test("A16: where a piece of a call's arguments belongs is said in a few steps, however its name is spelled", () => {
  const steps = `$${'.a'.repeat(65)}`;
  for (const path of [steps, `$${'[0]'.repeat(65)}`, `$${'\\u002ea'.repeat(65)}`, `$.${'a'.repeat(1_024)}`]) {
    const names = [
      'jsonPath',
      String.raw`json\u0050ath`,
      [...'jsonPath'].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join(''),
    ];
    for (const name of names) {
      for (const before of ['', '"stringValue":"jsonPath",', String.raw`"a\"jsonPath":1,`, '"willContinue":true,']) {
        for (const size of [1, 7, 10_000]) {
          expect(shapeOf(pathIn(path, name, before), size).excess).toMatch(
            /a path of more than 64 steps or 1024 bytes/,
          );
        }
      }
    }
  }
  expect(shapeOf(pathIn(`$${'.a'.repeat(64)}`)).excess).toBeNull();
  expect(shapeOf(pathIn(steps, 'jsonpath')).excess).toBeNull();
  // A value of that name is none, and in a call's arguments it is a name like any other.
  expect(shapeOf(pathIn(steps, 'a', '"b":"jsonPath",')).excess).toBeNull();
  const args = { jsonPath: steps, rows: [{ jsonPath: steps }], a: { jsonPath: steps } };
  const call = { candidates: [{ content: { parts: [{ functionCall: { args } }] } }] };
  expect(shapeOf(JSON.stringify(call)).excess).toBeNull();
});

test('A16: a text is whole where each bracket in it has its end', () => {
  for (const text of ['{"a":[1]}', '[]', '{"a":"}"} ']) expect(shapeOf(text).isWhole).toBe(true);
  for (const text of ['', '1', '"a', '{"a":"}', '{"a":[1]', '{"a":"]}"', '[{}'])
    expect(shapeOf(text).isWhole).toBe(false);
});
