// A setup code, from the command that makes it to the device that it pairs.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Gateway, latchkey, newStateDir, removeStateDir, start } from '../gateway.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import { ADMIN, APPROVALS, asking, granted, once, PAIRING, paired, READ, session, WRITE } from './act.ts';

const open: Gateway[] = [];
async function gatewayAt(options: Parameters<typeof start>[0] = {}): Promise<Gateway> {
  const gateway = await start(options);
  open.push(gateway);
  return gateway;
}
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.stop();
});

async function code(gateway: Gateway, ...args: readonly string[]) {
  const { code, stdout, stderr } = await gateway.cli(['devices', 'code', '--json', ...args]);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  const answer = JSON.parse(stdout);
  return { answer, setup: JSON.parse(Buffer.from(answer.setupCode, 'base64url').toString()) };
}

/** A device that never was here comes with the code. */
function come(port: number, identity: Identity, bootstrapToken: string, scopes: readonly string[] = [READ]) {
  return once({ port, lk: true }, asking(scopes, { auth: { bootstrapToken } }), { identity });
}

describe('A14: latchkey devices code', () => {
  it('A14 a code made on the host pairs one new key with exactly its scopes, once', async () => {
    const gateway = await gatewayAt();
    const { answer, setup } = await code(gateway, '--scope', READ);
    expect(setup).toEqual({
      url: `ws://127.0.0.1:${gateway.port}`,
      bootstrapToken: answer.code,
      gatewayKey: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(answer.setupCode).not.toContain(gateway.token);
    const first = newIdentity();
    const hello = await come(gateway.port, first, setup.bootstrapToken, [READ, WRITE]);
    expect(hello.ok && hello.payload.auth.scopes).toEqual([READ]);
    const owner = await gateway.owner();
    expect(await granted(owner, first)).toEqual([READ]);
    // The second use is as none: the key asks, and nothing is said of the code.
    const second = newIdentity();
    const refused = await come(gateway.port, second, setup.bootstrapToken);
    const without = await once({ port: gateway.port }, asking([READ]), { identity: newIdentity() });
    expect(!refused.ok && refused.error.details?.code).toBe(!without.ok && without.error.details?.code);
    expect(await granted(owner, second)).toBeNull();
  });

  it('A18 the key in the code is the one that the gateway proves', async () => {
    const gateway = await gatewayAt();
    const { setup } = await code(gateway);
    const { partner } = await session(gateway, await paired(await gateway.owner(), [READ]));
    partner.end();
    const { Partner } = await import('../partner/client.ts');
    const fresh = await Partner.open({ port: gateway.port, lk: true });
    expect(fresh.challenge.gateway?.key).toBe(setup.gatewayKey);
    fresh.end();
  });

  it('A11 a code made while no gateway runs is good at the next one', async () => {
    const stateDir = newStateDir();
    try {
      const before = await start({ stateDir });
      expect(await before.halt()).toBe(0);
      const { code: exit, stdout } = await before.cli(['devices', 'code', '--json', '--scope', READ]);
      expect(exit).toBe(0);
      const after = await start({ stateDir });
      const device = newIdentity();
      const answer = await come(after.port, device, JSON.parse(stdout).code);
      expect(answer.ok).toBe(true);
      await after.halt();
    } finally {
      removeStateDir(stateDir);
    }
  });

  it('A18 with the code another state directory pairs itself, pins the key in it, and sees what it may; exit 0', async () => {
    const gateway = await gatewayAt();
    const elsewhere = newStateDir();
    const home = join(elsewhere, '..');
    try {
      const { answer } = await code(gateway, '--none');
      const file = join(home, 'code');
      writeFileSync(file, answer.setupCode, { mode: 0o600 });
      const url = ['--state-dir', elsewhere, '--url', answer.gatewayUrl, '--wait', '0s'];
      const first = await latchkey([...url, '--setup-code-file', file, 'status', '--json'], { home });
      expect(first.code, first.stderr).toBe(0);
      expect(first.stderr).toContain('has to prove this key');
      // A grant without a scope: nothing of status, and that is said.
      expect(JSON.parse(first.stdout)).toMatchObject({ running: true, health: { ok: true }, devices: null });
      const deep = await latchkey([...url, 'status', '--deep'], { home });
      expect(deep.code, deep.stderr).toBe(0);
      expect(deep.stdout).toContain('missing scope: operator.read');
      expect(deep.stdout).toContain('ok    health');
      // The code is used up; the key it paired is not.
      const again = await latchkey([...url, '--setup-code-file', file, 'health'], { home });
      expect(again.code, again.stderr).toBe(0);
    } finally {
      removeStateDir(elsewhere);
    }
  });

  it('A14 a code that is used up is said to have counted for nothing; a plain status asks for no more than it needs', async () => {
    const gateway = await gatewayAt();
    const places = [newStateDir(), newStateDir()] as const;
    try {
      const { answer } = await code(gateway, '--scope', READ);
      const asked = async (stateDir: string, ...args: readonly string[]) => {
        const home = join(stateDir, '..');
        writeFileSync(join(home, 'code'), answer.setupCode, { mode: 0o600 });
        return latchkey(['--state-dir', stateDir, '--url', answer.gatewayUrl, '--wait', '0s', ...args], { home });
      };
      const [first, second] = places;
      const welcome = await asked(first, '--setup-code-file', join(first, '..', 'code'), 'status');
      expect(welcome.code, welcome.stderr).toBe(0);
      expect(welcome.stdout).toMatch(/your access +device: operator\.read\n/);
      expect(welcome.stdout).toContain('1 paired, 0 asking; your access does not show who they are');
      const list = await (await gateway.owner()).ask('device.pair.list');
      expect(list.pending).toEqual([]);
      const late = await asked(second, '--setup-code-file', join(second, '..', 'code'), 'health');
      expect(late.code, late.stderr).toBe(75);
      expect(late.stderr).toContain('the setup code counted for nothing');
      // What asks for nothing and waits for nobody leaves no request either.
      const probe = await asked(second, 'gateway', 'probe', '--json');
      expect(JSON.parse(probe.stdout)).toMatchObject({ ok: true, tcp: { state: 'ok' } });
      const [open, ...others] = (await (await gateway.owner()).ask('device.pair.list')).pending;
      expect(others).toEqual([]);
      // A no is final for a script: it is refused, not put off.
      expect((await gateway.cli(['devices', 'reject', open.requestId.slice(0, 4)])).code).toBe(0);
      expect((await asked(second, 'status')).code).toBe(1);
    } finally {
      for (const place of places) removeStateDir(place);
    }
  });

  it('A14 made with no gateway running it says to which port it leads, by the last one where that is known', async () => {
    const gateway = await gatewayAt();
    await gateway.kill();
    const { stdout, stderr } = await gateway.cli(['devices', 'code', '--scope', READ]);
    expect(stdout).toContain(`ws://127.0.0.1:${gateway.port}`);
    expect(stderr).toContain(`leads to port ${gateway.port}, where one is expected`);
  });

  it('A7 the RPC of OpenClaw: admin alone, its profiles, no shared secret in it', async () => {
    const gateway = await gatewayAt();
    const owner = await gateway.owner();
    const { partner: low } = await session(gateway, await paired(owner, [PAIRING, READ, WRITE, APPROVALS]));
    const refused = await low.call('device.pair.setupCode', {});
    expect(!refused.ok && refused.error.message).toContain('missing scope: operator.admin');
    // A7: what it makes by its own method is no wider than itself.
    const wide = await low.call('device.code.create', { scopes: [ADMIN] });
    expect(wide.ok).toBe(false);
    expect((await low.ask('device.code.create', {})).scopes).toEqual([APPROVALS, READ, WRITE]);
    low.end();
    const full = await owner.ask('device.pair.setupCode', {});
    expect(full).toMatchObject({ access: 'full', auth: 'token', gatewayUrl: `ws://127.0.0.1:${gateway.port}` });
    expect(full.qrDataUrl).toMatch(/^data:image\/png;base64,/);
    expect(Buffer.from(full.setupCode, 'base64url').toString()).not.toContain(gateway.token);
    const node = await owner.ask('device.pair.setupCode', { bootstrapProfile: 'node', includeQr: false });
    expect(node).toMatchObject({ access: 'node', role: 'node', scopes: [] });
    expect(node.qrDataUrl).toBeUndefined();
    // Whoever listens on the way could use it first: no admin over a network in clear.
    const clear = await owner.ask('device.pair.setupCode', { publicUrl: 'http://192.0.2.7:18789' });
    expect(clear).toMatchObject({ access: 'limited', accessDowngraded: true, gatewayUrl: 'ws://192.0.2.7:18789' });
    expect(clear.scopes).not.toContain(ADMIN);
    const device = newIdentity();
    const { bootstrapToken } = JSON.parse(Buffer.from(full.setupCode, 'base64url').toString());
    expect((await come(gateway.port, device, bootstrapToken, [ADMIN])).ok).toBe(true);
    expect(await granted(owner, device)).toEqual([ADMIN]);
  });

  it('rule: an address that is none is refused before a code is made', async () => {
    const gateway = await gatewayAt();
    const { code, stderr } = await gateway.cli(['devices', 'code', '--public-url', 'wss://me:pw@gw.example']);
    expect(code).toBe(2);
    expect(stderr).toContain('wss://host:port');
  });
});
