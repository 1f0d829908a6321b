// How much a model thinks, as it goes over the wire; and what it thought, which is shown and is no part of what it said.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Level } from '../../src/core/conversation/thinking.ts';
import { factsOf, VENDOR_URLS } from '../../src/runtime/model/catalog.ts';
import { remoteModel } from '../../src/runtime/model/remote.ts';
import { systemClock } from '../../src/system/clock.ts';
import { heard, KINDS, type Kind, type ModelServer, providerAt, startModelServer, stepOf } from '../modelserver.ts';
import { stage } from '../talk.ts';

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer();
});
beforeEach(() => void server.mock.reset());
afterAll(() => server.stop());
const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

type Body = Record<string, unknown>;

/** A provider that keeps what it is asked, and answers with one text after the other. */
async function scripted(...answers: readonly string[]): Promise<{ readonly url: string; readonly asked: Body[] }> {
  const asked: Body[] = [];
  const listener = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const answer = answers[asked.length];
    asked.push(JSON.parse(body));
    if (answer === undefined) return void response.writeHead(400).end('{}');
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(answer);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  open.push(() => {
    listener.closeAllConnections();
    listener.close();
  });
  return { url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/v1`, asked };
}

/** Of a request what has to do with thinking. */
function saidOf(body: Body): Body {
  const { reasoning, thinking, output_config, reasoning_effort, generationConfig } = body;
  const google = (generationConfig as Body | undefined)?.thinkingConfig;
  return Object.fromEntries(
    Object.entries({ reasoning, thinking, output_config, reasoning_effort, google }).filter(
      ([, value]) => value != null,
    ),
  );
}

const adaptive = (effort: string) => ({
  thinking: { type: 'adaptive', display: 'summarized' },
  output_config: { effort },
});

describe.each<{ kind: Kind; id: string; said: Partial<Record<Level | 'unsaid', Body>> }>([
  {
    kind: 'openai',
    id: 'gpt-6.2-sol',
    said: {
      unsaid: {},
      off: { reasoning: { effort: 'low', summary: 'auto' } },
      medium: { reasoning: { effort: 'medium', summary: 'auto' } },
      xhigh: { reasoning: { effort: 'xhigh', summary: 'auto' } },
    },
  },
  {
    kind: 'openai',
    id: 'a-deployment',
    said: {
      unsaid: {},
      off: { reasoning: { effort: 'none' } },
      minimal: { reasoning: { effort: 'low', summary: 'auto' } },
      xhigh: { reasoning: { effort: 'high', summary: 'auto' } },
    },
  },
  {
    kind: 'anthropic',
    id: 'claude-sonnet-5-5',
    said: { unsaid: {}, off: { thinking: { type: 'between_tools' } }, low: adaptive('low'), xhigh: adaptive('xhigh') },
  },
  {
    kind: 'anthropic',
    id: 'claude-opus-5-5',
    said: { unsaid: {}, off: adaptive('low'), minimal: adaptive('low'), high: adaptive('high') },
  },
  {
    kind: 'anthropic',
    id: 'claude-haiku-5-5',
    said: { unsaid: {}, off: { thinking: { type: 'disabled' } }, medium: adaptive('medium') },
  },
  {
    kind: 'anthropic',
    id: 'claude-sonnet-4-5',
    said: {
      unsaid: {},
      off: { thinking: { type: 'disabled' } },
      low: { thinking: { type: 'enabled', budget_tokens: 6_400 } },
      xhigh: { thinking: { type: 'enabled', budget_tokens: 38_400 } },
    },
  },
  {
    kind: 'google',
    id: 'gemini-3.8-flash',
    said: {
      unsaid: {},
      off: { google: { thinkingLevel: 'low', includeThoughts: true } },
      high: { google: { thinkingLevel: 'high', includeThoughts: true } },
      xhigh: { google: { thinkingLevel: 'high', includeThoughts: true } },
    },
  },
  {
    kind: 'google',
    id: 'gemini-2.5-flash',
    said: {
      unsaid: {},
      off: { google: { thinkingBudget: 0 } },
      low: { google: { thinkingBudget: 6_554, includeThoughts: true } },
    },
  },
  {
    kind: 'openai-compatible',
    id: 'a-model',
    said: {
      unsaid: {},
      off: { reasoning_effort: 'none' },
      low: { reasoning_effort: 'low' },
      xhigh: { reasoning_effort: 'high' },
    },
  },
])('$kind $id', ({ kind, id, said }) => {
  async function asked(reasoning: boolean | undefined, level: string): Promise<Body> {
    const { url, asked: bodies } = await scripted();
    const at = { kind, baseUrl: VENDOR_URLS[kind] ?? url, isLocal: false };
    const { levels } = factsOf(at, { id, ...(reasoning === undefined ? {} : { reasoning }) });
    const model = remoteModel(providerAt(url, kind), id, { clock: systemClock, levels });
    await heard(model.step(stepOf('hello', level === 'unsaid' ? {} : { thinking: level as Level })));
    return saidOf(bodies[0] ?? {});
  }

  test.each(Object.entries(said))('rule: %s is said in its own words', async (level, wanted) => {
    expect(await asked(true, level)).toEqual(wanted);
  });

  test('rule: nothing is said of it where it is declared not to think', async () => {
    for (const level of ['off', 'high']) expect(await asked(false, level)).toEqual({});
  });
});

test('rule: of a model that nobody said to think nothing is said, either', () => {
  const at = { kind: 'openai-compatible', baseUrl: 'https://models.example/v1', isLocal: false } as const;
  expect(factsOf(at, { id: 'm' })).toMatchObject({ reasoning: null, levels: ['off'] });
  expect(factsOf(at, { id: 'm', reasoning: true }).levels).toEqual(['off', 'low', 'medium', 'high']);
});

test.each(KINDS)('rule: %s: what it thinks comes apart from what it says', async (kind) => {
  server.mock.onMessage(
    'hello',
    { content: 'Forty-two.', reasoning: 'Let me multiply six by seven.' },
    { chunkSize: 6 },
  );
  const model = remoteModel(server.provider(kind), 'gpt-5', { clock: systemClock, levels: ['off', 'low', 'high'] });
  const { parts, text, error } = await heard(model.step(stepOf('hello', { thinking: 'high' })));
  expect(error).toBeNull();
  expect(text).toBe('Forty-two.');
  const thought = parts.flatMap((part) => (part.kind === 'reasoning' ? part.delta : [])).join('');
  expect(thought).toBe('Let me multiply six by seven.');
});

const frame = (data: Body) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const begun = {
  type: 'message_start',
  message: { id: 'm', model: 'm', role: 'assistant', content: [], usage: { input_tokens: 5, output_tokens: 0 } },
};
const thought = (index: number, thinking: string, signature: string) => [
  { type: 'content_block_start', index, content_block: { type: 'thinking', thinking: '', signature: '' } },
  { type: 'content_block_delta', index, delta: { type: 'thinking_delta', thinking } },
  { type: 'content_block_delta', index, delta: { type: 'signature_delta', signature } },
  { type: 'content_block_stop', index },
];
const ended = (stop_reason: string) => [
  { type: 'message_delta', delta: { stop_reason }, usage: { output_tokens: 9 } },
  { type: 'message_stop' },
];

test('rule: Anthropic gets back what it signed while it uses tools; no message, row or later request has the thought in words', async () => {
  const tool = [
    begun,
    ...thought(0, 'A tool would tell.', 'signed-4711'),
    { type: 'content_block_start', index: 1, content_block: { type: 'redacted_thinking', data: 'sealed-4712' } },
    { type: 'content_block_stop', index: 1 },
    {
      type: 'content_block_start',
      index: 2,
      content_block: { type: 'tool_use', id: 'call_1', name: 'weather', input: {} },
    },
    { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '{"place":"Rome"}' } },
    { type: 'content_block_stop', index: 2 },
    ...ended('tool_use'),
  ];
  const answer = [
    begun,
    ...thought(0, 'It told nothing.', 'signed-4713'),
    { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'I cannot know.' } },
    { type: 'content_block_stop', index: 1 },
    ...ended('end_turn'),
  ];
  const texts = [tool, answer, answer].map((events) => events.map(frame).join(''));
  const { url, asked } = await scripted(...texts);
  const levels = ['off', 'low', 'high'] as const;
  const model = remoteModel(providerAt(url, 'anthropic'), 'claude-opus-5-5', { clock: systemClock, levels });
  const { send, ended: done, of, rows } = await stage({ model, facts: { levels } });
  await send('r1', 'the weather in Rome?', { thinking: 'xhigh' });
  expect(await done('r1')).toMatchObject({ end: { kind: 'ok' } });
  expect(asked[0]).toMatchObject({ output_config: { effort: 'high' } });
  const { messages = [] } = asked[1] ?? {};
  const back = (messages as { role: string; content: Body[] }[])[1];
  expect(back).toMatchObject({
    role: 'assistant',
    content: [
      { type: 'thinking', thinking: 'A tool would tell.', signature: 'signed-4711' },
      { type: 'redacted_thinking', data: 'sealed-4712' },
      { type: 'tool_use', id: 'call_1', name: 'weather', input: { place: 'Rome' } },
    ],
  });
  const told = of('r1');
  expect(told.filter(({ kind }) => kind === 'thinking')).toMatchObject([
    { text: 'A tool would tell.', delta: 'A tool would tell.' },
    { text: 'It told nothing.', delta: 'It told nothing.' },
  ]);
  // A level that it doesn't have is lowered, and that is told.
  expect(told.find(({ kind }) => kind === 'model')).toMatchObject({ thinking: 'high' });
  const said = told.flatMap((event) => (event.kind === 'text' ? event.text : [])).join('');
  expect(said).toBe('I cannot know.');
  expect(JSON.stringify(await rows())).not.toMatch(/would tell|told nothing|signed|sealed/);
  // What was thought is thought no more once it is answered.
  await send('r2', 'and in Paris?');
  expect(await done('r2')).toMatchObject({ end: { kind: 'ok' } });
  expect(JSON.stringify(asked[2])).not.toMatch(/would tell|told nothing|signed|sealed/);
});

test('rule: a compatible server is not told again what it thought aloud', async () => {
  const chunk = (delta: Body, finish: string | null = null) =>
    `data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{}' } };
  const first = chunk({ reasoning_content: 'hm, a tool' }) + chunk({ tool_calls: [call] }) + chunk({}, 'tool_calls');
  const second = chunk({ reasoning_content: 'hm, nothing' }) + chunk({ content: 'No.' }) + chunk({}, 'stop');
  const { url, asked } = await scripted(`${first}data: [DONE]\n\n`, `${second}data: [DONE]\n\n`);
  const model = remoteModel(providerAt(url, 'openai-compatible'), 'm', { clock: systemClock });
  const { send, ended: done, of } = await stage({ model });
  await send('r1', 'well?');
  expect(await done('r1')).toMatchObject({ end: { kind: 'ok' } });
  expect(asked.length).toBe(2);
  expect(JSON.stringify(asked[1])).not.toContain('hm,');
  expect(
    of('r1')
      .flatMap((event) => (event.kind === 'text' ? event.delta : []))
      .join(''),
  ).toBe('No.');
});
