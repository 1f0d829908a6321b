// TLS of the gateway's own on a real process: its certificate or the owner's, what is said of it, what is refused.
import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { makeSelfSigned } from '../../src/system/selfsigned.ts';
import { type Gateway, latchkey, newStateDir, removeStateDir, start } from '../gateway.ts';
import { connected } from '../partner/client.ts';
import { asking, gist, once, paired, READ } from './act.ts';

const YEAR_MS = 365 * 86_400_000;
const LIFE_MS = 10 * YEAR_MS;

let gateways: Gateway[] = [];
let stateDirs: string[] = [];
afterEach(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  for (const stateDir of stateDirs) removeStateDir(stateDir);
  gateways = [];
  stateDirs = [];
});

async function started(options: Parameters<typeof start>[0]): Promise<Gateway> {
  const gateway = await start(options);
  gateways.push(gateway);
  return gateway;
}

/** A state directory whose configuration names a certificate and a key beside it. */
async function withFiles(madeMs: number, change: (stateDir: string) => void = () => {}): Promise<string> {
  const tls = { enabled: true, certPath: 'own.crt', keyPath: 'own.key' };
  const stateDir = newStateDir({ gateway: { tls } });
  stateDirs.push(stateDir);
  const pem = await makeSelfSigned(['gateway.example'], madeMs);
  writeFileSync(join(stateDir, 'own.key'), pem, { mode: 0o600 });
  writeFileSync(join(stateDir, 'own.crt'), pem.slice(pem.indexOf('-----BEGIN CERTIFICATE')));
  change(stateDir);
  return stateDir;
}

/** How a gateway that must not start ends. */
async function refused(stateDir: string): Promise<{ code: number | null; stderr: string }> {
  return latchkey(['gateway', 'run', '--port', '0', '--state-dir', stateDir], { home: join(stateDir, '..') });
}

describe('rule: gateway.tls', () => {
  it('A13 a self-signed certificate stays the same over a restart, and loopback over TLS is direct', async () => {
    const first = await started({ config: { gateway: { tls: { enabled: true } } } });
    const pem = readFileSync(join(first.stateDir, 'identity', 'tls.pem'), 'utf8');
    const ca = pem.slice(pem.indexOf('-----BEGIN CERTIFICATE'));
    const open = { port: first.port, host: `localhost:${first.port}`, tls: { ca, servername: 'localhost' } };
    expect(gist(await once(open, asking([READ], { auth: { token: first.token } })))).toBe('ok');
    const { stateDir } = first;
    await first.halt();
    const again = await started({ stateDir });
    expect(readFileSync(join(stateDir, 'identity', 'tls.pem'), 'utf8')).toBe(pem);
    const known = await paired(await again.owner(), [READ]);
    const { partner } = await connected({ ...open, port: again.port }, asking([READ]), { identity: known });
    partner.end();
  });

  it('A18 status and setup codes name the certificate; the own page is https', async () => {
    const gateway = await started({ config: { gateway: { tls: { enabled: true } } } });
    const owner = await gateway.owner();
    const { latchkey: own } = await owner.ask('status');
    expect(own.tls).toMatchObject({ from: 'self-signed', fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(own.addresses[0]).toBe(`wss://127.0.0.1:${gateway.port}`);
    expect(gateway.logs()).toContain(`sha256 ${own.tls.fingerprint}`);
    const { setupCode, gatewayUrl } = await owner.ask('device.code.create', { role: 'operator', scopes: [READ] });
    expect(gatewayUrl).toBe(own.addresses[0]);
    expect(JSON.parse(Buffer.from(setupCode, 'base64url').toString())).toMatchObject({
      tlsFingerprint: own.tls.fingerprint,
    });
    const known = await paired(owner, [READ]);
    const from = (origin: string) =>
      once({ port: gateway.port, tls: { rejectUnauthorized: false }, origin }, asking([READ]), { identity: known });
    expect(gist(await from(`https://127.0.0.1:${gateway.port}`))).toBe('ok');
    expect(gist(await from(`http://127.0.0.1:${gateway.port}`))).toBe('INVALID_REQUEST CONTROL_UI_ORIGIN_NOT_ALLOWED');
    const shown = await gateway.cli(['status']);
    expect(shown.stdout).toContain(own.tls.fingerprint);
  });

  it("rule: the owner's certificate is served; one that has ended is served too, and spoken of", async () => {
    const nowMs = Date.now();
    const gateway = await started({ stateDir: await withFiles(nowMs) });
    const { latchkey: own } = await (await gateway.owner()).ask('status');
    expect(own.tls.from).toBe('file');
    expect(own.warnings).toEqual([]);
    const old = await started({ stateDir: await withFiles(nowMs - LIFE_MS - YEAR_MS) });
    const { latchkey: past } = await (await old.owner()).ask('status');
    expect(past.warnings).toEqual([expect.stringContaining('the TLS certificate ended on')]);
    expect(old.logs()).toContain('the TLS certificate ended on');
  });

  it('rule: a certificate that can not be used refuses to start, and says which file and why', async () => {
    const nowMs = Date.now();
    const other = await makeSelfSigned(['x.test'], nowMs);
    const cases: readonly [RegExp, (stateDir: string) => void][] = [
      [/can't read \S+own\.crt/, (dir) => rmSync(join(dir, 'own.crt'))],
      [
        /own\.key can't be used for TLS\n {2}why: its key is not the one/,
        (dir) => writeFileSync(join(dir, 'own.key'), other),
      ],
      [/own\.key can't be used for TLS/, (dir) => copyFileSync(join(dir, 'own.crt'), join(dir, 'own.key'))],
      [/own\.crt can't be used for TLS/, (dir) => writeFileSync(join(dir, 'own.crt'), 'none')],
    ];
    for (const [said, change] of cases) {
      const { code, stderr } = await refused(await withFiles(nowMs, change));
      expect(code, stderr).toBe(78);
      expect(stderr).toMatch(said);
      expect(stderr).toMatch(/\n {2}run: /);
    }
    const open = newStateDir({ gateway: { tls: { enabled: true, autoGenerate: false } } });
    stateDirs.push(open);
    expect((await refused(open)).code).toBe(78);
  });

  it('rule: a self-signed key that others can read is refused with the chmod', async () => {
    const first = await start({ config: { gateway: { tls: { enabled: true } } } });
    gateways.push(first);
    await first.halt();
    chmodSync(join(first.stateDir, 'identity', 'tls.pem'), 0o640);
    const { code, stderr } = await refused(first.stateDir);
    expect(code).toBe(78);
    expect(stderr).toContain('chmod 600');
  });
});
