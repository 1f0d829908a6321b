import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Answer, Scripted } from '../scripted.ts';

const REQUEST = '947ea31b-a673-475b-94f3-eb87856d43cf';
const DEVICE = 'c1'.repeat(32);
const NOW = 1_800_000_000_000;

const request = {
  requestId: REQUEST,
  deviceId: DEVICE,
  displayName: 'lap\u202etop\u001b[2J',
  platform: 'linux',
  clientId: 'cli',
  clientMode: 'cli',
  remoteIp: '192.0.2.7',
  role: 'operator',
  scopes: ['operator.read'],
  held: [],
  isRepair: false,
  ts: NOW - 120_000,
  expiresAtMs: NOW + 480_000,
  code: '1234 5678',
  state: 'open',
};
const owner = { kind: 'owner' };
const paired = {
  deviceId: 'd1'.repeat(32),
  displayName: 'tablet',
  platform: 'ios',
  scopes: ['operator.read'],
  lastSeenAtMs: NOW - 300_000,
  sessions: 2,
  grants: [
    {
      role: 'operator',
      by: owner,
      atMs: NOW - 86_400_000 * 3,
      scopes: [
        { scope: 'operator.read', untilMs: null, by: owner },
        { scope: 'operator.write', untilMs: NOW + 3_600_000, by: { kind: 'device', device: DEVICE } },
      ],
    },
  ],
};

let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-c-')), NOW);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

const list = (pending: unknown[] = [request], rows: unknown[] = [paired]): Record<string, Answer> => ({
  'device.pair.list': { payload: { pending, paired: rows } },
});

test('A15, A19 devices list shows who asks, with the code, what is held, and the exact command', async () => {
  const second = { ...request, requestId: 'b'.repeat(36), code: null, isRepair: true, held: ['operator.read'] };
  const rejected = { ...request, requestId: 'r'.repeat(36), state: 'rejected', rejectedBy: owner };
  await cli.gateway(list([request, second, rejected]));
  const { code, out } = await cli.run(['devices', 'list', '--state-dir', cli.stateDir]);
  expect(code).toBe(0);
  expect(out).toContain('2 open requests');
  expect(out).toContain('"lap\\u202etop\\u001b[2J" (cli, linux)');
  expect(out).toContain('192.0.2.7, 2 min ago, ends in 8 min');
  expect(out).toMatch(/compare +1234 5678/);
  expect(out).toMatch(/compare +none shown/);
  expect(out).toMatch(/holds +operator\.read/);
  expect(out).toContain(`latchkey --state-dir ${cli.stateDir} devices approve ${REQUEST}`);
  expect(out).toMatch(/rejected +by the owner/);
  expect(out).toMatch(/operator\.write until 2027-\S+ \S+ UTC\S* \(in 1 h\) by device c1c1c1c1c1c1/);
  expect(out).toMatch(/approved +by the owner, 3 d ago/);
  expect(out).toMatch(/last seen +now, 2 sessions now/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing of the claims may reach the terminal
  expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  expect(cli.calls.map((c) => c.method)).toEqual(['device.pair.list']);
});

test('rule: --json is the answer as it came', async () => {
  await cli.gateway(list());
  const { out, err } = await cli.run(['devices', 'list', '--json']);
  expect(JSON.parse(out)).toEqual({ pending: [request], paired: [paired] });
  expect(err).toBe('');
});

test.each([{}, { pending: 5, paired: [null, 7, {}] }, { pending: [{}, 'x'], paired: [{ grants: 'x' }] }, null, []])(
  'rule: an answer of another shape is shown as far as it goes: %j',
  async (payload) => {
    await cli.gateway({ 'device.pair.list': { payload } });
    expect((await cli.run(['devices', 'list'])).code).toBe(0);
  },
);

test('A20 approve sends scopes and end, and says what was given', async () => {
  await cli.gateway({
    'device.pair.approve': {
      payload: {
        requestId: REQUEST,
        device: paired,
        changed: true,
        given: [{ scope: 'operator.read', untilMs: NOW + 1 }],
      },
    },
  });
  const argv = [
    'devices',
    'approve',
    REQUEST,
    '--scope',
    'operator.read,operator.talk',
    '--scope',
    'x',
    '--for',
    '12h',
  ];
  const { code, out } = await cli.run(argv);
  expect(code).toBe(0);
  expect(cli.calls).toEqual([
    {
      method: 'device.pair.approve',
      params: { requestId: REQUEST, scopes: ['operator.read', 'operator.talk', 'x'], untilMs: NOW + 43_200_000 },
    },
  ]);
  expect(out).toContain('Approved: d1d1d1d1d1d1 "tablet"');
});

test('A5 the beginning of an id is enough, if it is one', async () => {
  const approve = { 'device.pair.approve': { payload: { device: paired, given: [] } } };
  await cli.gateway({ ...list([request, { ...request, requestId: '947e0000-b673' }]), ...approve });
  expect((await cli.run(['devices', 'approve', '947ea'])).code).toBe(0);
  expect(cli.calls.at(-1)?.params).toEqual({ requestId: REQUEST });
  expect(await cli.run(['devices', 'approve', '947e'])).toMatchObject({
    code: 2,
    err: expect.stringMatching(
      / {2}947ea31b-\S+ {2}"lap\\u202etop.*, 2 min ago\n {2}947e0000-b673 .*\n.*means 2 requests/,
    ),
  });
  expect(await cli.run(['devices', 'reject', '947'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('4 characters'),
  });
});

test('rule: a device where a request is meant approves nothing, and its open request is named', async () => {
  const second = { ...request, requestId: 'b'.repeat(36), deviceId: 'd1'.repeat(32), displayName: 'tablet' };
  await cli.gateway(list([request, second]));
  for (const given of ['d1d1', 'tablet', 'd1'.repeat(32)]) {
    const { code, err } = await cli.run(['devices', 'approve', given]);
    expect(code).toBe(2);
    expect(err).toContain(`'${given}' is a device, not a request`);
    expect(err).toContain(`run: latchkey devices approve ${second.requestId}`);
  }
  expect(cli.calls.every((c) => c.method === 'device.pair.list')).toBe(true);
});

test('rule: a name that several devices have lists them, one a line', async () => {
  await cli.gateway(list([], [paired, { ...paired, deviceId: 'e1'.repeat(32) }]));
  const { code, err } = await cli.run(['devices', 'remove', 'tablet']);
  expect(code).toBe(2);
  expect(err).toMatch(/^ {2}d1d1d1d1d1d1 {2}"tablet", 5 min ago\n {2}e1e1e1e1e1e1 {2}"tablet"/);
});

test('rule: what a time box has ended is not called a holding', async () => {
  const entry = { scope: 'operator.read', untilMs: NOW - 60_000, by: owner };
  await cli.gateway(list([], [{ ...paired, grants: [{ role: 'operator', by: owner, atMs: NOW, scopes: [entry] }] }]));
  expect((await cli.run(['devices', 'list'])).out).toMatch(/operator +operator\.read ended at 2027-\S+ \S+ UTC/);
});

test.each([
  [['narrow', '--scope', 'a'], 'no device is named'],
  [['rename', 'tablet', 'x'.repeat(65)], "the name can't be used"],
  [['ensure', '--key', 'K', '--none'], "--key can't be used"],
])('rule: devices %j is refused here, in words', async (argv, what) => {
  await cli.gateway(list());
  const { code, err } = await cli.run(['devices', ...argv]);
  expect(code).toBe(2);
  expect(err).toContain(`latchkey: ${what}\n`);
  expect(err).not.toMatch(/device\.(pair|grant|token)\./);
  expect(cli.calls).toEqual([]);
});

test('rule: approve without an id prints the commands, and approves nothing', async () => {
  await cli.gateway(list());
  expect(await cli.run(['devices', 'approve'])).toMatchObject({
    code: 2,
    out: expect.stringContaining(`devices approve ${REQUEST}`),
  });
  const { out } = await cli.run(['devices', 'approve', '--json']);
  expect(JSON.parse(out).commands).toEqual([`latchkey devices approve ${REQUEST}`]);
  expect(cli.calls.every((c) => c.method === 'device.pair.list')).toBe(true);
});

test.each([
  ['y', 0],
  ['n', 2],
  ['', 2],
  ['yes please', 2],
])('rule: on a terminal approve asks; %j ends with %i', async (typed, code) => {
  await cli.gateway({ ...list(), 'device.pair.approve': { payload: { device: paired, given: [] } } });
  expect((await cli.run(['devices', 'approve'], { typed })).code).toBe(code);
  expect(cli.calls.some((c) => c.method === 'device.pair.approve')).toBe(code === 0);
});

const D1 = 'd1'.repeat(32);
const KEY = 'K'.repeat(43);
test.each([
  [['narrow', 'd1d1', '--scope', 'a'], 'device.grant.narrow', { deviceId: D1, role: 'operator', scopes: ['a'] }],
  [['narrow', '--device', 'tablet', '--none'], 'device.grant.narrow', { deviceId: D1, role: 'operator', scopes: [] }],
  [['rotate', D1, '--role', 'node'], 'device.token.rotate', { deviceId: D1, role: 'node' }],
  [['revoke', 'tablet'], 'device.token.revoke', { deviceId: D1, role: 'operator' }],
  [['remove', D1, '--with-all'], 'device.pair.remove', { deviceId: D1, withAll: true }],
  [['rename', D1, 'Kitchen'], 'device.pair.rename', { deviceId: D1, label: 'Kitchen' }],
  [['rename', D1], 'device.pair.rename', { deviceId: D1, label: null }],
  [['rename', '--device', D1, '--name', 'Kitchen'], 'device.pair.rename', { deviceId: D1, label: 'Kitchen' }],
  [['reject', REQUEST], 'device.pair.reject', { requestId: REQUEST }],
  [
    ['ensure', '--key', KEY, '--scope', 'a', '--scope', 'b', '--for', '1h', '--name', 'CI'],
    'device.pair.ensure',
    { publicKey: KEY, role: 'operator', scopes: ['a', 'b'], untilMs: NOW + 3_600_000, displayName: 'CI' },
  ],
])('rule: devices %j cli.calls %s', async (argv, method, params) => {
  await cli.gateway({ ...list(), [method]: { payload: {} } });
  expect((await cli.run(['devices', ...argv])).code).toBe(0);
  expect(cli.calls.at(-1)).toEqual({ method, params });
});

test('A9 what a removal leaves behind is said, and the secret is rotated where that was wanted', async () => {
  const payload = { deviceId: D1, closedSessions: 1, approved: [{ deviceId: DEVICE }], secretHolderCanReturn: true };
  await cli.gateway({
    ...list(),
    'device.pair.remove': { payload },
    'gateway.secret.rotate': { payload: { closedSessions: 3, revoked: [] } },
  });
  const plain = await cli.run(['devices', 'remove', D1]);
  expect(plain.out).toContain('still paired: c1c1c1c1c1c1');
  expect(plain.out).toContain('latchkey gateway secret rotate');
  const rotated = await cli.run(['devices', 'remove', D1, '--rotate-secret', '--json']);
  expect(JSON.parse(rotated.out)).toEqual({ ...payload, secret: { closedSessions: 3, revoked: [] } });
});

const GONE = [
  ['narrow', 'device.grant.narrow', ['--none']],
  ['revoke', 'device.token.revoke', []],
  ['remove', 'device.pair.remove', []],
] as const;
test.each(GONE)('A9 what goes on is said by devices %s, with the command that ends it', async (name, method, more) => {
  const said = async (runs: readonly (readonly [string, string])[], runsTotal = runs.length) => {
    await cli.end();
    cli = new Scripted(cli.home, NOW);
    const payload = { changed: true, runs: runs.map(([sessionKey, runId]) => ({ sessionKey, runId })), runsTotal };
    await cli.gateway({ ...list(), [method]: { payload } });
    return (await cli.run(['devices', name, D1, ...more])).out;
  };
  expect(await said([])).not.toContain('on');
  expect(await said([['agent:main:main', 'r1']])).toContain(
    'One run that it began goes on. To end it: latchkey agent --abort --session agent:main:main --id r1\n',
  );
  // What was said in the same session is in one run: one command ends it.
  const both = await said([
    ['agent:main:a', 'r1'],
    ['agent:main:a', 'r2'],
    ["agent:main:b's", 'r3'],
  ]);
  expect(both).toContain('3 runs that it began go on. To end them:\n  latchkey agent --abort --session agent:main:a');
  expect(both.match(/--id/g)).toHaveLength(2);
  // Ids and keys are of the device's making: none of it reaches the terminal or the shell as anything else.
  const evil = await said([
    ['agent:main:main', '\u001b[2J'],
    ['agent:main:x\u202e', 'r2'],
    ['agent:main:c', '-rf'],
  ]);
  expect(evil).toContain('  latchkey agent --abort --session agent:main:main\n');
  expect(evil).toContain('  latchkey agent --abort --session agent:main:c\n  and in 1 more: latchkey sessions list\n');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing of it may reach the terminal
  expect(evil).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  expect(await said([], 2)).toContain('2 runs that it began go on. Where is told to who holds operator.read.\n');
});
