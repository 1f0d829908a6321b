import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import json5 from 'json5';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeStateDir } from '../../system/state-dir.ts';
import { type Answer, Scripted } from '../scripted.ts';

const SECRET = '3f9c1e7ab2d84056c8a1f03be97d52641c0ffee0d15ea5e0';
let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-cc-')), 1_800_000_000_000);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

const file = () => join(cli.stateDir, 'latchkey.json');
const put = (text: string) => {
  makeStateDir(cli.stateDir);
  writeFileSync(file(), text, { mode: 0o600 });
};
const json = async (...args: string[]) => {
  const { code, out, err } = await cli.run([...args, '--json']);
  return { code, err, document: JSON.parse(out) };
};

test('rule: with no gateway the file is edited itself, made where there is none, and its comments stay', async () => {
  expect((await json('config', 'set', 'gateway.port', '1234')).document).toMatchObject({
    ok: true,
    file: file(),
    key: 'gateway.port',
    changed: true,
    running: false,
    restart: ['gateway.port'],
  });
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  put('// mine\n{ gateway: { port: 1 /* one */ } }\n');
  const { code, out } = await cli.run(['config', 'set', 'gateway.allowedHosts', "['a.example', 'b.example']"]);
  expect([code, out]).toEqual([
    0,
    `gateway.allowedHosts is set in ${file()}\n  no gateway runs; it applies with the next start\n`,
  ]);
  await cli.run(['config', 'set', 'gateway.allowedHosts[1]', 'c.example']);
  await cli.run(['config', 'unset', 'gateway.port']);
  expect(readFileSync(file(), 'utf8')).toBe(
    '// mine\n{ gateway: { /* one */ allowedHosts: ["a.example", "c.example"] } }\n',
  );
  expect((await json('config', 'unset', 'gateway.port')).document).toMatchObject({ ok: true, changed: false });
  expect((await cli.run(['config', 'unset', 'gateway.port'])).out).toContain('gateway.port is not set in');
});

const LISTS = `{
  agents: { list: [{ id: 'main' }, { id: 'work-bot' }, { id: 'two' }] },
  models: { providers: { lab: { kind: 'openai-compatible', baseUrl: 'http://127.0.0.1:1/v1', models: [{ id: 'm' }] } } },
  gateway: { allowedHosts: ['a.example'] },
}`;
const BOUND = '{usdPerDay: 1}';
const BY_NUMBER = "'agents.list[1].budget'";

test.each<[string[], string, string]>([
  [['set', 'agents.list.work-bot.budget', BOUND], "'work-bot' is number 1", `config set ${BY_NUMBER} '${BOUND}'`],
  [['get', 'agents.list.work-bot.budget'], "'work-bot' is number 1", `config get ${BY_NUMBER}`],
  [['unset', 'agents.list.work-bot.budget'], "'work-bot' is number 1", `config unset ${BY_NUMBER}`],
  [['set', 'agents.list.nobody.budget', BOUND], 'a list of 3 items', 'config get agents.list'],
  [['set', 'agents.list.nobody.name', 'x'], 'a list of 3 items', 'config get agents.list'],
  [['set', 'agents.list[7].budget', BOUND], 'by number, from [0] on', 'config get agents.list'],
  [['set', 'gateway.allowedHosts.first', 'b.example'], 'a list of one item', 'config get gateway.allowedHosts'],
  [
    ['set', 'models.providers.lab.models.m.contextWindow', '9'],
    "'m' is number 0",
    "config set 'models.providers.lab.models[0].contextWindow' 9",
  ],
])('A16: config %j: items of a list stand by number, with a gateway and without', async (args, why, run) => {
  put(LISTS);
  const config = json5.parse(LISTS);
  for (const isRunning of [false, true]) {
    if (isRunning) await cli.gateway({ 'config.get': { payload: { path: file(), config, hash: 'h', valid: true } } });
    const { code, err } = await cli.run(['config', ...args]);
    expect([isRunning, code, err]).toEqual([isRunning, 2, expect.stringContaining(why)]);
    expect(err).toContain(`run: latchkey ${run}\n`);
    expect(readFileSync(file(), 'utf8')).toBe(LISTS);
  }
});

test('A16: the form that is named works; what can not be edited in is a refusal, not a surprise', async () => {
  put(LISTS);
  expect((await cli.run(['config', 'set', 'agents.list[1].budget', BOUND])).code).toBe(0);
  expect((await json('config', 'get', 'agents.list[1].budget')).document.value).toEqual({ usdPerDay: 1 });
  const config = { gateway: { port: 1 } };
  await cli.gateway({ 'config.get': { payload: { path: file(), config, hash: 'h', valid: true } } });
  const { code, err } = await cli.run(['config', 'set', 'gateway.port.x', '{a: 1}']);
  expect(code).toBe(78);
  expect(err).toMatch(
    /gateway\.port\.x can't be set\n {2}why: gateway\.port: it is no object\n {2}run: latchkey config get/,
  );
});

test.each<[string[], number, string]>([
  [['config', 'set', 'gateway.prot', '1'], 78, "did you mean 'port'?"],
  [['config', 'set', 'gateway.port', 'many'], 78, 'must be a port'],
  [['config', 'set', 'gateway..port', '1'], 2, 'dots between'],
  [['config', 'set', 'gateway.port', 'null'], 2, 'taken out'],
  [['config', 'get', 'gateway.bind'], 1, 'its default applies, "loopback"'],
  [['config', 'unset', 'gateway.prot'], 1, "did you mean 'gateway.port'?"],
  [['config', 'get', 'gateway.prot'], 1, "did you mean 'gateway.port'?"],
  [['config', 'schema', 'gateway.prot'], 1, "did you mean 'gateway.port'?"],
])('rule: %j exits %i and changes nothing', async (args, code, why) => {
  const text = '{ gateway: { port: 1 } }';
  put(text);
  const ran = await json(...args);
  expect([ran.code, ran.document.error.exitCode]).toEqual([code, code]);
  expect(ran.document.error.why).toContain(why);
  expect(readFileSync(file(), 'utf8')).toBe(text);
});

test('rule: texts need no quotes where a text is meant, and a secret of digits is one', async () => {
  for (const [key, value] of [
    ['gateway.bind', '127.0.0.1'],
    ['gateway.auth.token', '12345678901234567890'],
    ['$schema', './latchkey.schema.json'],
    ['logging.level', "'debug'"],
    ['gateway.auth.sharedSecretScopes', '["operator.read"]'],
    ['gateway.auth.password', '{source: "env", id: "P"}'],
  ] as const) {
    expect((await cli.run(['config', 'set', key, value])).code, key).toBe(0);
  }
  expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({
    gateway: {
      bind: '127.0.0.1',
      auth: {
        token: '12345678901234567890',
        sharedSecretScopes: ['operator.read'],
        password: { source: 'env', id: 'P' },
      },
    },
    $schema: './latchkey.schema.json',
    logging: { level: 'debug' },
  });
});

test('threat 52: of a secret it is shown where it is, and what it is nowhere', async () => {
  put(`{ gateway: { auth: { token: "${SECRET}", password: { source: "env", id: "P" } } } }`);
  expect((await cli.run(['config', 'get', 'gateway.auth.token'])).out).toBe(`a secret, in ${file()} (not shown)\n`);
  expect((await json('config', 'get', 'gateway.auth.token')).document).toMatchObject({ value: null, secret: true });
  expect((await json('config', 'get', 'gateway.auth.password')).document).toMatchObject({
    value: { source: 'env', id: 'P' },
    secret: true,
  });
  for (const args of [
    ['config', 'get'],
    ['config', 'get', 'gateway'],
    ['config', 'validate'],
  ]) {
    const { out, err } = await cli.run(args);
    expect(out + err).not.toContain(SECRET);
  }
  const set = await cli.run(['config', 'set', 'gateway.auth.token', SECRET]);
  expect(set.err).toContain('config set gateway.auth.token -');
  expect(set.out + set.err).not.toContain(SECRET);
});

test('rule: validate says line, key and why; schema and file need nothing', async () => {
  put('{\n  gateway: {\n    prot: 1 } }');
  const { code, document } = await json('config', 'validate');
  expect([code, document.error.what]).toEqual([78, `${file()}, line 3: gateway.prot is refused`]);
  put('{}');
  expect((await json('config', 'validate')).document).toMatchObject({ valid: true, running: false, path: file() });
  expect((await json('config', 'schema')).document).toMatchObject({ title: 'latchkey.json' });
  expect((await json('config', 'schema', 'gateway.port')).document).toMatchObject({ reloadKind: 'restart' });
  expect((await cli.run(['config', 'file'])).out).toBe(`${file()}\n`);
  rmSync(cli.stateDir, { recursive: true });
  expect((await json('config', 'file')).document).toEqual({ path: file(), exists: false });
  expect(existsSync(cli.stateDir)).toBe(false);
});

const view = (config: unknown, more: Record<string, unknown> = {}): Answer => ({
  payload: {
    path: '/x/latchkey.json',
    exists: true,
    config,
    hash: 'h1',
    valid: true,
    pending: [],
    problem: null,
    warnings: [],
    ...more,
  },
});
const done: Answer = {
  payload: {
    ok: true,
    path: '/x/latchkey.json',
    changed: true,
    live: ['logging.level'],
    restart: [],
    pending: [],
    warnings: [],
  },
};

test('rule: with a gateway it is asked, by a patch that names only what is meant', async () => {
  await cli.gateway({
    'config.get': view({
      gateway: { allowedHosts: ['a', 'b'], auth: { token: '__OPENCLAW_REDACTED__', mode: 'token' } },
    }),
    'config.patch': done,
  });
  const ran = await json('config', 'set', 'logging.level', 'debug');
  expect(ran.document).toMatchObject({ ok: true, running: true, live: ['logging.level'], file: '/x/latchkey.json' });
  await cli.run(['config', 'unset', 'gateway.port']);
  await cli.run(['config', 'set', 'gateway.allowedHosts[1]', 'c']);
  await cli.run(['config', 'set', 'gateway.auth', '{token: "x"}']);
  expect(cli.calls.filter(({ method }) => method === 'config.patch').map(({ params }) => params)).toEqual([
    { raw: '{"logging":{"level":"debug"}}' },
    { raw: '{"gateway":{"port":null}}' },
    { raw: '{"gateway":{"allowedHosts":["a","c"]}}', baseHash: 'h1' },
    { raw: '{"gateway":{"auth":{"token":"x","mode":null}}}', baseHash: 'h1' },
  ]);
  expect(existsSync(file())).toBe(false);
});

test('rule: what the gateway says of the file is what is said', async () => {
  const problem = { at: 1, what: 'the file is bad', why: 'line 3', run: 'vi' };
  await cli.gateway({ 'config.get': view({}, { valid: false, problem }) });
  const { code, document } = await json('config', 'validate');
  expect([code, document.error]).toEqual([78, { what: 'the file is bad', why: 'line 3', run: 'vi', exitCode: 78 }]);
  expect((await json('config', 'file')).document.path).toBe('/x/latchkey.json');
});

test('rule: a value that is refused leads to what its key takes, and a schema names the default', async () => {
  put('{}');
  const { err } = await cli.run(['config', 'set', 'gateway.port', 'many']);
  expect(err).toContain('run: latchkey config schema gateway.port\n');
  const schema = JSON.parse((await cli.run(['config', 'schema', 'gateway.pairing.ask'])).out);
  expect(schema).toMatchObject({ path: 'gateway.pairing.ask', default: 'open' });
});

test('rule: a state directory that is made for a change is spoken of', async () => {
  const dir = join(cli.home, 'new');
  const { code, err } = await cli.run(['config', 'set', 'logging.level', 'debug', '--state-dir', dir]);
  expect([code, err]).toEqual([0, `latchkey: made ${dir}: there was none\n`]);
});
