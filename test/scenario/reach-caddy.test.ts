// docs/reach.md, "Caddy": Debian's caddy with the Caddyfile of the document, before a gateway with its configuration.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import json5 from 'json5';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { block, filled } from '../document.ts';
import { type Gateway, start } from '../gateway.ts';
import { connected, type OpenOptions } from '../partner/client.ts';
import { newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { UpgradeRefused } from '../partner/websocket.ts';
import { because, freePort, missing, program, type Running, run } from '../program.ts';
import { approve, asking, gist, granted, once, paired, READ, rows } from './act.ts';

const why = missing({ caddy: 'caddy' });

const NAME = 'gateway.example';

describe.skipIf(why !== null)(`rule: docs/reach.md by Caddy${because(why)}`, () => {
  let home: string;
  let gateway: Gateway;
  let owner: Peer;
  let caddy: Running;
  let port: number;
  let ca: string;

  beforeAll(async () => {
    gateway = await start({ config: json5.parse(block('reach.md', 'caddy-config')) });
    owner = await gateway.owner();
    home = mkdtempSync(join(tmpdir(), 'lk-caddy-'));
    port = await freePort();
    ({ caddy, ca } = await caddyBefore(gateway.port, port, home));
  });
  afterAll(async () => {
    await caddy?.stop();
    await gateway?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  /** How a client elsewhere dials: by the name, checking Caddy's certificate. */
  const through = (more: Partial<OpenOptions> = {}): OpenOptions => ({
    port,
    host: `${NAME}:${port}`,
    tls: { ca, servername: NAME },
    ...more,
  });

  it('A15 a device asks through Caddy, is approved on the host, and connects', async () => {
    const phone = newIdentity();
    expect(gist(await once(through(), asking([READ]), { identity: phone }))).toBe('NOT_PAIRED PAIRING_REQUIRED');
    const [request] = (await rows(owner, phone)).open;
    await approve(owner, request?.requestId ?? '');
    const { partner } = await connected(through({ lk: true }), asking([READ]), { identity: phone });
    expect(await partner.ask('health')).toMatchObject({ ok: true });
    // A18: the gateway signs the name that was dialed, so who stands between is found out, Caddy or not.
    expect(partner.challenge.gateway?.key).toMatch(/^[\w-]{43}$/);
    partner.end();
  });

  it('A13 threat 25: through Caddy nothing is direct: a right secret only lets a key ask', async () => {
    const auth = { token: gateway.token };
    expect(gist(await once(through(), asking([READ], { auth })))).toBe('NOT_PAIRED DEVICE_IDENTITY_REQUIRED');
    const laptop = newIdentity();
    expect(gist(await once(through(), asking([READ], { auth }), { identity: laptop }))).toBe(
      'NOT_PAIRED PAIRING_REQUIRED',
    );
    expect(await granted(owner, laptop)).toBeNull();
    // Beside it, on the host, it is as it was.
    expect(gist(await once({ port: gateway.port }, asking([READ], { auth })))).toBe('ok');
  });

  it('threat 25: what a client writes of itself into forwarding and identity headers moves nothing', async () => {
    const known = await paired(owner, [READ]);
    for (const headers of [
      { 'X-Forwarded-For': '127.0.0.1' },
      { 'X-Forwarded-For': '198.51.100.7' },
      { Forwarded: 'for=198.51.100.7' },
      { 'X-Real-IP': '198.51.100.7', 'Remote-User': 'owner', 'X-Openclaw-Scopes': 'operator.admin' },
    ]) {
      const fresh = newIdentity();
      const asked = await once(through({ headers }), asking([READ], { auth: { token: gateway.token } }), {
        identity: fresh,
      });
      expect(gist(asked)).toBe('NOT_PAIRED PAIRING_REQUIRED');
      // This client dials from Caddy's own host: Caddy is all that can be said of it.
      expect((await rows(owner, fresh)).open[0]?.remoteIp).toBe('proxied');
      expect(gist(await once(through({ headers }), asking([READ]), { identity: known }))).toBe('ok');
    }
  });

  it('threat 22: a page is refused through Caddy as it is without', async () => {
    const known = await paired(owner, [READ]);
    const foreign = await once(through({ origin: 'https://evil.example' }), asking([READ]), { identity: known });
    expect(gist(foreign)).toBe('INVALID_REQUEST CONTROL_UI_ORIGIN_NOT_ALLOWED');
  });

  it('threat 23: a gateway that does not know the name answers 421, whoever brings it', async () => {
    const plain = await start();
    const folder = mkdtempSync(join(tmpdir(), 'lk-caddy-'));
    const other = await freePort();
    const second = await caddyBefore(plain.port, other, folder);
    try {
      const dial = once(
        { port: other, host: `${NAME}:${other}`, tls: { ca: second.ca, servername: NAME } },
        asking([READ]),
      );
      await expect(dial).rejects.toSatisfy((error) => error instanceof UpgradeRefused && error.status === 421);
    } finally {
      await second.caddy.stop();
      await plain.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Caddy as the document sets it up, on a free port of loopback, its files in `home`. */
async function caddyBefore(gatewayPort: number, port: number, home: string): Promise<{ caddy: Running; ca: string }> {
  const httpPort = await freePort();
  const site = filled(block('reach.md', 'caddyfile'), { [NAME]: `${NAME}:${port}`, '18789': gatewayPort });
  // What keeps this one on loopback, and off the machine's own ports and certificates.
  const global = `{
	admin off
	auto_https disable_redirects
	default_bind 127.0.0.1
	http_port ${httpPort}
	https_port ${port}
	skip_install_trust
	storage file_system ${home}
}
`;
  const file = join(home, 'Caddyfile');
  writeFileSync(file, `${global}${site}`);
  const root = join(home, 'pki', 'authorities', 'local', 'root.crt');
  const leaf = join(home, 'certificates', 'local', NAME, `${NAME}.crt`);
  const caddy = await run([program('caddy') ?? '', 'run', '--config', file, '--adapter', 'caddyfile'], {
    env: { HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home },
    cwd: home,
    ready: async () => existsSync(root) && existsSync(leaf),
  });
  return { caddy, ca: readFileSync(root, 'utf8') };
}
