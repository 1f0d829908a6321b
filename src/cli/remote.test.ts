import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { credentialsPath } from '../client/node/credentials.ts';
import { ScriptedGateway, type Visit } from '../client/node/scripted.ts';
import type { LinkState } from '../client/reconnect.ts';
import type { MethodName } from '../core/protocol/registry.ts';
import { systemClock } from '../system/clock.ts';
import { SigningKey } from '../system/crypto.ts';
import { isFailure } from '../system/failure.ts';
import { makeSelfSigned } from '../system/selfsigned.ts';
import { gatewayTrust } from './command/gateway-trust.ts';
import { contextOf, type Globals, type Host } from './context.ts';
import { linkRemote, withRemote } from './remote.ts';
import { aimOf } from './remote-target.ts';

const READ = 'operator.read';
let home = '';
let gateway: ScriptedGateway;
let out = '';
let err = '';

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'lk-rm-'));
  gateway = new ScriptedGateway();
  await gateway.listen();
  out = '';
  err = '';
});
afterEach(async () => {
  await gateway.end();
  rmSync(home, { recursive: true, force: true });
});

const stateDir = () => join(home, 's');
const url = () => `ws://127.0.0.1:${gateway.port}`;

function context(globals: Globals = {}, env: Record<string, string> = {}) {
  const host = {
    env: { LATCHKEY_STATE_DIR: stateDir(), ...env },
    clock: systemClock,
    version: '1.2.3',
    output: () => ({
      out: (text: string) => {
        out += text;
      },
      err: (text: string) => {
        err += text;
      },
      colour: false,
      interactive: false,
    }),
  } as unknown as Host;
  return contextOf({ url: url(), ...globals }, host);
}

/** `latchkey status --url …`: its answer, or the failure. */
async function run(globals: Globals = {}, methods: readonly MethodName[] = ['status'], env = {}): Promise<unknown> {
  const c = context(globals, env);
  try {
    const target = await aimOf(c);
    if (target === null) throw new Error('it stays here');
    return await withRemote(c, target, methods, (call) => call(methods[0] ?? 'status'));
  } catch (error) {
    if (isFailure(error)) return error;
    throw error;
  }
}

const connectOf = (at = gateway.visits.length - 1) => gateway.visits[at]?.sent[0]?.params;
const credentials = () => JSON.parse(readFileSync(credentialsPath(stateDir()), 'utf8')).gateways;
const sent = () => gateway.visits.flatMap((visit) => visit.sent);

/** Approved after so long. */
const approving = (afterMs: number, more: (visit: Visit) => void = () => {}) => ({
  connect(visit: Visit, params: unknown) {
    visit.event('connect.waiting', gateway.waiting(visit, params));
    more(visit);
    setTimeout(() => visit.answer(gateway.hello()), afterMs);
  },
});

test('A18: the first proven key is remembered and said once; what a connect learns nothing from writes nothing', async () => {
  expect(await run()).toEqual({ method: 'status' });
  expect(connectOf()).toMatchObject({ scopes: [READ], client: { id: 'cli', mode: 'cli', version: '1.2.3' } });
  expect(err).toContain(`has to prove this key: ${gateway.key.publicKey}`);
  expect(credentials()[url()]).toMatchObject({ gatewayKey: gateway.key.publicKey, deviceToken: null });
  const before = statSync(credentialsPath(stateDir())).ino;
  err = '';
  expect(await run()).toEqual({ method: 'status' });
  expect(err).toBe('');
  expect(statSync(credentialsPath(stateDir())).ino).toBe(before);
  const [first, second] = [connectOf(0), connectOf(1)];
  expect(second.device.id).toBe(first.device.id);
});

test('A8, A19: it waits, shows who, where, the code and what to run there, once, and goes on when approved', async () => {
  gateway.script = approving(60);
  expect(await run({ json: true })).toEqual({ method: 'status' });
  const code = gateway.waiting(gateway.visits[0] as Visit, connectOf(0)).code as string;
  expect(err.match(/waiting for approval/g)).toHaveLength(1);
  expect(err).toContain(`waiting for approval at ${url()}`);
  expect(err).toContain(code);
  expect(err).toContain('latchkey devices approve req-1');
  expect(err).toContain(READ);
  expect(err).toContain(gateway.key.publicKey);
  expect(out).toBe('');
  // Of the ask nothing is left once it is answered.
  expect(credentials()[url()].asking).toBeNull();
});

test('A8: whoever stops waiting leaves the request open, and the next run shows the same code', async () => {
  let opened: { visit: Visit; params: unknown } | null = null;
  gateway.script = {
    connect(visit, params) {
      opened ??= { visit, params };
      visit.event('connect.waiting', gateway.waiting(opened.visit, opened.params));
    },
  };
  const failure = await run({ wait: 0 });
  expect(failure).toMatchObject({
    exitCode: 75,
    why: expect.stringMatching(/req-1 \(code \d{4} \d{4}\)/),
    run: "on the gateway's host: latchkey devices approve req-1",
  });
  const [code] = /\d{4} \d{4}/.exec(err) ?? [];
  err = '';
  await run({ wait: 0 });
  expect(err).toContain(code);
  expect(connectOf(1).device.latchkey.r).not.toBe(connectOf(0).device.latchkey.r);
  expect(credentials()[url()].gatewayKey).toBeNull();
});

test('A18, A19: the gateway whose code a person may be comparing is not another one at the next dial', async () => {
  gateway.script = { connect: (visit, params) => visit.event('connect.waiting', gateway.waiting(visit, params)) };
  await run({ wait: 0 });
  const asked = credentials()[url()].asking.gatewayKey;
  Object.assign(gateway, { key: new SigningKey(randomBytes(32)) });
  gateway.script = {};
  const failure = (await run()) as { what: string; why: string };
  expect(`${failure.what} ${failure.why}`).toContain(asked);
  expect(gateway.visits.at(-1)?.sent).toEqual([]);
  expect(credentials()[url()].gatewayKey).toBeNull();
});

test('A8: a connection that is lost while it waits is opened again, and the wait goes on', async () => {
  let opened: { visit: Visit; params: unknown } | null = null;
  gateway.script = {
    connect(visit, params) {
      const isFirst = opened === null;
      opened ??= { visit, params };
      visit.event('connect.waiting', gateway.waiting(opened.visit, opened.params));
      if (isFirst) setTimeout(() => visit.close(1012, 'service restart'), 10);
      else setTimeout(() => visit.answer(gateway.hello()), 10);
    },
  };
  expect(await run()).toEqual({ method: 'status' });
  expect(err.match(/waiting for approval/g)).toHaveLength(1);
  expect(err).toContain('trying again');
  expect(gateway.mostOpen).toBe(1);
});

test('A16: a gateway that is starting is tried again in its own time, one that refuses is not', async () => {
  let starts = 2;
  const starting = { code: 'UNAVAILABLE', message: 'gateway starting', retryable: true, retryAfterMs: 20 };
  gateway.script = {
    connect(visit) {
      starts -= 1;
      if (starts < 0) visit.answer(gateway.hello());
      else visit.refuse({ ...starting, details: { reason: 'startup-sidecars', refusal: 'starting' } }, 1013);
    },
  };
  expect(await run()).toEqual({ method: 'status' });
  expect(gateway.visits).toHaveLength(3);
  const refusing = (refusal: string, more = {}) => {
    gateway.script = {
      connect: (visit) =>
        visit.refuse({ code: 'NOT_PAIRED', message: 'pairing required\u001b[2J', details: { refusal, ...more } }),
    };
  };
  refusing('rejected', { requestId: 'req-9' });
  expect(await run()).toMatchObject({
    exitCode: 1,
    why: 'the gateway says: pairing required\\u001b[2J',
    run: "on the gateway's host: latchkey devices approve req-9",
  });
  refusing('ask_expired');
  expect(await run()).toMatchObject({ exitCode: 75, run: 'connect again to ask again' });
  refusing('rejected', { requestId: '$(reboot)' });
  expect(await run()).toMatchObject({ run: "on the gateway's host: latchkey devices list" });
  gateway.script = {
    challenge: (visit) => ({ nonce: visit.nonce, ts: 1 }),
    connect: (visit) => visit.refuse({ code: 'NOT_PAIRED', message: 'pairing required', details: { requestId: 'q' } }),
  };
  rmSync(credentialsPath(stateDir()));
  expect(await run()).toMatchObject({ run: expect.stringContaining("on the gateway's host: openclaw devices list") });
  expect(gateway.visits).toHaveLength(7);
});

test('A18: a changed key ends the connect with both keys; the command that it names accepts the new one', async () => {
  await run();
  const old = gateway.key.publicKey;
  const { port } = gateway;
  await gateway.end();
  gateway = new ScriptedGateway();
  await gateway.listen(port);
  const failure = (await run({ token: 'the-secret' })) as { exitCode: number; why: string; run: string };
  expect(failure.exitCode).toBe(78);
  expect(failure.why).toContain(old);
  expect(failure.why).toContain(gateway.key.publicKey);
  expect(sent()).toEqual([]);
  const [, key] = new RegExp(`^latchkey gateway trust --url ${url()} --key (\\S+)`).exec(failure.run) ?? [];
  expect(await gatewayTrust(context(), [], { key })).toBe(0);
  expect(await run()).toEqual({ method: 'status' });
  // Another program in its place, on purpose.
  gateway.script = { challenge: (visit) => ({ nonce: visit.nonce, ts: 1 }) };
  const dropped = (await run()) as { run: string };
  expect(dropped.run).toMatch(/^latchkey gateway trust --url \S+ --forget /);
  await gatewayTrust(context(), [], { forget: true });
  expect(await run()).toEqual({ method: 'status' });
});

test('A18: of two commands that meet a gateway first, the later can not put another key in the place of the first', async () => {
  const stranger = 'C'.repeat(43);
  gateway.script = {
    connect(visit) {
      // While this one is being let in, another command was, by another gateway.
      void gatewayTrust(context(), [], { key: stranger }).then(() => visit.answer(gateway.hello()));
    },
  };
  expect(await run()).toMatchObject({ exitCode: 78, why: expect.stringContaining(stranger) });
  expect(credentials()[url()].gatewayKey).toBe(stranger);
});

test('A10: a token is cached, shown to the gateway that gave it, healed by its hello, and left out for others', async () => {
  const token = (value: string) => {
    gateway.script = { connect: (visit) => visit.answer(gateway.hello({ deviceToken: value })) };
  };
  token('token-1');
  await run();
  token('token-2');
  await run();
  expect(connectOf(1).auth).toEqual({ deviceToken: 'token-1' });
  expect(credentials()[url()].deviceToken).toMatchObject({ token: 'token-2', role: 'operator' });
  await run({ token: 'given' });
  expect(connectOf(2).auth).toEqual({ token: 'given' });
  expect(err).toContain('every user of this host can read the token');
  const secretFile = join(home, 'secret');
  writeFileSync(secretFile, 'from-a-file\n');
  await run({ passwordFile: secretFile });
  expect(connectOf(3).auth).toEqual({ password: 'from-a-file' });
  // Of another key: not ours to show.
  rmSync(join(stateDir(), 'identity', 'device.json'));
  await run();
  expect(connectOf(4).auth).toBeUndefined();
});

test('A14: a setup code brings URL, key and code; its key counts before any word of the gateway', async () => {
  const code = (more: object) => {
    const file = join(home, 'code');
    const text = Buffer.from(JSON.stringify({ url: url(), bootstrapToken: 'boot', ...more })).toString('base64url');
    writeFileSync(file, text);
    return file;
  };
  const globals = (more: object) => ({ url: undefined, setupCodeFile: code(more) }) as unknown as Globals;
  const stranger = 'A'.repeat(43);
  expect(await run(globals({ gatewayKey: stranger }))).toMatchObject({ exitCode: 78 });
  expect(sent()).toEqual([]);
  expect(await run(globals({ gatewayKey: gateway.key.publicKey }))).toEqual({ method: 'status' });
  expect(connectOf().auth).toEqual({ bootstrapToken: 'boot' });
  expect(credentials()[url()].gatewayKey).toBe(gateway.key.publicKey);
  // It is a person's word, so it also takes the place of what was known.
  await gatewayTrust(context(), [], { key: stranger });
  expect(await run(globals({ gatewayKey: gateway.key.publicKey }))).toEqual({ method: 'status' });
  expect(err).toContain(`in place of ${stranger}`);
  writeFileSync(join(home, 'code'), 'eyJ1cmwiOi');
  const broken = { url: undefined, setupCodeFile: join(home, 'code') } as unknown as Globals;
  expect(await run(broken)).toMatchObject({ exitCode: 2, run: expect.stringContaining('devices code') });
});

test('A18: a self-signed certificate is refused with its SHA-256, and taken once a person has said so', async () => {
  await gateway.end();
  const pem = await makeSelfSigned(['127.0.0.1'], systemClock.now());
  const fingerprint = createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
  gateway = new ScriptedGateway(pem);
  await gateway.listen();
  const secure = { url: `wss://127.0.0.1:${gateway.port}` };
  expect(await run(secure)).toMatchObject({
    exitCode: 78,
    run: expect.stringContaining(`gateway trust --url ${secure.url} --tls-fingerprint ${fingerprint} `),
  });
  expect(gateway.visits).toHaveLength(0);
  await gatewayTrust(context(secure), [], { tlsFingerprint: fingerprint });
  expect(await run(secure)).toEqual({ method: 'status' });
  expect(credentials()[secure.url]).toMatchObject({ tlsFingerprint: fingerprint, gatewayKey: gateway.key.publicKey });
  await gatewayTrust(context(secure), [], { tlsFingerprint: 'ab'.repeat(32) });
  expect(await run(secure)).toMatchObject({ exitCode: 78, why: expect.stringContaining(fingerprint) });
});

test('A1: a paired device that misses something is told what to run; with --wait it waits for it', async () => {
  const asked: unknown[] = [];
  gateway.script = {
    connect: (visit) => visit.answer(gateway.hello({ scopes: [], missing: [READ], requestId: 'req-5' })),
    call(visit, method, params) {
      asked.push([method, params]);
      if (method === 'device.scopes.waitUpgrade') return visit.answer({ status: 'approved', requestId: 'req-5' });
      visit.answer({ ok: asked.length });
    },
  };
  expect(await run()).toEqual({ ok: 1 });
  expect(await run({ wait: 60_000 })).toEqual({ ok: 3 });
  expect(asked[1]).toEqual(['device.scopes.waitUpgrade', { requestId: 'req-5', timeoutMs: 60_000 }]);
  expect(err).toContain('latchkey devices approve req-5');
});

test('rule: what is wrong with a URL, or in the way, is said with what to run, and nothing is made for it', async () => {
  expect(await run({ url: 'https://gateway.example' })).toMatchObject({ exitCode: 2 });
  expect(existsSync(stateDir())).toBe(false);
  expect(await run({ url: 'ws://192.0.2.1:9' })).toMatchObject({ exitCode: 2, run: expect.stringContaining('wss://') });
  const { port } = gateway;
  await gateway.end();
  gateway = new ScriptedGateway();
  expect(await run({ url: `ws://127.0.0.1:${port}` })).toMatchObject({ exitCode: 75, why: 'ECONNREFUSED' });
});

test('A16, T19: a link tells why it pauses, comes back, and ends with a failure where nothing helps', async () => {
  const c = context();
  const target = await aimOf(c);
  if (target === null) throw new Error('it stays here');
  const states: LinkState[] = [];
  let told = () => {};
  const until = async (kind: LinkState['kind'], count = 1) => {
    while (states.filter((state) => state.kind === kind).length < count) {
      await new Promise<void>((done) => {
        told = done;
      });
    }
  };
  const link = await linkRemote(c, target, ['status'], {
    onState: (state) => {
      states.push(state);
      told();
    },
    onEvent: () => {},
  });
  await until('connected');
  expect(await link.request('status', {}, 5_000)).toEqual({ method: 'status' });
  gateway.visits[0]?.close(1012, 'service restart');
  await until('connected', 2);
  expect(states.map((state) => state.kind)).toEqual(['connecting', 'connected', 'pausing', 'connecting', 'connected']);
  expect(gateway.mostOpen).toBe(1);
  gateway.script = {
    connect: (visit) => visit.refuse({ code: 'X', message: 'no', details: { refusal: 'signature' } }),
  };
  gateway.cut();
  await until('ended');
  const last = states.at(-1);
  expect(last?.kind === 'ended' && last.error).toMatchObject({ name: 'Failure', exitCode: 1 });
  link.close();
});
