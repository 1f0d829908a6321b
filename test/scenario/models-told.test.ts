// What people are told of models that can't be asked, of names that lead nowhere, and of what was spent; each with what mends it.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';

const KEY = 'sk-lab-1312-never-to-be-seen';

interface Lab {
  readonly url: string;
  readonly port: number;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  stop(): void;
}

const servers: Server[] = [];
const running: Gateway[] = [];
afterAll(async () => {
  await Promise.all(running.map((gateway) => gateway.stop()));
  for (const server of servers) stopped(server);
});

function stopped(server: Server): void {
  server.closeAllConnections();
  server.close();
}

interface LabOptions {
  /** Who comes without it is refused. */
  readonly key?: string;
  readonly owner?: string;
  /** By path: what else it answers. */
  readonly more?: Readonly<Record<string, unknown>>;
  readonly ids?: readonly string[];
}

/** A server of models that says `fine`, and that a call took 1000 tokens in and 500 out. */
async function lab({ key, owner, more = {}, ids = ['big-1', 'small-1'] }: LabOptions = {}): Promise<Lab> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const path = request.url ?? '';
    asked.push(path);
    if (key !== undefined && request.headers.authorization !== `Bearer ${key}`) {
      const error = { message: `who is ${request.headers.authorization}?` };
      return void response.writeHead(401).end(JSON.stringify({ error }));
    }
    if (path === '/v1/models') {
      const data = ids.map((id) => ({ id, ...(owner === undefined ? {} : { owned_by: owner }) }));
      return void response.end(JSON.stringify({ data }));
    }
    if (more[path] !== undefined) return void response.end(JSON.stringify(more[path]));
    const model = path === '/v1/chat/completions' ? String(JSON.parse(body).model) : '';
    if (!ids.includes(model)) {
      return void response.writeHead(404).end(JSON.stringify({ error: { message: 'no such model' } }));
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const chunk = (rest: object) => `data: ${JSON.stringify({ id: 'x', model, ...rest })}\n\n`;
    response.write(chunk({ choices: [{ index: 0, delta: { content: 'fine' }, finish_reason: null }] }));
    response.write(chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }));
    const usage = { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500 };
    response.end(`${chunk({ choices: [], usage })}data: [DONE]\n\n`);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/v1`, port, asked, stop: () => stopped(server) };
}

const nobody = { local: { enabled: false } };

async function gatewayWith(config: Record<string, unknown>): Promise<Gateway> {
  const gateway = await start({ config });
  running.push(gateway);
  return gateway;
}

async function withLab(lab: Lab, provider: object = {}, agents: object = {}): Promise<Gateway> {
  const at = { kind: 'openai-compatible', baseUrl: lab.url, ...provider };
  return gatewayWith({ models: { ...nobody, providers: { lab: at } }, agents });
}

/** What the command line said, and the commands that it says to run. */
async function said(gateway: Gateway, ...args: string[]) {
  const { code, stdout, stderr } = await gateway.cli(args);
  const text = `${stdout}${stderr}`;
  expect(text).not.toContain(KEY);
  const runs = [...text.matchAll(/^ *(?:run|do): (.*)$/gm)].map(([, line = '']) =>
    line.replace(/ --state-dir \S+/g, ''),
  );
  return { code, stdout, text, runs };
}

const priced = ['big-1', 'small-1'].map((id) => ({ id, cost: { input: 5, output: 30 } }));

describe('rule: what a model costs', () => {
  it('rule: a server on this host that hands on to a vendor is not free: under a bound in money it is not called', async () => {
    const proxy = await lab();
    const defaults = { model: 'lab/big-1', budget: { usdPerDay: 0.01 } };
    const gateway = await withLab(proxy, {}, { defaults });
    const failed = await said(gateway, 'agent', '-m', 'hello');
    expect(failed.code).toBe(1);
    expect(failed.text).toContain('its price is unknown');
    expect(failed.runs).toEqual(['latchkey models list']);
    expect(proxy.asked).not.toContain('/v1/chat/completions');
    const list = await said(gateway, 'models', 'list');
    expect(list.stdout).toMatch(/^lab\/big-1 +unknown +unknown /m);
    expect(list.stdout).toMatch(/bound in money .*declare its cost \(docs\/models\.md\)/);
    await said(gateway, 'config', 'set', 'models.providers.lab.models', JSON.stringify(priced));
    expect((await said(gateway, 'agent', '-m', 'hello')).code).toBe(0);
  });

  it('rule: what is found at the port of Ollama, LM Studio or llama.cpp is free where it says that it is that program', async () => {
    const all = {
      ollama: await lab({ more: { '/api/version': { version: '0.30.1' } }, ids: ['m', 'big:cloud'] }),
      lmstudio: await lab({ more: { '/api/v0/models': { data: [{ id: 'm', state: 'not-loaded' }] } }, ids: ['m'] }),
      llamacpp: await lab({ owner: 'llamacpp', ids: ['m'] }),
    };
    const proxies = {
      ollama: await lab(),
      lmstudio: await lab({ owner: 'openai' }),
      llamacpp: await lab({ owner: 'openai' }),
    };
    const costs = async (servers: Record<string, Lab>) => {
      const ports = Object.fromEntries(Object.entries(servers).map(([name, { port }]) => [name, port]));
      const gateway = await gatewayWith({ models: { local: { ports } } });
      const { models } = await (await gateway.owner()).ask('models.list');
      return models
        .filter(({ provider }: { provider: string }) => provider !== 'offline')
        .map(({ provider, id, cost }: Record<string, unknown>) => [`${provider}/${id}`, cost !== undefined]);
    };
    expect(await costs(all)).toEqual([
      ['ollama/m', true],
      // It runs elsewhere, and is listed with those that don't.
      ['ollama/big:cloud', false],
      ['lmstudio/m', true],
      ['llamacpp/m', true],
    ]);
    expect((await costs(proxies)).filter(([, isPriced]: [string, boolean]) => isPriced)).toEqual([]);
  });

  it('rule: what a person writes down as Ollama on this host is free, and by its address alone it is not', async () => {
    const one = await lab({ ids: ['m'] });
    const at = { kind: 'openai-compatible', baseUrl: one.url };
    const gateway = await gatewayWith({ models: { ...nobody, providers: { ollama: at, lab: at } } });
    const { models } = await (await gateway.owner()).ask('models.list');
    expect(models).toMatchObject([
      { provider: 'ollama', cost: { input: 0 } },
      { provider: 'lab' },
      { provider: 'offline' },
    ]);
    expect(models[1].cost).toBeUndefined();
  });
});

describe('rule: what can not be asked', () => {
  it('rule: a key that is refused is said by status, probe, list and set, each with the command that sets it', async () => {
    const server = await lab({ key: 'another one' });
    const gateway = await withLab(server, { apiKey: KEY });
    const setKey = 'latchkey config set models.providers.lab.apiKey -';
    const status = await said(gateway, 'models', 'status');
    expect(status.code).toBe(1);
    expect(status.stdout).toContain("offline/echo   (no model of 'lab' is known)");
    expect(status.stdout).toMatch(/FAIL +lab +.*its key is refused .*HTTP 401/);
    expect(status.runs).toEqual([setKey]);
    const probe = await said(gateway, 'models', 'status', '--probe');
    expect(probe.code).toBe(1);
    expect(probe.stdout).toMatch(/FAIL +probe +lab: auth: .*HTTP 401/);
    expect(probe.runs).toEqual([setKey, setKey]);
    const list = await said(gateway, 'models', 'list');
    expect(list.stdout).toMatch(/warn +lab +its key is refused/);
    expect(list.runs).toEqual([setKey]);
    expect(await said(gateway, 'models', 'list', '--provider', 'lab')).toMatchObject({ code: 1, runs: [setKey] });
    const set = await said(gateway, 'models', 'set', 'lab/big-1');
    expect(set).toMatchObject({ code: 0, runs: [setKey] });
    // What a run fails of names it, too.
    expect(await said(gateway, 'agent', '-m', 'hello')).toMatchObject({ code: 1, runs: [setKey] });
    await said(gateway, 'config', 'set', 'models.providers.lab.apiKey', 'another one');
    expect(await said(gateway, 'models', 'status', '--probe')).toMatchObject({ code: 0, runs: [] });
  });

  it('rule: a provider of which no model is known is asked for its list anew by a probe, and one of it is called', async () => {
    const server = await lab({ key: KEY });
    const gateway = await withLab(server, { apiKey: { source: 'exec', id: ['/bin/echo', KEY] } });
    // Whoever may only read starts no program: no model is known.
    const { providers } = await (await gateway.owner()).ask('models.status');
    expect(providers).toMatchObject([{ name: 'lab', models: 0 }, { name: 'offline' }]);
    const { stdout, code } = await said(gateway, 'models', 'status', '--probe', '--provider', 'lab');
    expect(stdout).toMatch(/ok +probe +lab\/big-1: answered/);
    expect(code).toBe(0);
  });

  it('rule: a server that is stopped is out of reach at once, also where its models are declared', async () => {
    const server = await lab();
    const gateway = await withLab(server, { models: priced }, { defaults: { model: 'lab/big-1' } });
    const before = await said(gateway, 'models', 'status');
    expect(before.stdout).toMatch(/ok +lab +.*2 models declared/);
    expect(before.code).toBe(0);
    server.stop();
    const start = "start the server of 'lab', then: latchkey models status";
    const after = await gateway.cli(['models', 'status']);
    await expect.poll(async () => (await said(gateway, 'models', 'status')).code, { timeout: 30_000 }).toBe(1);
    expect(after.stdout).not.toContain('models listed');
    const status = await said(gateway, 'models', 'status');
    expect(status.stdout).toMatch(/FAIL +lab +.*out of reach: nobody listens there/);
    expect(status.runs).toEqual([start]);
    const probe = await said(gateway, 'models', 'status', '--probe');
    expect(probe.stdout).toMatch(/FAIL +probe +lab\/big-1: network/);
    expect(probe.runs).toEqual([start, start]);
  });

  it('rule: a model that is called and is not there leads to the list; a provider that is misspelt to the one that is meant', async () => {
    const server = await lab();
    const gateway = await withLab(server, {}, { defaults: { model: 'lab/gone' } });
    const probe = await said(gateway, 'models', 'status', '--probe');
    expect(probe.stdout).toMatch(/FAIL +probe +lab\/gone: not_found/);
    expect(new Set(probe.runs)).toEqual(new Set(['latchkey models list']));
    const misspelt = await said(gateway, 'models', 'status', '--probe', '--provider', 'lba');
    expect(misspelt.code).toBe(1);
    expect(misspelt.text).toContain("no provider 'lba' is set up");
    expect(misspelt.runs).toEqual(['latchkey models status --probe --provider lab']);
  });

  it('rule: with nothing set up status names the command and the page', async () => {
    const gateway = await gatewayWith({ models: nobody });
    const { stdout, code } = await said(gateway, 'models', 'status');
    expect(stdout).toMatch(/latchkey .*config set models\.providers\.anthropic\.apiKey - .*docs\/models\.md/);
    expect(code).toBe(0);
  });
});

describe('rule: names of models', () => {
  it('rule: a word without a provider leads to the one provider that has such a model', async () => {
    const gateway = await withLab(await lab());
    for (const [word, run] of [
      ['big-1', 'latchkey models set lab/big-1'],
      ['bgi-1', 'latchkey models set lab/big-1'],
      ['fast', 'latchkey models list'],
    ] as const) {
      expect(await said(gateway, 'models', 'set', word)).toMatchObject({ code: 2, runs: [run] });
    }
    await said(gateway, 'config', 'set', 'models.aliases.fast', 'lab/small-1');
    expect(await said(gateway, 'models', 'set', 'fasst')).toMatchObject({
      code: 2,
      runs: ['latchkey models set fast'],
    });
    expect((await said(gateway, 'models', 'set', 'fast')).stdout).toContain('agents think with lab/small-1\n');
  });

  it('rule: a model that its server does not list is written with a word, and status says no until it is declared', async () => {
    const gateway = await withLab(await lab());
    const set = await said(gateway, 'models', 'set', 'lab/bgi-1');
    expect(set).toMatchObject({ code: 0, runs: ['latchkey models set lab/big-1'] });
    expect(set.text).toMatch(/no list of models has 'lab\/bgi-1'\n.*did you mean 'lab\/big-1'.*may be incomplete/);
    const status = await said(gateway, 'models', 'status');
    expect(status.code).toBe(1);
    expect(status.stdout).toContain("lab/bgi-1: 'lab' does not list it; did you mean 'lab/big-1'?");
    await said(gateway, 'config', 'set', 'models.providers.lab.models', '[{id: "bgi-1"}]');
    expect((await said(gateway, 'models', 'status')).code).toBe(0);
    expect(await said(gateway, 'models', 'set', 'lab/bgi-1')).toMatchObject({ code: 0, runs: [] });
  });

  it('rule: what is chosen is named, and nothing stands in for itself', async () => {
    const model = { primary: 'lab/big-1', fallbacks: ['lab/small-1', 'offline/echo', 'lab/small-1'] };
    const gateway = await withLab(await lab(), {}, { defaults: { model } });
    const { stdout } = await said(gateway, 'models', 'set', 'lab/small-1');
    expect(stdout).toContain('agents think with lab/small-1; offline/echo would stand in for it\n');
    expect((await said(gateway, 'models', 'status')).stdout).toMatch(/^lab\/small-1 .*\n {2}then {5}offline\/echo\n/);
  });

  it('rule: a wish to think that the model does not have is warned of', async () => {
    const server = await lab();
    const gateway = await withLab(server, {}, { defaults: { thinkingDefault: 'high' } });
    const { stdout, code } = await said(gateway, 'models', 'status');
    expect(stdout).toMatch(
      /warn +model +agents\.defaults\.thinkingDefault is 'high', and lab\/big-1 is not known to think/,
    );
    expect(code).toBe(0);
    await said(gateway, 'config', 'set', 'models.providers.lab.models', '[{id: "big-1", reasoning: true}]');
    expect((await said(gateway, 'models', 'status')).stdout).not.toContain('warn');
  });
});

describe('rule: what was spent', () => {
  it('rule: a bound that is reached says whose it is, when its day ends, and the command that raises it enough', async () => {
    const server = await lab();
    const defaults = { model: 'lab/big-1', budget: { usdPerDay: 0.01 } };
    const list = [{ id: 'main' }, { id: 'work', budget: { tokensPerDay: 100 } }];
    const gateway = await withLab(server, { models: priced }, { defaults, list });
    const day = /the day ends at \d{4}-\d\d-\d\d 00:00 UTC/;
    await said(gateway, 'agent', '-m', 'hello');
    const reached = await said(gateway, 'agent', '-m', 'hello');
    expect(reached.text).toMatch(
      /\$0\.02 of \$0\.01 are spent today; the bound of each agent, agents\.defaults\.budget\.usdPerDay/,
    );
    expect(reached.text).toMatch(day);
    const raise = 'latchkey config set agents.defaults.budget.usdPerDay 0.04';
    expect(reached.runs).toEqual([raise]);
    const probe = await said(gateway, 'models', 'status', '--probe');
    expect(probe.stdout).toMatch(day);
    expect(probe.runs).toEqual([raise]);
    expect(probe.stdout).toMatch(
      /^ {2}today {4}main: \$0\.02 of \$0\.01\n {2}today {4}work: \$0\.00 of \$0\.01, 0 of 100 tokens\n {11}until .* 00:00 UTC$/m,
    );
    await said(gateway, 'agent', '--agent', 'work', '-m', 'hello');
    await said(gateway, 'config', 'set', 'agents.defaults.budget.usdPerDay', '0.04');
    const own = await said(gateway, 'agent', '--agent', 'work', '-m', 'hello');
    expect(own.text).toContain("the bound of 'work' itself");
    expect(own.runs).toEqual(['latchkey agents update work --tokens-per-day 3000']);
    // As it is pasted, it lets the next one through.
    await said(gateway, 'agents', 'update', 'work', '--tokens-per-day', '3000');
    expect((await said(gateway, 'agent', '--agent', 'work', '-m', 'hello')).code).toBe(0);
    expect((await said(gateway, 'agent', '-m', 'hello')).code).toBe(0);
  });

  it('rule: usage counts what asked a model, by day and by agent, also one that is removed; the rest is counted apart', async () => {
    const server = await lab();
    const gateway = await withLab(server, { models: priced }, { defaults: { model: 'lab/big-1' } });
    await said(gateway, 'agents', 'add', 'temp');
    for (const args of [['hello'], ['/status'], ['/help']]) await said(gateway, 'agent', '-m', ...args);
    await said(gateway, 'agent', '--agent', 'temp', '-m', 'hello');
    const table = await said(gateway, 'usage', '--days', '1');
    expect(table.stdout).toMatch(/^total +2 +2000 +1000 +0 +\$0\.0400$/m);
    expect(table.stdout).toMatch(/^AGENT .*\nmain +1 .*\ntemp +1 +1000 +500 +0 +\$0\.0200$/m);
    expect(table.stdout).toContain('\n2 more took nothing: ');
    // With all its sessions: what it took was taken all the same.
    expect((await said(gateway, 'agents', 'remove', 'temp', '--delete-files')).code).toBe(0);
    const gone = JSON.parse((await gateway.cli(['usage', '--agent', 'temp', '--json'])).stdout);
    expect(gone.totals).toMatchObject({ runs: 1, input: 1_000, idleRuns: 0 });
    expect((await said(gateway, 'usage', '--agent', 'never')).code).toBe(1);
  });
});
