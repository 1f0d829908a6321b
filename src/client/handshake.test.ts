import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../system/clock.ts';
import { SigningKey, sha256 } from '../system/crypto.ts';
import { newNonce, randomBytes } from '../system/random.ts';
import { parseAddress } from './address.ts';
import { Client } from './client.ts';
import { type HandshakeOptions, handshake, StillWaiting, type Waiting } from './handshake.ts';
import { nodeCrypto } from './node/crypto.ts';
import { ScriptedGateway, type Visit } from './node/scripted.ts';
import { openWebSocket } from './node/websocket.ts';

const READ = 'operator.read';
const FOREIGN = ['operator.admin', READ];
const after = (ms: number, run: () => void) => systemClock.after(ms, run);
const key = new SigningKey(randomBytes(32));
const device = {
  id: sha256(Buffer.from(key.publicKey, 'base64url')).toString('hex'),
  publicKey: key.publicKey,
  sign: (text: string) => key.sign(text),
};
let gateway: ScriptedGateway;

beforeEach(async () => {
  gateway = new ScriptedGateway();
  await gateway.listen();
});
afterEach(() => gateway.end());

/** One connect, with its own gateway's key pinned unless told otherwise. */
async function connect(more: Partial<HandshakeOptions> = {}, toldLk?: string) {
  const address = parseAddress(`ws://127.0.0.1:${gateway.port}`);
  if (!address.ok) throw new Error(address.error);
  const lk = newNonce();
  const transport = await openWebSocket({
    address: address.value,
    lk: toldLk ?? lk,
    tlsFingerprint: null,
    insecure: false,
    timeoutMs: 5_000,
    after,
  });
  return handshake(new Client(transport, after), {
    host: address.value.host,
    lk,
    pin: gateway.key.publicKey,
    device,
    client: { id: 'cli', mode: 'cli', version: '1', platform: 'linux' },
    role: 'operator',
    scopes: [READ],
    foreignScopes: FOREIGN,
    given: {},
    cached: null,
    contribution: null,
    crypto: nodeCrypto,
    after,
    now: () => 1_700_000_000_000,
    newNonce,
    silenceMs: 5_000,
    onWaiting: () => 5_000,
    ...more,
  });
}

/** What the client sent in all: nothing may have gone to a gateway that isn't trusted. */
const sent = () => gateway.visits.flatMap((visit) => visit.sent);
const connectOf = (at = 0) => gateway.visits[at]?.sent[0]?.params;

test('A18: a proven gateway is sent a text that names its key and the host that was dialed, and can wait', async () => {
  const session = await connect();
  const params = connectOf();
  expect(gateway.isSigned(gateway.visits[0] as Visit, params)).toBe(true);
  expect(params.device.latchkey).toMatchObject({
    gatewayKey: gateway.key.publicKey,
    host: `127.0.0.1:${gateway.port}`,
  });
  expect(params).toMatchObject({ minProtocol: 3, maxProtocol: 4, scopes: [READ], caps: ['latchkey.wait'] });
  expect(params.auth).toBeUndefined();
  expect(session.gatewayKey).toBe(gateway.key.publicKey);
  expect(session.hello).toMatchObject({ held: [READ], missing: [], ignored: [], protocol: 4 });
  session.client.close();
});

test('A1, A4: hello tells held, missing, what covers it, and which credentials did not count', async () => {
  gateway.script = {
    connect: (visit) =>
      visit.answer(
        gateway.hello({
          scopes: [],
          missing: [READ],
          requestId: 'req-7',
          ignored: ['secret'],
          unknown: ['x'],
          notStored: true,
        }),
      ),
  };
  const { hello, client } = await connect({ given: { token: 'wrong' } });
  expect(hello).toMatchObject({
    held: [],
    missing: [READ],
    requestId: 'req-7',
    rejected: false,
    ignored: ['secret'],
    unknown: ['x'],
    notStored: true,
  });
  client.close();
});

const other = new SigningKey(randomBytes(32));
const plain = (visit: Visit) => ({ nonce: visit.nonce, ts: 1, capabilities: [] });
const lies: readonly [string, string, (visit: Visit) => Record<string, unknown>][] = [
  ['no proof', 'no-proof', plain],
  ['an empty proof', 'false-proof', (visit) => ({ ...plain(visit), gateway: {} })],
  ['another key', 'changed-key', (visit) => ({ ...plain(visit), gateway: gateway.proof(visit, other) })],
  [
    'our key, signed by another',
    'false-proof',
    (visit) => ({
      ...plain(visit),
      gateway: { key: gateway.key.publicKey, signature: gateway.proof(visit, other).signature },
    }),
  ],
  [
    'a proof for another client nonce',
    'false-proof',
    (visit) => ({ ...plain(visit), gateway: gateway.proof({ ...visit, lk: newNonce() }) }),
  ],
  [
    'a proof for another host, as one in between hands on',
    'false-proof',
    (visit) => ({ ...plain(visit), gateway: gateway.proof({ ...visit, host: 'gateway.example:18789' }) }),
  ],
  [
    'a proof for another nonce',
    'false-proof',
    (visit) => ({ ...plain(visit), gateway: gateway.proof({ ...visit, nonce: newNonce() }) }),
  ],
];
test.each(lies)('A18: with a pin and %s nothing is sent', async (_name, kind, challenge) => {
  gateway.script = { challenge };
  const given = { token: 'the-secret', bootstrapToken: 'the-code' };
  await expect(connect({ given })).rejects.toMatchObject({ name: 'Distrust', kind });
  expect(sent()).toEqual([]);
});

test('A18: a changed key is told with both keys; without a pin the first proven key is handed back', async () => {
  const pin = other.publicKey;
  await expect(connect({ pin })).rejects.toMatchObject({ pinned: pin, offered: gateway.key.publicKey });
  const session = await connect({ pin: null });
  expect(session.gatewayKey).toBe(gateway.key.publicKey);
  session.client.close();
  gateway.script = { challenge: (visit) => ({ ...plain(visit), gateway: gateway.proof({ ...visit, host: 'x' }) }) };
  await expect(connect({ pin: null })).rejects.toMatchObject({ kind: 'false-proof' });
  expect(sent()).toHaveLength(1);
});

test('A18: a proof that was made for one connection opens no other', async () => {
  // The client believes it sent another nonce than the one that arrived: as if its frames were handed on.
  await expect(connect({}, newNonce())).rejects.toMatchObject({ kind: 'false-proof' });
  expect(sent()).toEqual([]);
});

test('rule: another program, a silent one, one that hangs up: each is told apart, and nothing is sent', async () => {
  gateway.script = { challenge: () => null };
  await expect(connect({ silenceMs: 50 })).rejects.toMatchObject({ name: 'NoAnswer' });
  gateway.script = { challenge: (visit) => visit.close(1013, 'starting') };
  await expect(connect()).rejects.toMatchObject({ name: 'ConnectionLost', code: 1013 });
  gateway.script = { challenge: () => ({ nonce: 'a|b' }) };
  await expect(connect()).rejects.toMatchObject({ name: 'Distrust', kind: 'foreign' });
  gateway.script = { challenge: (visit) => visit.event('hello', {}) };
  await expect(connect()).rejects.toMatchObject({ name: 'Distrust', kind: 'foreign' });
  expect(sent()).toEqual([]);
  gateway.script = { connect: () => {} };
  await expect(connect({ silenceMs: 50 })).rejects.toMatchObject({ name: 'NoAnswer' });
  gateway.script = { connect: (visit) => visit.answer({ type: 'welcome' }) };
  await expect(connect()).rejects.toMatchObject({ name: 'Distrust', kind: 'foreign' });
});

test('A8, A19: a wait is a state with the code computed here, until hello comes under the same connect', async () => {
  const told: Waiting[] = [];
  gateway.script = {
    connect(visit, params) {
      visit.event('connect.waiting', gateway.waiting(visit, params));
      // In one breath with the events after it: none of them is lost.
      setTimeout(() => {
        visit.answer(gateway.hello());
        visit.event('health', { n: 1 });
        visit.event('health', { n: 2 });
      }, 20);
    },
  };
  const session = await connect({ onWaiting: (waiting) => told.push(waiting) * 5_000 });
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({ requestId: 'req-1', asked: [READ], held: [], expiresAtMs: 1_700_000_600_000 });
  expect(told[0]?.code).toMatch(/^\d{4} \d{4}$/);
  expect(told[0]?.contribution).toEqual({
    r: connectOf().device.latchkey.r,
    nonce: gateway.visits[0]?.nonce,
  });
  await new Promise((done) => setTimeout(done, 30));
  const heard: unknown[] = [];
  session.listen((event) => heard.push(event.payload));
  expect(heard).toEqual([{ n: 1 }, { n: 2 }]);
  session.client.close();
});

test('A8: a refusal ends the wait; who waits long enough is told that the request stays open', async () => {
  const wait = (then: (visit: Visit) => void) => {
    gateway.script = {
      connect(visit, params) {
        visit.event('connect.waiting', gateway.waiting(visit, params));
        then(visit);
      },
    };
  };
  wait((visit) => visit.refuse({ code: 'NOT_PAIRED', message: 'no', details: { refusal: 'rejected' } }));
  await expect(connect()).rejects.toMatchObject({ name: 'RemoteError', refusal: 'rejected' });
  wait(() => {});
  await expect(connect({ onWaiting: () => 0 })).rejects.toBeInstanceOf(StillWaiting);
  // Nothing but the connect was ever sent while it waited.
  expect(sent().map((frame) => frame.method)).toEqual(['connect', 'connect']);
});

const falseCodes: readonly [string, (visit: Visit, params: unknown) => Record<string, unknown>][] = [
  ['another code', (visit, params) => gateway.waiting(visit, params, { code: '0000 0000' })],
  ['a code alone', (visit, params) => gateway.waiting(visit, params, { s: null })],
  ['what it is made of, and no code', (visit, params) => gateway.waiting(visit, params, { code: null })],
  [
    'a code whose part was chosen after ours was seen',
    // It may grind as long as it likes: the commitment went out before.
    (visit, params) => gateway.waiting({ ...visit, s: newNonce() }, params),
  ],
  ['no request', (visit, params) => gateway.waiting(visit, params, { requestId: 'x; rm -rf /' })],
];
test.each(falseCodes)('A19: %s ends the connection before anything is shown', async (_name, payload) => {
  let shown = 0;
  gateway.script = {
    connect(visit, params) {
      visit.event('connect.waiting', payload(visit, params));
      // Even with the welcome in the same breath.
      visit.answer(gateway.hello());
    },
  };
  const onWaiting = () => {
    shown += 1;
    return 5_000;
  };
  await expect(connect({ onWaiting })).rejects.toMatchObject({ name: 'Distrust' });
  expect(shown).toBe(0);
});

test('A19: the code of an open request is the same on the next socket, and counts only for the first commitment', async () => {
  const told: Waiting[] = [];
  const onWaiting = (waiting: Waiting) => told.push(waiting) * 0;
  let first: { visit: Visit; params: unknown } | null = null;
  gateway.script = {
    connect(visit, params) {
      first ??= { visit, params };
      visit.event('connect.waiting', gateway.waiting(first.visit, first.params));
    },
  };
  await expect(connect({ onWaiting })).rejects.toBeInstanceOf(StillWaiting);
  const kept = told[0]?.contribution ?? null;
  await expect(connect({ onWaiting, contribution: () => kept })).rejects.toBeInstanceOf(StillWaiting);
  expect(told[1]?.code).toBe(told[0]?.code);
  expect(connectOf(1).device.latchkey.r).toBe(kept?.r);
  // A request that this very socket opened: its s was committed to after r had been shown.
  first = null;
  await expect(connect({ onWaiting, contribution: () => kept })).rejects.toBeInstanceOf(StillWaiting);
  expect(told[2]?.code).toBeNull();
  // A request of another run: no code, and that is said.
  gateway.script = {
    connect: (visit, params) => visit.event('connect.waiting', gateway.waiting(visit, params, { code: null, s: null })),
  };
  await expect(connect({ onWaiting })).rejects.toBeInstanceOf(StillWaiting);
  expect(told[3]?.code).toBeNull();
});

test('A10: a cached token goes to the gateway that gave it and to no other; what is given goes before it', async () => {
  const cached = { token: 'cached-token', gatewayKey: gateway.key.publicKey };
  const auth = async (more: Partial<HandshakeOptions>) => {
    (await connect(more)).client.close();
    return connectOf(gateway.visits.length - 1).auth;
  };
  expect(await auth({ cached })).toEqual({ deviceToken: 'cached-token' });
  expect(await auth({ cached, given: { token: 'given' } })).toEqual({ token: 'given' });
  expect(await auth({ cached: { ...cached, gatewayKey: other.publicKey } })).toBeUndefined();
  expect(await auth({ cached: { ...cached, gatewayKey: null }, pin: null })).toBeUndefined();
});

test('rule: another gateway gets v2, protocol 3 to 4, auth.token alone, and the same scopes each time', async () => {
  gateway.script = {
    challenge: (visit) => ({ nonce: visit.nonce, ts: 1_699_999_000_000 }),
    connect: (visit) => visit.answer({ type: 'hello-ok', protocol: 3, server: { version: '2026.2.19' } }),
  };
  const session = await connect({ pin: null, cached: { token: 'cached-token', gatewayKey: null } });
  const params = connectOf();
  expect(session.gatewayKey).toBeNull();
  expect(session.hello.held).toBeNull();
  expect(params).toMatchObject({ minProtocol: 3, maxProtocol: 4, scopes: FOREIGN, caps: [] });
  expect(params.auth).toEqual({ token: 'cached-token' });
  expect(Object.keys(params.device).sort()).toEqual(['id', 'nonce', 'publicKey', 'signature', 'signedAt']);
  // Its own clock, which it compares with.
  expect(params.device.signedAt).toBe(1_699_999_000_000);
  expect(gateway.isSigned(gateway.visits[0] as Visit, params)).toBe(true);
  session.client.close();
  // A token that a gateway with a key gave is none of its business.
  const again = await connect({ pin: null, scopes: [], cached: { token: 't', gatewayKey: gateway.key.publicKey } });
  expect(connectOf(1).auth).toBeUndefined();
  expect(connectOf(1).scopes).toEqual(FOREIGN);
  again.client.close();
});
