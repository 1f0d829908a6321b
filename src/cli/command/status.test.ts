import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeStateDir } from '../../system/state-dir.ts';
import { type Answer, Scripted } from '../scripted.ts';

const NOW = 1_800_000_000_000;
const GIB = 1_024 ** 3;
let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-c-')), NOW);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

const DEEP = {
  at: NOW,
  store: { sizeBytes: 4_096, problem: null, isWhole: true },
  talk: { sessions: 12, openRuns: 1 },
  room: { freeBytes: 9 * GIB, totalBytes: 40 * GIB },
  place: null,
  clock: { movedMs: 2, aheadMs: 0 },
};

/** What `status` answers: a healthy gateway, and what is different about this one. */
function answering(own: Record<string, unknown> = {}, deep: Record<string, unknown> = {}): Record<string, Answer> {
  const latchkey = {
    addresses: [],
    access: { kind: 'owner', scopes: [] },
    devices: { paired: 2, open: 0 },
    sessions: 1,
    lagMs: 0,
    config: { path: '/lk/latchkey.json', problem: null, pending: [] },
    deep: { ...DEEP, ...deep },
    ...own,
  };
  return {
    status: { payload: { runtimeVersion: '1.2.3', pid: process.pid, uptimeMs: 5_000, latchkey } },
    'device.pair.list': { payload: { pending: [], paired: [] } },
  };
}

const missing = (scope: string): Answer => ({
  error: { code: 'FORBIDDEN', message: `missing scope: ${scope}`, details: { refusal: 'missing_scope' } },
});

async function deep(answers: Record<string, Answer>) {
  await cli.gateway(answers);
  const { code, out } = await cli.run(['status', '--deep', '--json']);
  const parts = JSON.parse(out).deep.parts as { part: string; state: string; detail: string; run?: string }[];
  return { code, of: (part: string) => parts.find((p) => p.part === part) };
}

test('rule: status asks twice and no more; --deep looks inside', async () => {
  await cli.gateway(answering());
  await cli.run(['status']);
  expect(cli.calls.map(({ method, params }) => [method, params])).toEqual([
    ['status', {}],
    ['device.pair.list', {}],
  ]);
  const { code, out } = await cli.run(['status', '--deep']);
  expect(code).toBe(0);
  expect(cli.calls[2]?.params).toEqual({ deep: true });
  expect(out).toContain('4.0 KiB, looked through and sound');
  expect(out).toContain('9.0 GiB free of 40.0 GiB');
  expect(out).toContain('12 kept, 1 run is open');
});

test.each<[string, string, string, Record<string, unknown>, Record<string, unknown>]>([
  ['a torn store', 'store', 'fail', {}, { store: { sizeBytes: 1, problem: 'row 3 missing', isWhole: true } }],
  ['a full disk', 'disk', 'fail', {}, { room: { freeBytes: 1_000, totalBytes: GIB } }],
  ['a disk that fills', 'disk', 'warn', {}, { room: { freeBytes: 100 * 1_024 ** 2, totalBytes: GIB } }],
  ['a swept run/', 'run', 'fail', {}, { place: 'run/gateway.lock is gone' }],
  ['a clock that was moved', 'clock', 'warn', {}, { clock: { movedMs: -3_600_000, aheadMs: 0 } }],
  ['a clock that was set back', 'clock', 'warn', {}, { clock: { movedMs: 0, aheadMs: 60_000 } }],
  ['clocks apart', 'clock', 'warn', {}, { at: NOW - 3_600_000 }],
  ['a busy loop', 'event loop', 'warn', { lagMs: 4_000 }, {}],
  ['open requests', 'requests', 'warn', { devices: { paired: 1, open: 2 } }, {}],
  ['keys that wait', 'configuration', 'warn', { config: { problem: null, pending: ['gateway.port'] } }, {}],
  [
    'a bad edit',
    'configuration',
    'fail',
    { config: { problem: { what: 'x', why: 'y', run: 'vi z' }, pending: [] } },
    {},
  ],
])('rule: --deep finds %s, and says what to run', async (_what, part, state, own, inside) => {
  const { code, of } = await deep(answering(own, inside));
  expect(of(part)).toMatchObject({ state, run: expect.stringMatching(/\w/) });
  expect(code).toBe(state === 'fail' ? 1 : 0);
});

test('rule: a gateway of a release that knows no --deep is no failure', async () => {
  const { code, of } = await deep(answering({ deep: undefined }));
  expect(of('inside')).toMatchObject({ state: 'unseen' });
  expect(code).toBe(0);
});

test('rule: --deep says nothing of conversations that were not counted', async () => {
  const { code, of } = await deep(answering({}, { talk: null }));
  expect([code, of('conversations')]).toEqual([0, undefined]);
});

test('A18 a port that sends a challenge which the gateway does not know is another gateway', async () => {
  const nonce = 'n'.repeat(43);
  const server = await cli.listen({ port: 0, host: '127.0.0.1' }, (socket) => {
    socket.once('data', () => {
      const text = JSON.stringify({ type: 'event', event: 'connect.challenge', payload: { nonce, ts: 1 } });
      socket.write('HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n');
      socket.write(Buffer.concat([Buffer.from([0x81, 126, text.length >> 8, text.length & 255]), Buffer.from(text)]));
    });
  });
  const { port } = server.address() as { port: number };
  const { code, of } = await deep(answering({ addresses: [`ws://127.0.0.1:${port}`], isOwnChallenge: false }));
  expect(of('port')).toMatchObject({ state: 'fail', detail: expect.stringContaining('another gateway') });
  expect(code).toBe(1);
  expect(cli.calls.at(-1)).toEqual({ method: 'status', params: { challenge: nonce } });
});

test('A7 a caller that may ask nothing sees that it runs, what it may not, and what to do; exit 0', async () => {
  const answers = { ...answering(), status: missing('operator.read'), 'device.pair.list': missing('operator.pairing') };
  await cli.gateway({ ...answers, health: { payload: { ok: true } } });
  const plain = await cli.run(['status']);
  expect(plain.code).toBe(0);
  expect(plain.out).toContain('running');
  expect(plain.out).toContain('missing scope: operator.read');
  expect(plain.out).toContain('missing scope: operator.pairing');
  const looked = await cli.run(['status', '--deep', '--json']);
  expect(looked.code).toBe(0);
  expect(JSON.parse(looked.out)).toMatchObject({
    running: true,
    health: { ok: true },
    devices: null,
    deep: { ok: true },
  });
});

test('A7 a caller that may read but not decide is told how many there are, not who', async () => {
  await cli.gateway({ ...answering(), 'device.pair.list': missing('operator.pairing') });
  const { code, out } = await cli.run(['status']);
  expect(code).toBe(0);
  expect(out).toContain('2 paired, 0 asking');
});

test('A7 what is to be mended at a gateway elsewhere is run there', async () => {
  const own = { access: { kind: 'device', scopes: [] }, stateDir: '/far/lk' };
  const { code, of } = await deep(answering(own, { room: { freeBytes: 1, totalBytes: GIB } }));
  expect(of('disk')?.run).toBe("on the gateway's host: df -h /far/lk");
  expect(of('port')).toMatchObject({ state: 'unseen' });
  expect(of('lock')).toBeUndefined();
  expect(code).toBe(1);
});

test('A15 nothing that a gateway says is obeyed by the terminal', async () => {
  await cli.gateway(
    answering({ addresses: ['ws://\u001b[2Jx'], ownerSocket: 'a\nb', warnings: ['\u0007'] }, { place: '\u001b]0;x' }),
  );
  for (const argv of [['status'], ['status', '--deep']]) {
    const { out } = await cli.run(argv);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
  }
});

test('A6 with no gateway, status says what can be known without one', async () => {
  makeStateDir(cli.stateDir);
  writeFileSync(join(cli.stateDir, 'latchkey.json'), '{gateway: {prot: 1}}');
  const plain = await cli.run(['status', '--json']);
  expect(plain.code).toBe(0);
  expect(JSON.parse(plain.out)).toMatchObject({
    running: false,
    config: { path: join(cli.stateDir, 'latchkey.json'), problem: { what: expect.stringContaining('gateway.prot') } },
    storeBytes: null,
  });
  const looked = await cli.run(['status', '--deep']);
  expect(looked.code).toBe(1);
  expect(looked.out).toContain('FAIL  gateway');
  expect(looked.out).toContain('FAIL  configuration');
  expect(looked.out).toContain('+1 ');
});

test('T20 a gateway that does not answer is called so, and --deep says the rest', async () => {
  await cli.gateway({ status: 'silence', 'device.pair.list': 'silence' });
  const { code, out } = await cli.run(['status', '--deep', '--timeout', '100ms']);
  expect(code).toBe(1);
  expect(out).toContain('does not answer');
  expect((await cli.run(['status', '--timeout', '100ms'])).code).toBe(75);
});

test('A7 one who may not decide is not asked for the list, and is told in plain words', async () => {
  const device = (...names: string[]) => ({
    access: { kind: 'device', scopes: names.map((scope) => ({ scope, untilMs: null })) },
  });
  await cli.gateway(answering(device('operator.read')));
  // The owner socket is the owner's; what another session would be told is asked of a session elsewhere.
  const { out } = await cli.run(['status']);
  expect(out).toMatch(/your access +device: operator\.read\n/);
});

test('rule: --deep does not say that a file is in force which is not there', async () => {
  makeStateDir(cli.stateDir);
  const path = join(cli.stateDir, 'latchkey.json');
  const answers = answering({ config: { path, problem: null, pending: [] } });
  expect((await deep(answers)).of('configuration')?.detail).toBe(
    `${path}: no such file, all is as by default, in force`,
  );
  writeFileSync(path, '{}');
  const { out } = await cli.run(['status', '--deep']);
  expect(out).toContain(`${path} is in force`);
});

test('A15 status names who asks as the list does: a device without a name, by what it says that it is', async () => {
  const row = { requestId: 'q1', clientId: 'cli', clientVersion: '2026.3.13', clientMode: 'cli', platform: 'linux' };
  await cli.gateway({
    ...answering(),
    'device.pair.list': { payload: { pending: [{ ...row, state: 'open', ts: NOW }], paired: [] } },
  });
  expect((await cli.run(['status'])).out).toContain('  q1  no name (cli 2026.3.13, linux)\n');
  expect((await cli.run(['devices', 'list'])).out).toMatch(/who +no name \(cli 2026\.3\.13, linux\)/);
});
