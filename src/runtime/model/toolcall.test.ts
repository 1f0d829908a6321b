import { expect, test } from 'vitest';
import { Hush } from './hush.ts';
import { toolCallOf } from './toolcall.ts';

const KEY = 'sk-4711/never-to-be-"told"';
const hush = () => new Hush([KEY]);
const call = (more: Partial<Parameters<typeof toolCallOf>[0]>) =>
  toolCallOf({ toolCallId: 'call_1', toolName: 'look', input: '{}', ...more }, hush());

/** Each character of it as JSON may write it, too. */
const escaped = [...KEY].map((character) => `\\u00${character.charCodeAt(0).toString(16)}`).join('');

test('threat 53: a key is in no part of a call, in whatever spelling JSON has for it', () => {
  for (const spelling of [JSON.stringify(KEY).slice(1, -1), escaped, KEY.replace('/', '\\/').replaceAll('"', '\\"')]) {
    const input = `{"a":"it is ${spelling}","list":[{"${spelling}":1}]}`;
    expect(call({ input })).toMatchObject({ input: { a: 'it is [redacted]', list: [{ '[redacted]': 1 }] } });
    expect(call({ input: `${input}}` })).toMatchObject({ input: null });
    const told = JSON.stringify(call({ input: `${input}}` }));
    expect(told).toContain('[redacted]');
    expect(told).not.toMatch(/4711|\\u0073/);
  }
  expect(call({ toolCallId: `id-${KEY}` })).toMatchObject({ id: 'id-[redacted]' });
  expect(call({ toolName: KEY })).toMatch(/no name/);
  expect(call({ toolName: `x${KEY}` })).toMatch(/no name/);
});

test('rule: what is no JSON stays as it came where no secret is in it, and what is an object stays one', () => {
  expect(call({ input: '{"a":"\\u0041"' })).toMatchObject({ input: null, malformed: '{"a":"\\u0041"' });
  expect(call({ input: ' ' })).toMatchObject({ input: {} });
  const own = call({ input: '{"__proto__":{"a":1},"b":[null,1,true]}' });
  expect(JSON.stringify(own)).toContain('"input":{"__proto__":{"a":1},"b":[null,1,true]}');
});

test('A16: the name of a tool is one, an id has no control characters, and arguments nest no deeper than is walked', () => {
  for (const toolName of ['look', 'files.read-all_2', 'server:search', 'n'.repeat(128)]) {
    expect(call({ toolName })).toMatchObject({ name: toolName });
  }
  for (const toolName of ['', 'two words', 'n'.repeat(129), '\u001b]0;x\u0007', 'look\n']) {
    expect(call({ toolName })).toMatch(/no name/);
  }
  expect(call({ toolCallId: `call_1__thought__${'QUJD+/='.repeat(1_000)}` })).toMatchObject({ kind: 'tool' });
  expect(call({ toolCallId: 'a\u001b[2J' })).toMatch(/an id that is none/);
  expect(call({ toolCallId: 'a'.repeat(20_000) })).toMatch(/an id that is none/);
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  expect(call({ input: nested(64) })).toMatchObject({ kind: 'tool' });
  expect(call({ input: nested(65) })).toMatch(/deeper than 64/);
  expect(call({ input: '{"a":'.repeat(3_000) })).toMatch(/deeper than 64/);
});
