import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openGatewayIdentity } from '../../system/identity.ts';
import { makeStateDir } from '../../system/state-dir.ts';
import { type Answer, Scripted } from '../scripted.ts';

const NOW = 1_800_000_000_000;
let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-c-')), NOW);
  makeStateDir(cli.stateDir);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

const answers = (own: Record<string, unknown> = {}, ok = true): Record<string, Answer> => ({
  health: { payload: { ok } },
  status: {
    payload: {
      pid: process.pid,
      runtimeVersion: '1.2.3',
      uptimeMs: 60_000,
      latchkey: {
        addresses: [],
        config: { path: join(cli.stateDir, 'latchkey.json'), problem: null, pending: [] },
        ...own,
      },
    },
  },
});

/** `run/gateway.json` of a process that is there: this one. */
function record(more: Record<string, unknown> = {}): void {
  const run = { pid: process.pid, program: 'latchkey gateway', brief: false, port: null, socket: null, ...more };
  writeFileSync(join(cli.stateDir, 'run', 'gateway.json'), JSON.stringify(run));
}

const look = async (...args: readonly string[]) => {
  const { code, out } = await cli.run(['gateway', 'status', '--json', '--timeout', '200ms', ...args]);
  return { code, found: JSON.parse(out) };
};
const read = async () => (await cli.run(['gateway', 'status', '--timeout', '200ms'])).out;

/** A port that nobody listens at, so that what happens to listen on this host is not asked. */
function noPort(): void {
  writeFileSync(join(cli.stateDir, 'latchkey.json'), '{gateway: {port: 1}}');
}

test('T19 one that has its lock and no doors yet is starting', async () => {
  noPort();
  record();
  const { code, found } = await look();
  expect(found.process).toMatchObject({ state: 'starting', pid: process.pid, program: 'latchkey gateway' });
  expect(found.members).toContainEqual(expect.objectContaining({ pid: process.pid, isHolder: true }));
  expect(code).toBe(1);
});

test('T20 one that takes connections and says nothing hangs', async () => {
  noPort();
  record({ port: 1 });
  await cli.gateway({ health: 'silence', status: 'silence' });
  expect((await look()).found.process).toMatchObject({ state: 'hanging', why: expect.stringContaining('no answer') });
  expect(await read()).toContain(`kill ${process.pid}`);
});

test('rule: one that answers with an error runs, and is not well', async () => {
  noPort();
  record({ port: 1 });
  await cli.gateway({ ...answers(), status: { error: { code: 'UNAVAILABLE', message: 'internal error' } } });
  const { code, found } = await look();
  expect(found).toMatchObject({
    ok: false,
    process: { state: 'running', why: expect.stringContaining('internal error') },
  });
  expect(code).toBe(1);
});

test('rule: what of the file is not in force is told apart from what waits for a restart', async () => {
  noPort();
  const path = join(cli.stateDir, 'latchkey.json');
  const problem = { what: 'line 3 is refused', why: 'no such key', run: 'vi x' };
  await cli.gateway(answers({ config: { path, problem, pending: ['gateway.port'] } }));
  const out = await read();
  expect(out).toContain('an edit is not in force: line 3 is refused: no such key');
  expect(out).toContain('run: vi x');
  expect(out).toContain('waits for the next start: gateway.port');
});

test('rule: a configuration that can not be read stops nothing of this', async () => {
  mkdirSync(join(cli.stateDir, 'latchkey.json'));
  const { code, found } = await look();
  expect(found.configuration).toMatchObject({ door: null, problem: { what: expect.stringContaining("can't read") } });
  expect(found.listener).toMatchObject({ state: 'down', detail: expect.stringContaining('not known') });
  expect(code).toBe(1);
  await cli.gateway(answers());
  expect((await look()).found.gateway).toMatchObject({ pid: process.pid, isWell: true });
});

test('rule: other gateways of this home are found, of Latchkey and of OpenClaw', async () => {
  noPort();
  const work = join(cli.home, '.latchkey-work', 'run');
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, 'gateway.json'), JSON.stringify({ pid: process.pid, port: 20_001, brief: false }));
  const locks = join(cli.home, '.openclaw', 'tmp', 'openclaw-0');
  mkdirSync(locks, { recursive: true });
  writeFileSync(join(locks, 'gateway.x.lock'), JSON.stringify({ pid: process.pid, port: 18_789 }));
  const { others } = (await look()).found;
  const own = others.filter(({ pid }: { pid: number }) => pid === process.pid);
  expect(own).toMatchObject([
    { kind: 'latchkey', port: 20_001, stateDir: join(cli.home, '.latchkey-work') },
    { kind: 'openclaw', port: 18_789, stateDir: join(cli.home, '.openclaw') },
  ]);
});

test('A18 a door that is not the own gateway’s makes it unwell', async () => {
  openGatewayIdentity(cli.stateDir, { storeExists: false, needsSecret: true });
  const server = await cli.listen({ port: 0, host: '127.0.0.1' }, (socket) => socket.end('SSH-2.0-x\r\n'));
  const { port } = server.address() as { port: number };
  await cli.gateway(answers({ addresses: [`ws://127.0.0.1:${port}`] }));
  const { code, found } = await look();
  expect(found).toMatchObject({ ok: false, process: { state: 'running' }, gateway: { isWell: true } });
  expect(['foreign', 'refused', 'down']).toContain(found.listener.state);
  expect(code).toBe(1);
});

test('rule: with --url it would speak of another host: a usage error that says so', async () => {
  const { code, err } = await cli.run(['gateway', 'status', '--url', 'wss://gw.example']);
  expect(code).toBe(2);
  expect(err).toContain('status --deep');
});
