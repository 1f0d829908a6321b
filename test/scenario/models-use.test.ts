// What people and clients do with models: how much they think, what a probe costs, what is told of a key that is missing or wrong.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { KEY, type ModelServer, startModelServer } from '../modelserver.ts';
import { ADMIN, paired, READ, session, WRITE } from './act.ts';

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer();
});
beforeEach(() => void server.mock.reset());
afterAll(() => server.stop());

const running: Gateway[] = [];
afterAll(() => Promise.all(running.map((gateway) => gateway.stop())));

async function gatewayWith(config: Record<string, unknown>): Promise<Gateway> {
  const gateway = await start({ config });
  running.push(gateway);
  return gateway;
}

const ALL = [READ, WRITE, ADMIN];
const nobody = { local: { enabled: false } };

describe('rule: models in use', () => {
  it('rule: a level of thinking goes to the model, is lowered to what it has, and what it means by no word is refused', async () => {
    server.mock.onMessage(/./, { content: 'Forty-two.', reasoning: 'Six by seven, then.' }, { chunkSize: 8 });
    const at = { kind: 'openai-compatible', baseUrl: `${server.origin}/v1`, apiKey: KEY };
    const gateway = await gatewayWith({
      models: {
        ...nobody,
        providers: { lab: { ...at, models: [{ id: 'gpt-5', reasoning: true }, { id: 'plain' }] } },
        aliases: { quick: 'lab/plain' },
      },
      agents: { defaults: { thinkingDefault: 'low' } },
    });
    const { partner: peer } = await session(gateway, await paired(await gateway.owner(), ALL), ALL);
    const levels = ['off', 'low', 'medium', 'high'].map((id) => ({ id, label: id }));
    const off = [{ id: 'off', label: 'off' }];
    expect((await peer.ask('models.list', { includeDetails: true })).models).toMatchObject([
      { id: 'gpt-5', reasoning: true, thinkingLevels: levels, thinkingDefault: 'low', tags: ['default'] },
      { id: 'plain', thinkingLevels: off, thinkingDefault: 'off', tags: ['alias:quick'] },
      { id: 'echo', thinkingLevels: off, thinkingDefault: 'off' },
    ]);
    expect((await peer.ask('agents.list')).agents).toMatchObject([{ thinkingLevels: levels, thinkingDefault: 'low' }]);
    const effort = () =>
      (server.mock.getLastRequest()?.body as { reasoning_effort?: string } | undefined)?.reasoning_effort;
    let runs = 0;
    const said = async (more: Record<string, unknown> = {}) => {
      const runId = `think-${++runs}`;
      await peer.ask('chat.send', { sessionKey: 'main', message: 'well?', idempotencyKey: runId, ...more });
      expect(await peer.ask('agent.wait', { runId, timeoutMs: 60_000 })).toMatchObject({ status: 'ok' });
      return runId;
    };
    await said();
    expect(effort()).toBe('low');
    // OpenClaw's TUI sets it so, with its own words.
    expect(await peer.ask('sessions.patch', { key: 'main', thinkingLevel: 'x-high' })).toMatchObject({
      entry: { thinkingLevel: 'xhigh', thinkingLevels: levels, thinkingDefault: 'low' },
      resolved: { thinkingLevel: 'high', thinkingLevels: levels },
    });
    const runId = await said();
    expect(effort()).toBe('high');
    const told = peer.events.filter(({ event, payload }) => event === 'agent' && payload.runId === runId);
    expect(told.find(({ payload }) => payload.data.phase === 'model')?.payload.data).toMatchObject({
      thinkingLevel: 'high',
    });
    const thoughts = told
      .filter(({ payload }) => payload.stream === 'thinking')
      .map(({ payload }) => payload.data.delta);
    expect(thoughts.join('')).toBe('Six by seven, then.');
    await said({ thinking: 'off' });
    expect(effort()).toBe('none');
    const history = await peer.ask('chat.history', { sessionKey: 'main' });
    expect(history.thinkingLevel).toBe('xhigh');
    expect(JSON.stringify(history)).toContain('Forty-two.');
    expect(JSON.stringify(history)).not.toContain('Six by seven');
    // Another model, which does not think.
    expect(await peer.ask('sessions.patch', { key: 'main', model: 'quick' })).toMatchObject({
      entry: { thinkingLevels: off },
      resolved: { model: 'plain', thinkingLevel: 'off', thinkingLevels: off },
    });
    expect((await peer.ask('sessions.describe', { key: 'main' })).session).toMatchObject({ thinkingLevels: off });
    await said();
    expect(effort()).toBeUndefined();
    for (const [method, params] of [
      ['sessions.patch', { key: 'main', thinkingLevel: 'bananas' }],
      ['chat.send', { sessionKey: 'main', message: 'x', thinking: 'bananas', idempotencyKey: 'b1' }],
      ['agent', { message: 'x', thinking: 'bananas', idempotencyKey: 'b2' }],
    ] as const) {
      const refused = await peer.call(method, params);
      expect(refused.ok).toBe(false);
      expect(JSON.stringify(refused)).toContain('unknown thinking level: bananas');
      expect(JSON.stringify(refused)).toContain('xhigh');
    }
    peer.end();
  });

  it("rule: what a probe takes counts to the default agent's day, a bound that is reached stops it, and so does its caller's", async () => {
    server.mock.onMessage(/./, { content: 'ok' });
    const at = { kind: 'openai-compatible', baseUrl: `${server.origin}/v1`, apiKey: KEY };
    const gateway = await gatewayWith({
      models: { ...nobody, providers: { lab: { ...at, models: [{ id: 'm' }] } } },
      agents: { defaults: { budget: { tokensPerDay: 1 } } },
    });
    const owner = await gateway.owner();
    expect((await owner.ask('models.probe')).probes).toMatchObject([{ model: 'lab/m', ok: true }]);
    const calls = server.mock.getRequests().length;
    expect((await owner.ask('models.probe')).probes).toMatchObject([
      { ok: false, failure: 'budget', why: expect.stringContaining('of 1 tokens are spent today') },
    ]);
    expect(server.mock.getRequests().length).toBe(calls);
    // The agent itself has nothing left, either.
    await owner.ask('chat.send', { sessionKey: 'main', message: 'hello', idempotencyKey: 'after-probe' });
    expect(await owner.ask('agent.wait', { runId: 'after-probe', timeoutMs: 60_000 })).toMatchObject({
      status: 'error',
      code: 'budget',
    });
    expect(server.mock.getRequests().length).toBe(calls);
    const { partner: admin } = await session(gateway, await paired(owner, [ADMIN]), [ADMIN]);
    const answers = [];
    for (let n = 0; n < 12; n += 1) answers.push((await admin.call('models.probe', {})).ok);
    expect(answers.filter(Boolean).length).toBe(10);
    expect(JSON.stringify(await admin.call('models.probe', {}))).toContain('too many probes of models in one minute');
    expect((await owner.call('models.probe', {})).ok).toBe(true);
    admin.end();
  });

  it('A16: a provider that repeats the key it was sent brings it into no answer, thought, tool, row, log or export', async () => {
    const echo = createServer(async (request, response) => {
      let body = '';
      for await (const part of request) body += part;
      const key = String(request.headers.authorization).split(' ').at(-1) ?? '';
      const chunk = (delta: object, finish: string | null = null) =>
        `data: ${JSON.stringify({ id: key, model: key, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
      if (body.includes('fail')) {
        const error = {
          message: `who is Bearer ${key}?`,
          code: key,
          type: key,
          metadata: { headers: request.headers },
        };
        return void response.writeHead(400, { 'x-key': key }).end(JSON.stringify({ error }));
      }
      response.writeHead(200, { 'content-type': 'text/event-stream', 'x-key': key });
      for (const letter of `you sent ${key}, I think`) response.write(chunk({ reasoning_content: letter }));
      for (const letter of `you sent ${key}, I say`) response.write(chunk({ content: letter }));
      const called = { name: 'look', arguments: JSON.stringify({ at: `it is ${key}` }) };
      const isFirst = !body.includes('"tool"');
      if (isFirst)
        response.write(chunk({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: called }] }));
      response.end(`${chunk({}, isFirst ? 'tool_calls' : 'stop')}data: [DONE]\n\n`);
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const { port } = echo.address() as AddressInfo;
    const lab = { kind: 'openai-compatible', baseUrl: `http://127.0.0.1:${port}/v1`, apiKey: KEY };
    const gateway = await gatewayWith({
      logging: { level: 'trace' },
      models: { ...nobody, providers: { lab: { ...lab, models: [{ id: 'm', reasoning: true }] } } },
    });
    const { partner: peer } = await session(gateway, await paired(await gateway.owner(), ALL), ALL);
    const all: string[] = [];
    for (const [runId, message] of [
      ['echo-1', 'hello'],
      ['echo-2', 'fail'],
    ] as const) {
      await peer.ask('chat.send', { sessionKey: 'main', message, thinking: 'high', idempotencyKey: runId });
      all.push(JSON.stringify(await peer.ask('agent.wait', { runId, timeoutMs: 60_000 })));
    }
    // One delta is one letter: put together, they are what was told.
    const deltas = peer.events.flatMap(({ payload }) => payload?.data?.delta ?? []);
    all.push(JSON.stringify(peer.events), deltas.join(''));
    for (const [method, params] of [
      ['chat.history', { sessionKey: 'main' }],
      ['sessions.list', { includeLastMessage: true, includeDerivedTitles: true }],
      ['sessions.get', { key: 'main' }],
    ] as const) {
      all.push(JSON.stringify(await peer.ask(method, params)));
    }
    for (const args of [
      ['sessions', 'export', 'main'],
      ['models', 'status', '--probe', '--json'],
      ['logs', '--limit', '500', '--json'],
    ]) {
      const { stdout, stderr } = await gateway.cli(args);
      all.push(stdout, stderr);
    }
    const text = `${all.join('\n')}\n${gateway.logs()}`;
    expect(text).toContain('you sent [redacted], I think');
    expect(text).toContain('you sent [redacted], I say');
    expect(text).toContain('it is [redacted]');
    expect(text).not.toContain(KEY);
    peer.end();
    echo.closeAllConnections();
    echo.close();
  });

  it('rule: who is told to wait for an hour is answered by another model at once, and nobody asks before', async () => {
    server.mock.onMessage(/./, { content: 'in its stead' });
    let asked = 0;
    const busy = createServer((request, response) => {
      request.resume();
      asked += 1;
      response.writeHead(429, { 'retry-after': '3600' }).end(JSON.stringify({ error: { message: 'slow down' } }));
    });
    busy.listen(0, '127.0.0.1');
    await once(busy, 'listening');
    const { port } = busy.address() as AddressInfo;
    const at = (url: string) => ({ kind: 'openai-compatible', baseUrl: url, apiKey: KEY, models: [{ id: 'm' }] });
    const gateway = await gatewayWith({
      models: {
        ...nobody,
        providers: { busy: at(`http://127.0.0.1:${port}/v1`), lab: at(`${server.origin}/v1`) },
      },
      agents: { defaults: { model: { primary: 'busy/m', fallbacks: ['lab/m'] } } },
    });
    const peer = await gateway.owner();
    for (const runId of ['wait-1', 'wait-2']) {
      await peer.ask('chat.send', { sessionKey: 'main', message: 'hello', idempotencyKey: runId });
      expect(await peer.ask('agent.wait', { runId, timeoutMs: 60_000 })).toMatchObject({ status: 'ok' });
      expect(asked).toBe(1);
    }
    // A probe asks all the same.
    expect((await peer.ask('models.probe', { provider: 'busy' })).probes).toMatchObject([{ failure: 'rate_limit' }]);
    expect(asked).toBe(2);
    busy.closeAllConnections();
    busy.close();
  });

  it('rule: a model whose provider has no key is chosen with a word, and status says no', async () => {
    const gateway = await gatewayWith({ models: nobody });
    const chosen = await gateway.cli(['models', 'set', 'openrouter/auto']);
    expect(chosen.code).toBe(0);
    expect(chosen.stderr).toMatch(
      /'openrouter' can't be asked yet\n {2}why: it has no key, .*OPENROUTER_API_KEY.*\n {2}run: .*config set models\.providers\.openrouter\.apiKey -\n/,
    );
    const status = await gateway.cli(['models', 'status']);
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(/warn +openrouter .*no key/);
    const list = await gateway.cli(['models', 'list', '--provider', 'openrouter']);
    expect(list.stdout).toContain('its key is missing');
    const set = await gateway.cli(['config', 'set', 'models.providers.openrouter.apiKey', KEY]);
    expect(set.code).toBe(0);
    const again = await gateway.cli(['models', 'set', 'openrouter/other']);
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect((await gateway.cli(['models', 'status'])).code).toBe(0);
  });

  it('rule: a provider that is begun with its key is told to be set in one, and a secret within JSON is warned of', async () => {
    const gateway = await gatewayWith({ models: nobody });
    const first = await gateway.cli(['config', 'set', 'models.providers.lab.apiKey', KEY]);
    expect(first.code).toBe(78);
    expect(first.stderr).toMatch(/kind is missing.*first/);
    expect(first.stderr).toContain(
      `config set models.providers.lab '{kind: "openai-compatible", baseUrl: "https://host/v1"}'`,
    );
    const whole = `{kind: 'openai-compatible', baseUrl: 'https://models.example/v1', headers: {'x-team': 'a'}, apiKey: '${KEY}'}`;
    const second = await gateway.cli(['config', 'set', 'models.providers.lab', whole]);
    expect(second.code).toBe(0);
    expect(second.stderr).toMatch(
      /other users of this host could read the secret .*models\.providers\.lab\.headers\.x-team -/,
    );
    expect(`${first.stderr}${second.stderr}${second.stdout}`).not.toContain(KEY);
    const aliased = await gateway.cli(['config', 'set', 'models.aliases.quick', 'lab/large-1']);
    expect(aliased.code).toBe(0);
    expect((await gateway.cli(['models', 'list'])).stdout).toMatch(/^lab\/large-1 .*alias:quick/m);
  });
});
