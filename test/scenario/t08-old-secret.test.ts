// T8: a shared secret was changed, and the old one goes on living somewhere: in the environment of the gateway or of a
// command, in a configuration that came back from a copy, in a client's own. In OpenClaw each of these ended in
// `device token mismatch` loops. Here a paired device doesn't notice, the wrong secret is named, with what to run, and
// nothing is widened. (In a service unit: there is none in Latchkey that holds a secret.)
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, latchkey, newStateDir, removeStateDir, start } from '../gateway.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Answer } from '../partner/peer.ts';
import { recordedConnects, replayParams } from '../wire/verdict.ts';
import { ADMIN, asking, gist, granted, once, paired, READ, rows, session, WRITE } from './act.ts';
import { TruthReader } from './state.ts';

const TIMES = 10;
const newSecret = () => randomBytes(24).toString('hex');

/** Where the old secret lives, and what the gateway is started with because of it. */
interface Place {
  readonly name: string;
  readonly env?: (old: string) => Readonly<Record<string, string>>;
  /** The configuration's own secret; the old one where an older file came back. */
  readonly inForce: (old: string, fresh: string) => string;
}

const PLACES: readonly Place[] = [
  {
    name: "in the gateway's environment",
    env: (old) => ({ LATCHKEY_GATEWAY_TOKEN: old, OPENCLAW_GATEWAY_TOKEN: old, OPENCLAW_GATEWAY_PASSWORD: old }),
    inForce: (_old, fresh) => fresh,
  },
  { name: 'in a client only', inForce: (_old, fresh) => fresh },
  { name: 'in a configuration that came back', inForce: (old) => old },
];

describe.each(PLACES)('T8 an old secret $name', ({ env, inForce }) => {
  const old = newSecret();
  const fresh = newSecret();
  const right = inForce(old, fresh);
  const wrong = right === old ? fresh : old;
  let stateDir: string;
  let gateway: Gateway;
  let identity: Identity;
  let deviceToken: string;

  beforeAll(async () => {
    stateDir = newStateDir({ gateway: { auth: { token: old } } });
    const file = join(stateDir, 'latchkey.json');
    const copy = readFileSync(file, 'utf8');
    gateway = await start({ stateDir });
    identity = await paired(await gateway.owner(), [READ, WRITE]);
    const hello = await once(gateway, asking([READ]), { identity });
    if (!hello.ok) throw new Error(hello.error.message);
    deviceToken = hello.payload.auth.deviceToken;
    await gateway.halt();
    // A person changes the secret; later a copy of the file may come back.
    writeFileSync(file, copy.replace(old, fresh));
    await (await start({ stateDir })).halt();
    if (right === old) writeFileSync(file, copy);
    gateway = await start({ stateDir, ...(env === undefined ? {} : { env: env(old) }) });
  });
  afterAll(async () => {
    await gateway?.halt();
    removeStateDir(stateDir);
  });

  const truth = () => {
    const reader = new TruthReader(stateDir);
    const tables = reader.tables();
    reader.close();
    return tables;
  };

  it('T8 the one that is in force opens, the other does not, and it says which and what to run', async () => {
    expect(gist(await once(gateway, asking([READ], { auth: { token: right } })))).toBe('ok');
    for (const auth of [{ token: wrong }, { password: wrong }]) {
      const refused = await once(gateway, asking([READ], { auth }));
      expect(gist(refused)).toContain('AUTH_TOKEN_MISMATCH');
      const said = JSON.stringify(refused);
      expect(said).toMatch(/gateway token mismatch/);
      expect(said).toMatch(/gateway secret show|gateway\.auth\.token|gateway\.remote\.token/);
      expect(said).not.toContain(wrong);
      expect(said).not.toContain(right);
    }
  });

  it('T8 a paired device is let in beside it, keeps its token, and is told what did not count', async () => {
    const before = truth();
    for (let time = 0; time < TIMES; time += 1) {
      const hello = await once(gateway, asking([READ], { auth: { token: wrong } }), { identity });
      expect(gist(hello)).toBe('ok');
      if (!hello.ok) continue;
      const { auth } = hello.payload;
      expect(auth.deviceToken).toBe(deviceToken);
      expect(auth.scopes).toEqual([READ]);
      expect(auth.ignored).toEqual(['secret']);
      expect(auth.missing ?? []).toEqual([]);
    }
    expect(truth()).toEqual(before);
  });

  it('T8 a session that is open stays open, and holds what it held', async () => {
    const { partner } = await session(gateway, identity);
    await once(gateway, asking([ADMIN], { auth: { token: wrong } }));
    expect(gist(await partner.call('health'))).toBe('ok');
    expect(gist(await partner.call('device.pair.list', {}))).not.toBe('ok');
    partner.end();
    expect(await granted(await gateway.owner(), identity)).toEqual([READ, WRITE]);
  });

  it('T8 a key that holds nothing is refused with it as often as it comes, and nothing is asked or stored', async () => {
    const before = truth();
    const stranger = newIdentity();
    for (let time = 0; time < 3; time += 1) {
      const refused = await once(gateway, asking([READ, ADMIN], { auth: { token: wrong } }), { identity: stranger });
      expect(gist(refused)).toContain('AUTH_TOKEN_MISMATCH');
    }
    expect((await rows(await gateway.owner())).open).toEqual([]);
    expect(truth()).toEqual(before);
  });

  it('T8 every recorded client with a paired key and the old secret: let in, nothing asked beyond what it lacks', async () => {
    const answers: Answer[] = [];
    for (const recorded of recordedConnects()) {
      if ((recorded.params.role ?? 'operator') !== 'operator') continue;
      const { auth: _own, ...params } = replayParams(recorded, 'secret', wrong);
      const answer = await once(
        gateway,
        { ...params, auth: { token: wrong } },
        { identity, version: recorded.signature ?? 'v3' },
      );
      answers.push(answer);
      // A2, A4: whatever it calls itself.
      expect(gist(answer), `${recorded.release} ${recorded.command}`).toBe('ok');
    }
    expect(answers.length).toBeGreaterThan(10);
    const { open } = await rows(await gateway.owner());
    expect(open.length).toBeLessThanOrEqual(1);
    expect(open.every((row) => row.deviceId === identity.id)).toBe(true);
    expect(await granted(await gateway.owner(), identity)).toEqual([READ, WRITE]);
  });

  it('T8 no line is logged again and again, and none holds a secret', () => {
    const lines = gateway
      .logs()
      .split('\n')
      .filter((line) => /refused|mismatch|secret/i.test(line))
      .map((line) => line.replace(/[0-9a-f]{8,}|[\d:.-]+/gi, '#'));
    expect(lines.length, lines.join('\n')).toBe(new Set(lines).size);
    expect(gateway.logs()).not.toContain(old);
    expect(gateway.logs()).not.toContain(fresh);
  });

  it('T8 a command from elsewhere is told which secret is wrong and where it lives, and asks nothing with it', async () => {
    const url = `ws://127.0.0.1:${gateway.port}`;
    const home = mkdtempSync(join(tmpdir(), 'lk-t8-'));
    const elsewhere = join(home, 's');
    const file = join(home, 'secret');
    const config = join(home, 'client.json');
    writeFileSync(file, `${wrong}\n`);
    writeFileSync(config, JSON.stringify({ gateway: { mode: 'remote', remote: { url, token: wrong } } }), {
      mode: 0o600,
    });
    const command = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
      latchkey([...args, '--wait', '0s', 'status'], { home, env: { LATCHKEY_STATE_DIR: elsewhere, ...env } });
    try {
      const places = [
        [`--token-file ${file}`, await command(['--url', url, '--token-file', file])],
        ['LATCHKEY_GATEWAY_TOKEN', await command(['--url', url], { LATCHKEY_GATEWAY_TOKEN: wrong })],
        [`gateway.remote.token in ${config}`, await command([], { LATCHKEY_CONFIG_PATH: config })],
      ] as const;
      for (const [place, { code, stderr }] of places) {
        expect(code, stderr).toBe(1);
        expect(stderr).toContain(`${place} is not this gateway's`);
        expect(stderr).toContain("on the gateway's host: latchkey gateway secret show");
        expect(stderr).not.toContain(wrong);
      }
      expect((await rows(await gateway.owner())).open.length).toBeLessThanOrEqual(1);
      // Once its key is paired it doesn't notice the wrong one; `-v` names it.
      writeFileSync(file, `${right}\n`);
      const first = await command(['--url', url, '--token-file', file]);
      expect(first.code, first.stderr).toBe(0);
      const later = await command(['-v', '--url', url], { LATCHKEY_GATEWAY_TOKEN: wrong });
      expect(later.code, later.stderr).toBe(0);
      expect(later.stderr).toContain('did not count: secret (LATCHKEY_GATEWAY_TOKEN)');
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });

  it("T8 a command on the gateway's own host needs none, whatever its environment says", async () => {
    const own = { LATCHKEY_GATEWAY_TOKEN: wrong, OPENCLAW_GATEWAY_TOKEN: wrong };
    const { port } = gateway;
    for (const more of [{}, { LATCHKEY_GATEWAY_URL: `ws://127.0.0.1:${port}` }]) {
      const { code, stdout, stderr } = await gateway.cli(['status', '--json'], { ...own, ...more });
      expect(code, stderr).toBe(0);
      expect(stdout).toContain('owner');
      expect(stdout + stderr).not.toContain(wrong);
    }
    expect((await rows(await gateway.owner())).open.length).toBeLessThanOrEqual(1);
  });
});

describe('T8 an old secret in the shape of a device token', () => {
  // 43 characters of base64url: what 2026.2.19 and 2026.3.13 send may be either (A13).
  const old = randomBytes(32).toString('base64url');
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start();
  });
  afterAll(() => gateway?.stop());

  it('T8 beside a key that holds nothing it counts as absent: one request, however often it comes', async () => {
    const identity = newIdentity();
    const gists = new Set<string>();
    const ids = new Set<unknown>();
    for (let time = 0; time < TIMES; time += 1) {
      const answer = await once(gateway, asking([READ], { auth: { token: old } }), { identity });
      gists.add(gist(answer));
      if (!answer.ok) ids.add(answer.error.details?.requestId);
    }
    expect([...gists]).toEqual(['NOT_PAIRED PAIRING_REQUIRED']);
    expect(ids.size).toBe(1);
    expect((await rows(await gateway.owner(), identity)).open).toHaveLength(1);
  });

  it('T8 without a key it opens nothing', async () => {
    expect(gist(await once(gateway, asking([READ], { auth: { token: old } })))).toContain('MISMATCH');
  });
});

describe('T8 an environment counts where the configuration says so', () => {
  it('T8 the named variable is the secret, and only that one', async () => {
    const [named, other] = [newSecret(), newSecret()];
    const gateway = await start({
      config: { gateway: { auth: { token: { source: 'env', id: 'LATCHKEY_GATEWAY_TOKEN' } } } },
      env: { LATCHKEY_GATEWAY_TOKEN: named, OPENCLAW_GATEWAY_TOKEN: other },
    });
    try {
      expect(gist(await once(gateway, asking([READ], { auth: { token: named } })))).toBe('ok');
      expect(gist(await once(gateway, asking([READ], { auth: { token: other } })))).toContain('AUTH_TOKEN_MISMATCH');
    } finally {
      await gateway.stop();
    }
  });

  it('T8 without a word in the configuration the generated secret counts, and no variable', async () => {
    const other = newSecret();
    const gateway = await start({
      config: { gateway: { auth: { token: undefined } } },
      env: { LATCHKEY_GATEWAY_TOKEN: other, OPENCLAW_GATEWAY_TOKEN: other },
    });
    try {
      const { secret } = JSON.parse(readFileSync(join(gateway.stateDir, 'identity', 'gateway.json'), 'utf8'));
      expect(gist(await once(gateway, asking([READ], { auth: { token: secret } })))).toBe('ok');
      expect(gist(await once(gateway, asking([READ], { auth: { token: other } })))).toContain('AUTH_TOKEN_MISMATCH');
    } finally {
      await gateway.stop();
    }
  });
});
