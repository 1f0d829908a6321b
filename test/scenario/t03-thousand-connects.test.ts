// T3: in OpenClaw each client that connected with another ask minted a token and killed the other clients' one.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { type ConnectParams, type Identity, newIdentity, type SignatureVersion } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { type RecordedConnect, recordedConnects, replayParams } from '../wire/verdict.ts';
import { ADMIN, asking, once, rows } from './act.ts';

const CONNECTS = 1_000;
const LANES = 8;

/** CLI, helper calls and probes of three releases, their TUIs, their Control UIs, and a client nobody knows. */
function clients(): readonly { name: string; recorded: RecordedConnect | null; version: SignatureVersion }[] {
  const seen = new Map<string, RecordedConnect>();
  for (const recorded of recordedConnects()) {
    const { client, scopes } = recorded.params;
    const key = [recorded.release, client?.id, client?.mode, scopes?.join(), recorded.signature].join(' ');
    if (!seen.has(key)) seen.set(key, recorded);
  }
  return [
    ...[...seen].map(([name, recorded]) => ({ name, recorded, version: recorded.signature ?? ('v3' as const) })),
    { name: 'foreign v2', recorded: null, version: 'v2' as const },
    { name: 'foreign v3', recorded: null, version: 'v3' as const },
  ];
}

describe('T3 CLI, TUI, browser and a foreign client interleaved on one key', () => {
  let gateway: Gateway;
  let owner: Peer;
  let identity: Identity;
  let token: string;

  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
    identity = newIdentity();
    const first = await once({ port: gateway.port }, asking([ADMIN], { auth: { token: gateway.token } }), { identity });
    if (!first.ok) throw new Error(first.error.message);
    token = first.payload.auth.deviceToken;
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });
  afterAll(() => gateway?.stop());

  it('T3 1,000 connects: none refused, no token invalidated by another, nothing pending', async () => {
    const kinds = clients();
    expect(kinds.length).toBeGreaterThan(20);
    for (const id of ['cli', 'gateway-client', 'openclaw-tui', 'openclaw-control-ui'])
      expect(kinds.some((kind) => kind.recorded?.params.client?.id === id)).toBe(true);
    const stale = Buffer.alloc(32, 7).toString('base64url');
    const credentials: readonly (ConnectParams['auth'] | undefined)[] = [
      { token: gateway.token },
      { token },
      { deviceToken: token },
      { token, deviceToken: token },
      { token: stale },
      { deviceToken: stale },
      undefined,
    ];
    const tokens = new Map<string, number>();
    const refused: string[] = [];
    let next = 0;
    const lane = async () => {
      while (next < CONNECTS) {
        const turn = next;
        next += 1;
        // 7 credentials and a prime to them number of kinds in turn: every client comes with every credential.
        const kind = kinds[turn % kinds.length];
        const auth = credentials[Math.floor(turn / kinds.length) % credentials.length];
        if (kind === undefined) throw new Error('no kind');
        const { auth: _recorded, ...params } =
          kind.recorded === null
            ? asking([ADMIN], { client: { id: 'somebody-elses', mode: 'cli', version: '0', platform: 'plan9' } })
            : replayParams(kind.recorded, 'secret', gateway.token);
        const partner = await Partner.open({
          port: gateway.port,
          ...(kind.recorded?.origin === 'same' ? { origin: `http://127.0.0.1:${gateway.port}` } : {}),
        });
        const answer = await partner.connect(auth === undefined ? params : { ...params, auth }, {
          identity,
          version: kind.version,
        });
        if (answer.ok) {
          const given = answer.payload.auth?.deviceToken;
          if (given !== undefined) tokens.set(given, (tokens.get(given) ?? 0) + 1);
        } else refused.push(`${kind.name} ${JSON.stringify(auth)}: ${answer.error.message}`);
        partner.end();
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    expect(refused).toEqual([]);
    expect([...tokens.keys()]).toEqual([token]);
    expect((await rows(owner)).open).toEqual([]);
    expect((await rows(owner)).paired).toHaveLength(1);
  }, 120_000);

  it('T3 the first token still names nothing wrong afterwards', async () => {
    const answer = await once({ port: gateway.port }, asking([ADMIN], { auth: { deviceToken: token } }), { identity });
    expect(answer.ok && (answer.payload.auth.ignored ?? [])).toEqual([]);
  });

  it('A10 a wrong or old token beside the key is named, and replaced in the same hello', async () => {
    const stale = Buffer.alloc(32, 9).toString('base64url');
    for (const auth of [{ deviceToken: stale }, { token: stale }]) {
      const answer = await once({ port: gateway.port }, asking(['operator.read'], { auth }), { identity });
      expect(answer.ok, JSON.stringify(answer)).toBe(true);
      if (!answer.ok) continue;
      expect(answer.payload.auth.deviceToken).toBe(token);
      expect(answer.payload.auth.ignored).toHaveLength(1);
    }
  });

  it('A10 without its key a token opens nothing', async () => {
    const keyless = await once({ port: gateway.port }, asking([ADMIN], { auth: { deviceToken: token } }));
    expect(keyless.ok).toBe(false);
    const other = await once({ port: gateway.port }, asking([ADMIN], { auth: { token } }), { identity: newIdentity() });
    expect(other.ok).toBe(false);
  });
});
