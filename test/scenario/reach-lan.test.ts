// docs/reach.md, "The local network": the gateway listens beyond loopback, and somebody on another machine of the wire
// dials it. Both machines are network namespaces that the test makes itself.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import json5 from 'json5';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Dialed, dialFrom } from '../dial.ts';
import { block } from '../document.ts';
import { latchkey, newStateDir, removeStateDir } from '../gateway.ts';
import { makeWire, noWire, type Wire } from '../namespace.ts';
import { namedIdentity } from '../partner/identity.ts';
import { Owner } from '../partner/owner.ts';
import type { Peer } from '../partner/peer.ts';
import { listeners } from '../process.ts';
import { because, ended, type Running, run } from '../program.ts';
import { approve, asking, gist, granted, READ, rows } from './act.ts';

const why = noWire();

const CLI = join(process.env.LATCHKEY_TEST_DIST ?? join(import.meta.dirname, '..', '..', 'dist'), 'cli.cjs');
const PORT = 18_789;

interface House {
  readonly stateDir: string;
  readonly gateway: Running;
  readonly owner: Peer;
  readonly token: string;
}

function came(dialed: Dialed): string {
  if (dialed.kind === 'answer') return gist(dialed.answer);
  return dialed.kind === 'upgrade' ? `upgrade ${dialed.status}` : dialed.why;
}

describe.skipIf(why !== null)(`rule: docs/reach.md on the local network${because(why)}`, () => {
  let wire: Wire;
  let houses: House[] = [];

  beforeAll(() => {
    wire = makeWire();
  });
  afterEach(async () => {
    for (const { gateway, owner, stateDir } of houses) {
      (owner as Owner).end();
      await gateway.stop();
      removeStateDir(stateDir);
    }
    houses = [];
  });
  afterAll(() => wire?.remove());

  /** A gateway on the host's machine; ready once it has said so in its record and its socket answers. */
  async function start(config: Record<string, unknown>): Promise<House> {
    const stateDir = newStateDir(config);
    const home = join(stateDir, '..');
    const command = [process.execPath, CLI, 'gateway', 'run', '--port', String(PORT), '--state-dir', stateDir];
    const gateway = await run(wire.host.inside(...command), {
      env: { HOME: home, NO_COLOR: '1' },
      cwd: home,
      ready: async () => {
        const status = await latchkey(['gateway', 'call', 'status', '--state-dir', stateDir], { home });
        return status.code === 0 && JSON.parse(status.stdout).latchkey.addresses.length > 0;
      },
    });
    const owner = await Owner.open(join(stateDir, 'run', 'gateway.sock'));
    const { auth } = JSON.parse(readFileSync(join(stateDir, 'latchkey.json'), 'utf8')).gateway;
    const house = { stateDir, gateway, owner, token: auth.token };
    houses.push(house);
    return house;
  }

  const place = (more = {}) => ({
    port: PORT,
    address: wire.host.address,
    host: `${wire.host.address}:${PORT}`,
    ...more,
  });
  /** TLS, checked by its fingerprint below, as a client with a pin does. */
  const tls = { tls: { rejectUnauthorized: false } };
  const auth = ({ token }: House) => ({ auth: { token } });

  it('A13 A15 threat 28 a device of the network asks over TLS, is approved on the host, and connects', async () => {
    const house = await start(json5.parse(block('reach.md', 'lan-config')));
    // threat 28: what was asked for is what is listened at, and nothing else.
    expect(listeners(house.gateway.pid)).toEqual([`00000000:${PORT.toString(16).toUpperCase()}`]);
    const { latchkey: own } = await house.owner.ask('status');
    expect(own.addresses).toEqual([`wss://0.0.0.0:${PORT}`]);
    expect(own.warnings).toEqual([]);

    const asked = await dialFrom(wire.guest, { open: place(tls), params: asking([READ]), identity: 'phone' });
    expect(came(asked)).toBe('NOT_PAIRED PAIRING_REQUIRED');
    if (asked.kind !== 'answer') throw new Error('no answer');
    expect(asked.tls?.replaceAll(':', '').toLowerCase()).toBe(own.tls.fingerprint);
    const [request] = (await rows(house.owner, namedIdentity('phone'))).open;
    expect(request?.remoteIp).toBe(wire.guest.address);
    await approve(house.owner, request?.requestId ?? '');
    const again = await dialFrom(wire.guest, { open: place(tls), params: asking([READ]), identity: 'phone' });
    expect(came(again)).toBe('ok');
  });

  it('A13 beyond loopback a right secret opens nothing, and only lets a key ask', async () => {
    const house = await start(json5.parse(block('reach.md', 'lan-config')));
    const dial = (more: object, identity?: string) =>
      dialFrom(wire.guest, {
        open: place({ ...tls, ...more }),
        params: asking([READ], auth(house)),
        ...(identity === undefined ? {} : { identity }),
      });
    const keyless = 'NOT_PAIRED DEVICE_IDENTITY_REQUIRED';
    expect(came(await dial({}))).toBe(keyless);
    // A loopback name in Host makes nobody local.
    for (const host of ['localhost', `127.0.0.1:${PORT}`, '[::1]'])
      expect(came(await dial({ host })), host).toBe(keyless);
    expect(came(await dial({ headers: { 'X-Forwarded-For': '127.0.0.1' } }))).toBe(keyless);
    expect(came(await dial({}, 'laptop'))).toBe('NOT_PAIRED PAIRING_REQUIRED');
    expect(await granted(house.owner, namedIdentity('laptop'))).toBeNull();
    // From the host itself, by its own address, it is no loopback either.
    const own = await dialFrom(wire.host, { open: place(tls), params: asking([READ], auth(house)) });
    expect(came(own)).toBe(keyless);
    const local = { port: PORT, ...tls };
    expect(came(await dialFrom(wire.host, { open: local, params: asking([READ], auth(house)) }))).toBe('ok');
  });

  it('A14 A18 a setup code takes a new device there: address, certificate and key are in it', async () => {
    const house = await start(json5.parse(block('reach.md', 'lan-config')));
    const home = join(house.stateDir, '..');
    const made = await ended([process.execPath, CLI, 'devices', 'code', '--json', '--state-dir', house.stateDir], {
      HOME: home,
    });
    expect(made.code, made.stderr).toBe(0);
    const { setupCode, gatewayUrl } = JSON.parse(made.stdout);
    expect(gatewayUrl).toBe(`wss://${wire.host.address}:${PORT}`);
    const elsewhere = (...args: string[]) =>
      wire.guest.inside(process.execPath, CLI, ...args, '--json', '--state-dir', join(home, 'laptop'));
    const env = { HOME: join(home, 'laptop') };
    // Nobody vouches for the certificate: without the code it is not trusted, and nothing is sent.
    const blind = await ended(elsewhere('--url', gatewayUrl, 'status'), env);
    expect(blind.code).not.toBe(0);
    const shown = await ended(elsewhere('--setup-code', '-', 'status'), env, setupCode);
    expect(shown.code, shown.stderr).toBe(0);
    expect(JSON.parse(shown.stdout)).toMatchObject({ running: true });
    // From now on the address is enough.
    const again = await ended(elsewhere('--url', gatewayUrl, 'status'), env);
    expect(again.code, again.stderr).toBe(0);
  });

  it('A15 IPv6, a name that is not its own, and plain ws on the TLS port', async () => {
    await start({ gateway: { bind: '::', tls: { enabled: true } } });
    const six = { address: wire.host.address6, host: `[${wire.host.address6}]:${PORT}` };
    const params = asking([READ]);
    expect(came(await dialFrom(wire.guest, { open: place({ ...six, ...tls }), params, identity: 'six' }))).toBe(
      'NOT_PAIRED PAIRING_REQUIRED',
    );
    const named = await dialFrom(wire.guest, { open: place({ ...six, ...tls, host: 'evil.example' }), params });
    expect(came(named)).toBe('upgrade 421');
    const plain = await dialFrom(wire.guest, { open: place(six), params });
    expect(plain).toMatchObject({ kind: 'upgrade', status: 400 });
    expect(plain.kind === 'upgrade' && plain.body).toContain('use https:// or wss://');
  });

  it('A18 without TLS it starts, and says at the start and in status what that means', async () => {
    const house = await start({ gateway: { bind: 'lan' } });
    const { latchkey: own } = await house.owner.ask('status');
    expect(own.warnings).toEqual([expect.stringContaining('gateway.bind "lan" without gateway.tls')]);
    expect(house.gateway.logs()).toContain('without gateway.tls');
    const asked = await dialFrom(wire.guest, { open: place(), params: asking([READ]), identity: 'plain' });
    expect(came(asked)).toBe('NOT_PAIRED PAIRING_REQUIRED');
  });

  it('A13 threat 25 a proxy on the wire says where clients are, and gives them nothing', async () => {
    const house = await start({
      gateway: {
        bind: 'lan',
        allowedHosts: ['gateway.example'],
        trustedProxies: ['10.77.0.2'],
        auth: { sharedSecretFrom: ['10.77.0.2', '10.77.0.1'] },
      },
    });
    const from = async (machine: 'host' | 'guest', value: string, identity: string) => {
      const open = place({ host: 'gateway.example', headers: { 'X-Forwarded-For': value } });
      const dialed = await dialFrom(wire[machine], { open, params: asking([READ], auth(house)), identity });
      expect(came(dialed)).toBe('NOT_PAIRED PAIRING_REQUIRED');
      return (await rows(house.owner, namedIdentity(identity))).open[0]?.remoteIp;
    };
    // The proxy that is listed, then one that isn't.
    expect(await from('guest', '127.0.0.1, 203.0.113.9', 'a')).toBe('203.0.113.9');
    expect(await from('guest', 'evil', 'b')).toBe(wire.guest.address);
    expect(await from('host', '203.0.113.9', 'c')).toBe(wire.host.address);
    // A13: the secret's own addresses: the proxy's is not one of them any more, the other's is.
    const bare = (machine: 'host' | 'guest') =>
      dialFrom(wire[machine], { open: place({ host: 'gateway.example' }), params: asking([READ], auth(house)) });
    expect(came(await bare('guest'))).toBe('NOT_PAIRED DEVICE_IDENTITY_REQUIRED');
    expect(came(await bare('host'))).toBe('ok');
  });

  it('threat 28 a weak, blank, placeholder or absent protection refuses to start beyond loopback', async () => {
    for (const gateway of [
      { bind: 'lan', auth: { token: 'hunter2' } },
      { bind: '0.0.0.0', auth: { token: '    ' } },
      { bind: wire.host.address, auth: { token: 'undefined' } },
      { bind: '::', auth: { token: 'changeme' } },
      { bind: 'lan', auth: { mode: 'none' } },
      { bind: 'lna' },
      { bind: '127.evil.example' },
      { bind: 'lan', tls: { enabled: true, certPath: 'missing.pem', keyPath: 'missing.key' } },
    ]) {
      const stateDir = newStateDir({ gateway });
      const command = wire.host.inside(process.execPath, CLI, 'gateway', 'run', '--state-dir', stateDir);
      const { code, stderr } = await ended(command, { HOME: stateDir });
      expect(code, `${JSON.stringify(gateway)}\n${stderr}`).toBe(78);
      expect(stderr).toMatch(/\n {2}why: .*\n {2}run: /);
      removeStateDir(stateDir);
    }
  });
});
