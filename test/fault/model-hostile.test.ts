// A provider that means harm: what it sends takes the time, the memory and the seats of nobody else.
import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { ModelFailure } from '../../src/runtime/model/failure.ts';
import type { Model, Part } from '../../src/runtime/model/model.ts';
import { type RemoteOptions, remoteModel } from '../../src/runtime/model/remote.ts';
import { CALLS_MAX, CHARACTERS_MAX } from '../../src/runtime/model/room.ts';
import { ScriptedClock, systemClock } from '../../src/system/clock.ts';
import { heard, KEY, type Kind, providerAt, stepOf } from '../modelserver.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function modelAt(listener: RequestListener, kind: Kind = 'openai-compatible', more: Partial<RemoteOptions> = {}) {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return remoteModel(providerAt(`http://127.0.0.1:${port}/v1`, kind), 'm', { clock: systemClock, ...more });
}

const SSE = { 'content-type': 'text/event-stream' };
const data = (event: unknown) => `data: ${JSON.stringify(event)}\n\n`;
const chunk = (delta: object, finish: string | null = null) =>
  data({ id: 'x', choices: [{ index: 0, delta, finish_reason: finish }] });
const END = chunk({}, 'stop');
const callIn = (n: number, more: object = {}) => ({
  index: n,
  id: `call_${n}`,
  function: { name: 'look', arguments: '{}' },
  ...more,
});

const says =
  (text: string): RequestListener =>
  (_request, response) =>
    void response.writeHead(200, SSE).end(text);

async function failed(model: Model): Promise<ModelFailure> {
  const { parts, error } = await heard(model.step(stepOf('hello')));
  expect(`${JSON.stringify(parts)} ${String(error)}`).not.toContain(KEY);
  expect((error as ModelFailure | null)?.name).toBe('ModelFailure');
  return error as ModelFailure;
}

const started = {
  type: 'message_start',
  message: { id: 'm', model: 'm', usage: { input_tokens: 1, output_tokens: 0 }, content: [], role: 'assistant' },
};
const googleParts = (parts: readonly unknown[], more: object = {}) =>
  data({ candidates: [{ content: { role: 'model', parts }, index: 0, ...more }] });

// ---- what freezes who reads it -----------------------------------------------------------------------------------------

test('threat 40: one event with thousands of calls is not read', async () => {
  const many = Array.from({ length: 5_000 }, (_, n) => callIn(0, { id: `call_${n}` }));
  const failure = await failed(await modelAt(says(chunk({ tool_calls: many }) + chunk({}, 'tool_calls'))));
  expect(failure).toMatchObject({ kind: 'malformed', why: expect.stringContaining('a list of more than') });
  const parts = Array.from({ length: 5_000 }, () => ({ functionCall: { name: 'look', args: {} } }));
  expect(await failed(await modelAt(says(googleParts(parts)), 'google'))).toMatchObject({ kind: 'malformed' });
});

test("threat 40: a path of millions of steps to a piece of a call's arguments is not read", async () => {
  const begun = googleParts([{ functionCall: { name: 'look', willContinue: true } }]);
  const piece = (jsonPath: string) =>
    googleParts([{ functionCall: { partialArgs: [{ jsonPath, numberValue: 1 }], willContinue: true } }]);
  const end = googleParts([{ functionCall: {} }], { finishReason: 'STOP' });
  const deep = piece(`$${'.a'.repeat(400_000)}`);
  for (const event of [deep, deep.replace('jsonPath', 'json\\u0050ath')]) {
    const failure = await failed(await modelAt(says(begun + event + end), 'google'));
    expect(failure).toMatchObject({
      kind: 'malformed',
      why: 'an event has a path of more than 64 steps or 1024 bytes',
    });
  }
  const { parts, error } = await heard(
    (await modelAt(says(begun + piece('$.rows[0].a') + end), 'google')).step(stepOf('hello')),
  );
  expect(error).toBeNull();
  expect(parts[0]).toMatchObject({ kind: 'tool', input: { rows: [{ a: 1 }] } });
});

test('threat 40: a step that calls more tools than any model does is none, in the shape of each provider', async () => {
  const count = CALLS_MAX + 1;
  const each = (of: (n: number) => string) => Array.from({ length: count }, (_, n) => of(n)).join('');
  const item = (n: number) => ({ type: 'function_call', id: `f${n}`, call_id: `c${n}`, name: 'look', arguments: '' });
  const answers: Readonly<Record<Kind, string>> = {
    'openai-compatible': each((n) => chunk({ tool_calls: [callIn(n)] })) + chunk({}, 'tool_calls'),
    google: each(() => googleParts([{ functionCall: { name: 'look', args: {} } }])),
    anthropic:
      data(started) +
      each(
        (index) =>
          data({
            type: 'content_block_start',
            index,
            content_block: { type: 'tool_use', id: `c${index}`, name: 'look', input: {} },
          }) + data({ type: 'content_block_stop', index }),
      ),
    openai:
      data({ type: 'response.created', response: { id: 'r', created_at: 1, model: 'm' } }) +
      each((n) => data({ type: 'response.output_item.added', output_index: n, item: item(n) })),
  };
  for (const [kind, answer] of Object.entries(answers)) {
    const failure = await failed(await modelAt(says(answer), kind as Kind));
    expect([kind, failure.kind, failure.why]).toEqual([kind, 'malformed', 'it calls more than 64 tools at once']);
  }
  const as = Array.from({ length: CALLS_MAX }, (_, n) => callIn(n));
  const allowed = await modelAt(says(chunk({ tool_calls: as }) + chunk({}, 'tool_calls')));
  const { parts, error } = await heard(allowed.step(stepOf('hello')));
  expect(error).toBeNull();
  expect(parts.filter(({ kind }) => kind === 'tool').length).toBe(CALLS_MAX);
});

test('threat 40: of a flood of small events a few are told between two turns of the loop', async () => {
  const model = await modelAt(says(chunk({ content: 'x' }).repeat(20_000) + END));
  let [told, atTurn, most, isDone] = [0, 0, 0, false];
  const turn = () => {
    most = Math.max(most, told - atTurn);
    atTurn = told;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const { error } = await heard(model.step(stepOf('hello')), () => {
    told += 1;
  });
  isDone = true;
  expect(error).toBeNull();
  expect(told).toBeGreaterThan(20_000);
  // What was handed on at once, and a rest of what was before.
  expect(most).toBeLessThanOrEqual(2 * 64);
});

test('rule: what providers do send is read: large events, comments, line ends of any kind, an event over several lines', async () => {
  const long = JSON.stringify({ text: 'word '.repeat(60_000) });
  const big = await modelAt(
    says(chunk({ tool_calls: [callIn(0, { function: { name: 'write', arguments: long } })] }) + END),
  );
  const written = await heard(big.step(stepOf('hello')));
  expect(written.parts.find(({ kind }) => kind === 'tool')).toMatchObject({ input: JSON.parse(long) });
  const image = { inlineData: { mimeType: 'image/png', data: 'A'.repeat(6_000_000) } };
  const deep = JSON.parse(`${'{"a":'.repeat(60)}1${'}'.repeat(60)}`);
  const google = await modelAt(
    says(
      googleParts([{ text: 'here: ' }, image, { text: 'so it is' }, { functionCall: { name: 'look', args: deep } }], {
        finishReason: 'STOP',
      }),
    ),
    'google',
  );
  const seen = await heard(google.step(stepOf('hello')));
  expect(seen).toMatchObject({ error: null, text: 'here: so it is' });
  expect(seen.parts.find(({ kind }) => kind === 'tool')).toMatchObject({ input: deep });
  const pretty = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'good' } }] }, null, 1).replaceAll('\n', '\ndata: ')}\n\n`;
  for (const end of ['\n', '\r\n', '\r']) {
    const text = `: waiting\n\n${pretty}event: x\nid: 4\n${chunk({ content: ' day' })}${END}data: [DONE]\n\n`;
    const { text: told, error } = await heard((await modelAt(says(text.replaceAll('\n', end)))).step(stepOf('hello')));
    expect([told, error]).toEqual(['good day', null]);
  }
});

test('rule: a last event without its empty line, and a prompt repeated in numbers, are read; a cut event is not', async () => {
  const usage = { prompt_tokens: 7, completion_tokens: 3 };
  const last = JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage });
  const ids = Array.from({ length: 40_000 }, (_, i) => i);
  const first = data({ prompt_token_ids: ids, choices: [{ index: 0, delta: { content: 'good day' } }] });
  for (const end of ['\n', '']) {
    const { parts, text, error } = await heard(
      (await modelAt(says(`${first}data: ${last}${end}`))).step(stepOf('hello')),
    );
    expect([text, error]).toEqual(['good day', null]);
    expect(parts.at(-2)).toMatchObject({ kind: 'usage', usage: { input: 7, output: 3 } });
  }
  const cut = await failed(await modelAt(says(`${first}data: ${last.slice(0, -1)}\n`)));
  expect(cut).toMatchObject({ kind: 'truncated' });
});

// ---- what is longer than anybody takes ------------------------------------------------------------------------------------

/** Sends on for as long as it is listened to. */
function without(end: (response: ServerResponse) => void, event: string): RequestListener {
  return (_request, response) => {
    response.on('close', () => end(response));
    response.writeHead(200, SSE);
    const more = () => {
      while (!response.destroyed) if (!response.write(event)) return void response.once('drain', more);
    };
    more();
  };
}

test('rule: an answer without an end is cut off with what was said, and its connection is closed', async () => {
  const ways = [
    { event: chunk({ content: 'word '.repeat(2_000) }), text: CHARACTERS_MAX, thought: 0 },
    { event: chunk({ reasoning_content: 'word '.repeat(2_000) }), text: 0, thought: CHARACTERS_MAX },
  ];
  for (const { event, text, thought } of ways) {
    let close = (_: ServerResponse) => {};
    const closed = new Promise<ServerResponse>((resolve) => {
      close = resolve;
    });
    const model = await modelAt(without((response) => close(response), event));
    const parts: Part[] = [];
    for await (const part of model.step(stepOf('hello'))) {
      parts.push(part);
      // Whoever listens may take its time: nothing more is sent meanwhile.
      if (part.kind === 'finish') expect((await closed).writableEnded).toBe(false);
    }
    const length = (wanted: 'text' | 'reasoning') =>
      parts.reduce((sum, part) => sum + (part.kind === wanted ? part.delta.length : 0), 0);
    expect([length('text'), length('reasoning')]).toEqual([text, thought]);
    const end = parts.at(-1);
    expect(end).toMatchObject({ kind: 'finish', reason: 'length' });
    const content = end?.kind === 'finish' ? end.message.content : [];
    expect(content.reduce((sum, part) => sum + ('text' in part ? part.text.length : 0), 0)).toBe(text);
  }
});

test('rule: arguments without an end are no call: what was said before them is the answer', async () => {
  const begun = chunk({ content: 'I look. ' }) + chunk({ tool_calls: [callIn(0)] });
  const more = chunk({ tool_calls: [{ index: 1, id: 'b', function: { name: 'x', arguments: '"' } }] });
  const rest = chunk({ tool_calls: [{ index: 1, function: { arguments: 'z'.repeat(100_000) } }] }).repeat(12);
  const { parts, text, error } = await heard(
    (await modelAt(says(begun + more + rest + chunk({}, 'tool_calls')))).step(stepOf('hello')),
  );
  expect([text, error]).toEqual(['I look. ', null]);
  expect(parts.some(({ kind }) => kind === 'tool')).toBe(false);
  const content = [{ kind: 'text', text: 'I look. ' }];
  expect(parts.at(-1)).toMatchObject({ reason: 'length', message: { content } });
});

test('rule: an answer of more parts, or with more to send back, than is held while a run lasts is none', async () => {
  const block = (index: number) =>
    data({ type: 'content_block_start', index, content_block: { type: 'text', text: '' } }) +
    data({ type: 'content_block_stop', index });
  const many = Array.from({ length: 1_025 }, (_, index) => block(index)).join('');
  const parts = await failed(await modelAt(says(data(started) + many), 'anthropic'));
  expect(parts).toMatchObject({ kind: 'malformed', why: 'it has more than 1024 parts' });
  const signed = googleParts([{ text: 'x', thoughtSignature: 'A'.repeat(3_000_000) }]).repeat(3);
  const kept = await failed(await modelAt(says(signed), 'google'));
  expect(kept).toMatchObject({ kind: 'malformed', why: 'it wants back more than is kept' });
});

test('rule: a long answer is not cut within a character', async () => {
  const { parts } = await heard(
    (await modelAt(says(chunk({ content: `x${'😀'.repeat(CHARACTERS_MAX / 2)}` }) + END))).step(stepOf('hello')),
  );
  const text = parts.map((part) => (part.kind === 'text' ? part.delta : '')).join('');
  expect(text.length).toBe(CHARACTERS_MAX - 1);
  expect(text.endsWith('😀')).toBe(true);
});

test('rule: an answer that is to be continued again and again ends', async () => {
  let asked = 0;
  const model = await modelAt((_request, response) => {
    asked += 1;
    response.writeHead(200, SSE);
    response.end(googleParts([{ text: 'on ' }], { finishReason: 'CONTINUATION', continuationToken: `t${asked}` }));
  }, 'google');
  expect(await failed(model)).toMatchObject({ kind: 'malformed', why: 'the answer does not end' });
  expect(asked).toBe(8);
});

// ---- what never ends ------------------------------------------------------------------------------------------------------

/** Writes now and then, while scripted time passes. */
async function dripped(status: number, drip: string, { stepMs, untilMs }: { stepMs: number; untilMs: number }) {
  const clock = new ScriptedClock();
  let answer: ServerResponse | null = null;
  const model = await modelAt(
    (_request, response) => {
      response.writeHead(status, SSE);
      response.flushHeaders();
      answer = response;
    },
    'openai-compatible',
    { clock },
  );
  let isOver = false;
  const hearing = heard(model.step(stepOf('hello'))).finally(() => {
    isOver = true;
  });
  while (answer === null) await new Promise((resolve) => setTimeout(resolve, 1));
  const response = answer as ServerResponse;
  while (!isOver && clock.monotonicMs() < untilMs) {
    response.write(drip);
    await new Promise((resolve) => setTimeout(resolve, 2));
    clock.advance(stepMs);
  }
  return { hearing, response, passedMs: () => clock.monotonicMs(), isOver: () => isOver };
}

test("rule: an error's body that drips is not waited for", async () => {
  const { hearing, passedMs, isOver } = await dripped(500, 'x', { stepMs: 300, untilMs: 60_000 });
  expect(isOver()).toBe(true);
  expect((await hearing).error).toMatchObject({ kind: 'server', status: 500 });
  expect(passedMs()).toBeLessThan(10_000);
});

test('rule: comments without a word end, later than the slowest model thinks', async () => {
  const { hearing, passedMs, isOver } = await dripped(200, ':\n\n', { stepMs: 5_000, untilMs: 3_600_000 });
  expect(isOver()).toBe(true);
  expect((await hearing).error).toMatchObject({ kind: 'idle', why: 'nothing was said for 900000 ms' });
  expect(passedMs()).toBeGreaterThanOrEqual(900_000);
  expect(passedMs()).toBeLessThan(1_000_000);
  const slow = await dripped(200, ': thinking\n\n', { stepMs: 5_000, untilMs: 840_000 });
  expect(slow.isOver()).toBe(false);
  slow.response.end(chunk({ content: 'forty-two' }) + END);
  expect(await slow.hearing).toMatchObject({ text: 'forty-two', error: null });
});

// ---- what is told of a call -------------------------------------------------------------------------------------------------

test('threat 53: a key that a provider repeats is in no part of a call', async () => {
  const escaped = `\\u0073${KEY.slice(1)}`;
  const call = callIn(0, {
    id: `id-${KEY}`,
    function: { name: 'look', arguments: `{"${escaped}":"${escaped} ${KEY}"}` },
  });
  const model = await modelAt(says(chunk({ tool_calls: [call] }) + chunk({}, 'tool_calls')));
  const { parts, error } = await heard(model.step(stepOf('hello')));
  expect(error).toBeNull();
  expect(JSON.stringify(parts)).not.toContain(KEY);
  expect(parts[0]).toMatchObject({ id: 'id-[redacted]', input: { '[redacted]': '[redacted] [redacted]' } });
  const named = callIn(0, { function: { name: `look-${KEY}`, arguments: '{}' } });
  const failure = await failed(await modelAt(says(chunk({ tool_calls: [named] }) + chunk({}, 'tool_calls'))));
  expect(failure).toMatchObject({ kind: 'malformed', why: 'it calls a tool by what is no name' });
});

test('rule: arguments that nest too deep to be walked are no call', async () => {
  const nested = `${'['.repeat(3_000)}${']'.repeat(3_000)}`;
  const call = callIn(0, { function: { name: 'look', arguments: nested } });
  const failure = await failed(await modelAt(says(chunk({ tool_calls: [call] }) + chunk({}, 'tool_calls'))));
  expect(failure).toMatchObject({ kind: 'malformed', began: false });
});

/** An answer of Anthropic's in blocks of this kind: each a list of deltas. */
function blocksOf(blocks: readonly { readonly thinks?: boolean; readonly deltas: readonly string[] }[]): string {
  const each = blocks.map(({ thinks = false, deltas }, index) => {
    const content_block = thinks ? { type: 'thinking', thinking: '', signature: '' } : { type: 'text', text: '' };
    const said = deltas.map((text) => {
      const delta = thinks ? { type: 'thinking_delta', thinking: text } : { type: 'text_delta', text };
      return data({ type: 'content_block_delta', index, delta });
    });
    const start = data({ type: 'content_block_start', index, content_block });
    return [start, ...said, data({ type: 'content_block_stop', index })].join('');
  });
  const end = data({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 1 } });
  return [data(started), ...each, end, data({ type: 'message_stop' })].join('');
}

const toldOf = (parts: readonly Part[], kind: 'text' | 'reasoning') =>
  parts.map((part) => (part.kind === kind ? part.delta : '')).join('');

test('threat 53: an answer in several texts is told in order, and a key over two of them is not', async () => {
  const half = KEY.length / 2;
  const answer = blocksOf([
    { deltas: ['Delete the old files'] },
    { thinks: true, deltas: ['thoughts', ' '] },
    { deltas: [', keep the new ones and ', 'cats'] },
    { thinks: true, deltas: [`too: ${KEY.slice(0, half)}`] },
    { deltas: [' and dogs. ', KEY.slice(0, half)] },
    { thinks: true, deltas: [`${KEY.slice(half)}.`] },
    { deltas: [KEY.slice(half), ' Does'] },
  ]);
  const { parts, error } = await heard((await modelAt(says(answer), 'anthropic')).step(stepOf('hello')));
  expect(error).toBeNull();
  const text = 'Delete the old files, keep the new ones and cats and dogs. [redacted] Does';
  expect(toldOf(parts, 'text')).toBe(text);
  expect(toldOf(parts, 'reasoning')).toBe('thoughts too: [redacted].');
  const end = parts.at(-1);
  const content = end?.kind === 'finish' ? end.message.content : [];
  const texts = content.filter(({ kind }) => kind === 'text');
  expect(texts.map((part) => ('text' in part ? part.text : '')).join('')).toBe(text);
});

test('rule: what was kept back of a text is told before the call that follows it', async () => {
  const answer = chunk({ content: 'I look at cats' }) + chunk({ tool_calls: [callIn(0)] }) + chunk({}, 'tool_calls');
  const { parts } = await heard((await modelAt(says(answer))).step(stepOf('hello')));
  const at = parts.findIndex(({ kind }) => kind === 'tool');
  expect(toldOf(parts.slice(0, at), 'text')).toBe('I look at cats');
});
