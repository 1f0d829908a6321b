import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ModelFailure } from '../../src/runtime/model/failure.ts';
import { remoteModel } from '../../src/runtime/model/remote.ts';
import { systemClock } from '../../src/system/clock.ts';
import {
  heard,
  KEY,
  KINDS,
  type Kind,
  type ModelServer,
  startModelServer,
  startNobody,
  stepOf,
} from '../modelserver.ts';

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer();
});
beforeEach(() => void server.mock.reset());
afterAll(() => server.stop());

const weather = {
  name: 'weather',
  description: 'The weather of a place.',
  input: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] },
};

/** Whatever is told of a failure holds no key. */
function failureOf(error: unknown): ModelFailure {
  const told = error as ModelFailure;
  expect(told?.name).toBe('ModelFailure');
  expect(`${told.message} ${told.why} ${told.stack} ${JSON.stringify(told)}`).not.toContain(KEY);
  return told;
}

describe.each(KINDS)('%s', (kind: Kind) => {
  test('rule: a text comes in deltas, with usage and the whole message at its end', async () => {
    server.mock.onMessage('hello', { content: 'Good morning to everybody here.' }, { chunkSize: 6 });
    const { parts, text, error } = await heard(server.model(kind).step(stepOf('hello')));
    expect(error).toBeNull();
    expect(text).toBe('Good morning to everybody here.');
    expect(parts.filter((part) => part.kind === 'text').length).toBeGreaterThan(2);
    expect(parts.at(-2)).toMatchObject({
      kind: 'usage',
      usage: { input: expect.any(Number), output: expect.any(Number) },
    });
    expect(parts.at(-1)).toMatchObject({
      kind: 'finish',
      reason: 'stop',
      message: { role: 'assistant', content: [{ kind: 'text', text: 'Good morning to everybody here.' }] },
    });
    const asked = server.mock.getLastRequest();
    expect(JSON.stringify(asked?.body)).toContain('You are a test.');
  });

  test('rule: a tool call is whole, and its result goes back with it', async () => {
    server.mock.onMessage(/^weather in Rome$/, {
      toolCalls: [{ name: 'weather', arguments: { place: 'Rome' }, id: 'call_rome' }],
    });
    const model = server.model(kind);
    const first = stepOf('weather in Rome', { tools: [weather] });
    const { parts, error } = await heard(model.step(first));
    expect(error).toBeNull();
    const call = parts.find((part) => part.kind === 'tool');
    expect(call).toMatchObject({ kind: 'tool', name: 'weather', input: { place: 'Rome' } });
    const end = parts.at(-1);
    expect(end).toMatchObject({ kind: 'finish', reason: 'tool' });
    if (end?.kind !== 'finish' || call?.kind !== 'tool') throw new Error('no end, or no call');
    server.mock.clearFixtures();
    server.mock.on({ hasToolResult: true }, { content: 'It rains in Rome.' });
    const results = [{ id: call.id, name: call.name, output: 'rain', isError: false }];
    const messages = [...first.messages, end.message, { role: 'tool' as const, results }];
    const second = await heard(model.step({ ...first, messages }));
    expect(second).toMatchObject({ error: null, text: 'It rains in Rome.' });
    expect(JSON.stringify(server.mock.getLastRequest()?.body)).toContain('rain');
  });

  test('rule: a stream that ends before its end is no answer', async () => {
    server.mock.onMessage(
      'hello',
      { content: 'one two three four five six seven' },
      { chunkSize: 4, truncateAfterChunks: 4 },
    );
    const { parts, error } = await heard(server.model(kind).step(stepOf('hello')));
    expect(['truncated', 'network']).toContain(failureOf(error).kind);
    expect(failureOf(error).again).toBe(!failureOf(error).began);
    expect(parts.some(({ kind: part }) => part === 'finish' || part === 'usage')).toBe(false);
  });

  test('rule: a tool call in a stream that broke off is never told', async () => {
    const toolCalls = [{ name: 'weather', arguments: { place: 'a place with a very long name indeed' } }];
    for (const truncateAfterChunks of [1, 2, 3, 4]) {
      server.mock.reset();
      server.mock.onMessage('hello', { toolCalls }, { chunkSize: 4, truncateAfterChunks });
      const { parts, error } = await heard(server.model(kind).step(stepOf('hello', { tools: [weather] })));
      // A server may have said all of it by then.
      if (error === null) continue;
      failureOf(error);
      expect(parts.some((part) => part.kind === 'tool')).toBe(false);
    }
  });

  test('rule: 429 tells when to come again', async () => {
    server.mock.onMessage('hello', {
      error: { message: 'slow down', type: 'rate_limit_error' },
      status: 429,
      retryAfter: 7,
    });
    const failure = failureOf((await heard(server.model(kind).step(stepOf('hello')))).error);
    expect(failure).toMatchObject({ kind: 'rate_limit', status: 429, retryAfterMs: 7_000, again: true, began: false });
    expect(server.mock.getRequests().length).toBe(1);
  });

  test('rule: 500 and 401 are told apart, and nothing tries again by itself', async () => {
    server.mock.onMessage('broken', { error: { message: 'oh no' }, status: 500 });
    server.mock.onMessage('refused', { error: { message: `bad key ${KEY}` }, status: 401 });
    const broken = failureOf((await heard(server.model(kind).step(stepOf('broken')))).error);
    expect(broken).toMatchObject({ kind: 'server', again: true });
    const refused = failureOf((await heard(server.model(kind).step(stepOf('refused')))).error);
    expect(refused).toMatchObject({ kind: 'auth', again: false, other: true });
    expect(server.mock.getRequests().length).toBe(2);
  });

  test('rule: a connection that breaks in the middle is told, with what was heard before', async () => {
    server.mock.onMessage(
      'hello',
      { content: 'one two three four five six seven eight nine ten' },
      { chunkSize: 4, latency: 15, disconnectAfterMs: 90 },
    );
    const { text, error } = await heard(server.model(kind).step(stepOf('hello')));
    expect(['network', 'truncated']).toContain(failureOf(error).kind);
    expect(failureOf(error).began).toBe(text !== '');
  });

  test('rule: silence has an end, and the connection with it', async () => {
    server.mock.onMessage('hello', { content: 'never heard' }, { latency: 60_000 });
    const { error } = await heard(server.model(kind, { idleMs: 60, firstByteMs: 60 }).step(stepOf('hello')));
    expect(failureOf(error)).toMatchObject({ kind: 'idle', again: true });
    expect(await server.cut()).toBe(true);
  });

  test('rule: whoever aborts closes the connection, and nothing is heard any more', async () => {
    server.mock.onMessage('hello', { content: 'word '.repeat(400) }, { chunkSize: 5, latency: 5 });
    const stop = new AbortController();
    let after = 0;
    const { error } = await heard(server.model(kind).step(stepOf('hello', { signal: stop.signal })), (part) => {
      if (stop.signal.aborted) after += 1;
      if (part.kind === 'text') stop.abort();
    });
    expect(failureOf(error)).toMatchObject({ kind: 'aborted', again: false, other: false });
    expect(after).toBe(0);
    expect(await server.cut()).toBe(true);
    const bytes = server.bytes();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.bytes()).toBe(bytes);
  });

  test('rule: whoever stops reading closes the connection too', async () => {
    server.mock.onMessage('hello', { content: 'word '.repeat(400) }, { chunkSize: 5, latency: 5 });
    for await (const part of server.model(kind).step(stepOf('hello'))) if (part.kind === 'text') break;
    expect(await server.cut()).toBe(true);
  });

  test('rule: what was stopped before it began calls nobody', async () => {
    const { error } = await heard(server.model(kind).step(stepOf('hello', { signal: AbortSignal.abort() })));
    expect(failureOf(error).kind).toBe('aborted');
    expect(server.mock.getRequests().length).toBe(0);
  });

  test('rule: nobody at the address is out of reach', async () => {
    const nobody = await startNobody();
    const provider = server.provider(kind, { baseUrl: `http://127.0.0.1:${nobody.port}/v1` });
    const { error } = await heard(remoteModel(provider, 'x', { clock: systemClock }).step(stepOf('hello')));
    nobody.stop();
    expect(failureOf(error)).toMatchObject({ kind: 'network', again: true });
  });
});
