import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Clock, ScriptedClock, systemClock } from '../system/clock.ts';
import type { Failure } from '../system/failure.ts';
import { LiveConfig, type Reload } from './live.ts';
import { LiveSecret } from './live-secret.ts';
import { type LoadOptions, loadConfig } from './load.ts';
import type { SecretInput } from './schema.ts';

const STRONG = '3f9c1e7ab2d84056c8a1f03be97d52641c0ffee0d15ea5e0';
const OTHER = '0d15ea5e03f9c1e7ab2d84056c8a1f03be97d52641c0ffee';
/** Seconds pass as milliseconds: what is waited for comes, and in its order. */
const quick: Clock = { ...systemClock, after: (delayMs, run) => systemClock.after(Math.min(delayMs / 25, 40), run) };
let home = '';
let path = '';
const opened: LiveConfig[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-cl-'));
  path = join(home, 'latchkey.json');
});
afterEach(() => {
  for (const live of opened.splice(0)) live.close();
  rmSync(home, { recursive: true, force: true });
});

interface Told {
  readonly hidden: string[];
  readonly reloads: Reload[];
  secretChanges: number;
}

async function open(
  text: string | null,
  more: Partial<LoadOptions> & { readonly env?: Record<string, string> } = {},
): Promise<{ readonly live: LiveConfig; readonly told: Told }> {
  if (text !== null) writeFileSync(path, text);
  const { env = {}, ...options } = more;
  const load = { path, ...options };
  const live = new LiveConfig(loadConfig(load), { load, env: { PATH: process.env.PATH, ...env }, clock: quick });
  opened.push(live);
  const told: Told = { hidden: [], reloads: [], secretChanges: 0 };
  live.listen({
    hide: (secret) => void told.hidden.push(secret),
    reloaded: (reload) => void told.reloads.push(reload),
    secretChanged: () => {
      told.secretChanges += 1;
    },
  });
  await live.resolve();
  return { live, told };
}

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries += 1) {
    if (tries > 1_000) throw new Error('it did not come');
    await sleep(10);
  }
}

test('rule: what applies live does so at once, the rest waits for a restart, and one reload is one line', async () => {
  const { live, told } = await open('{ gateway: { port: 1, pairing: { ask: "open" } } }');
  const before = live.now;
  writeFileSync(path, '{ gateway: { port: 2, pairing: { ask: "closed" } }, logging: { level: "debug" } }');
  const reload = await live.reload();
  expect(reload).toEqual({ live: ['gateway.pairing.ask', 'logging.level'], pending: ['gateway.port'], problem: null });
  expect(live.now).not.toBe(before);
  expect(live.now.config).toMatchObject({
    gateway: { port: 1, pairing: { ask: 'closed' } },
    logging: { level: 'debug', consoleLevel: 'debug' },
  });
  expect(live.file.config.gateway.port).toBe(2);
  expect(live.pending).toEqual(['gateway.port']);
  const now = live.now;
  await live.reload();
  expect(live.now).toBe(now);
  expect(told.reloads).toEqual([reload]);
  writeFileSync(path, '{ gateway: { port: 1 } }');
  expect(await live.reload()).toMatchObject({ live: ['gateway.pairing.ask', 'logging.level'], pending: [] });
});

test('rule: a bad edit leaves what runs as it is, is the problem until it is mended, and is told once', async () => {
  const { live, told } = await open('{ gateway: { pairing: { ask: "closed" } } }');
  const { now } = live;
  for (const bad of [
    '{ gateway: ',
    '{ gatway: {} }',
    '{ gateway: { bind: "lan", auth: { token: "changeme" } } }',
    '',
  ]) {
    writeFileSync(path, bad);
    await live.reload();
    await live.reload();
    expect([live.now, live.text]).toEqual([now, bad]);
    expect(live.problem?.what).toContain(bad.includes('lan') ? 'refusing to listen' : path);
    expect(JSON.stringify(live.problem)).not.toContain('changeme');
  }
  expect(told.reloads).toHaveLength(4);
  writeFileSync(path, '{ gateway: { pairing: { ask: "secret" } } }');
  expect(await live.reload()).toEqual({ live: ['gateway.pairing.ask'], pending: [], problem: null });
});

test('rule: a file that is gone is no wish for the defaults; one that comes is read', async () => {
  const { live } = await open('{ gateway: { pairing: { ask: "closed" } } }');
  unlinkSync(path);
  await live.reload();
  expect(live.problem?.what).toBe(`${path} is gone`);
  expect(live.now.config.gateway.pairing.ask).toBe('closed');
  writeFileSync(path, '{}');
  await live.reload();
  expect([live.problem, live.now.config.gateway.pairing.ask]).toEqual([null, 'open']);
  const other = await open(null, { path: join(home, 'later.json') });
  await other.live.reload();
  expect(other.live.problem).toBeNull();
  writeFileSync(join(home, 'later.json'), '{ logging: { level: "warn" } }');
  expect(await other.live.reload()).toMatchObject({ live: ['logging.level'] });
});

test('rule: a flag that beats the file is no change that waits', async () => {
  const { live } = await open('{ gateway: { port: 1 } }', { port: 7, bind: 'loopback' });
  writeFileSync(path, '{ gateway: { port: 2, bind: "lan", handshakeTimeoutMs: 5000 } }');
  expect((await live.reload()).pending).toEqual(['gateway.handshakeTimeoutMs']);
  expect(live.now.config.gateway).toMatchObject({ port: 7, bind: { loopback: true } });
});

test('rule: a change is noticed by itself, written in place, put in place, or behind a link', async () => {
  const real = join(home, 'real.json');
  writeFileSync(real, '{}');
  symlinkSync(real, path);
  const { live, told } = await open(null);
  live.watch();
  writeFileSync(path, '{ logging: { level: "warn" } }');
  await until(() => live.now.config.logging.level === 'warn');
  writeFileSync(`${real}.new`, '{ logging: { level: "error" } }');
  renameSync(`${real}.new`, real);
  await until(() => live.now.config.logging.level === 'error');
  unlinkSync(path);
  writeFileSync(`${path}.new`, '{ logging: { level: "trace" } }');
  renameSync(`${path}.new`, path);
  await until(() => live.now.config.logging.level === 'trace');
  expect(told.reloads.every((reload) => reload.problem === null || reload.problem.what.endsWith('is gone'))).toBe(true);
});

// ---- secrets ----------------------------------------------------------------------------------------------------------

test('A13: another secret, and where it is, apply at once; what comes is hidden before it counts', async () => {
  const { live, told } = await open(`{ gateway: { auth: { token: "${STRONG}" } } }`, { env: { T: OTHER } });
  expect([live.secret(), live.namesSecret]).toEqual([STRONG, true]);
  expect(new Set(told.hidden)).toEqual(new Set([STRONG]));
  writeFileSync(path, '{ gateway: { auth: { token: { source: "env", id: "T" } } } }');
  expect((await live.reload()).live).toEqual(['gateway.auth.token']);
  expect([live.secret(), told.hidden.at(-1)]).toEqual([OTHER, OTHER]);
  expect(told.secretChanges).toBeGreaterThan(0);
  writeFileSync(path, '{ gateway: { auth: { mode: "password", token: "x" } } }');
  await live.reload();
  expect([live.secret(), live.namesSecret]).toEqual([null, false]);
});

test("A13: a secret in a file is read again when that changed, and is nobody's while it can not be read", async () => {
  const file = join(home, 'token');
  writeFileSync(file, STRONG);
  const { live, told } = await open('{ gateway: { auth: { token: { source: "file", id: "token" } } } }');
  expect(live.secret()).toBe(STRONG);
  const { secretChanges } = told;
  writeFileSync(`${file}.new`, `${OTHER}\n`);
  renameSync(`${file}.new`, file);
  expect([live.secret(), told.secretChanges]).toEqual([OTHER, secretChanges + 1]);
  unlinkSync(file);
  expect(() => live.secret()).toThrow('ENOENT');
  expect(live.problem).toMatchObject({ what: expect.stringContaining('gateway.auth.token'), why: 'ENOENT' });
  writeFileSync(file, STRONG);
  expect([live.secret(), live.problem]).toEqual([STRONG, null]);
});

test('rule: a bad file whose secret can be had now is taken up without another edit', async () => {
  const { live } = await open('{}');
  live.watch();
  writeFileSync(path, '{ gateway: { auth: { token: { source: "file", id: "token" } } } }');
  await until(() => live.problem !== null);
  writeFileSync(join(home, 'token'), STRONG);
  await until(() => live.problem === null);
  expect(live.secret()).toBe(STRONG);
});

test('threat 28: beyond loopback a weak secret is not taken up from a file either', async () => {
  writeFileSync(join(home, 'token'), STRONG);
  const { live } = await open('{ gateway: { bind: "0.0.0.0", auth: { token: { source: "file", id: "token" } } } }');
  expect(live.secret()).toBe(STRONG);
  writeFileSync(join(home, 'token'), 'changeme');
  expect(() => live.secret()).toThrow('placeholder');
});

test('rule: a secret that can not be had is a bad edit, and a check says so before it is written', async () => {
  const { live } = await open(`{ gateway: { auth: { token: "${STRONG}" } } }`);
  const text = '{ gateway: { auth: { token: { source: "env", id: "NOWHERE" } } } }';
  writeFileSync(path, text);
  await expect(live.check(loadConfig({ path }))).rejects.toMatchObject({ exitCode: 78 });
  await live.reload();
  expect([live.secret(), live.problem?.what]).toEqual([STRONG, expect.stringContaining("env 'NOWHERE'")]);
  await expect(open(text, { path })).rejects.toMatchObject({ exitCode: 78 });
});

interface Scripted {
  readonly clock: ScriptedClock;
  readonly secret: LiveSecret;
  readonly changes: () => number;
  answer: string | null;
}

async function keyringSecret(): Promise<Scripted> {
  const clock = new ScriptedClock();
  let changes = 0;
  const state = { answer: 'one' as string | null };
  const input: SecretInput = { source: 'keyring', id: 'x' };
  const secret = await LiveSecret.open(input, {
    clock,
    context: { path: 'a.b', file: path, env: {}, keyring: async () => state.answer },
    take: () => {},
    changed: () => {
      changes += 1;
    },
  });
  return Object.assign(state, { clock, secret, changes: () => changes });
}

const settled = () => sleep(5);

test('rule: a keyring is asked again from time to time; one that fails counts a while, and then no more', async () => {
  const s = await keyringSecret();
  s.answer = 'two';
  expect(s.secret.now()).toBe('one');
  s.clock.advance(300_000);
  await settled();
  expect([s.secret.now(), s.changes()]).toEqual(['two', 1]);
  s.answer = null;
  for (let i = 0; i < 12; i += 1) {
    s.clock.advance(30_000);
    await settled();
  }
  expect([s.secret.now(), (s.secret.why as Failure).why]).toEqual(['two', expect.stringContaining('it holds nothing')]);
  for (let i = 0; i < 20; i += 1) {
    s.clock.advance(30_000);
    await settled();
  }
  expect(() => s.secret.now()).toThrow('it holds nothing');
  s.answer = 'two';
  s.clock.advance(30_000);
  await settled();
  expect([s.secret.now(), s.secret.why]).toEqual(['two', null]);
  s.secret.close();
  expect(s.clock.pending).toBe(0);
});

test('rule: a program is asked again when the configuration is read again', async () => {
  const file = join(home, 'token');
  writeFileSync(file, STRONG);
  const token = {
    source: 'exec',
    id: [process.execPath, '-e', 'process.stdout.write(require("fs").readFileSync(process.argv[1]))', file],
  };
  const { live } = await open(JSON.stringify({ gateway: { auth: { token } } }));
  writeFileSync(file, OTHER);
  expect(live.secret()).toBe(STRONG);
  writeFileSync(path, JSON.stringify({ gateway: { auth: { token } }, logging: { level: 'warn' } }));
  await live.reload();
  expect(live.secret()).toBe(OTHER);
});
