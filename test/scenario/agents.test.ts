// Agents beside main: added, talked to, bounded, taken away again; by whom; and what becomes of what was said.
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Gateway, newStateDir, removeStateDir, start } from '../gateway.ts';
import { type ModelServer, startModelServer, startNobody } from '../modelserver.ts';
import { newIdentity } from '../partner/identity.ts';
import { type Peer, until } from '../partner/peer.ts';
import { startSlowModel } from '../slowmodel.ts';
import { ADMIN, gist, paired, READ, session, WRITE } from './act.ts';

const local = { enabled: false };
const lab = (baseUrl: string) => ({ kind: 'openai-compatible', baseUrl, models: [{ id: 'm' }] });
let gateway: Gateway;
let owner: Peer;

async function open(config: Record<string, unknown> = {}): Promise<void> {
  gateway = await start({ config: { models: { local }, ...config } });
  owner = await gateway.owner();
}
afterEach(() => gateway?.stop());

const file = () => join(gateway.stateDir, 'latchkey.json');
const text = () => readFileSync(file(), 'utf8');
const own = (id: string) => join(gateway.stateDir, 'agents', id);
const list = async () => (await owner.ask('agents.list')).agents as readonly Record<string, unknown>[];
const ids = async () => (await list()).map(({ id }) => id);
let said = 0;
/** What it answered, or why it did not. */
async function say(message: string, params: Record<string, unknown>): Promise<string> {
  const runId = `said-${++said}`;
  await owner.ask('chat.send', { sessionKey: '', message, idempotencyKey: runId, ...params });
  const { status, error } = await owner.ask('agent.wait', { runId, timeoutMs: 20_000 });
  if (status !== 'ok') return String(error);
  const sessionKey = params.sessionKey ?? `agent:${params.agentId}:main`;
  const { messages } = await owner.ask('chat.history', { sessionKey, limit: 1 });
  return messages[0].content[0].text;
}

describe('an agent that is added', () => {
  beforeEach(() => open());

  it('rule: is talked to by its id, in conversations of its own, and is there after a restart', async () => {
    const stateDir = newStateDir({ models: { local } });
    const first = await start({ stateDir });
    const added = await first.cli(['agents', 'add', 'Work Bot', '--model', 'offline/echo', '--emoji', '🔑', '--json']);
    expect(added).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(added.stdout)).toMatchObject({
      ok: true,
      agentId: 'work-bot',
      name: 'Work Bot',
      workspace: join(stateDir, 'agents', 'work-bot', 'workspace'),
      warnings: [],
    });
    for (const path of ['', 'workspace'])
      expect(statSync(join(stateDir, 'agents', 'work-bot', path)).mode & 0o777).toBe(0o700);
    expect((await first.cli(['agent', '--agent', 'work-bot', '-m', '/say one'])).stdout).toBe('one\n');
    expect((await first.cli(['agent', '--session', 'agent:work-bot:a:b', '-m', '/say two'])).stdout).toBe('two\n');
    await first.halt();
    const second = await start({ stateDir });
    const { sessions } = JSON.parse((await second.cli(['sessions', 'list', '--agent', 'work-bot', '--json'])).stdout);
    expect(sessions.map(({ key }: { key: string }) => key)).toEqual(['agent:work-bot:a:b', 'agent:work-bot:main']);
    const peer = await second.owner();
    expect(await peer.ask('agent.identity.get', { agentId: 'work-bot' })).toEqual({
      agentId: 'work-bot',
      name: 'Work Bot',
      emoji: '🔑',
    });
    expect((await second.cli(['agents', 'list'])).stdout).toMatch(/^main .* default$\n^work-bot +🔑 Work Bot /m);
    await second.halt();
    removeStateDir(stateDir);
  });

  it('rule: its comments and what others wrote in the file stay, and the same call again adds nothing', async () => {
    writeFileSync(
      file(),
      `// mine\n{ models: { local: { enabled: false } }, agents: { list: [\n  { id: 'main' }, // first\n] } }\n`,
      {
        mode: 0o600,
      },
    );
    await owner.ask('agents.create', { name: 'a', idempotencyKey: 'k' });
    await owner.ask('agents.create', { name: 'a', idempotencyKey: 'k' });
    await owner.ask('agents.update', { agentId: 'a', name: 'Ah', model: 'offline/echo' });
    await owner.ask('agents.update', { agentId: 'a', model: null });
    expect(text()).toContain('// mine\n');
    expect(text()).toContain("{ id: 'main' }, // first\n");
    expect((await owner.ask('config.get')).config.agents).toEqual({ list: [{ id: 'main' }, { id: 'a', name: 'Ah' }] });
    expect((await owner.ask('agents.update', { agentId: 'a', name: 'Ah' })).changed).toBe(false);
    expect(gateway.logs()).toMatch(/configuration changed.*agents\.create/);
  });

  it('rule: the default one is who is meant where nobody is named, on every page that says so', async () => {
    await owner.ask('agents.create', { name: 'first', default: true });
    expect(await ids()).toEqual(['first', 'main']);
    expect(await say('/say hi', { sessionKey: 'main' })).toBe('hi');
    expect((await owner.ask('sessions.list')).sessions.map(({ key }: { key: string }) => key)).toEqual([
      'agent:first:main',
    ]);
    const health = await owner.ask('health');
    expect([health.defaultAgentId, (await owner.ask('status')).heartbeat.defaultAgentId]).toEqual(['first', 'first']);
    const { hello, partner } = await session(gateway, await paired(owner, [READ]));
    expect(hello.snapshot.sessionDefaults).toMatchObject({
      defaultAgentId: 'first',
      mainSessionKey: 'agent:first:main',
    });
    partner.end();
    await owner.ask('agents.update', { agentId: 'main', default: true });
    expect(await ids()).toEqual(['main', 'first']);
    await owner.ask('agents.update', { agentId: 'first', default: true });
    expect((await owner.ask('agents.delete', { agentId: 'first' })).defaultId).toBe('main');
  });

  it('rule: making another one the default takes main away from nobody, though it was not written down', async () => {
    const before = JSON.parse(text());
    writeFileSync(file(), JSON.stringify({ ...before, agents: { list: [{ id: 'a' }] } }), { mode: 0o600 });
    await until('it is there', async () => (await ids()).includes('a'), 20_000);
    await owner.ask('agents.update', { agentId: 'a', default: true });
    expect(await ids()).toEqual(['a', 'main']);
  });

  it('rule: an edit that cannot be changes nothing, and says what to run', async () => {
    await owner.ask('agents.create', { name: 'there' });
    const before = text();
    const refused: readonly (readonly [string, Record<string, unknown>, string])[] = [
      ['create', { name: 'there' }, 'AGENT_EXISTS'],
      ['create', { name: 'THERE' }, 'AGENT_EXISTS'],
      ['create', { name: 'main' }, 'AGENT_EXISTS'],
      ['create', { name: 'Main' }, 'AGENT_EXISTS'],
      ['create', { name: '../..' }, 'INVALID_REQUEST'],
      ['create', { name: '日本' }, 'INVALID_REQUEST'],
      ['create', { name: 'x', agentId: '../x' }, 'INVALID_REQUEST'],
      ['create', { name: 'x', agentId: 'a:b' }, 'INVALID_REQUEST'],
      ['create', { name: 'x', agentId: '__proto__' }, 'INVALID_REQUEST'],
      ['create', { name: 'x', agentId: 'a\u0000' }, 'INVALID_REQUEST'],
      ['create', { name: 'x', agentId: 'X' }, 'INVALID_REQUEST'],
      ['create', { name: 'x', model: 'nix/a' }, 'UNKNOWN_MODEL'],
      ['create', { name: 'x\ny' }, 'CONFIG_INVALID'],
      ['create', { name: 'x', avatar: '/etc/passwd' }, 'CONFIG_INVALID'],
      ['create', { name: 'x', workspace: 'here' }, 'INVALID_REQUEST'],
      ['create', { name: 'x', workspace: join(gateway.stateDir, 'latchkey.json') }, 'INVALID_REQUEST'],
      ['create', { name: 'x', workspace: '/x\u0000' }, 'CONFIG_INVALID'],
      ['update', { agentId: 'nobody', name: 'x' }, 'UNKNOWN_AGENT'],
      ['update', { agentId: 'constructor', name: 'x' }, 'UNKNOWN_AGENT'],
      ['update', { agentId: 'there', model: 'fast' }, 'UNKNOWN_MODEL'],
      ['delete', { agentId: 'main' }, 'AGENT_RESERVED'],
      ['delete', { agentId: 'nobody', deleteFiles: true }, 'UNKNOWN_AGENT'],
      ['delete', { agentId: '..', deleteFiles: true }, 'UNKNOWN_AGENT'],
    ];
    for (const [verb, params, code] of refused) {
      const answer = await owner.call(`agents.${verb}`, params);
      expect([params, gist(answer)]).toEqual([params, expect.stringContaining(code)]);
    }
    expect(text()).toBe(before);
    for (const args of [
      ['agents', 'remove', 'nobody'],
      ['agent', '--agent', 'nobody', '-m', 'x'],
    ]) {
      const { code, stderr } = await gateway.cli(args);
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/unknown agent: nobody\n {2}run: latchkey .*agents list\n/),
      ]);
    }
    writeFileSync(file(), '{ not json5', { mode: 0o600 });
    expect(gist(await owner.call('agents.create', { name: 'x' }))).toContain('CONFIG_INVALID');
    expect(text()).toBe('{ not json5');
  });

  it('rule: a name of Object is an agent like any other', async () => {
    await owner.ask('agents.create', { name: 'constructor' });
    expect(await say('/say yes', { agentId: 'constructor' })).toBe('yes');
    expect((await owner.ask('agents.delete', { agentId: 'constructor', deleteFiles: true })).sessions).toBe(1);
  });

  it('A11: without a gateway the command adds, shows and takes away by itself', async () => {
    await gateway.halt();
    const added = await gateway.cli(['agents', 'add', 'night', '--workspace', 'w', '--json']);
    expect(JSON.parse(added.stdout)).toMatchObject({ agentId: 'night', workspace: join(gateway.stateDir, '..', 'w') });
    expect(statSync(join(gateway.stateDir, '..', 'w')).mode & 0o777).toBe(0o700);
    const shown = JSON.parse((await gateway.cli(['agents', 'list', '--json'])).stdout);
    expect(shown.agents.map(({ id }: { id: string }) => id)).toEqual(['main', 'night']);
    expect((await gateway.cli(['agents', 'update', 'night', '--name', 'Night'])).code).toBe(0);
    const again = await start({ stateDir: gateway.stateDir });
    expect((await again.cli(['agent', '--agent', 'night', '-m', '/say here'])).stdout).toBe('here\n');
    await again.halt();
    const removed = await gateway.cli(['agents', 'remove', 'night', '--delete-files', '--json']);
    expect(JSON.parse(removed.stdout)).toMatchObject({ sessions: 1, sessionsDeleted: true, workspaceDeleted: false });
    // It was named: what is in it is its owner's.
    expect(existsSync(join(gateway.stateDir, '..', 'w'))).toBe(true);
    expect((await gateway.cli(['agents', 'update', 'main'])).code).toBe(2);
  });
});

it('A11: without a gateway a secret that only its environment holds stops no command', async () => {
  const token = { source: 'env', id: 'LK_TEST_SECRET' };
  await open({ gateway: { auth: { token: undefined } } });
  await gateway.halt();
  const config = JSON.parse(text());
  writeFileSync(file(), JSON.stringify({ ...config, gateway: { ...config.gateway, auth: { token } } }), {
    mode: 0o600,
  });
  expect(await gateway.cli(['agents', 'add', 'a'])).toMatchObject({ code: 0 });
  expect(JSON.parse(text()).agents.list).toHaveLength(2);
});

describe('A7, A11: who may', () => {
  beforeEach(() => open());

  it('A7, A11: write alone changes no agent; which there are takes an admin without an end, a workspace the owner', async () => {
    await owner.ask('agents.create', { name: 'there', workspace: join(gateway.stateDir, '..', 'named') });
    await owner.ask('agents.create', { name: 'bare' });
    const writing = (await session(gateway, await paired(owner, [READ, WRITE]))).partner;
    const lasting = (await session(gateway, await paired(owner, [ADMIN]))).partner;
    const identity = newIdentity();
    const { ts } = await owner.ask('health');
    const box = { publicKey: identity.publicKey, role: 'operator', scopes: [ADMIN], untilMs: ts + 600_000 };
    await owner.ask('device.pair.ensure', box);
    const boxed = (await session(gateway, identity)).partner;
    const before = text();
    for (const [verb, params] of [
      ['create', { name: 'x' }],
      ['update', { agentId: 'there', name: 'x' }],
      ['delete', { agentId: 'there' }],
    ] as const) {
      const answer = await writing.call(`agents.${verb}`, params);
      expect([verb, answer.ok, answer.ok ? '' : answer.error.details?.code]).toEqual([verb, false, 'MISSING_SCOPE']);
    }
    const beyond = 'FORBIDDEN CONFIG_BEYOND';
    const place = join(gateway.stateDir, '..', 'elsewhere');
    for (const peer of [boxed, lasting]) {
      for (const [method, params] of [
        ['agents.create', { name: 'x', workspace: place }],
        ['agents.update', { agentId: 'bare', workspace: '/etc' }],
        // Its workspace would be another one when it comes back.
        ['agents.delete', { agentId: 'there' }],
        [
          'config.patch',
          { raw: JSON.stringify({ agents: { list: [{ id: 'there' }, { id: 'bare', workspace: '/etc' }] } }) },
        ],
        ['config.patch', { raw: JSON.stringify({ agents: { defaults: { workspace: '/etc' } } }) }],
      ] as const) {
        expect([params, gist(await peer.call(method, params))]).toEqual([params, beyond]);
      }
    }
    // More agents may spend more.
    for (const [verb, params] of [
      ['create', { name: 'x' }],
      ['update', { agentId: 'bare', budget: { usdPerDay: 1 } }],
      ['delete', { agentId: 'bare' }],
    ] as const) {
      expect([verb, gist(await boxed.call(`agents.${verb}`, params))]).toEqual([verb, beyond]);
    }
    // What is refused leaves no directory either.
    expect([text(), existsSync(place), existsSync(own('x'))]).toEqual([before, false, false]);
    expect(gist(await boxed.call('agents.update', { agentId: 'bare', name: 'B', model: 'offline/echo' }))).toBe('ok');
    expect(gist(await lasting.call('agents.create', { name: 'x' }))).toBe('ok');
    expect(gist(await lasting.call('agents.delete', { agentId: 'x', deleteFiles: true }))).toBe('ok');
    for (const peer of [writing, lasting, boxed]) peer.end();
  });
});

describe('an agent that is taken away', () => {
  it('T19: what it does is aborted and its model hung up on, what was said stays readable, nobody says more to it', async () => {
    const model = await startSlowModel();
    await open({ models: { local, providers: { lab: lab(model.url) } } });
    try {
      await owner.ask('agents.create', { name: 'busy', model: 'lab/m' });
      const sent = (id: string) =>
        owner.ask('chat.send', { sessionKey: 'agent:busy:main', message: 'go on', idempotencyKey: id });
      await sent('at-work');
      await until('the model is asked', () => model.open() === 1, 20_000);
      await sent('waits');
      const { abortedRuns, ...gone } = await owner.ask('agents.delete', { agentId: 'busy' });
      expect([...abortedRuns].sort()).toEqual(['at-work', 'waits']);
      expect(gone).toMatchObject({ sessions: 1, sessionsDeleted: false, workspaceDeleted: false, removedBindings: 0 });
      await until('the model is left', () => model.open() === 0, 20_000);
      for (const runId of ['at-work', 'waits'])
        expect(await owner.ask('agent.wait', { runId })).toMatchObject({ status: 'error', outcome: 'aborted' });
      expect(existsSync(join(own('busy'), 'workspace'))).toBe(true);
      const key = 'agent:busy:main';
      for (const [method, params] of [
        ['chat.history', { sessionKey: key }],
        ['sessions.list', { agentId: 'busy' }],
        ['sessions.get', { key }],
        ['sessions.describe', { key }],
        ['sessions.usage', { key, agentId: 'busy' }],
      ] as const) {
        const answer = JSON.stringify(await owner.ask(method, params));
        expect([method, answer.includes('go on') || answer.includes(key)]).toEqual([method, true]);
      }
      for (const [method, params] of [
        ['chat.send', { sessionKey: key, message: 'x', idempotencyKey: 'late' }],
        ['agent', { agentId: 'busy', message: 'x', idempotencyKey: 'later' }],
        ['chat.inject', { sessionKey: key, message: 'x' }],
        ['sessions.reset', { key }],
        ['sessions.patch', { key, label: 'x' }],
      ] as const) {
        expect([method, gist(await owner.call(method, params))]).toEqual([method, 'INVALID_REQUEST UNKNOWN_AGENT']);
      }
      expect(await owner.ask('sessions.delete', { key })).toMatchObject({ deleted: true });
      expect(gist(await owner.call('chat.history', { sessionKey: key }))).toBe('INVALID_REQUEST UNKNOWN_AGENT');
    } finally {
      await model.stop();
    }
  });

  it('threat 59: its files go where that is said, and nothing that a link in them leads to', async () => {
    await open();
    await owner.ask('agents.create', { name: 'gone' });
    await owner.ask('agents.create', { name: 'guest', workspace: join(own('gone'), 'guest') });
    const precious = join(gateway.stateDir, '..', 'precious');
    mkdirSync(precious);
    writeFileSync(join(precious, 'MEMORY.md'), 'mine');
    symlinkSync(precious, join(own('gone'), 'workspace', 'link'));
    await say('/say x', { agentId: 'gone' });
    // Another agent lives in it: it stays.
    const lent = await owner.ask('agents.delete', { agentId: 'gone', deleteFiles: true });
    expect([lent.workspaceDeleted, existsSync(join(own('gone'), 'guest'))]).toEqual([false, true]);
    await owner.ask('agents.delete', { agentId: 'guest', deleteFiles: true });
    await owner.ask('agents.create', { name: 'gone' });
    const { sessions, sessionsDeleted, workspaceDeleted } = await owner.ask('agents.delete', {
      agentId: 'gone',
      deleteFiles: true,
    });
    expect({ sessions, sessionsDeleted, workspaceDeleted }).toEqual({
      sessions: 0,
      sessionsDeleted: true,
      workspaceDeleted: true,
    });
    expect([existsSync(own('gone')), readFileSync(join(precious, 'MEMORY.md'), 'utf8')]).toEqual([false, 'mine']);
    expect((await owner.ask('sessions.list')).count).toBe(0);
  });
});

describe('an agent of its own', () => {
  let server: ModelServer;
  beforeAll(async () => {
    server = await startModelServer();
  });
  afterAll(() => server?.stop());

  it('rule: is told its own files under its own name, thinks with its own model and spends its own budget', async () => {
    server.mock.onMessage('hello', { content: 'Good morning.' });
    await open({
      models: { local, providers: { lab: lab(`${server.origin}/v1`) } },
      agents: {
        defaults: { model: 'offline/echo' },
        list: [{ id: 'main' }, { id: 'poor', model: 'lab/m', budget: { tokensPerDay: 1 } }],
      },
    });
    await owner.ask('agents.create', { name: 'Rich One', model: 'lab/m' });
    writeFileSync(join(own('rich-one'), 'workspace', 'AGENTS.md'), 'Rich is who you are.');
    writeFileSync(join(own('main'), 'workspace', 'AGENTS.md'), 'Main is who you are.');
    expect(await say('hello', { agentId: 'rich-one' })).toBe('Good morning.');
    const told = JSON.stringify(server.mock.getLastRequest()?.body);
    expect(told).toContain('Rich is who you are.');
    expect(told).toContain('You are Rich One, an agent (id: rich-one)');
    expect(told).not.toContain('Main is who');
    expect(await say('/say of mine', { agentId: 'main' })).toBe('of mine');
    await say('hello', { agentId: 'poor' });
    const asked = server.mock.getRequests().length;
    expect(await say('hello', { agentId: 'poor' })).toContain("the day's bound is reached");
    expect(server.mock.getRequests().length).toBe(asked);
    expect(await say('hello', { agentId: 'rich-one' })).toBe('Good morning.');
  });

  it('rule: what stands in for its own model is its own, and a provider that its model names needs no more', async () => {
    const dead = await startNobody();
    const away = lab(`http://127.0.0.1:${dead.port}/v1`);
    await open({
      models: { local, providers: { away } },
      agents: {
        defaults: { model: { primary: 'offline/echo', fallbacks: ['offline/echo'] } },
        list: [
          { id: 'main' },
          { id: 'strict', model: 'away/m' },
          { id: 'helped', model: { primary: 'away/m', fallbacks: ['offline/echo'] } },
        ],
      },
    });
    expect(await say('/say helped', { agentId: 'helped' })).toBe('helped');
    expect(await say('/say leaked', { agentId: 'strict' })).toContain('away/m');
    await owner.ask('agents.create', { name: 'far', model: 'openrouter/x/y' });
    expect((await list()).find(({ id }) => id === 'far')).toMatchObject({ model: { primary: 'openrouter/x/y' } });
    dead.stop();
  });

  it('rule: an edit by hand applies to the next message, and its workspace is there', async () => {
    await open();
    const before = JSON.parse(text());
    const edited = { ...before, agents: { list: [{ id: 'main' }, { id: 'new', queue: 'steer' }] } };
    writeFileSync(file(), JSON.stringify(edited), { mode: 0o600 });
    await until('it is there', async () => (await ids()).includes('new'), 20_000);
    expect(existsSync(join(own('new'), 'workspace'))).toBe(true);
    expect(await say('/say yes', { agentId: 'new' })).toBe('yes');
    expect((await owner.ask('sessions.describe', { key: 'agent:new:main' })).session.effectiveQueueMode).toBe('steer');
  });
});
