// A17, THREATS.md D5.52: every secret that a gateway meets is a canary, and everything that it writes, prints or sends
// is searched for it.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { files, found, heard, type Places } from '../attack/leak.ts';
import { type Gateway, start } from '../gateway.ts';
import type { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Payload, Peer } from '../partner/peer.ts';
import { openWebSocket } from '../partner/websocket.ts';
import { isLinux } from '../process.ts';
import { ADMIN, asking, attempt, gist, once, paired, READ, remove, rotate, session } from '../scenario/act.ts';

const canary = (name: string) => `canary-${name}-${randomBytes(12).toString('hex')}`;

function everything(gateway: Gateway): Places {
  const proc = isLinux
    ? Object.fromEntries(['cmdline', 'environ'].map((name) => [name, readFileSync(`/proc/${gateway.pid}/${name}`)]))
    : {};
  return { ...files(join(gateway.stateDir, '..')), ...proc, printed: Buffer.from(gateway.logs()) };
}

describe('threat 52: a configured secret', () => {
  let gateway: Gateway;
  let owner: Peer;
  let watcher: Partner;
  const secrets: Record<string, string> = {
    'shared secret': canary('shared'),
    'unused password': canary('password'),
    'wrong token': canary('wrong'),
    'wrong token beside a key': canary('wrong-keyed'),
    'wrong password': canary('wrong-password'),
    'wrong device token': randomBytes(32).toString('base64url'),
    'wrong code': canary('wrong-code'),
    'in the query': canary('query'),
    'in a header': canary('header'),
    'in a cookie': canary('cookie'),
    'in params': canary('params'),
  };
  const of = (name: string) => secrets[name] ?? '';
  const open: Partner[] = [];

  beforeAll(async () => {
    gateway = await start({
      config: {
        gateway: { auth: { token: of('shared secret'), password: of('unused password'), rateLimit: { lockoutMs: 0 } } },
        logging: { level: 'trace', consoleLevel: 'trace', consoleStyle: 'json' },
      },
    });
    owner = await gateway.owner();
    watcher = (await session(gateway, await paired(owner, [ADMIN]))).partner;
    open.push(watcher);
  });
  afterAll(async () => {
    for (const partner of open) partner.end();
    await gateway?.stop();
  });

  const place = () => ({ port: gateway.port });

  async function wrongOnes(): Promise<void> {
    const tries: readonly (readonly [Record<string, unknown>, boolean])[] = [
      [{ token: of('wrong token') }, false],
      [{ token: of('wrong token beside a key') }, true],
      [{ password: of('wrong password') }, false],
      [{ password: of('wrong password') }, true],
      [{ deviceToken: of('wrong device token') }, true],
      [{ token: of('wrong device token') }, true],
      [{ bootstrapToken: of('wrong code') }, true],
      [{ token: of('wrong token'), trust: of('in params') }, true],
    ];
    for (const [auth, keyed] of tries) {
      const answer = await once(place(), asking([READ], { auth }), keyed ? { identity: newIdentity() } : {});
      expect(answer.ok, JSON.stringify(auth)).toBe(false);
      // Not even to whoever sent it.
      expect(found(secrets, { answer: Buffer.from(JSON.stringify(answer)) })).toEqual([]);
    }
  }

  async function elsewhere(): Promise<void> {
    const headers = { Authorization: `Bearer ${of('in a header')}`, Cookie: `session=${of('in a cookie')}` };
    for (const path of [`/?token=${of('in the query')}`, `/nowhere?access_token=${of('in the query')}`]) {
      const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, { headers });
      expect(found(secrets, { body: Buffer.from(await response.text()) })).toEqual([]);
      const ws = await openWebSocket({ port: gateway.port, path, headers });
      ws.sendText('{"no":"connect"}');
      await ws.closed;
    }
    // Answers to whoever sent these may quote them; nobody else may hear of them.
    const clumsy = await gateway.owner();
    const params = {
      requestId: of('in params'),
      deviceId: of('in params'),
      scopes: [of('in params')],
      secret: of('in params'),
    };
    for (const method of [
      'device.pair.approve',
      'device.pair.remove',
      'device.grant.narrow',
      'config.get',
      'device.code.create',
    ])
      await clumsy.call(method, params);
    const { partner } = await session(gateway, await paired(owner, [READ]));
    open.push(partner);
    await partner.call('device.scopes.requestUpgrade', { scopes: [of('in params').slice(0, 60)] });
  }

  it('A17 nothing that it wrote, printed or told others has any of them', async () => {
    // The right secret: without a key, pairing, and as a stale credential beside a granted key.
    const right = asking([ADMIN], { auth: { token: of('shared secret') } });
    const keyless = await attempt(place(), right);
    const mine: Identity = newIdentity();
    const phone = await attempt(place(), right, { identity: mine });
    open.push(keyless.partner, phone.partner);
    expect([gist(keyless.answer), gist(phone.answer)]).toEqual(['ok', 'ok']);
    // Device tokens: the one from the hello, and the one that rotating returns to its own device.
    const hello: Payload = phone.answer.payload;
    secrets['device token'] = hello.auth.deviceToken;
    const rotated = await rotate(phone.partner, mine);
    secrets['rotated device token'] = rotated.ok ? rotated.payload.token : '';
    expect(secrets['rotated device token']).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(gist(await once(place(), asking([READ], { auth: { token: of('device token') } }), { identity: mine }))).toBe(
      'ok',
    );
    expect(gist(await rotate(owner, mine))).toBe('ok');
    // Setup codes: redeemed, tried twice, never used.
    for (const name of ['setup code', 'unused setup code']) {
      secrets[name] = (await phone.partner.ask('device.code.create', { role: 'operator', scopes: [READ] })).code;
    }
    const tablet = newIdentity();
    const redeem = asking([READ], { auth: { bootstrapToken: of('setup code') } });
    const redeemed = await attempt(place(), redeem, { identity: tablet });
    open.push(redeemed.partner);
    expect(gist(redeemed.answer)).toBe('ok');
    expect(gist(await once(place(), redeem, { identity: newIdentity() }))).toBe('NOT_PAIRED PAIRING_REQUIRED');
    await wrongOnes();
    await elsewhere();
    expect(gist(await remove(owner, tablet))).toBe('ok');
    for (const method of ['config.get', 'status', 'health', 'system-presence', 'device.pair.list'])
      expect(gist(await watcher.call(method, {})), method).toBe('ok');
    const commands = await Promise.all(
      [
        ['status', '--json'],
        ['devices', 'list', '--json'],
        ['--verbose', 'devices', 'approve', 'nothing'],
      ].map((args) => gateway.cli(args)),
    );
    const said = { commands: Buffer.from(commands.map(({ stdout, stderr }) => stdout + stderr).join('\n')) };
    for (const [name, secret] of Object.entries(secrets)) expect(secret.length, name).toBeGreaterThan(20);

    const allowed = ['shared secret: s/latchkey.json', 'unused password: s/latchkey.json'];
    expect(found(secrets, { ...everything(gateway), ...said, ...heard({ owner, watcher }) }).toSorted()).toEqual(
      allowed,
    );
    // What was heard and written is not nothing.
    expect(watcher.received.length).toBeGreaterThan(10);
    expect(Object.keys(everything(gateway))).toEqual(
      expect.arrayContaining(['s/logs/gateway.jsonl', 's/state/latchkey.sqlite', 's/run/gateway.json']),
    );
    expect(gateway.logs()).toContain('"refused"');
  });

  it('A17 nor after it has ended and written what it held back', async () => {
    await gateway.halt();
    const places = { ...files(join(gateway.stateDir, '..')), printed: Buffer.from(gateway.logs()) };
    expect(found(secrets, places).toSorted()).toEqual([
      'shared secret: s/latchkey.json',
      'unused password: s/latchkey.json',
    ]);
  });
});

describe('threat 52: a generated secret and the keys', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start({ config: { gateway: { auth: { token: undefined } }, logging: { level: 'trace' } } });
  });
  afterAll(() => gateway?.stop());

  const identity = () => JSON.parse(readFileSync(join(gateway.stateDir, 'identity', 'gateway.json'), 'utf8'));
  const ONLY = 's/identity/gateway.json';

  it('A17 they stand in identity/gateway.json and nowhere else; a rotated one nowhere at all', async () => {
    const { secret, key, tokenKey } = identity();
    const secrets = { secret, key, tokenKey };
    for (const [name, value] of Object.entries(secrets)) expect(value, name).toMatch(/^[A-Za-z0-9_-]{32,}$/);
    const owner = await gateway.owner();
    await owner.ask('connect', asking([ADMIN]));
    const opened = await attempt({ port: gateway.port }, asking([ADMIN], { auth: { token: secret } }));
    expect(gist(opened.answer)).toBe('ok');
    await opened.partner.ask('config.get', {});
    const heardNow = heard({ owner, session: opened.partner });
    expect(found(secrets, { ...everything(gateway), ...heardNow })).toEqual([
      `secret: ${ONLY}`,
      `key: ${ONLY}`,
      `tokenKey: ${ONLY}`,
    ]);
    const rotated = await owner.ask('gateway.secret.rotate', {});
    expect((await opened.partner.closed).code).toBe(4001);
    const next: string = identity().secret;
    expect(next).not.toBe(secret);
    const all = { ...everything(gateway), ...heard({ owner }), answer: Buffer.from(JSON.stringify(rotated)) };
    expect(found({ old: secret, next }, all)).toEqual([`next: ${ONLY}`]);
    // The old one is a wrong guess from now on, and as such it isn't written down either.
    const place = { port: gateway.port };
    expect(gist(await once(place, asking([READ], { auth: { token: secret } })))).toMatch(/TOKEN_MISMATCH/);
    expect(gist(await once(place, asking([READ], { auth: { token: next } })))).toBe('ok');
    expect(found({ old: secret, next }, everything(gateway))).toEqual([`next: ${ONLY}`]);
  });
});
