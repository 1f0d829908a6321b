// What providers say of a conversation that is too long, each in its own shape: it is summed up, and asked once more.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { remoteModel } from '../../src/runtime/model/remote.ts';
import type { Candidate } from '../../src/runtime/model/route.ts';
import { systemClock } from '../../src/system/clock.ts';
import { heard, type Kind, providerAt, stepOf } from '../modelserver.ts';
import { stage } from '../talk.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

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

const sse = { 'content-type': 'text/event-stream' };
const json = { 'content-type': 'application/json' };
const frame = (data: unknown, event?: string) =>
  `${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;

interface Shape {
  readonly says: string;
  readonly kind: Kind;
  readonly status: number;
  readonly body: unknown;
  /** In the stream of an answer that began well. */
  readonly event?: string;
}

const openai = { type: 'invalid_request_error', param: 'input', code: 'context_length_exceeded' };
const INPUT = 'Your input exceeds the context window of this model. Please adjust your input and try again.';
const anthropic = (message: string) => ({ type: 'error', error: { type: 'invalid_request_error', message } });
const google = { code: 400, message: '', status: 'INVALID_ARGUMENT' };

/** As the vendors' documentation and their users' reports have them. */
const SHAPES: readonly Shape[] = [
  { says: 'openai', kind: 'openai', status: 400, body: { error: { ...openai, message: INPUT } } },
  {
    says: 'openai, in the stream',
    kind: 'openai',
    status: 200,
    event: 'error',
    body: { ...openai, type: 'error', sequence_number: 2, message: INPUT },
  },
  {
    says: 'openai, in the stream, nested',
    kind: 'openai',
    status: 200,
    event: 'error',
    body: { type: 'error', sequence_number: 2, error: { ...openai, message: INPUT } },
  },
  {
    says: 'openai, more than a minute takes',
    kind: 'openai',
    status: 429,
    body: {
      error: {
        message:
          'Request too large for gpt-6-sol in organization org-x on tokens per min (TPM): Limit 30000, Requested 41234. The input or output tokens must be reduced in order to run successfully.',
        type: 'tokens',
        param: null,
        code: 'rate_limit_exceeded',
      },
    },
  },
  {
    says: 'anthropic',
    kind: 'anthropic',
    status: 400,
    body: anthropic('prompt is too long: 208310 tokens > 200000 maximum'),
  },
  {
    says: 'anthropic, with what it may answer',
    kind: 'anthropic',
    status: 400,
    body: anthropic(
      'input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length or `max_tokens` and try again',
    ),
  },
  {
    says: 'anthropic, in bytes',
    kind: 'anthropic',
    status: 413,
    body: { type: 'error', error: { type: 'request_too_large', message: 'Request exceeds the maximum size' } },
  },
  {
    says: 'google',
    kind: 'google',
    status: 400,
    body: {
      error: {
        ...google,
        message: 'The input token count (1091639) exceeds the maximum number of tokens allowed (1048576).',
      },
    },
  },
  {
    says: 'google, as a list',
    kind: 'google',
    status: 400,
    body: [
      { error: { ...google, message: 'The input token count exceeds the maximum number of tokens allowed 1048576.' } },
    ],
  },
  {
    says: 'openrouter',
    kind: 'openai-compatible',
    status: 400,
    body: {
      error: {
        message:
          "This endpoint's maximum context length is 32768 tokens. However, you requested about 42832 tokens (42832 of text input).",
        code: 400,
      },
    },
  },
  {
    says: 'llama.cpp',
    kind: 'openai-compatible',
    status: 400,
    body: {
      error: {
        code: 400,
        message: 'the request exceeds the available context size, try increasing it',
        type: 'exceed_context_size_error',
        n_prompt_tokens: 1407,
        n_ctx: 256,
      },
    },
  },
  {
    says: 'llama.cpp of 2025',
    kind: 'openai-compatible',
    status: 500,
    body: {
      error: {
        code: 500,
        message:
          'the request exceeds the available context size. try increasing the context size or enable context shift',
        type: 'exceed_context_size_error',
      },
    },
  },
  {
    says: 'lm studio',
    kind: 'openai-compatible',
    status: 400,
    body: {
      error:
        'Trying to keep the first 10136 tokens when context the overflows. However, the model is loaded with context length of only 7866 tokens, which is not enough.',
    },
  },
  {
    says: 'lm studio, in the stream',
    kind: 'openai-compatible',
    status: 200,
    event: 'error',
    body: {
      error: {
        message:
          'Reached context length of 4096 tokens with model (arch: qwen3) that does not currently support mid-generation context overflow.',
      },
    },
  },
  {
    says: 'vllm',
    kind: 'openai-compatible',
    status: 400,
    body: {
      object: 'error',
      message: 'The decoder prompt (length 5000) is longer than the maximum model length of 4096.',
      type: 'BadRequestError',
      param: null,
      code: 400,
    },
  },
  {
    says: 'tgi',
    kind: 'openai-compatible',
    status: 422,
    body: {
      error:
        'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 200 `max_new_tokens`',
      error_type: 'validation',
    },
  },
];

function refuse({ status, body, event }: Shape): RequestListener {
  return (_request, response) => {
    response.writeHead(status, event === undefined ? json : sse);
    response.end(event === undefined ? JSON.stringify(body) : frame(body, event));
  };
}

test.each(SHAPES)('rule: $says: too long is told apart from any other refusal', async (shape) => {
  const url = await at(refuse(shape));
  const model = remoteModel(providerAt(url, shape.kind), 'm', { clock: systemClock });
  const { error } = await heard(model.step(stepOf('hello')));
  expect(error).toMatchObject({ kind: 'context', began: false, again: false, other: true });
});

test('rule: what only sounds like it is no conversation that is too long', async () => {
  const others: readonly (readonly [Kind, number, unknown, string])[] = [
    [
      'anthropic',
      400,
      anthropic('max_tokens: 300000 > 128000, which is the maximum allowed number of output tokens for m'),
      'bad_request',
    ],
    [
      'openai',
      429,
      {
        error: {
          message:
            'Rate limit reached for gpt-6-sol on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.',
          type: 'tokens',
          code: 'rate_limit_exceeded',
        },
      },
      'rate_limit',
    ],
    ['google', 400, { error: { ...google, message: 'Invalid value at contents' } }, 'bad_request'],
    ['openai-compatible', 500, { error: { message: 'out of memory' } }, 'server'],
  ];
  for (const [kind, status, body, wanted] of others) {
    const url = await at(refuse({ says: '', kind, status, body }));
    const { error } = await heard(remoteModel(providerAt(url, kind), 'm', { clock: systemClock }).step(stepOf('x')));
    expect(error, JSON.stringify(body)).toMatchObject({ kind: wanted });
  }
});

/** An answer in the way of each provider. */
const ANSWERS: Readonly<Record<Kind, (text: string) => string>> = {
  openai: (text) =>
    frame({ type: 'response.created', response: { id: 'r', created_at: 1, model: 'm' } }) +
    frame({ type: 'response.output_item.added', output_index: 0, item: { type: 'message', id: 'i' } }) +
    frame({ type: 'response.output_text.delta', item_id: 'i', delta: text }) +
    frame({ type: 'response.output_item.done', output_index: 0, item: { type: 'message', id: 'i' } }) +
    frame({ type: 'response.completed', response: { usage: { input_tokens: 5, output_tokens: 2 } } }),
  'openai-compatible': (text) =>
    frame({ id: 'x', choices: [{ index: 0, delta: { content: text }, finish_reason: null }] }) +
    frame({
      id: 'x',
      choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
      usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
    }) +
    'data: [DONE]\n\n',
  anthropic: (text) =>
    [
      {
        type: 'message_start',
        message: { id: 'm', model: 'm', role: 'assistant', content: [], usage: { input_tokens: 5, output_tokens: 0 } },
      },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 2 } },
      { type: 'message_stop' },
    ]
      .map((data) => frame(data, data.type))
      .join(''),
  google: (text) =>
    frame({
      candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP', index: 0 }],
      usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2, totalTokenCount: 7 },
    }),
};

const FIRST = SHAPES.filter(({ kind }, i) => SHAPES.findIndex((one) => one.kind === kind) === i);

test.each(FIRST)('rule: $says: a conversation that is too long is summed up and asked once more', async (shape) => {
  const { kind } = shape;
  const asked: string[] = [];
  const url = await at(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    asked.push(body);
    // What has all of it is too long; the summary and what stands behind it are not.
    if (body.length > 30_000 && body.includes('the last question')) return refuse(shape)(request, response);
    response.writeHead(200, sse).end(ANSWERS[kind](body.includes('the last question') ? 'here you are' : 'noted'));
  });
  const model = remoteModel(providerAt(url, kind), 'm', { clock: systemClock });
  // Nobody told how much it takes: more is thought than it does.
  const { send, ended, bodies, of } = await stage({ model, facts: { contextWindow: null } });
  for (let n = 0; n < 6; n += 1) {
    await send(`r${n}`, `${n} ${'long words '.repeat(1_000)}`);
    expect(await ended(`r${n}`)).toMatchObject({ end: { kind: 'ok' } });
  }
  const before = asked.length;
  await send('last', 'the last question');
  expect(await ended('last')).toMatchObject({ end: { kind: 'ok' } });
  expect((await bodies()).at(-1)).toMatchObject({ kind: 'assistant', text: 'here you are' });
  expect(of('last').filter((event) => event.kind === 'compaction')).toMatchObject([
    { phase: 'start' },
    { phase: 'end' },
  ]);
  // Too long, the summary, once more.
  expect(asked.length - before).toBeGreaterThanOrEqual(3);
  expect(asked.slice(before).filter((body) => body.includes('the last question')).length).toBe(2);
});

test('rule: Google says in its answer when to come again', async () => {
  const url = await at((_request, response) => {
    const details = [
      { '@type': 'type.googleapis.com/google.rpc.QuotaFailure' },
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '39.5s' },
    ];
    const error = { code: 429, message: 'You exceeded your current quota.', status: 'RESOURCE_EXHAUSTED', details };
    response.writeHead(429, json).end(JSON.stringify({ error }));
  });
  const candidate: Candidate['model'] = remoteModel(providerAt(url, 'google'), 'm', { clock: systemClock });
  const { error } = await heard(candidate.step(stepOf('hello')));
  expect(error).toMatchObject({ kind: 'rate_limit', retryAfterMs: 39_500 });
});
