import { afterEach, beforeEach, expect, test } from 'vitest';
import { SigningKey } from '../system/crypto.ts';
import { newNonce, randomBytes } from '../system/random.ts';
import { type HandshakeOptions, StillWaiting, type Waiting } from './handshake.ts';
import { connectTo, ScriptedGateway, scriptedSigner, type Visit } from './node/scripted.ts';

const READ = 'operator.read';
const FOREIGN = ['operator.admin', READ];
const device = scriptedSigner();
const foreign = scriptedSigner();
let gateway: ScriptedGateway;

beforeEach(async () => {
  gateway = new ScriptedGateway();
  await gateway.listen();
});
afterEach(() => gateway.end());

const connect = (more: Partial<HandshakeOptions> = {}, toldLk?: string) =>
  connectTo(gateway, { device, foreignDevice: () => foreign, foreignScopes: FOREIGN, ...more }, toldLk);

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
  await expect(connect({ pin: null, onWaiting })).rejects.toMatchObject({ name: 'Distrust' });
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
  const earlier = (_key: string, id: string) => (id === 'req-1' ? kept : null);
  await expect(connect({ onWaiting, earlier })).rejects.toBeInstanceOf(StillWaiting);
  expect(told[1]?.code).toBe(told[0]?.code);
  expect(connectOf(1).device.latchkey.r).not.toBe(kept?.r);
  // That request ended unseen, and this socket opened the next: its code is made of this socket's parts.
  gateway.script = {
    connect: (visit, params) => visit.event('connect.waiting', gateway.waiting(visit, params, { requestId: 'req-2' })),
  };
  await expect(connect({ onWaiting, earlier })).rejects.toBeInstanceOf(StillWaiting);
  expect(told[2]?.code).toMatch(/^\d{4} \d{4}$/);
  // The known request with another commitment than the one that it was opened with: chosen afterwards.
  gateway.script = { connect: (visit, params) => visit.event('connect.waiting', gateway.waiting(visit, params)) };
  await expect(connect({ onWaiting, earlier })).rejects.toMatchObject({ kind: 'false-code' });
  // A request of another run: no code, and that is said; a gateway whose key is known may.
  gateway.script = {
    connect: (visit, params) => visit.event('connect.waiting', gateway.waiting(visit, params, { code: null, s: null })),
  };
  await expect(connect({ onWaiting })).rejects.toBeInstanceOf(StillWaiting);
  expect(told[3]?.code).toBeNull();
});

test('A10: a cached token goes to the gateway that gave it and to no other; what is given goes before it', async () => {
  const cached = { token: 'cached-token', gatewayKey: gateway.key.publicKey, deviceId: device.id };
  const auth = async (more: Partial<HandshakeOptions>) => {
    (await connect(more)).client.close();
    return connectOf(gateway.visits.length - 1).auth;
  };
  expect(await auth({ cached })).toEqual({ deviceToken: 'cached-token' });
  expect(await auth({ cached, given: { token: 'given' } })).toEqual({ token: 'given' });
  expect(await auth({ cached: { ...cached, gatewayKey: other.publicKey } })).toBeUndefined();
  expect(await auth({ cached: { ...cached, gatewayKey: null }, pin: null })).toBeUndefined();
  expect(await auth({ cached: { ...cached, deviceId: foreign.id } })).toBeUndefined();
});

test('rule: another gateway gets v2, protocol 3 to 4, auth.token alone, and the same scopes each time', async () => {
  gateway.script = {
    challenge: (visit) => ({ nonce: visit.nonce, ts: 1_699_999_000_000 }),
    connect: (visit) => visit.answer({ type: 'hello-ok', protocol: 3, server: { version: '2026.2.19' } }),
  };
  const cached = { token: 'cached-token', gatewayKey: null, deviceId: foreign.id };
  const session = await connect({ pin: null, cached });
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
  const again = await connect({ pin: null, scopes: [], cached: { ...cached, gatewayKey: gateway.key.publicKey } });
  expect(connectOf(1).auth).toBeUndefined();
  expect(connectOf(1).scopes).toEqual(FOREIGN);
  again.client.close();
  // Nor one that was given to another key of this host.
  (await connect({ pin: null, cached: { ...cached, deviceId: device.id } })).client.close();
  expect(connectOf(2).auth).toBeUndefined();
});

test('A18: who proves no key is shown none that is known elsewhere, only the one of that address', async () => {
  gateway.script = { challenge: plain };
  const session = await connect({ pin: null });
  const { device: shown } = connectOf();
  expect([shown.id, shown.publicKey]).toEqual([foreign.id, foreign.publicKey]);
  expect(session.deviceId).toBe(foreign.id);
  expect(JSON.stringify(sent())).not.toContain(device.id);
  expect(JSON.stringify(sent())).not.toContain(device.publicKey);
  expect(gateway.isSigned(gateway.visits[0] as Visit, connectOf())).toBe(true);
  session.client.close();
  gateway.script = {};
  const proven = await connect({ pin: null });
  expect([proven.deviceId, connectOf(1).device.id]).toEqual([device.id, device.id]);
  proven.client.close();
});

test('A19: a gateway that is met first and shows no code is not waited for, whatever it knows of earlier asks', async () => {
  let shown = 0;
  const onWaiting = () => {
    shown += 1;
    return 0;
  };
  gateway.script = {
    connect: (visit, params) => visit.event('connect.waiting', gateway.waiting(visit, params, { code: null, s: null })),
  };
  const kept = { r: newNonce(), nonce: newNonce() };
  for (const earlier of [null, () => kept]) {
    await expect(connect({ pin: null, onWaiting, earlier })).rejects.toMatchObject({
      name: 'Distrust',
      kind: 'no-code',
      requestId: 'req-1',
    });
  }
  // A code of another connection, which is not known here, is none either: its part may have been chosen for ours.
  let first: { visit: Visit; params: unknown } | null = null;
  gateway.script = {
    connect(visit, params) {
      if (first !== null) visit.event('connect.waiting', gateway.waiting(first.visit, first.params));
      else first = { visit, params };
      if (first.visit === visit) visit.close(1000);
    },
  };
  await connect({ pin: null, onWaiting }).catch(() => {});
  await expect(connect({ pin: null, onWaiting })).rejects.toMatchObject({ kind: 'no-code' });
  expect(shown).toBe(0);
});
