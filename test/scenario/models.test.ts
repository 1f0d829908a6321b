// The models of a real gateway: what is listed, where keys come from, what a call to each tells; nothing of a key anywhere.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isRoot, NOBODY, NODE } from '../fault/process.ts';
import { CLI, type Gateway, type GatewayOptions, start } from '../gateway.ts';
import { KEY, type ModelServer, startModelServer, startNobody } from '../modelserver.ts';
import { paired, READ, session, WRITE } from './act.ts';

let server: ModelServer;
let dead: Awaited<ReturnType<typeof startNobody>>;
beforeAll(async () => {
  server = await startModelServer();
  dead = await startNobody();
});
afterAll(() => dead.stop());
beforeEach(() => void server.mock.reset());
afterAll(() => server.stop());

const running: Gateway[] = [];
afterAll(() => Promise.all(running.map((gateway) => gateway.stop())));

async function gatewayWith(config: Record<string, unknown>, more: GatewayOptions = {}): Promise<Gateway> {
  const gateway = await start({ config, ...more });
  running.push(gateway);
  return gateway;
}

// biome-ignore lint/suspicious/noExplicitAny: an answer is looked into as it comes
async function answer(gateway: Gateway, ...args: string[]): Promise<Record<string, any>> {
  const { stdout, stderr, code } = await gateway.cli([...args, '--json']);
  expect(stderr, `${args.join(' ')} (${code})`).toBe('');
  return JSON.parse(stdout);
}

const nobody = { local: { enabled: false } };

/** A server of models that belongs to somebody else on this host. */
async function startStranger(): Promise<{ readonly port: number }> {
  const script = `const s = require('http').createServer((q, r) => r.end(JSON.stringify({ data: [{ id: 'trap' }] })));
    s.listen(0, '127.0.0.1', () => console.log(s.address().port));`;
  const child = spawn(NODE, ['-e', script], {
    uid: NOBODY,
    gid: NOBODY,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  strangers.push(child);
  const [line] = await once(child.stdout, 'data');
  return { port: Number(String(line)) };
}
const strangers: ChildProcess[] = [];
afterAll(() => {
  for (const child of strangers) child.kill('SIGKILL');
});

const strangerRuns = isRoot && spawnSync(NODE, ['--version'], { uid: NOBODY, gid: NOBODY, cwd: '/' }).status === 0;
if (!strangerRuns) console.log('no program can be started as another user here: a test of its server is skipped');

describe('rule: models', () => {
  it('rule: with nothing set up the built-in model is the one, and says so', async () => {
    const gateway = await gatewayWith({ models: nobody });
    expect(await answer(gateway, 'models', 'status')).toMatchObject({
      model: 'offline/echo',
      why: 'no provider is set up',
      providers: [{ name: 'offline', from: 'built-in', key: { state: 'unneeded' } }],
    });
    expect((await answer(gateway, 'models', 'list')).models).toMatchObject([
      { provider: 'offline', id: 'echo', tags: ['default'], available: true },
    ]);
  });

  it('rule: a key of the environment counts where nothing is set up, or its provider is named, and is said', async () => {
    const env = { ANTHROPIC_API_KEY: KEY };
    const bare = await gatewayWith({ models: nobody }, { env });
    expect(await answer(bare, 'models', 'status')).toMatchObject({
      model: 'anthropic/claude-sonnet-5-5',
      providers: [
        {
          name: 'anthropic',
          from: 'environment',
          key: { state: 'present', from: "ANTHROPIC_API_KEY in the gateway's environment" },
        },
        { name: 'offline' },
      ],
    });
    const other = await gatewayWith(
      {
        models: {
          ...nobody,
          providers: {
            lab: { kind: 'openai-compatible', baseUrl: `http://127.0.0.1:${dead.port}/v1`, models: [{ id: 'm' }] },
          },
        },
      },
      { env },
    );
    const names = async () =>
      (await answer(other, 'models', 'status')).providers.map(({ name }: { name: string }) => name);
    expect(await names()).toEqual(['lab', 'offline']);
    expect(await answer(other, 'models', 'set', 'anthropic/claude-opus-5-5')).toMatchObject({
      ok: true,
      changed: true,
    });
    expect(await names()).toEqual(['lab', 'anthropic', 'offline']);
    expect((await answer(other, 'models', 'status')).model).toBe('anthropic/claude-opus-5-5');
    for (const gateway of [bare, other]) expect(gateway.logs()).not.toContain(KEY);
  });

  it('rule: a server on this host is found by itself at its port, with what it lists; one that is silent is none', async () => {
    const port = Number(new URL(server.origin).port);
    const gateway = await gatewayWith({
      models: { local: { ports: { ollama: port, lmstudio: dead.port, llamacpp: dead.port } } },
    });
    const status = await answer(gateway, 'models', 'status');
    expect(status.providers).toMatchObject([
      {
        name: 'ollama',
        from: 'found',
        local: true,
        key: { state: 'unneeded' },
        baseUrl: `${server.origin.replace('localhost', '127.0.0.1')}/v1`,
      },
      { name: 'offline' },
    ]);
    // Elsewhere nobody can tell whose the server is.
    expect(status.model).toMatch(process.platform === 'linux' ? /^ollama\// : /^offline\//);
  });

  // Only Linux tells whose a listener is, and only root can start one of somebody else.
  it.runIf(process.platform === 'linux' && strangerRuns)(
    'threat: a server of another user is listed, and thought with only once it is named',
    async () => {
      const stranger = await startStranger();
      const gateway = await gatewayWith({
        models: { local: { ports: { ollama: stranger.port, lmstudio: dead.port, llamacpp: dead.port } } },
      });
      const status = await answer(gateway, 'models', 'status');
      expect(status).toMatchObject({
        model: 'offline/echo',
        providers: [{ name: 'ollama', from: 'found', models: 1, unnamed: 'ollama/trap' }, { name: 'offline' }],
      });
      expect((await gateway.cli(['models', 'status'])).stdout).toMatch(/run: .*models set ollama\/trap/);
      const { models } = await answer(gateway, 'models', 'list');
      expect(models).toMatchObject([
        { id: 'trap', tags: [] },
        { id: 'echo', tags: ['default'] },
      ]);
      await answer(gateway, 'models', 'set', 'ollama/trap');
      const named = await answer(gateway, 'models', 'status');
      expect(named.model).toBe('ollama/trap');
      expect(named.providers[0].unnamed).toBeUndefined();
    },
  );

  it('A7: whoever may only read makes the gateway run no program for a key or a header', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lk-ran-'));
    const ran = join(folder, 'ran');
    const program = {
      source: 'exec',
      id: [process.execPath, '-e', `fs.writeFileSync(${JSON.stringify(ran)}, ''); console.log('k')`],
    };
    const at = { kind: 'openai-compatible', baseUrl: `${server.origin}/v1` };
    const gateway = await gatewayWith({
      models: {
        local: { ports: { ollama: dead.port, lmstudio: dead.port, llamacpp: dead.port } },
        providers: { bykey: { ...at, apiKey: program }, byheader: { ...at, headers: { 'x-team': program } } },
      },
    });
    const { partner: peer } = await session(gateway, await paired(await gateway.owner(), [READ]), [READ]);
    for (const method of ['models.list', 'models.status']) expect(await peer.call(method)).toMatchObject({ ok: true });
    expect(existsSync(ran)).toBe(false);
    peer.end();
    rmSync(folder, { recursive: true, force: true });
  });

  it('A16: a key that a configuration hides comes out of no probe, whatever header holds it', async () => {
    const secret = ['of no', 'shape', '4711'].join('-').replace(' ', '-');
    const echo = createServer((request, response) => {
      const said = String(request.headers.authorization).split(' ').at(-1);
      const plain = Buffer.from(said ?? '', 'base64').toString();
      response.writeHead(401).end(JSON.stringify({ error: { message: `no ${said}, no ${plain}` } }));
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const { port } = echo.address() as AddressInfo;
    const lab = (authorization: string) => ({
      kind: 'openai-compatible',
      baseUrl: `http://127.0.0.1:${port}/v1`,
      headers: { Authorization: authorization },
      models: [{ id: 'm' }],
    });
    const gateway = await gatewayWith({
      logging: { level: 'trace' },
      models: {
        ...nobody,
        providers: {
          one: lab(`Bearer ${secret}`),
          two: lab(`Basic ${Buffer.from(`user:${secret}`).toString('base64')}`),
        },
      },
    });
    const { stdout, stderr } = await gateway.cli(['models', 'status', '--probe', '--json']);
    expect(JSON.parse(stdout).probes).toMatchObject([{ failure: 'auth' }, { failure: 'auth' }]);
    expect(`${stdout}${stderr}${gateway.logs()}`).not.toContain(secret);
    echo.close();
  });

  it('rule: a probe calls each, says what failed, and no key is in any answer or line of the log', async () => {
    server.mock.onMessage(/./, { content: 'ok' });
    const gateway = await gatewayWith({
      logging: { level: 'trace' },
      models: {
        ...nobody,
        providers: {
          lab: { kind: 'openai-compatible', baseUrl: `${server.origin}/v1`, apiKey: KEY, models: [{ id: 'm' }] },
          gone: {
            kind: 'openai',
            baseUrl: `http://127.0.0.1:${dead.port}/v1`,
            apiKey: KEY,
            headers: { 'x-team': `${KEY}-2` },
            models: [{ id: 'n' }],
          },
          anthropic: {
            baseUrl: `${server.origin}/v1`,
            apiKey: { source: 'env', id: 'NOBODY_SET_THIS' },
            models: [{ id: 'c' }],
          },
        },
      },
    });
    const { code, stdout } = await gateway.cli(['models', 'status', '--probe', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout).probes).toMatchObject([
      { model: 'lab/m', ok: true, tokens: expect.any(Number) },
      { model: 'gone/n', ok: false, failure: 'network' },
      { model: 'anthropic/c', ok: false, failure: 'setup', why: expect.stringContaining('the variable is not set') },
    ]);
    const asked = JSON.stringify(server.mock.getLastRequest()?.headers ?? {});
    expect(asked).not.toContain(`${KEY}-2`);
    const all = [stdout];
    for (const args of [
      ['models', 'list'],
      ['config', 'get'],
      ['status', '--deep'],
      ['health'],
      ['logs', '--limit', '500'],
      ['gateway', 'call', 'config.get'],
    ]) {
      const { stdout: out, stderr } = await gateway.cli([...args, '--json']);
      all.push(out, stderr);
    }
    expect(`${all.join('\n')}\n${gateway.logs()}`).not.toContain(KEY);
  });

  it('A7: whoever may read sees the models, and spends nothing', async () => {
    const gateway = await gatewayWith({ models: nobody });
    const { partner: peer } = await session(gateway, await paired(await gateway.owner(), [READ, WRITE]), [READ, WRITE]);
    expect(await peer.ask('models.list', { agentId: 'main', includeDetails: true })).toMatchObject({
      models: [{ thinkingDefault: 'off' }],
      accountSelection: { kind: 'automatic' },
    });
    // As 2.19's and 3.13's TUI ask it.
    expect(await peer.call('models.list')).toMatchObject({ ok: true });
    const probe = await peer.call('models.probe', {});
    expect(probe.ok).toBe(false);
    expect(JSON.stringify(probe)).toContain('missing scope: operator.admin');
    peer.end();
  });

  it('rule: only the part of the program that speaks to a provider has a client in it', () => {
    const dist = dirname(CLI);
    const holders = readdirSync(dist).filter(
      (name) => name.endsWith('.cjs') && readFileSync(join(dist, name), 'utf8').includes('AI_APICallError'),
    );
    expect(holders.sort()).toEqual(
      ['anthropic', 'google', 'openai', 'openai-compatible'].map((name) => `model-${name}.cjs`).sort(),
    );
  });
});
