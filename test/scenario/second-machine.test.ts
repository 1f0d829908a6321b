// A second machine, end to end: another user on another host asks with a key of its own over TLS, both screens show one
// code, the owner approves on the gateway's host, and the command that waited goes on (A8, A18, A19).
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOBODY, nobodyRuns } from '../fault/process.ts';
import { NODE, newStateDir, removeStateDir } from '../gateway.ts';
import { type Machine, makeWire, noWire, type Wire } from '../namespace.ts';
import { because, ended, type Running, run } from '../program.ts';

const CLI = join(process.env.LATCHKEY_TEST_DIST ?? join(import.meta.dirname, '..', '..', 'dist'), 'cli.cjs');
const PORT = 18_789;
const why = noWire() ?? (nobodyRuns ? null : 'no other user can run this checkout');
const HOST_UID = NOBODY;
const GUEST_UID = NOBODY - 1;

describe.skipIf(why !== null)(`A8 A18 A19 the second machine${because(why)}`, () => {
  let wire: Wire;
  let stateDir: string;
  let guestHome: string;
  let gateway: Running;

  /** `latchkey ARGS` on a machine, as a user. */
  const line = (machine: Machine, uid: number, dir: string, ...args: string[]): string[] =>
    machine.inside(
      'setpriv',
      `--reuid=${uid}`,
      `--regid=${uid}`,
      '--clear-groups',
      NODE,
      CLI,
      ...args,
      '--state-dir',
      dir,
    );
  const onHost = async (...args: string[]) => {
    const home = join(stateDir, '..');
    const { code, stdout, stderr } = await ended(line(wire.host, HOST_UID, stateDir, ...args, '--json'), {
      HOME: home,
    });
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout);
  };

  beforeAll(async () => {
    wire = makeWire();
    stateDir = newStateDir({ gateway: { bind: 'lan', tls: { enabled: true } } }, HOST_UID);
    guestHome = mkdtempSync(join(tmpdir(), 'lk-'));
    chownSync(guestHome, GUEST_UID, GUEST_UID);
    chmodSync(guestHome, 0o755);
    const home = join(stateDir, '..');
    gateway = await run(line(wire.host, HOST_UID, stateDir, 'gateway', 'run', '--port', String(PORT)), {
      env: { HOME: home, NO_COLOR: '1' },
      cwd: home,
      ready: async () => {
        const status = await ended(line(wire.host, HOST_UID, stateDir, 'gateway', 'call', 'status'), { HOME: home });
        return status.code === 0 && JSON.parse(status.stdout).latchkey.addresses.length > 0;
      },
    });
  });
  afterAll(async () => {
    await gateway?.stop();
    wire?.remove();
    if (stateDir !== undefined) removeStateDir(stateDir);
    if (guestHome !== undefined) rmSync(guestHome, { recursive: true, force: true });
  });

  it('A8 A18 A19 status --url waits, both screens show one code, it is approved on the host, and goes on', async () => {
    const url = `wss://${wire.host.address}:${PORT}`;
    const laptop = join(guestHome, 'laptop');
    const elsewhere = (...args: string[]) => line(wire.guest, GUEST_UID, laptop, '--url', url, ...args);
    const env = { HOME: guestHome, NO_COLOR: '1' };

    // A18: nobody vouches for the certificate. It is refused, with its fingerprint and the command that accepts it.
    const blind = await ended(elsewhere('status'), env);
    expect(blind.code).not.toBe(0);
    const { latchkey: own } = await onHost('gateway', 'call', 'status');
    expect(blind.stderr).toContain(own.tls.fingerprint);
    expect((await onHost('devices', 'list')).pending).toEqual([]);
    // Compared by a person, with what the host's own screen shows.
    const trusted = await ended(elsewhere('gateway', 'trust', '--tls-fingerprint', own.tls.fingerprint), env);
    expect(trusted.code, trusted.stderr).toBe(0);

    const code = (text: string) => /\b\d{4} \d{4}\b/.exec(text)?.[0];
    const waiting = await run(elsewhere('status', '--json'), {
      env,
      cwd: guestHome,
      ready: (printed) => code(printed) !== undefined,
    });
    const shown = code(waiting.logs());
    const [request] = (await onHost('devices', 'list')).pending;
    expect(request.code).toBe(shown);
    expect(request.remoteIp).toBe(wire.guest.address);
    const text = await ended(line(wire.host, HOST_UID, stateDir, 'devices', 'list'), { HOME: join(stateDir, '..') });
    expect(text.stdout).toContain(shown);
    // It waits as long as nobody decides.
    const isOver = await Promise.race([waiting.exited.then(() => true), sleep(200).then(() => false)]);
    expect(isOver, waiting.logs()).toBe(false);
    await onHost('devices', 'approve', request.requestId);
    expect(await waiting.exited, waiting.logs()).toBe(0);
    expect(JSON.parse(waiting.stdout())).toMatchObject({ running: true });

    // From now on it connects at once, and its key is its own.
    const again = await ended(elsewhere('status'), env);
    expect(again.code, again.stderr).toBe(0);
    const key = statSync(join(laptop, 'identity', 'device.json'));
    expect([key.uid, key.mode & 0o777]).toEqual([GUEST_UID, 0o600]);
    expect((await onHost('devices', 'list')).pending).toEqual([]);
  });
});
