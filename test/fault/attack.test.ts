// Holes that an attacker found once, each as it was used. They stay closed.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { Partner, plainParams } from '../partner/client.ts';
import { type ConnectParams, type Identity, newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';

let gateway: Gateway;
let owner: Peer;
let secret: string;
beforeAll(async () => {
  // No secret in the configuration: one is generated, and can be rotated.
  gateway = await start({ config: { gateway: { auth: { token: undefined } } } });
  owner = await gateway.owner();
  secret = (await gateway.cli(['gateway', 'secret', 'show'])).stdout.trim();
});
afterAll(() => gateway.stop());

async function ensure(identity: Identity, scopes: readonly string[]) {
  const answer = await owner.call('device.pair.ensure', { publicKey: identity.publicKey, role: 'operator', scopes });
  expect(answer.ok, JSON.stringify(answer)).toBe(true);
}

/** Without `scopes`: asks for the whole grant. */
function whole(more: Partial<ConnectParams> = {}): ConnectParams {
  const { scopes: _scopes, ...params } = plainParams(more);
  return params;
}

async function enter(identity: Identity) {
  const peer = await Partner.open({ port: gateway.port });
  await peer.connect(whole(), { identity });
  return peer;
}

test.each([9_007_199_254_740_992, 1.5, 1e300, -1, 60_000])(
  'A20 an end of %d is refused, and nothing is stored',
  async (untilMs) => {
    const identity = newIdentity();
    const before = await owner.call('device.pair.list', {});
    const answer = await owner.call('device.pair.ensure', {
      publicKey: identity.publicKey,
      role: 'operator',
      scopes: ['operator.read'],
      untilMs,
    });
    expect(answer.ok).toBe(false);
    expect(JSON.stringify(answer)).toContain('invalid device.pair.ensure params');
    expect(await owner.call('device.pair.list', {})).toMatchObject({
      payload: (before as { payload: unknown }).payload,
    });
  },
);

test('threat 8 the params of a refused duplicate are nobody else’s', async () => {
  const identity = newIdentity();
  await ensure(identity, ['operator.read']);
  const peer = await enter(identity);
  const upgrade = await peer.call('device.scopes.requestUpgrade', { scopes: ['operator.write'] });
  const requestId = (upgrade as { payload: { requestId: string } }).payload.requestId;
  const send = (method: string, params: unknown) => peer.send({ type: 'req', id: 'X', method, params });
  send('device.scopes.waitUpgrade', { requestId, timeoutMs: 300 });
  send('device.grant.narrow', { deviceId: identity.id, scopes: [] });
  await peer.call('health', {});
  await new Promise((resolve) => setTimeout(resolve, 500));
  send('device.token.rotate', { deviceId: identity.id });
  await peer.call('health', {});
  const list = (await owner.call('device.pair.list', {})) as {
    payload: { paired: { deviceId: string; scopes: string[] }[] };
  };
  expect(list.payload.paired.find((d) => d.deviceId === identity.id)?.scopes).toEqual(['operator.read']);
  peer.end();
});

test('A5 an ask has a bound, however many connects add to it', async () => {
  const identity = newIdentity();
  for (let round = 0; round < 5; round += 1) {
    const peer = await Partner.open({ port: gateway.port });
    const commands = Array.from({ length: 200 }, (_, i) => `r${round}.c${i}`);
    await peer.refusal(await peer.connect(plainParams({ role: 'node', scopes: [], commands }), { identity }));
  }
  const list = (await owner.call('device.pair.list', {})) as {
    payload: { pending: { deviceId: string; scopes: string[] }[] };
  };
  expect(list.payload.pending.find((p) => p.deviceId === identity.id)?.scopes.length).toBeLessThanOrEqual(32);
});

test('A14 D5 what the old secret could still give by codes ends with it', async () => {
  const session = await Partner.open({ port: gateway.port });
  await session.connect(whole({ auth: { token: secret } }));
  const made = (await session.call('device.code.create', { scopes: ['operator.admin'] })) as {
    payload: { code: string };
  };
  const rotated = await owner.call('gateway.secret.rotate', {});
  expect(rotated.ok, JSON.stringify(rotated)).toBe(true);
  const late = await Partner.open({ port: gateway.port });
  const params = plainParams({ auth: { bootstrapToken: made.payload.code } });
  const refused = await late.refusal(await late.connect(params, { identity: newIdentity() }));
  expect(JSON.stringify(refused)).toContain('PAIRING_REQUIRED');
});

test('A16 a paired key is no place to try secrets from', async () => {
  const identity = newIdentity();
  await ensure(identity, ['operator.read']);
  const ignored = async (token: string) => {
    const peer = await Partner.open({ port: gateway.port });
    const hello = await peer.connect(plainParams({ auth: { token } }), { identity });
    peer.end();
    return hello.payload.auth.ignored;
  };
  for (let i = 0; i < 12; i += 1) expect(await ignored(`wrong ${i}`)).toEqual(['secret']);
  // From here on the right one looks like a wrong one.
  const right = await gateway.cli(['gateway', 'secret', 'show']);
  expect(await ignored(right.stdout.trim())).toEqual(['secret']);
});

test('threat 29 what is sent while a connect is judged is bounded, and nothing of it is kept', async () => {
  const before = rssOf(gateway.pid);
  const peers = await Promise.all(Array.from({ length: 40 }, () => Partner.open({ port: gateway.port })));
  for (const [i, peer] of peers.entries()) {
    peer.send({
      type: 'req',
      id: 'c',
      method: 'connect',
      params: plainParams({ auth: { token: `wrong guess ${i}` } }),
    });
    for (let k = 0; k < 16; k += 1)
      peer.send({ type: 'req', id: `q${k}`, method: 'health', params: Array.from({ length: 20_000 }, () => ({})) });
  }
  await owner.call('health', {});
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await owner.call('health', {});
  expect(rssOf(gateway.pid) - before).toBeLessThan(250 * 1024 * 1024);
  for (const peer of peers) peer.end();
});

function rssOf(pid: number): number {
  const { readFileSync } = process.getBuiltinModule('node:fs');
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

test('A8 a waiting socket is answered, even when what it waited for is given and taken in one breath', async () => {
  for (let round = 0; round < 10; round += 1) {
    const identity = newIdentity();
    const peer = await Partner.open({ port: gateway.port });
    // The code is nobody's; it makes the second look at this connect take the way through the store.
    const params = plainParams({ caps: ['latchkey.wait'], auth: { bootstrapToken: `none ${round}` } });
    const answer = peer.connect(params, { identity });
    const waiting = await peer.event('connect.waiting');
    await Promise.all([
      owner.call('device.pair.approve', { requestId: waiting.payload.requestId }),
      owner.call('device.token.revoke', { deviceId: identity.id, role: 'operator' }),
    ]);
    // Let in and closed, or refused: never left standing.
    expect(typeof (await answer).ok).toBe('boolean');
    await peer.closed;
  }
});

test('threat 37 a call that waits is small: a large one holds no room while it does', async () => {
  const identity = newIdentity();
  await ensure(identity, []);
  const peer = await enter(identity);
  const upgrade = await peer.call('device.scopes.requestUpgrade', { scopes: ['operator.read'] });
  const params = { requestId: upgrade.ok ? upgrade.payload.requestId : '', timeoutMs: 200 };
  const large = { ...params, filler: 'x'.repeat(20 * 1024 * 1024) };
  const refused = await peer.call('device.scopes.waitUpgrade', large, { timeoutMs: 20_000 });
  expect(refused).toMatchObject({ ok: false, error: { code: 'INVALID_REQUEST' } });
  expect(await peer.call('device.scopes.waitUpgrade', params)).toMatchObject({
    ok: true,
    payload: { status: 'pending' },
  });
  peer.end();
});
