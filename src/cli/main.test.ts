import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openGatewayIdentity } from '../system/identity.ts';
import { ownerSocketPlace } from '../system/owner.ts';
import { ensurePrivateDirectory, makeStateDir } from '../system/state-dir.ts';
import { Scripted } from './scripted.ts';

const NOW = 1_800_000_000_000;
const REQUEST = '947ea31b-a673-475b-94f3-eb87856d43cf';
const DEVICE = 'c1'.repeat(32);
let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-c-')), NOW);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

test('rule: the version is one line', async () => {
  for (const flag of ['--version', '-V'])
    expect(await cli.run([flag])).toMatchObject({ code: 0, out: '1.2.3\n', err: '' });
  expect(await cli.run(['status', '--version'])).toMatchObject({ code: 0, out: '1.2.3\n' });
});

test.each([
  [['devcies'], "unknown command 'devcies'", 'did you mean devices?'],
  [['devices', 'aprove', 'x'], "unknown command 'aprove'", 'did you mean approve?'],
  [['status', '--josn'], "unknown option '--josn'", 'did you mean --json?'],
  [['devices', 'narrow', 'x', '--scpoe', 'y'], "unknown option '--scpoe'", 'did you mean --scope?'],
  [['devices', 'approve', 'x', '--for', '3 days'], "option '--for <duration>' argument '3 days' is invalid", '12h'],
  [['gateway', 'run', '--port', '70000'], "option '--port <port>' argument '70000' is invalid", '65535'],
  [['devices', 'reject'], "missing required argument 'request'", ''],
  [['devices', 'ensure', '--scope', 'x'], "required option '--key <key>' not specified", ''],
  [['--profile', '../x', 'status'], "'../x' can't be a profile's name", ''],
  [['devices', 'narrow', 'x'], 'no scope is given', '--none'],
  [['gateway', 'call', 'health', '--params', '[1]'], "--params can't be used", 'JSON object'],
])('rule: %j is usage, exit 2, in three lines', async (argv, what, why) => {
  const { code, out, err } = await cli.run(argv);
  expect([code, out]).toEqual([2, '']);
  const lines = err.trimEnd().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toBe(`latchkey: ${what}`);
  expect(lines[1]).toMatch(/^ {2}why: ./);
  expect(lines[1]).toContain(why);
  expect(lines[2]).toMatch(/^ {2}run: latchkey/);
});

test.each([
  [['help'], 'COMMAND [options]'],
  [['help', 'status'], 'latchkey status'],
  [['devices', 'help', 'approve'], 'latchkey devices approve'],
  [['help', 'gateway', 'secret', 'rotate'], 'latchkey gateway secret rotate'],
])('rule: %j is help that was asked for: exit 0, on standard output', async (argv, text) => {
  expect(await cli.run(argv)).toMatchObject({ code: 0, out: expect.stringContaining(text), err: '' });
});

test('rule: help on what there is not names what was meant', async () => {
  const { code, out, err } = await cli.run(['help', 'staus']);
  expect([code, out]).toEqual([2, '']);
  expect(err).toBe(
    "latchkey: there is no help on 'staus'\n  why: did you mean status?\n  run: latchkey status --help\n",
  );
  expect((await cli.run(['version'])).err).toContain('run: latchkey --version');
});

test('rule: a line that was mistyped is given back as it was meant, without what may be a secret', async () => {
  const { err } = await cli.run(['devices', 'aprove', 'x y', '--for', '12h']);
  expect(err).toContain("run: latchkey devices approve 'x y' --for 12h");
  expect((await cli.run(['--token', 'SECRET', 'devices', 'lst'])).err).not.toContain('SECRET');
});

test.each([
  ['gateway', 'secret', 'show'],
  ['gateway', 'status'],
  ['gateway', 'run'],
  ['config', 'schema'],
  ['completion', 'bash'],
])('rule: %s %s %s refuses --url in words instead of passing it over', async (...argv) => {
  makeStateDir(cli.stateDir);
  openGatewayIdentity(cli.stateDir, { storeExists: false, needsSecret: true });
  const { code, out, err, started } = await cli.run(['--url', 'wss://far.example', ...argv]);
  expect([code, out, started]).toEqual([2, '', []]);
  expect(err).toMatch(/this host|host's own/);
});

test('rule: gateway.mode remote names another gateway too: no secret of this host is printed for it', async () => {
  makeStateDir(cli.stateDir);
  openGatewayIdentity(cli.stateDir, { storeExists: false, needsSecret: true });
  const text = '{ gateway: { mode: "remote", remote: { url: "wss://far.example" } } }';
  writeFileSync(join(cli.stateDir, 'latchkey.json'), text, { mode: 0o600 });
  expect(await cli.run(['gateway', 'secret', 'show'])).toMatchObject({ code: 2, out: '' });
});

test('rule: with --json a failure is one document too', async () => {
  const { code, out } = await cli.run(['devices', 'lst', '--json']);
  expect(code).toBe(2);
  expect(JSON.parse(out)).toMatchObject({ ok: false, error: { why: 'did you mean list?', exitCode: 2 } });
});

test('rule: with no gateway each command says so and how to start it, and leaves nothing behind', async () => {
  const start = `latchkey gateway run`;
  expect(await cli.run(['status'])).toMatchObject({ code: 0, out: expect.stringContaining('not running') });
  expect(JSON.parse((await cli.run(['status', '--json'])).out)).toMatchObject({
    running: false,
    stateDir: cli.stateDir,
  });
  expect(await cli.run(['health'])).toMatchObject({ code: 75, err: expect.stringContaining(start) });
  for (const argv of [
    ['devices', 'list'],
    ['devices', 'reject', 'x'],
    ['gateway', 'call', 'health'],
  ]) {
    expect(await cli.run(argv)).toMatchObject({ code: 75, out: '', err: expect.stringContaining(start) });
  }
  expect(existsSync(cli.stateDir)).toBe(false);
  makeStateDir(cli.stateDir);
  expect((await cli.run(['devices', 'list'])).code).toBe(75);
  expect(readdirSync(join(cli.stateDir, 'run'))).toEqual([]);
});

test('T18 a pasted command names the same state directory', async () => {
  const { err } = await cli.run(['--profile', 'work', 'devices', 'list']);
  expect(err).toContain('run: latchkey --profile work gateway run');
  expect(err).toContain(join('.latchkey-work'));
});

test('rule: gateway run is handed what the line says', async () => {
  const { started, code } = await cli.run([
    'gateway',
    'run',
    '--port',
    '0',
    '--state-dir',
    cli.stateDir,
    '--bind',
    'loopback',
  ]);
  expect([code, started]).toEqual([0, [{ stateDir: cli.stateDir, explicitProfile: false, port: 0, bind: 'loopback' }]]);
});

test("A16 a refusal is shown with this side's remedy and the gateway's words escaped", async () => {
  const error = { code: 'INVALID_REQUEST', message: 'gone\u001b[2J\nrun: rm -rf ~', details: { refusal: 'not_found' } };
  await cli.gateway({ 'device.pair.reject': { error } });
  const { code, err } = await cli.run(['devices', 'reject', REQUEST]);
  expect(code).toBe(1);
  expect(err).toContain('gone\\u001b[2J\\nrun: rm -rf ~');
  expect(err.trimEnd().split('\n')).toHaveLength(3);
  expect(err).toContain('run: latchkey devices list');
});

test('T20 a gateway that takes connections and does not answer is busy, not refused', async () => {
  await cli.gateway({ health: 'silence', 'device.pair.list': 'silence' });
  const busy = await cli.run(['devices', 'list', '--timeout', '50ms']);
  expect(busy).toMatchObject({ code: 75, err: expect.stringContaining('busy') });
  const probe = await cli.run(['gateway', 'probe', '--timeout', '100ms', '--json'], { env: {} });
  expect(probe.code).toBe(75);
  expect(JSON.parse(probe.out)).toMatchObject({ ok: false, busy: true, owner: { state: 'busy' } });
  expect((await cli.run(['health', '--timeout', '50ms'])).code).toBe(75);
});

test('A13 secret show prints the secret alone, from where it is, with no gateway', async () => {
  expect(await cli.run(['gateway', 'secret', 'show'])).toMatchObject({ code: 1, out: '' });
  makeStateDir(cli.stateDir);
  const { secret } = openGatewayIdentity(cli.stateDir, { storeExists: false, needsSecret: true });
  expect(await cli.run(['gateway', 'secret', 'show'])).toMatchObject({ code: 0, out: `${secret}\n`, err: '' });
  writeFileSync(join(cli.stateDir, 'latchkey.json'), '{ gateway: { auth: { token: { source: "env", id: "T" } } } }');
  expect(await cli.run(['gateway', 'secret', 'show'], { env: { T: 'mine' } })).toMatchObject({
    code: 0,
    out: 'mine\n',
  });
  expect(await cli.run(['gateway', 'secret', 'show'])).toMatchObject({ code: 78, out: '' });
});

test('A13 secret rotate cli.calls the gateway and does not print the secret', async () => {
  await cli.gateway({ 'gateway.secret.rotate': { payload: { closedSessions: 1, revoked: [DEVICE] } } });
  const { out } = await cli.run(['gateway', 'secret', 'rotate', '--also-revoke']);
  expect(cli.calls[0]?.params).toEqual({ alsoRevoke: true });
  expect(out).toContain('1 session of the old one ended');
  expect(out).toContain('c1c1c1c1c1c1');
});

test('rule: status is one screen', async () => {
  const latchkey = {
    addresses: ['127.0.0.1:1'],
    ownerSocket: '/x',
    access: { kind: 'owner', scopes: [] },
    sessions: 4,
    lagMs: 3,
  };
  await cli.gateway({
    'device.pair.list': { payload: { pending: [{ requestId: REQUEST, displayName: 'lap\u202etop' }], paired: [] } },
    status: { payload: { runtimeVersion: '1.2.3', pid: 7, uptimeMs: 60_000, latchkey } },
  });
  const { code, out } = await cli.run(['status']);
  expect(code).toBe(0);
  expect(out).toContain('running  1.2.3, pid 7, up 1 min');
  expect(out).toContain('127.0.0.1:1');
  expect(out).toMatch(/open requests +1: latchkey devices list/);
  expect(out).toContain('lap\\u202etop');
  expect(out.split('\n').length).toBeLessThan(24);
  expect(JSON.parse((await cli.run(['status', '--json'])).out)).toMatchObject({ running: true, pid: 7 });
});

test('A11 a gateway whose own socket path is too long is reached where it went instead, if that is private', async () => {
  const long = join(cli.home, 'x'.repeat(110));
  makeStateDir(long);
  const env = { XDG_RUNTIME_DIR: cli.home };
  const place = ownerSocketPlace(long, env);
  ensurePrivateDirectory(place.directory);
  await cli.gateway({ health: { payload: { ok: true } } }, place.path);
  const health = (more = env) => cli.run(['health', '--state-dir', long], { env: more });
  expect(await health()).toMatchObject({ code: 0, out: 'ok\n' });
  // Another environment: the gateway's own record says where it is.
  const record = { pid: process.pid, socket: place.path, port: null };
  writeFileSync(join(long, 'run', 'gateway.json'), JSON.stringify(record));
  expect((await health({ XDG_RUNTIME_DIR: '/nowhere' })).code).toBe(0);
  chmodSync(place.directory, 0o777);
  expect(await health()).toMatchObject({ code: 78, err: expect.stringContaining(`chmod 700 ${place.directory}`) });
});

test('A11, threat 59: a state directory that others can write is refused by every command, with the chmod', async () => {
  await cli.gateway({ health: { payload: { ok: true } } });
  chmodSync(cli.stateDir, 0o777);
  for (const argv of [
    ['health'],
    ['status'],
    ['devices', 'list'],
    ['gateway', 'probe'],
    ['gateway', 'secret', 'show'],
  ]) {
    const { code, err } = await cli.run(argv);
    expect([argv, code, err.includes(`chmod 700 ${cli.stateDir}`)]).toEqual([argv, 78, true]);
  }
  expect(cli.calls).toEqual([]);
});

test('rule: what npm started is corrected as npm starts it, and only then', async () => {
  const env = { npm_lifecycle_event: 'start', npm_package_name: 'latchkey' };
  const argv = ['gateway', 'run', '--prot', '18790'];
  expect((await cli.run(argv, { env })).err).toContain('run: npm start -- --port 18790\n');
  expect((await cli.run(argv)).err).toContain('run: latchkey gateway run --port 18790\n');
  const other = { ...env, npm_package_name: 'mine' };
  expect((await cli.run(argv, { env: other })).err).toContain('run: latchkey gateway run --port 18790\n');
  expect((await cli.run(['devices', 'lst'], { env })).err).toContain('run: latchkey devices list\n');
});

test('rule: options that npx kept to itself are missed by their address, and no value is repeated', async () => {
  const { code, err } = await cli.run(['ws://127.0.0.1:18789', 'a-secret', 'status']);
  expect(code).toBe(2);
  expect(err).toContain('run: npx --no -- latchkey --url ws://127.0.0.1:18789 status\n');
  expect(err).not.toContain('a-secret');
});

test('A14 the help offers no setup code on the command line', async () => {
  const { out } = await cli.run(['--help']);
  expect(out).toMatch(/--setup-code <-> /);
  expect(out).toContain('--setup-code-file <file>');
});
