// A gateway that nobody on this host knows yet, or somebody in its place: what it is shown, and what it can make a person
// do (A18, A19).
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { credentialsPath } from '../client/node/credentials.ts';
import { readDeviceIdentity } from '../client/node/identity.ts';
import { ScriptedGateway, type Visit } from '../client/node/scripted.ts';
import type { MethodName } from '../core/protocol/registry.ts';
import { systemClock } from '../system/clock.ts';
import { isFailure } from '../system/failure.ts';
import { contextOf, type Globals, type Host } from './context.ts';
import { withRemote } from './remote.ts';
import { aimOf } from './remote-target.ts';

const READ = 'operator.read';
let home = '';
let gateway: ScriptedGateway;
let err = '';

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'lk-rs-'));
  gateway = new ScriptedGateway();
  await gateway.listen();
  err = '';
});
afterEach(async () => {
  await gateway.end();
  rmSync(home, { recursive: true, force: true });
});

const stateDir = () => join(home, 's');
const url = () => `ws://127.0.0.1:${gateway.port}`;

/** `latchkey status --url …`: its answer, or the failure. */
async function run(globals: Globals = {}, env = {}, methods: readonly MethodName[] = ['status']): Promise<unknown> {
  const write = (text: string) => {
    err += text;
  };
  const host = {
    env: { LATCHKEY_STATE_DIR: stateDir(), ...env },
    clock: systemClock,
    version: '1.2.3',
    output: () => ({ out: () => {}, err: write, colour: false, interactive: false }),
  } as unknown as Host;
  const context = contextOf({ url: url(), ...globals }, host);
  try {
    const target = await aimOf(context);
    if (target === null) throw new Error('it stays here');
    return await withRemote(context, target, methods, (call) => call(methods[0] ?? 'status'));
  } catch (error) {
    if (isFailure(error)) return error;
    throw error;
  }
}

const connectOf = (at = gateway.visits.length - 1) => gateway.visits[at]?.sent[0]?.params;
const credentials = () => JSON.parse(readFileSync(credentialsPath(stateDir()), 'utf8')).gateways;
const device = () => {
  const identity = readDeviceIdentity(stateDir());
  if (identity === null) throw new Error('there is no identity');
  return identity;
};
const proofless = (visit: Visit) => ({ nonce: visit.nonce, ts: 1 });
const refusing = (refusal: string, more = {}) => ({
  connect: (visit: Visit) =>
    visit.refuse({ code: 'NOT_PAIRED', message: 'no', details: { refusal, requestId: 'theirs', ...more } }),
});

test('A18: what a gateway without a key is shown, told and remembered by is of its address alone, and opens nothing else', async () => {
  gateway.script = {
    challenge: proofless,
    connect: (visit) => visit.answer(gateway.hello({ deviceToken: 'token-1' })),
  };
  await run();
  const { id, publicKey, forAddress } = device();
  const there = forAddress(url());
  expect(connectOf().device).toMatchObject({ id: there.id, publicKey: there.publicKey });
  expect(credentials()[url()].deviceToken).toMatchObject({ deviceId: there.id, token: 'token-1' });
  await run();
  expect(connectOf().auth).toEqual({ token: 'token-1' });
  gateway.script = {
    challenge: proofless,
    connect: (visit) => visit.refuse({ code: 'NOT_PAIRED', message: 'no', details: { requestId: 'theirs' } }),
  };
  // Whose request it names nobody can tell; which device is ours, a person can compare.
  const isOpenClaws = async () =>
    expect(((await run()) as { run: string }).run).toContain(
      `openclaw devices list --json   (approve what device ${there.id} `,
    );
  await isOpenClaws();
  // One that hands our frames on to a Latchkey gateway gets nothing approved there by that gateway's words.
  for (const refusal of ['pairing_required', 'rejected']) {
    gateway.script = { ...refusing(refusal), challenge: proofless };
    await isOpenClaws();
  }
  expect(err).not.toContain('theirs');
  const sent = JSON.stringify(gateway.visits.map((visit) => visit.sent));
  for (const secret of [id, publicKey]) expect(sent).not.toContain(secret);
});

test('A19: without a code a first ask is refused; what is named rejects that request, or pairs this very key', async () => {
  gateway.script = {
    connect: (visit, params) => visit.event('connect.waiting', gateway.waiting(visit, params, { code: null, s: null })),
  };
  for (const _time of [1, 2]) {
    const failure = (await run({ wait: 0 })) as { exitCode: number; run: string };
    expect(failure.exitCode).toBe(1);
    expect(failure.run).toContain("on the gateway's host: latchkey devices reject req-1 ");
    expect(failure.run).toContain(
      `latchkey devices ensure --key ${device().publicKey} --role operator --scope ${READ})`,
    );
    expect(failure.run + err).not.toMatch(/approve req|another run/);
    expect(err).not.toContain('waiting for approval');
  }
});

test('A19: a known gateway may have no code to show, and still nobody is told to approve an id without one', async () => {
  await run();
  gateway.script = {
    connect: (visit, params) => visit.event('connect.waiting', gateway.waiting(visit, params, { code: null, s: null })),
  };
  const failure = (await run({ wait: 0 })) as { exitCode: number; run: string };
  expect(failure.exitCode).toBe(75);
  expect(failure.run).toContain(`devices ensure --key ${device().publicKey}`);
  expect(err).toContain('latchkey devices reject req-1');
  expect(failure.run + err).not.toContain('approve req-1');
});

test('A19: two runs that ask first at the same moment show one code', async () => {
  let opened: { visit: Visit; params: unknown } | null = null;
  gateway.script = {
    connect(visit, params) {
      opened ??= { visit, params };
      visit.event('connect.waiting', gateway.waiting(opened.visit, opened.params));
    },
  };
  const [first, second] = (await Promise.all([run({ wait: 0 }), run({ wait: 0 })])) as { why: string }[];
  const code = /code \d{4} \d{4}/;
  expect(code.exec(first?.why ?? '')?.[0]).toBeDefined();
  expect(code.exec(second?.why ?? '')?.[0]).toBe(code.exec(first?.why ?? '')?.[0]);
});

test('A19: a code that is false is forgotten, and the next ask begins with a contribution of its own', async () => {
  gateway.script = { connect: (visit, params) => visit.event('connect.waiting', gateway.waiting(visit, params)) };
  await run({ wait: 0 });
  // The known request, made of another connection's parts.
  expect(await run({ wait: 0 })).toMatchObject({ run: expect.stringContaining('devices reject req-1') });
  expect(await run({ wait: 0 })).toMatchObject({ why: expect.stringMatching(/code \d{4} \d{4}/) });
  const [opened, asked] = [gateway.visits.at(-1) as Visit, connectOf()];
  gateway.script = {
    connect: (visit) => visit.event('connect.waiting', gateway.waiting(opened, asked, { code: '0000 0000' })),
  };
  for (const _time of [1, 2]) {
    expect(await run({ wait: 0 })).toMatchObject({ exitCode: 1, run: expect.stringContaining('devices reject req-1') });
  }
});

test.each(['pairing_required', 'rejected'])(
  'A19: a stranger that answers %s does not get the request approved that it names; a known one does',
  async (refusal) => {
    gateway.script = refusing(refusal);
    const failure = (await run()) as { run: string };
    expect(failure.run).not.toContain('theirs');
    expect(failure.run).toContain(`latchkey devices list   (approve what device ${device().id} asks`);
    gateway.script = {};
    await run();
    gateway.script = refusing(refusal);
    expect(await run()).toMatchObject({ run: "on the gateway's host: latchkey devices approve theirs" });
  },
);

test('A19: nor does one that lets it in with less than was asked', async () => {
  gateway.script = {
    connect: (visit) => visit.answer(gateway.hello({ scopes: [], missing: [READ], requestId: 'theirs' })),
    call: (visit, method) => visit.answer({ method, status: 'approved' }),
  };
  await run({ wait: 1_000 });
  expect(err).toContain(`devices list   (approve what device ${device().id} asks`);
  expect(err).not.toContain('theirs');
});

test('T8, A16: a wrong secret is named by where it came from, with what to run', async () => {
  const file = join(home, 'latchkey.json');
  const secret = join(home, 'secret');
  writeFileSync(secret, 'from-a-file\n');
  const config = { gateway: { mode: 'remote', remote: { url: url(), token: 'from-the-config' } } };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  gateway.script = {
    connect: (visit) =>
      visit.refuse({ code: 'INVALID_REQUEST', message: 'm', details: { refusal: 'secret_mismatch' } }),
  };
  const own = { LATCHKEY_CONFIG_PATH: file };
  const places: readonly [string, Globals, Record<string, string>, string][] = [
    ['--token', { token: 'secret-1' }, {}, 'secret-1'],
    ['--password', { password: 'secret-1' }, {}, 'secret-1'],
    [`--token-file ${secret}`, { tokenFile: secret }, {}, 'from-a-file'],
    ['LATCHKEY_GATEWAY_TOKEN', {}, { LATCHKEY_GATEWAY_TOKEN: 'from-env' }, 'from-env'],
    [`gateway.remote.token in ${file}`, {}, own, 'from-the-config'],
  ];
  for (const [from, globals, env, value] of places) {
    err = '';
    const failure = (await run(globals, env)) as { exitCode: number; why: string; run: string };
    expect(Object.values(connectOf().auth)).toEqual([value]);
    expect(failure.exitCode).toBe(1);
    expect(failure.why).toContain(`${from} is not this gateway's`);
    expect(failure.run).toContain("on the gateway's host: latchkey gateway secret show");
    expect(failure.run).toContain(from);
    expect(failure.why + failure.run + err).not.toContain(value);
  }
});

test('A14: where nobody answers at the first place of a setup code, the next ones are tried; the key must be theirs', async () => {
  const gone = new ScriptedGateway();
  await gone.listen();
  const away = `ws://127.0.0.1:${gone.port}`;
  await gone.end();
  const codeFile = (more: object) => {
    const code = { url: away, urls: [away, url()], bootstrapToken: 'boot', ...more };
    const file = join(home, 'code');
    writeFileSync(file, Buffer.from(JSON.stringify(code)).toString('base64url'));
    return { url: undefined, setupCodeFile: file } as unknown as Globals;
  };
  expect(await run(codeFile({ gatewayKey: 'A'.repeat(43) }))).toMatchObject({ exitCode: 78 });
  expect(connectOf()).toBeUndefined();
  expect(await run(codeFile({ gatewayKey: gateway.key.publicKey }))).toEqual({ method: 'status' });
  expect(connectOf().auth).toEqual({ bootstrapToken: 'boot' });
  expect(err).toContain(`no gateway answers at ${away}; trying ${url()}`);
  expect(Object.keys(credentials())).toEqual([url()]);
  // A place that answers and refuses is an answer.
  gateway.script = refusing('rejected');
  const { length } = gateway.visits;
  await run(codeFile({ urls: [url(), away], url: url() }));
  expect(gateway.visits).toHaveLength(length + 1);
  expect(await run(codeFile({ urls: [] }))).toMatchObject({ exitCode: 75, what: expect.stringContaining(away) });
  expect(existsSync(stateDir())).toBe(true);
});
