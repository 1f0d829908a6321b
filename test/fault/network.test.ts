// THREATS.md D3: what a request says of the way that it came, names that are not this gateway's, and where it listens.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FOREIGN_HOSTS } from '../attack/name.ts';
import { rawTo } from '../attack/target.ts';
import { type Gateway, latchkey, newStateDir, removeStateDir, start } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { isLinux, listeners } from '../process.ts';
import { ADMIN, asking, type attempt, gist, granted, once, paired, READ, rows } from '../scenario/act.ts';

const raw = (port: number, bytes: string) => rawTo({ port, address: '127.0.0.1' }, bytes);

describe('threat 23: names that are not its own', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start({ config: { gateway: { allowedHosts: ['gateway.example'] } } });
  });
  afterAll(() => gateway?.stop());

  const UPGRADE = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n`;

  it.each(FOREIGN_HOSTS)('threat 23 Host: %s', async (name) => {
    const host = name.replaceAll('PORT', String(gateway.port));
    for (const path of ['/', '/healthz', '/readyz', '/nowhere']) {
      const answer = await raw(gateway.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(answer, path).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect(answer, path).not.toMatch(/latchkey devices|"status":"live"|"ready":/);
    }
    const upgrade = await raw(gateway.port, `GET / HTTP/1.1\r\nHost: ${host}\r\n${UPGRADE}\r\n`);
    expect(upgrade).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(upgrade).not.toContain('connect.challenge');
  });

  it('threat 23 no Host, in 1.0 and 1.1, and two of them', async () => {
    const own = `Host: 127.0.0.1:${gateway.port}\r\n`;
    for (const lines of ['', `${own}${own}`, `${own}Host: evil.example\r\n`, `Host: evil.example\r\n${own}`]) {
      for (const version of lines === '' ? ['1.0', '1.1'] : ['1.1']) {
        for (const more of ['Connection: close\r\n', UPGRADE]) {
          const answer = await raw(gateway.port, `GET / HTTP/${version}\r\n${lines}${more}\r\n`);
          expect(answer, `${version} ${lines}`).toMatch(/^HTTP\/1\.[01] 4\d\d /);
        }
      }
    }
  });

  it('threat 23 its own names are answered, whatever port they name', async () => {
    const good = [
      '127.0.0.1',
      `127.0.0.1:${gateway.port}`,
      '127.0.0.1:1',
      'LOCALHOST',
      '[::1]:80',
      'Gateway.Example:443',
    ];
    for (const host of good) {
      const answer = await raw(gateway.port, `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(answer, host).toMatch(/^HTTP\/1\.1 200 [\s\S]*"status":"live"/);
      expect(await raw(gateway.port, `GET / HTTP/1.1\r\nHost: ${host}\r\n${UPGRADE}\r\n`), host).toMatch(
        /^HTTP\/1\.1 101 /,
      );
    }
  });
});

describe('threat 25: whom a header claims to speak for', () => {
  let gateway: Gateway;
  let owner: Peer;
  beforeAll(async () => {
    gateway = await start({ config: { gateway: { auth: { rateLimit: { maxAttempts: 1, lockoutMs: 60_000 } } } } });
    owner = await gateway.owner();
  });
  afterAll(() => gateway?.stop());

  const claims = (i: number) => [
    { 'X-Forwarded-For': `198.51.100.${i}` },
    { Forwarded: `for=198.51.100.${i}` },
    { 'X-Real-IP': `198.51.100.${i}` },
    { 'CF-Connecting-IP': `198.51.100.${i}` },
    { 'True-Client-IP': `198.51.100.${i}` },
  ];

  it('threat 25 an ask is listed under the address that it came from, never a claimed one', async () => {
    for (const headers of claims(7)) {
      const identity = newIdentity();
      const answer = await once({ port: gateway.port, headers }, asking([READ]), { identity });
      expect(gist(answer)).toBe('NOT_PAIRED PAIRING_REQUIRED');
      const [row] = (await rows(owner, identity)).open;
      expect(JSON.stringify(row)).not.toContain('198.51.100');
      expect(row.remoteIp).toBe('127.0.0.1');
    }
  });

  it('threat 25 a claimed address is no fresh budget of guesses', async () => {
    const guesses = claims(8)
      .concat(claims(9))
      .map(async (headers, i) => {
        const partner = await Partner.open({ port: gateway.port, headers });
        const params = asking([READ], { auth: { token: `guess ${i}` } });
        const answer = partner.connect(params, { identity: newIdentity(), timeoutMs: 60_000 });
        return { partner, answer: answer.catch(() => null) };
      });
    const open = await Promise.all(guesses);
    let answered = 0;
    for (const { answer } of open) {
      void answer.then(() => {
        answered += 1;
      });
    }
    // What comes in after them is answered, so all of them were judged.
    expect(gist(await once({ port: gateway.port }, asking([READ], { auth: { token: gateway.token } })))).toBe('ok');
    // One of ten at once; the others wait longer and longer, one behind the other.
    expect(answered).toBeLessThan(open.length);
    for (const { partner } of open) partner.end();
  });
});

describe('threat 27: through a forwarder', () => {
  let gateway: Gateway;
  let owner: Peer;
  let forwarder: Server;
  let port = 0;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
    // What socat or `ssh -L` does: bytes to loopback, as they are.
    forwarder = createServer((near) => {
      const far = dial({ port: gateway.port, host: '127.0.0.1' });
      sockets.push(near, far);
      for (const [from, to] of [[near, far] as const, [far, near] as const])
        from.on('error', () => to.destroy()).on('close', () => to.destroy());
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((done) => forwarder.listen(0, '127.0.0.1', done));
    port = (forwarder.address() as AddressInfo).port;
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => forwarder.close(done));
    await gateway?.stop();
  });

  const secret = () => ({ auth: { token: gateway.token } });

  it('threat 27 A13 with the secret it is the direct loopback socket that it is, on another port', async () => {
    expect(port).not.toBe(gateway.port);
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`]) {
      expect(gist(await once({ port, host }, asking([READ], secret()))), host).toBe('ok');
      const identity = newIdentity();
      expect(gist(await once({ port, host }, asking([READ], secret()), { identity })), host).toBe('ok');
      expect(await granted(owner, identity)).toContain(ADMIN);
    }
  });

  it('threat 27 without the secret nobody is paired, first device or not', async () => {
    for (let i = 0; i < 3; i += 1) {
      const identity = newIdentity();
      expect(gist(await once({ port }, asking([ADMIN]), { identity }))).toBe('NOT_PAIRED PAIRING_REQUIRED');
      expect(await granted(owner, identity)).toBeNull();
    }
  });

  it('threat 27 under a name of its own, or with a page or a proxy behind it, the secret opens nothing', async () => {
    const upgrades: readonly (readonly [Parameters<typeof attempt>[0], RegExp])[] = [
      [{ port, headers: { 'X-Forwarded-For': '127.0.0.1' } }, /^NOT_PAIRED DEVICE_IDENTITY_REQUIRED$/],
      [{ port, origin: `http://127.0.0.1:${port}` }, /CONTROL_UI_ORIGIN_NOT_ALLOWED$/],
    ];
    for (const [open, expected] of upgrades) expect(gist(await once(open, asking([READ], secret())))).toMatch(expected);
    await expect(Partner.open({ port, host: `tunnel.example:${port}` })).rejects.toMatchObject({ status: 421 });
  });

  it('threat 27 A4 a granted key needs no place at all', async () => {
    const identity = await paired(owner, [READ]);
    expect(gist(await once({ port, headers: { Via: '1.1 tunnel' } }, asking([READ]), { identity }))).toBe('ok');
  });
});

describe('threat 28: where it listens', () => {
  const dirs: string[] = [];
  const up: Gateway[] = [];
  afterEach(async () => {
    for (const gateway of up.splice(0)) await gateway.stop();
    for (const dir of dirs.splice(0)) removeStateDir(dir);
  });

  const run = async (stateDir: string, args: readonly string[]) =>
    latchkey(['gateway', 'run', '--port', '0', '--state-dir', stateDir, ...args], {
      home: join(stateDir, '..'),
      timeoutMs: 10_000,
    });

  const BAD: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ['short', { token: 'aB3dE5' }, /gateway\.auth\.token is weak: it has 6 characters/],
    ['a placeholder', { token: 'changeme' }, /gateway\.auth\.token is placeholder/],
    ['the word undefined', { token: 'undefined' }, /gateway\.auth\.token is placeholder/],
    ['an unfilled variable', { token: '$OPENCLAW_GATEWAY_TOKEN' }, /gateway\.auth\.token is placeholder/],
    ['blanks', { token: ' '.repeat(40) }, /gateway\.auth\.token is (weak|placeholder)/],
    ['one word repeated', { token: 'secret'.repeat(8) }, /gateway\.auth\.token is weak: it repeats/],
    ['a row', { token: 'abcdefghijklmnopqrstuvwxyz012345' }, /gateway\.auth\.token is weak/],
    [
      'a weak password',
      { mode: 'password', token: undefined, password: 'hunter2hunter' },
      /gateway\.auth\.password is weak/,
    ],
  ];

  it.each(BAD)('threat 28 a secret that is %s keeps the door on loopback', async (_name, auth, why) => {
    const stateDir = newStateDir({ gateway: { auth } });
    dirs.push(stateDir);
    for (const args of [
      ['--bind', 'lan'],
      ['--bind', '0.0.0.0'],
    ]) {
      const refused = await run(stateDir, args);
      expect(refused.code, refused.stderr).toBe(78);
      expect(refused.stderr).toMatch(/refusing to listen at 0\.0\.0\.0/);
      expect(refused.stderr).toMatch(why);
      expect(refused.stderr).toMatch(/run: latchkey --state-dir \S+ gateway run --bind loopback\n/);
      const value = String(auth.token ?? auth.password);
      if (value.trim().length > 9) expect(refused.stderr).not.toContain(value);
      expect(existsSync(join(stateDir, 'run', 'gateway.json'))).toBe(false);
    }
  });

  it('threat 28 one secret for two purposes keeps the door on loopback', async () => {
    const secret = randomBytes(32).toString('hex');
    const stateDir = newStateDir({ gateway: { auth: { token: secret, password: secret } } });
    dirs.push(stateDir);
    const refused = await run(stateDir, ['--bind', 'lan']);
    expect(refused.code, refused.stderr).toBe(78);
    expect(refused.stderr).toMatch(/is reused: it is the same as gateway\.auth\.token/);
    expect(refused.stderr).not.toContain(secret);
  });

  it.each(['none', 'trusted-proxy'])('threat 28 auth mode %s is refused at every door', async (mode) => {
    const stateDir = newStateDir({ gateway: { auth: { mode } } });
    dirs.push(stateDir);
    for (const bind of ['loopback', 'lan']) {
      const refused = await run(stateDir, ['--bind', bind]);
      expect(refused.code, refused.stderr).toBe(78);
      expect(refused.stderr).toContain(`gateway.auth.mode "${mode}"`);
    }
  });

  it.each(['public', '*', '0', 'localhost', '0.0.0.0:80', '0x0', '00.0.0.0', 'custom', '::ffff', ''])(
    'threat 28 bind %j means nothing',
    async (bind) => {
      const stateDir = newStateDir();
      dirs.push(stateDir);
      const refused = await run(stateDir, ['--bind', bind]);
      expect([2, 78], refused.stderr).toContain(refused.code);
      expect(refused.stderr).toMatch(/run: /);
      expect(existsSync(join(stateDir, 'run', 'gateway.json'))).toBe(false);
    },
  );

  it.skipIf(!isLinux)(
    'threat 28 the kernel confirms: loopback where nothing else is said, all of it with a good secret',
    async () => {
      const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
      const near = await start();
      up.push(near);
      const loopback = [`0100007F:${hex(near.port)}`, `00000000000000000000000001000000:${hex(near.port)}`];
      expect(listeners(near.pid)).toContain(loopback[0]);
      expect(listeners(near.pid).filter((address) => !loopback.includes(address))).toEqual([]);
      const wide = await start({ args: ['--bind', 'lan'] });
      up.push(wide);
      expect(listeners(wide.pid)).toEqual([`00000000:${hex(wide.port)}`]);
    },
  );

  it('threat 28 a weak secret on loopback is said, and not shown', async () => {
    const near = await start({ config: { gateway: { auth: { token: 'weakling-77' } } } });
    up.push(near);
    expect(near.logs()).toMatch(/gateway\.auth\.token is weak/);
    expect(near.logs()).not.toContain('weakling-77');
    expect(readFileSync(join(near.stateDir, 'logs', 'gateway.jsonl'), 'utf8')).not.toContain('weakling-77');
  });

  it('threat 28 A13 on all addresses a loopback peer is as direct as ever, and the secret is still needed', async () => {
    const wide = await start({ args: ['--bind', 'lan'] });
    up.push(wide);
    const identity: Identity = newIdentity();
    const place = { port: wide.port };
    expect(gist(await once(place, asking([READ])))).toBe('NOT_PAIRED DEVICE_IDENTITY_REQUIRED');
    expect(gist(await once(place, asking([READ]), { identity }))).toBe('NOT_PAIRED PAIRING_REQUIRED');
    expect(gist(await once(place, asking([READ], { auth: { token: wide.token } })))).toBe('ok');
  });
});
