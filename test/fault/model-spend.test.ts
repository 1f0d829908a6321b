// Servers that count wrongly, and callers that leave before the first word: what was asked is counted, and what was said kept.
import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { ModelFailure } from '../../src/runtime/model/failure.ts';
import { remoteModel } from '../../src/runtime/model/remote.ts';
import { systemClock } from '../../src/system/clock.ts';
import { type Gateway, start } from '../gateway.ts';
import { heard, KEY, providerAt, startNobody, stepOf } from '../modelserver.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** Its base URL. */
async function at(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

const SSE = { 'content-type': 'text/event-stream' };
const line = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
const choice = (delta: object, finish: string | null = null) => ({
  id: 'x',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: finish }],
});

function says(response: ServerResponse, content: string, usage: object): void {
  response.writeHead(200, SSE);
  response.write(line(choice({ content })));
  response.end(`${line({ ...choice({}, 'stop'), usage })}data: [DONE]\n\n`);
}

async function failedAt(url: string, signal = new AbortController().signal, key = KEY): Promise<ModelFailure> {
  const credentials = async () => ({ key, headers: {} });
  const model = remoteModel(providerAt(url, 'openai-compatible', { credentials }), 'm', { clock: systemClock });
  const { error } = await heard(model.step(stepOf('hello', { signal })));
  expect(error).toMatchObject({ name: 'ModelFailure', began: false });
  return error as ModelFailure;
}

test.each([401, 402, 404, 429, 500, 503, 307])('rule: a call that is refused with HTTP %i is free', async (status) => {
  const url = await at((_request, response) => void response.writeHead(status, { location: '/' }).end('{}'));
  expect(await failedAt(url)).toMatchObject({ status, isFree: true });
});

test('rule: a call that was never sent is free: nobody at the port, no TLS there, no header of it, stopped before', async () => {
  const gone = await at(() => {});
  await open.pop()?.();
  expect(await failedAt(gone)).toMatchObject({ kind: 'network', isFree: true });
  const url = await at((_request, response) => says(response, 'hello', {}));
  expect(await failedAt(url.replace('http:', 'https:'))).toMatchObject({ kind: 'network', isFree: true });
  expect(await failedAt(url, AbortSignal.abort())).toMatchObject({ kind: 'aborted', isFree: true });
  expect(await failedAt(url, undefined, 'no\nheader')).toMatchObject({ isFree: true });
});

test.each<[string, RequestListener]>([
  ['closes the connection', (request) => void request.socket.destroy()],
  ['ends without its end', (_request, response) => void response.writeHead(200, SSE).end()],
  [
    'fails in its stream',
    (_request, response) => void response.writeHead(200, SSE).end(line({ error: { code: 500 } })),
  ],
  [
    'fails in its stream as if it had refused',
    (_request, response) =>
      void response
        .writeHead(200, SSE)
        .end(line({ error: { message: 'no', code: 'rate_limit_exceeded', statusCode: 429 } })),
  ],
  ['sends what is no stream', (_request, response) => void response.writeHead(200).end('<html>')],
])('rule: a call is not free where who has it %s', async (_, answer) => {
  const url = await at((request, response) => void request.resume().on('end', () => answer(request, response)));
  expect(await failedAt(url)).toMatchObject({ isFree: false });
});

test('rule: a call is not free once it is out, whoever stops it', async () => {
  const stop = new AbortController();
  const url = await at((request) => void request.resume().on('end', () => stop.abort()));
  expect(await failedAt(url, stop.signal)).toMatchObject({ kind: 'aborted', isFree: false });
  const { port, stop: close } = await startNobody();
  open.push(close);
  expect(await failedAt(`http://127.0.0.1:${port}/v1`)).toMatchObject({ kind: 'network', isFree: false });
});

// ---- a gateway ---------------------------------------------------------------------------------------------------------

interface Lab {
  readonly gateway: Gateway;
  /** Requests that came in whole. */
  calls(): number;
  answer: (response: ServerResponse) => void;
}

async function lab(budget: object): Promise<Lab> {
  let calls = 0;
  const made = { answer: (_response: ServerResponse): void => {}, calls: () => calls } as Lab;
  const url = await at((request, response) => {
    request.resume().on('end', () => {
      // Not a question of what it has.
      if (request.method !== 'POST') return void response.writeHead(404).end();
      calls += 1;
      made.answer(response);
    });
  });
  const models = [{ id: 'm', contextWindow: 1_000_000, cost: { input: 1, output: 4 } }];
  const gateway = await start({
    config: {
      models: {
        local: { enabled: false },
        providers: { lab: { kind: 'openai-compatible', baseUrl: url, apiKey: KEY, models } },
      },
      agents: { defaults: { model: 'lab/m', budget } },
    },
  });
  open.push(() => gateway.stop());
  return Object.assign(made, { gateway });
}

type Owner = Awaited<ReturnType<Gateway['owner']>>;
const ended = (owner: Owner, runId: string) => owner.ask('agent.wait', { runId, timeoutMs: 120_000 });

async function asked(owner: Owner, name: string, message: string, more: object = {}): Promise<Record<string, unknown>> {
  await owner.ask('agent', { message, sessionKey: `agent:main:${name}`, idempotencyKey: name, ...more });
  return ended(owner, name);
}

const totals = async (owner: Owner) =>
  (await owner.ask('usage.cost')).totals as { totalTokens: number; totalCost: number };

test("rule: the day's bound holds although each call is stopped before its first word", async () => {
  const { gateway, calls } = await lab({ tokensPerDay: 60_000 });
  const owner = await gateway.owner();
  const long = 'x '.repeat(50_000);
  for (const name of ['a', 'b', 'c', 'd']) {
    const before = calls();
    await owner.ask('agent', { message: long, sessionKey: `agent:main:${name}`, idempotencyKey: name });
    // Nothing of it has come out of the model; the last ones do not get so far.
    while (calls() === before && (await owner.ask('agent.wait', { runId: name, timeoutMs: 20 })).status === 'timeout');
    await owner.call('chat.abort', { sessionKey: `agent:main:${name}` });
    await ended(owner, name);
  }
  expect(calls()).toBe(3);
  expect(await ended(owner, 'd')).toMatchObject({ status: 'error', code: 'budget' });
  expect((await totals(owner)).totalTokens).toBeGreaterThan(60_000);
});

test.each([
  ['negative', { prompt_tokens: 5, completion_tokens: -1_000_000 }],
  ['beyond all numbers', { prompt_tokens: 1e308, completion_tokens: 5 }],
  ['no whole number', { prompt_tokens: 0.5, completion_tokens: 0.5 }],
  ['left out', {}],
])('rule: an answer whose count is %s is kept, and bounds the day by its length', async (_, usage) => {
  const made = await lab({ tokensPerDay: 2_000, usdPerDay: 1 });
  made.answer = (response) => says(response, 'an answer '.repeat(100), usage);
  const owner = await made.gateway.owner();
  const ends: unknown[] = [];
  for (const name of ['a', 'b', 'c']) {
    const { status, code } = await asked(owner, name, 'x '.repeat(2_500));
    ends.push(code ?? status);
  }
  expect(ends).toEqual(['ok', 'ok', 'budget']);
  const history = await owner.ask('chat.history', { sessionKey: 'agent:main:a' });
  expect(JSON.stringify(history)).toContain('an answer an answer');
  const { totalTokens, totalCost } = await totals(owner);
  expect(totalTokens).toBeGreaterThan(2_000);
  expect(totalTokens).toBeLessThan(10_000);
  expect(totalCost).toBeGreaterThan(0.002);
  // A probe is of the same day.
  const calls = made.calls();
  expect((await owner.ask('models.probe')).probes).toMatchObject([{ ok: false, failure: 'budget' }]);
  expect(made.calls()).toBe(calls);
});

test('rule: a probe counts although its server counts wrongly', async () => {
  const made = await lab({ tokensPerDay: 1_000 });
  made.answer = (response) => says(response, 'ok', { prompt_tokens: -9, completion_tokens: -9 });
  const owner = await made.gateway.owner();
  expect((await owner.ask('models.probe')).probes).toMatchObject([{ ok: true, tokens: null }]);
  expect((await totals(owner)).totalTokens).toBeGreaterThan(5);
});

test('rule: counts that are each fine and have no sum poison no conversation, agent or report, after a restart neither', async () => {
  const made = await lab({ tokensPerDay: 1_000_000_000_000 });
  const most = Number.MAX_SAFE_INTEGER;
  made.answer = (response) => says(response, 'what matters', { prompt_tokens: most, completion_tokens: most });
  let owner = await made.gateway.owner();
  for (const name of ['a', 'b']) {
    for (const turn of [1, 2, 3]) {
      const runId = `${name}${turn}`;
      await owner.ask('agent', { message: 'hi', sessionKey: `agent:main:${name}`, idempotencyKey: runId });
      expect(await ended(owner, runId)).toMatchObject({ status: 'ok' });
    }
  }
  await made.gateway.halt();
  const again = await start({ stateDir: made.gateway.stateDir });
  open.push(() => again.halt());
  owner = await again.owner();
  expect(await asked(owner, 'c', 'hi')).toMatchObject({ status: 'ok' });
  for (const method of ['usage.cost', 'sessions.usage', 'sessions.list', 'status']) {
    expect((await owner.call(method, {})).ok, method).toBe(true);
  }
  expect((await totals(owner)).totalTokens).toBeLessThan(10_000);
});
