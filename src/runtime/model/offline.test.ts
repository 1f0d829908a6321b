import { expect, test } from 'vitest';
import type { Message, Part } from './model.ts';
import { offlineModel } from './offline.ts';

const user = (text: string): Message => ({ role: 'user', content: [{ kind: 'text', text }] });

async function partsOf(messages: readonly Message[], signal = new AbortController().signal): Promise<readonly Part[]> {
  const parts: Part[] = [];
  for await (const part of offlineModel.step({ system: '', messages, signal })) parts.push(part);
  return parts;
}
const textOf = (parts: readonly Part[]) => parts.map((part) => (part.kind === 'text' ? part.delta : '')).join('');

test('rule: the offline model says what it is, in several deltas, the same each time', async () => {
  const parts = await partsOf([user('how are you?')]);
  expect(textOf(parts)).toBe('[offline model] You said: how are you?');
  expect(parts.filter(({ kind }) => kind === 'text').length).toBeGreaterThan(3);
  expect(parts.at(-2)).toMatchObject({ kind: 'usage', usage: { input: 3, output: 10 } });
  expect(parts.at(-1)).toMatchObject({ kind: 'finish', reason: 'stop' });
  expect(await partsOf([user('how are you?')])).toEqual(parts);
});

test('rule: the offline model says, calls and spawns what it is told to', async () => {
  expect(textOf(await partsOf([user('/say  a  b\nc')]))).toBe('a  b\nc');
  const [call, , end] = await partsOf([user('/tool read {"path": "a.txt"}')]);
  expect(call).toEqual({ kind: 'tool', id: 'call_1', name: 'read', input: { path: 'a.txt' } });
  expect(end).toMatchObject({ kind: 'finish', reason: 'tool', message: { content: [call] } });
  expect((await partsOf([user('/tool now')]))[0]).toMatchObject({ name: 'now', input: {} });
  expect((await partsOf([user('/spawn look into it')]))[0]).toMatchObject({
    name: 'sessions_spawn',
    input: { task: 'look into it' },
  });
  expect(textOf(await partsOf([user('/tool read {broken')]))).toContain('no JSON');
});

test('rule: the offline model tells what its tools gave', async () => {
  const results = [{ id: 'call_1', name: 'read', output: 'text of a file', isError: false }];
  expect(textOf(await partsOf([user('/tool read'), { role: 'tool', results }]))).toBe(
    '[offline model] read answered: text of a file',
  );
});

test('rule: the offline model stops when it is stopped', async () => {
  const stop = new AbortController();
  const heard: Part[] = [];
  const run = (async () => {
    for await (const part of offlineModel.step({ system: '', messages: [user('a b c d e')], signal: stop.signal })) {
      heard.push(part);
      stop.abort();
    }
  })();
  await expect(run).rejects.toMatchObject({ kind: 'aborted', began: true });
  expect(heard.length).toBe(1);
});

test('rule: arguments that nest too deep to be walked are no call', async () => {
  const parts = await partsOf([user(`/tool read ${'['.repeat(3_000)}${']'.repeat(3_000)}`)]);
  expect(textOf(parts)).toContain('nests too deep');
  expect(parts.some(({ kind }) => kind === 'tool')).toBe(false);
});
