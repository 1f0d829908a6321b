import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type Gateway, removeStateDir, start } from '../gateway.ts';
import { connected, plainParams } from '../partner/client.ts';
import { paired, READ, WRITE } from '../scenario/act.ts';

let server: Server | null = null;
let gateway: Gateway | null = null;
afterEach(async () => {
  await gateway?.stop();
  if (gateway !== null) removeStateDir(gateway.stateDir);
  server?.closeAllConnections();
  server?.close();
  gateway = null;
  server = null;
});

const configOf = (baseUrl: string) => ({
  models: {
    providers: { lab: { kind: 'openai-compatible', baseUrl, models: [{ id: 'm' }] } },
    local: { enabled: false },
  },
  agents: { defaults: { model: 'lab/m' } },
});

/** A model that says one word and then nothing, until it is let go. */
async function slowModel() {
  const waiting: ServerResponse[] = [];
  let closed = 0;
  let isSlow = true;
  const line = (content: string, finish: string | null) =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`;
  server = createServer((request, response) => {
    request.resume();
    response.on('close', () => {
      if (!response.writableEnded) closed += 1;
    });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(line('begun ', null));
    if (isSlow) waiting.push(response);
    else response.end(`${line('and done', 'stop')}data: [DONE]\n\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return {
    config: configOf(baseUrl),
    waiting,
    closed: () => closed,
    hurry: () => {
      isSlow = false;
    },
  };
}

const until = async (check: () => boolean) => {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 20));
};

test('rule: a gateway that is killed in the middle tells so at its next start, and loses nothing that it accepted', async () => {
  const model = await slowModel();
  gateway = await start({ config: model.config });
  const first = await gateway.owner();
  const send = (key: string) => ({ sessionKey: 'main', message: `said in ${key}`, idempotencyKey: key });
  expect(await first.ask('chat.send', send('r1'))).toMatchObject({ runId: 'r1', status: 'started' });
  expect(await first.ask('chat.send', send('r2'))).toMatchObject({ runId: 'r2' });
  await until(() => model.waiting.length === 1);
  await gateway.kill();
  await until(() => model.closed() === 1);
  model.hurry();
  gateway = await start({ config: model.config, stateDir: gateway.stateDir });
  const owner = await gateway.owner();
  const wait = (runId: string) => owner.ask('agent.wait', { runId, timeoutMs: 30_000 });
  expect(await wait('r1')).toMatchObject({ runId: 'r1', status: 'error' });
  expect(await wait('r2')).toMatchObject({ runId: 'r2', status: 'ok' });
  // The same id again is what it was.
  expect(await owner.ask('chat.send', send('r2'))).toMatchObject({ runId: 'r2', status: 'ok' });
  const { messages } = await owner.ask('chat.history', { sessionKey: 'main' });
  const told = JSON.stringify(messages);
  expect(told.split('said in r1')).toHaveLength(2);
  expect(told.split('said in r2')).toHaveLength(2);
  expect(told).toContain('begun and done');
  expect(told.indexOf('said in r1')).toBeLessThan(told.indexOf('said in r2'));
}, 120_000);

test('rule: a gateway that is told to go keeps what the model had said by then', async () => {
  const model = await slowModel();
  gateway = await start({ config: model.config });
  const scopes = [READ, WRITE];
  const identity = await paired(await gateway.owner(), scopes);
  const { partner: first } = await connected({ port: gateway.port }, plainParams({ scopes }), { identity });
  await first.ask('chat.send', { sessionKey: 'main', message: 'hello', idempotencyKey: 'r1' });
  await until(() => model.waiting.length === 1);
  await first.event('chat', { where: ({ state }) => state === 'delta' });
  first.end();
  expect(await gateway.halt()).toBe(0);
  expect(model.closed()).toBe(1);
  gateway = await start({ config: model.config, stateDir: gateway.stateDir });
  const owner = await gateway.owner();
  expect(await owner.ask('agent.wait', { runId: 'r1', timeoutMs: 0 })).toMatchObject({ status: 'error' });
  expect(JSON.stringify(await owner.ask('chat.history', { sessionKey: 'main' }))).toContain('begun');
}, 120_000);

/** A model that says word after word, each time another answer; the first one calls a tool when it has said so many. */
async function talkingModel() {
  const said: string[] = [];
  const chunk = (delta: unknown, finish: string | null) =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const nth = said.push('') - 1;
    const isFirst = nth === 0;
    let count = 0;
    const timer = setInterval(() => {
      const word = `${nth}.${count} `;
      count += 1;
      said[nth] += word;
      response.write(chunk({ content: word }, null));
      if (!isFirst || count < 8) return;
      const calls = [{ index: 0, id: 'call_1', type: 'function', function: { name: 'look', arguments: '{}' } }];
      response.end(`${chunk({ tool_calls: calls }, null)}${chunk({}, 'tool_calls')}data: [DONE]\n\n`);
      clearInterval(timer);
    }, 15);
    response.on('close', () => clearInterval(timer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return { said, config: configOf(baseUrl) };
}

/** How many pieces somebody has heard when the gateway is killed: in the first step, and behind a tool call. */
test.each([1, 2, 7, 19])(
  'rule: after kill -9 behind piece %i the transcript has all that was heard, once and without a gap',
  async (pieces) => {
    const model = await talkingModel();
    gateway = await start({ config: model.config });
    const scopes = [READ, WRITE];
    const identity = await paired(await gateway.owner(), scopes);
    const { partner } = await connected({ port: gateway.port }, plainParams({ scopes }), { identity });
    await partner.ask('chat.send', { sessionKey: 'main', message: 'hello', idempotencyKey: 'r1' });
    const spoken = () =>
      partner.events.filter(({ event, payload }) => event === 'agent' && payload.stream === 'assistant');
    await until(() => spoken().length >= pieces);
    await gateway.kill();
    // What was on its way arrives still.
    await partner.closed;
    const drawn = partner.events.filter(({ event, payload }) => event === 'chat' && payload.state === 'delta');
    const heard: string[] = [
      ...spoken().map(({ payload }) => payload.data.text),
      ...drawn.map(({ payload }) => payload.message.content[0].text),
    ];
    gateway = await start({ config: model.config, stateDir: gateway.stateDir });
    const owner = await gateway.owner();
    expect(await owner.ask('agent.wait', { runId: 'r1', timeoutMs: 0 })).toMatchObject({ outcome: 'interrupted' });
    const { messages } = (await owner.ask('chat.history', { sessionKey: 'main' })) as { messages: Kept[] };
    expect(messages.map(({ __openclaw: { seq } }) => seq)).toEqual(messages.map((_, at) => at + 1));
    const answers = messages.filter(({ role }) => role === 'assistant');
    const texts = answers.map(({ content }) => content.flatMap(({ text = '' }) => text).join(''));
    // Each answer that was heard stands there, at least as long as it was heard to be …
    for (const text of heard) expect(texts.some((kept) => kept.startsWith(text), text)).toBe(true);
    // … holds nothing that the model did not say, and stands there once; what was broken off says so.
    expect(texts.every((kept, nth) => (model.said[nth] ?? '').startsWith(kept))).toBe(true);
    for (const [nth, { stopReason, ...answer }] of answers.entries()) {
      expect(answer).toMatchObject({ model: 'm', provider: 'lab' });
      // It may have died between two steps: then the last one is whole.
      const isWhole = nth === 0 && texts[0] === model.said[0] && stopReason === 'toolUse';
      expect(isWhole || (nth === answers.length - 1 && stopReason === 'aborted'), `${nth} ${stopReason}`).toBe(true);
    }
    expect(messages.filter(({ role }) => role === 'user')).toHaveLength(1);
  },
  120_000,
);

interface Kept {
  readonly role: string;
  readonly content: readonly { readonly text?: string }[];
  readonly stopReason?: string;
  readonly __openclaw: { readonly seq: number };
}
