import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SessionKey } from '../../src/core/conversation/session.ts';
import type { RunId } from '../../src/core/lane/lane.ts';
import { contentsInMemory } from '../../src/runtime/contents.ts';
import { openConversations } from '../../src/runtime/conversations.ts';
import type { RunEvent, Talk } from '../../src/runtime/runtime.ts';
import { openMemory } from '../../src/store/memory/memory.ts';
import { systemClock } from '../../src/system/clock.ts';
import { newId } from '../../src/system/random.ts';
import { KINDS, type Kind, type ModelServer, startModelServer } from '../modelserver.ts';

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer();
});
beforeEach(() => void server.mock.reset());
afterAll(() => server.stop());

const KEY = 'agent:main:main' as SessionKey;
const LONG = Array.from({ length: 400 }, (_, n) => `word${n}`).join(' ');

async function conversation(kind: Kind): Promise<{ readonly talk: Talk; readonly events: RunEvent[] }> {
  const facts = { contextWindow: null, price: null };
  const talk = openConversations({
    store: openMemory(),
    clock: systemClock,
    newId,
    chance: () => 0.5,
    agents: () => [
      {
        id: 'main',
        name: 'Main',
        workspace: '/nowhere/at/all',
        model: null,
        queue: 'followup',
        thinking: null,
        bound: { tokensPerDay: null, usdPerDay: null },
      },
    ],
    models: { of: async () => ({ candidates: [{ model: server.model(kind), facts }], input: null }) },
    contents: contentsInMemory(),
    diary: { info() {}, error: (event, error) => expect.unreachable(`${event}: ${String(error)}`) },
    mayTalk: () => true,
    mark: (place) => place,
    zone: 'UTC',
  });
  const events: RunEvent[] = [];
  talk.subscribe((event) => void events.push(event));
  await talk.start();
  return { talk, events };
}

const say = (talk: Talk, id: string, text: string) =>
  talk.send({
    id: id as RunId,
    key: KEY,
    giver: { kind: 'owner' },
    from: { kind: 'person', name: null },
    text,
  });

const hears = async (events: readonly RunEvent[]) => {
  while (!events.some(({ kind }) => kind === 'text')) await new Promise((resolve) => setTimeout(resolve, 5));
};

test.each(KINDS)(
  'rule: after an abort the server of %s sees its connection close, and sends no further token',
  async (kind) => {
    server.mock.onMessage('a story', { content: LONG }, { chunkSize: 6, latency: 25 });
    const { talk, events } = await conversation(kind);
    await say(talk, 'r1', 'a story');
    await hears(events);
    expect(await talk.abort(KEY, 'r1' as RunId)).toEqual(['r1']);
    const told = events.length;
    expect(await server.cut()).toBe(true);
    const bytes = server.bytes();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(server.bytes()).toBe(bytes);
    expect(events.length).toBe(told);
    expect(await talk.wait('r1' as RunId, 0)).toMatchObject({ end: { kind: 'aborted' } });
    const [asked, partial] = await talk.tail(KEY, 10);
    expect(asked?.body).toMatchObject({ text: 'a story' });
    const text = partial?.body.kind === 'assistant' ? partial.body.text : '';
    expect(text.length).toBeGreaterThan(0);
    expect(LONG.startsWith(text) && text.length < LONG.length).toBe(true);
  },
);

test('rule: the end of the gateway closes the connection to the model, and keeps what it had said', async () => {
  server.mock.onMessage('a story', { content: LONG }, { chunkSize: 6, latency: 25 });
  const { talk, events } = await conversation('openai-compatible');
  await say(talk, 'r1', 'a story');
  await hears(events);
  await talk.stop(60_000);
  expect(await server.cut()).toBe(true);
  expect(await talk.wait('r1' as RunId, 0)).toMatchObject({ end: { kind: 'interrupted' } });
  expect(events.at(-1)).toMatchObject({ kind: 'end', stop: 'interrupted', text: expect.stringContaining('word0') });
});

test.each(KINDS)('rule: %s answers, calls a tool that is not there, is told so and answers again', async (kind) => {
  server.mock.onMessage('hello', { content: 'Good morning.' }, { chunkSize: 4 });
  server.mock.on({ hasToolResult: true }, { content: 'I have none.' });
  server.mock.onMessage('weather', { toolCalls: [{ name: 'weather', arguments: { place: 'Rome' }, id: 'call_rome' }] });
  const { talk } = await conversation(kind);
  await say(talk, 'r1', 'hello');
  await say(talk, 'r2', 'weather');
  expect(await talk.wait('r2' as RunId, 60_000)).toMatchObject({ end: { kind: 'ok' } });
  expect(await talk.answer('r1' as RunId)).toMatchObject({ text: 'Good morning.' });
  expect(await talk.answer('r2' as RunId)).toMatchObject({ text: 'I have none.' });
  expect((await talk.tail(KEY, 10)).map(({ body }) => body.kind)).toEqual([
    'user',
    'assistant',
    'user',
    'assistant',
    'tool',
    'assistant',
  ]);
  expect(JSON.stringify(server.mock.getLastRequest()?.body)).toContain("There is no tool 'weather'.");
});
