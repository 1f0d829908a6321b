// Servers that misbehave on the wire in ways that no model server does by itself.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { ModelFailure } from '../../src/runtime/model/failure.ts';
import { listed } from '../../src/runtime/model/listing.ts';
import { detectLocal } from '../../src/runtime/model/local.ts';
import type { AssistantMessage } from '../../src/runtime/model/model.ts';
import { remoteModel } from '../../src/runtime/model/remote.ts';
import { systemClock } from '../../src/system/clock.ts';
import { heard, KEY, providerAt, stepOf, user } from '../modelserver.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function at(listener: RequestListener): Promise<{ readonly port: number; readonly url: string }> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}/v1` };
}

const chunk = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const sse = { 'content-type': 'text/event-stream' };

async function failed(listener: RequestListener): Promise<ModelFailure> {
  const { url } = await at(listener);
  const model = remoteModel(providerAt(url, 'openai-compatible'), 'm', { clock: systemClock });
  const { error } = await heard(model.step(stepOf('hello')));
  const failure = error as ModelFailure;
  expect(failure?.name).toBe('ModelFailure');
  expect(`${failure.message} ${failure.stack} ${JSON.stringify(failure)}`).not.toContain(KEY);
  return failure;
}

test('threat 53: a key is not taken where a server sends us', async () => {
  const asked: string[] = [];
  const { url } = await at((request, response) => {
    asked.push(
      String(request.headers['x-goog-api-key'] ?? request.headers['x-api-key'] ?? request.headers.authorization),
    );
    response.end();
  });
  for (const kind of ['openai', 'openai-compatible', 'anthropic', 'google'] as const) {
    const first = await at((_request, response) => void response.writeHead(307, { location: url }).end());
    const model = remoteModel(providerAt(first.url, kind), 'm', { clock: systemClock });
    expect((await heard(model.step(stepOf('hello')))).error).toMatchObject({ kind: 'setup', status: 307 });
  }
  expect(asked).toEqual([]);
});

test('rule: an end without a reason is no end, however politely it comes', async () => {
  const failure = await failed((_request, response) => {
    response.writeHead(200, sse);
    response.end(`${chunk({ content: 'half of' })}data: [DONE]\n\n`);
  });
  expect(failure).toMatchObject({ kind: 'truncated', began: true, again: false });
});

test('rule: what had come already when the call was stopped is told no more', async () => {
  const { url } = await at((_request, response) => {
    response.writeHead(200, sse);
    response.write(Array.from({ length: 50 }, (_, i) => chunk({ content: `word${i} ` })).join(''));
  });
  const stop = new AbortController();
  const model = remoteModel(providerAt(url, 'openai-compatible'), 'm', { clock: systemClock });
  const { parts, error } = await heard(model.step(stepOf('hello', { signal: stop.signal })), () => stop.abort());
  expect(error).toMatchObject({ kind: 'aborted', began: true });
  expect(parts.length).toBe(1);
});

test('rule: a whole tool call in an answer that breaks off behind it is never told', async () => {
  const events = [
    {
      type: 'message_start',
      message: { id: 'm', model: 'm', usage: { input_tokens: 1, output_tokens: 0 }, content: [], role: 'assistant' },
    },
    {
      type: 'content_block_start',
      index: 0,
      content_block: { type: 'tool_use', id: 'call_1', name: 'erase', input: {} },
    },
    { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '{"all": true}' } },
    { type: 'content_block_stop', index: 0 },
  ];
  const { url } = await at((_request, response) => {
    response.writeHead(200, sse);
    response.end(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
  });
  const tools = [{ name: 'erase', description: 'Erases.', input: { type: 'object' } }];
  const model = remoteModel(providerAt(url, 'anthropic'), 'm', { clock: systemClock });
  const { parts, error } = await heard(model.step(stepOf('hello', { tools })));
  expect(error).toMatchObject({ kind: 'truncated', began: false, again: true });
  expect(parts).toEqual([]);
});

test('rule: an answer that is something else is not understood', async () => {
  const page = await failed((_request, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hello</html>'),
  );
  expect(['truncated', 'malformed']).toContain(page.kind);
  const junk = await failed((_request, response) => response.writeHead(200, sse).end('data: {"not": [json\n\n'));
  expect(junk).toMatchObject({ kind: 'malformed', again: true });
});

test('rule: an error in the middle of a stream is told, and its words hold no key', async () => {
  const failure = await failed((_request, response) => {
    response.writeHead(200, sse).write(chunk({ content: 'so far' }));
    response.end(
      `data: ${JSON.stringify({ error: { message: `quota of ${KEY} is gone`, code: 'insufficient_quota' } })}\n\n`,
    );
  });
  expect(failure.began).toBe(true);
  expect(failure.kind).not.toBe('truncated');
});

test('A16: an error in a stream of megabytes is told in few words, and none of them is half a key', async () => {
  for (const before of [0, 280, 299, 20_000]) {
    const message = `${'x'.repeat(before)}${KEY}${'<'.repeat(2_000_000)}`;
    for (const error of [{ message, code: 'server_error' }, message]) {
      const failure = await failed((_request, response) => {
        response.writeHead(200, sse).write(chunk({ content: 'so far' }));
        response.end(`data: ${JSON.stringify({ error })}\n\n`);
      });
      expect(failure.why.length).toBeLessThanOrEqual(300);
      expect(failure.why).not.toContain(KEY.slice(0, 12));
    }
  }
});

test('A16: what stands behind the scheme of a header is told by no failure', async () => {
  const secret = 'not of any shape 4711'.replaceAll(' ', '');
  const basic = Buffer.from(`somebody:${secret}`).toString('base64');
  for (const authorization of [`Bearer ${secret}`, `Token token="${secret}"`, `Basic ${basic}`]) {
    const { url } = await at((_request, response) => {
      response.writeHead(401).end(JSON.stringify({ error: { message: `no account has ${secret}` } }));
    });
    const credentials = async () => ({ key: null, headers: { authorization } });
    const model = remoteModel(providerAt(url, 'openai-compatible', { credentials }), 'm', { clock: systemClock });
    const { error } = await heard(model.step(stepOf('hello')));
    expect(error).toMatchObject({ kind: 'auth', why: 'HTTP 401: no account has [redacted]' });
  }
});

test('A16: a key that no header takes is quoted by no failure', async () => {
  const { url } = await at((_request, response) => void response.end());
  for (const kind of ['openai', 'openai-compatible', 'anthropic', 'google'] as const) {
    const credentials = async () => ({ key: 'words4711\u0001hush', headers: { 'x-team': 'team4712\u0001hush' } });
    const model = remoteModel(providerAt(url, kind, { credentials }), 'm', { clock: systemClock });
    const { error } = await heard(model.step(stepOf('hello')));
    const failure = error as ModelFailure;
    expect(failure.name).toBe('ModelFailure');
    expect(`${failure.message} ${failure.stack}`).not.toMatch(/471|hush/);
  }
});

test('rule: an endless error page is read no further than it is worth', async () => {
  let sent = 0;
  const failure = await failed((_request, response) => {
    response.writeHead(500);
    const more = () => {
      while (!response.destroyed && sent < 64e6) {
        sent += 65_536;
        if (!response.write('x'.repeat(65_536))) return void response.once('drain', more);
      }
    };
    more();
  });
  expect(failure).toMatchObject({ kind: 'server', status: 500 });
  expect(sent).toBeLessThan(32e6);
});

test('rule: silence after the headers, and in the middle of an answer, has an end', async () => {
  for (const first of ['', chunk({ content: 'one' })]) {
    const { url } = await at((_request, response) => {
      response.writeHead(200, sse);
      response.flushHeaders();
      if (first !== '') response.write(first);
    });
    const limits = { clock: systemClock, idleMs: 80, firstByteMs: 80 };
    const { error } = await heard(remoteModel(providerAt(url, 'openai-compatible'), 'm', limits).step(stepOf('hello')));
    expect(error).toMatchObject({ kind: 'idle', began: first !== '' });
  }
});

test('rule: what one provider signed is sent back to it, and to no other', async () => {
  const bodies: string[] = [];
  const { url } = await at(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    bodies.push(body);
    response.writeHead(400).end('{}');
  });
  const keep = { by: 'anthropic', data: { anthropic: { signature: 'signed-4711' } } } as const;
  const said: AssistantMessage = {
    role: 'assistant',
    content: [
      { kind: 'reasoning', text: 'thought so', keep },
      { kind: 'text', text: 'said so' },
    ],
  };
  const step = stepOf('x', { messages: [user('a'), said, user('b')] });
  for (const kind of ['anthropic', 'openai-compatible', 'google', 'openai'] as const) {
    await heard(remoteModel(providerAt(url, kind), 'm', { clock: systemClock }).step(step));
  }
  expect(bodies.map((body) => body.includes('signed-4711'))).toEqual([true, false, false, false]);
  expect(bodies.every((body) => body.includes('said so'))).toBe(true);
  expect(bodies.map((body) => body.includes('thought so'))).toEqual([true, false, false, false]);
});

test('rule: OpenAI is told to keep nothing', async () => {
  let body = '';
  const { url } = await at(async (request, response) => {
    for await (const part of request) body += part;
    response.writeHead(400).end('{}');
  });
  await heard(remoteModel(providerAt(url, 'openai'), 'm', { clock: systemClock }).step(stepOf('x')));
  expect(JSON.parse(body)).toMatchObject({ store: false, stream: true, model: 'm' });
});

test('rule: servers of this host are asked at once, and only what lists models is one', async () => {
  const lists =
    (text: string): RequestListener =>
    (request, response) =>
      void response.writeHead(request.url === '/v1/models' ? 200 : 404).end(text);
  const good = await at(
    lists(JSON.stringify({ object: 'list', data: [{ id: 'm-1' }, { id: 'with space' }, {}, { id: 'm-2' }] })),
  );
  const page = await at(lists('<html>'));
  const silent = await at(() => {});
  const elsewhere = await at(
    (_request, response) => void response.writeHead(302, { location: `${good.url}/models` }).end(),
  );
  const servers = { good: good.port, page: page.port, silent: silent.port, elsewhere: elsewhere.port };
  const found = await detectLocal(servers, { clock: systemClock, deadlineMs: 1_000 });
  expect(found).toMatchObject([{ name: 'good', isLocal: true, keyFrom: null, models: [{ id: 'm-1' }, { id: 'm-2' }] }]);
  expect(found.length).toBe(1);
});

test('threat 53: a list of models tells no key, in an id or an owner, and nothing that a shell takes for more than a name', async () => {
  const good = [
    'openai/gpt-5',
    'llama3.2:3b',
    'accounts/x/models/y',
    'qwen2.5-coder@q4_k_m',
    'hf.co/a/b:Q4_K_M',
    'c4ai-command-r+',
    '@cf/meta/llama-3-8b',
    '/models/tiny_1.gguf',
    './x.gguf',
  ];
  const bad = [
    '$(id)',
    '`id`',
    'a;b',
    "a'b",
    'a"b',
    'a b',
    'a\nb',
    'a|b',
    'a>b',
    'a&b',
    '--json',
    '-x',
    '',
    'ä',
    '\u001b[2J',
  ];
  const told = [KEY, `models/${KEY}`, 'sesame-4711', 'openai/sesame-4711:free'];
  const data = [...bad, ...told, 'x'.repeat(257), ...good].map((id) => ({ id, owned_by: id }));
  const { url } = await at((_request, response) => void response.end(JSON.stringify({ data: [...data, { id: 7 }] })));
  const headers = { authorization: `Bearer ${KEY}`, 'x-door': 'Token word=sesame-4711' };
  const listing = await listed(url, headers, new AbortController().signal);
  expect(listing).toMatchObject({ ok: true, ids: good });
  const owners = listing.ok ? listing.owners : [];
  expect(owners).toEqual([...bad, 'x'.repeat(257), ...good]);
});
