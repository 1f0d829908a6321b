// How a run ends for whoever asked for it: its time is over, its provider is away, its answer is to go nowhere.
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { connected, plainParams } from '../partner/client.ts';
import { type Payload, type Peer, until } from '../partner/peer.ts';
import { paired, READ, WRITE } from '../scenario/act.ts';

let server: Server;
let gateway: Gateway;
/** Answers that are being given now. */
const answering = new Set<ServerResponse>();

const chunk = (delta: unknown, finish: string | null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

/** Does what the last words it is told ask for. */
function answer(
  messages: readonly { readonly role: string; readonly content?: unknown }[],
  response: ServerResponse,
): unknown {
  const last = messages.at(-1);
  const words = JSON.stringify(last?.content ?? '');
  if (words.includes('be away')) return response.writeHead(401).end('{}');
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  if (words.includes('use a tool')) {
    const calls = [{ index: 0, id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"at":"it"}' } }];
    response.write(chunk({ content: 'let me look ' }, null));
    return response.end(`${chunk({ tool_calls: calls }, null)}${chunk({}, 'tool_calls')}data: [DONE]\n\n`);
  }
  response.write(chunk({ content: 'begun ' }, null));
  if (words.includes('take your time')) return;
  return response.end(`${chunk({ content: 'done' }, 'stop')}data: [DONE]\n\n`);
}

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    answering.add(response);
    response.on('close', () => answering.delete(response));
    request.on('end', () => void answer(JSON.parse(body).messages, response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  gateway = await start({
    config: {
      models: {
        providers: { lab: { kind: 'openai-compatible', baseUrl, models: [{ id: 'm' }] } },
        local: { enabled: false },
      },
      agents: { defaults: { model: 'lab/m' } },
    },
  });
});
afterAll(async () => {
  await gateway?.stop();
  server?.closeAllConnections();
  server?.close();
});

const open: { end(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.end();
});

const scopes = [READ, WRITE];

async function client(protocol: 3 | 4 = 4, caps: readonly string[] = []) {
  const identity = await paired(await gateway.owner(), scopes);
  const params = { ...plainParams({ scopes, caps: [...caps] }), minProtocol: protocol, maxProtocol: protocol };
  const { partner } = await connected({ port: gateway.port }, params, { identity });
  open.push(partner);
  return partner;
}

let sessions = 0;
const fresh = () => `place-${++sessions}`;
const say = (peer: Peer, message: string, more: Readonly<Record<string, unknown>> = {}): Promise<Payload> =>
  peer.ask('chat.send', { sessionKey: fresh(), message, idempotencyKey: `run-${sessions}`, ...more });
const wait = (peer: Peer, runId: string): Promise<Payload> => peer.ask('agent.wait', { runId, timeoutMs: 8_000 });

test('rule: timeoutMs of chat.send ends the run as an error, closes the model, keeps what was said', async () => {
  const peer = await client();
  const sessionKey = fresh();
  const { runId } = await say(peer, 'take your time', { sessionKey, timeoutMs: 2_500 });
  expect(await wait(peer, runId)).toMatchObject({
    status: 'error',
    outcome: 'error',
    code: 'timeout',
    error: expect.stringContaining('2.5 s'),
    remedy: `latchkey sessions tail agent:main:${sessionKey}`,
  });
  await until('the model is closed', () => answering.size === 0);
  const { payload } = await peer.event('chat', { where: (p) => p.runId === runId && p.state === 'error' });
  expect(payload.errorMessage).toMatch(/2\.5 s.* \(on the gateway's host: latchkey sessions tail /);
  const { messages } = await peer.ask('chat.history', { sessionKey });
  expect(messages.at(-1)).toMatchObject({ role: 'assistant', stopReason: 'aborted', content: [{ text: 'begun ' }] });
});

test('rule: timeout of agent counts seconds, and 0 is none', async () => {
  const peer = await client();
  const ask = (message: string, timeout: number) => {
    const id = `agent-${++sessions}`;
    const params = { message, sessionKey: fresh(), timeout, idempotencyKey: id, deliver: false, channel: 'whatsapp' };
    return peer.ask('agent', params).then(() => id);
  };
  // Two answers under one id: the last one is told with the run's end.
  const late = await ask('take your time', 1);
  expect(await wait(peer, late)).toMatchObject({ status: 'error', code: 'timeout' });
  expect(await wait(peer, await ask('hello', 0))).toMatchObject({ status: 'ok' });
  const refused = await peer.call('agent', { message: 'x', timeout: -1, idempotencyKey: 'less' });
  expect(refused).toMatchObject({ ok: false, error: { code: 'INVALID_REQUEST' } });
});

test('rule: an answer that would go nowhere is refused before anything is kept; deliver: false is as without it', async () => {
  const peer = await client();
  const sessionKey = fresh();
  for (const method of ['chat.send', 'agent']) {
    const params = { sessionKey, message: 'hello', deliver: true, channel: 'whatsapp', to: '+1', idempotencyKey: 'd' };
    const refused = await peer.call(method, params);
    expect(refused).toMatchObject({ ok: false, error: { details: { code: 'NO_CHANNEL', refusal: 'no_channel' } } });
  }
  expect((await peer.ask('chat.history', { sessionKey })).messages).toEqual([]);
  const { runId } = await say(peer, 'hello', { deliver: false, channel: 'whatsapp', to: '+1', replyTo: 'x' });
  expect(await wait(peer, runId)).toMatchObject({ status: 'ok' });
});

test('rule: a wait for longer than any timer runs is taken', async () => {
  const peer = await client();
  const { runId } = await say(peer, 'hello');
  expect(await peer.ask('agent.wait', { runId, timeoutMs: 2 ** 40 })).toMatchObject({ status: 'ok' });
});

test('rule: what a run failed of names what helps, on the wire and on the command line', async () => {
  const peer = await client();
  const { runId } = await say(peer, 'be away');
  const remedy = 'latchkey config set models.providers.lab.apiKey -';
  expect(await wait(peer, runId)).toMatchObject({ status: 'error', code: 'auth', remedy });
  const { payload } = await peer.event('chat', { where: (p) => p.runId === runId && p.state === 'error' });
  expect(payload.errorMessage).toMatch(
    /\(on the gateway's host: latchkey config set models\.providers\.lab\.apiKey -\)$/,
  );
  const { code, stderr } = await gateway.cli(['agent', '-m', 'be away', '--session', fresh()]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/why: .*lab\/m.*\n {2}run: latchkey .*config set models\.providers\.lab\.apiKey -/);
});

test('rule: what was said in a run that joined a failing one was not answered, and says so', async () => {
  const peer = await client();
  const sessionKey = fresh();
  const { runId } = await say(peer, 'take your time', { sessionKey });
  // Both wait, and go into one run.
  const first = await say(peer, 'hello', { sessionKey });
  await say(peer, 'be away', { sessionKey, idempotencyKey: 'collected' });
  await peer.ask('chat.abort', { sessionKey, runId });
  expect(await wait(peer, 'collected')).toMatchObject({ status: 'error', code: 'auth' });
  expect(await wait(peer, first.runId)).toMatchObject({ runId: first.runId, status: 'error', code: 'auth' });
});

test.each([3, 4] as const)('rule: in v%i tools that are called are told to who draws them alone', async (v) => {
  const [drawing, plain] = [await client(v, ['tool-events']), await client(v)];
  const { runId } = await say(drawing, 'use a tool');
  const ended = (p: Payload) => p.runId === runId && p.state === 'final';
  await Promise.all([drawing, plain].map((peer) => peer.event('chat', { where: ended })));
  const of = (peer: Peer) => peer.events.filter(({ event, payload: p }) => event === 'agent' && p.runId === runId);
  const tools = of(drawing).filter(({ payload }) => payload.stream === 'tool');
  expect(tools.map(({ payload }) => payload.data)).toMatchObject([
    { phase: 'start', name: 'look', toolCallId: 'call_1', args: { at: 'it' } },
    { phase: 'result', name: 'look', toolCallId: 'call_1', isError: true },
  ]);
  expect(tools.map(({ payload }) => 'result' in payload.data)).toEqual([false, v === 4]);
  expect(tools.map(({ seq }) => seq !== undefined)).toEqual([v === 4, v === 4]);
  expect(of(plain).some(({ payload }) => payload.stream === 'tool')).toBe(false);
  for (const peer of [drawing, plain]) {
    expect(of(peer).map(({ payload }) => payload.seq)).toEqual(of(peer).map((_, at) => at + 1));
    const numbers = peer.events.flatMap(({ seq }) => seq ?? []);
    expect(numbers).toEqual(numbers.map((_, at) => at + 1));
  }
});
