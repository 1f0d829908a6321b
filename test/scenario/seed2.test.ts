// seed2: what the program does on the way, by helper connections of its own, was refused for the scopes of its own
// device: `operator.write` for a device that holds admin. Those that exist today are the `gateway-client/backend`
// connects of `health`, of parts of `status` and the like; here is every recorded one.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { type RecordedConnect, recordedConnects, replayParams } from '../wire/verdict.ts';
import { ADMIN, APPROVALS, ensure, granted, PAIRING, READ, rows, WRITE } from './act.ts';
import { standing, unchanged } from './seed-demand.ts';

const helpers = recordedConnects().filter(
  ({ params }) => params.client?.id === 'gateway-client' && params.role === 'operator',
);
const sends = helpers.filter(({ params }) => params.client?.mode === 'backend');

/** What each device holds, and what helpers may ask of it without its missing anything. */
const DEVICES: readonly (readonly [string, readonly string[]])[] = [
  ['admin, approvals, pairing', [ADMIN, APPROVALS, PAIRING]],
  ['admin alone', [ADMIN]],
  ['admin and read, as a first health left it', [ADMIN, READ]],
];

describe.each(DEVICES)('seed2 a device with %s', (_name, scopes) => {
  let gateway: Gateway;
  let owner: Peer;
  let identity: Identity;
  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
    identity = newIdentity();
    await ensure(owner, identity, scopes);
  });
  afterAll(() => gateway?.stop());

  /** Connects as the helper did, with that ask, and calls `health`: not refused, nothing missing, no request named. */
  async function helps(recorded: RecordedConnect, asks: readonly string[], hasSecret: boolean): Promise<void> {
    const name = `${recorded.release} ${recorded.command} asking ${asks}`;
    const { auth, ...params } = replayParams(recorded, 'secret', gateway.token);
    const partner = await Partner.open({ port: gateway.port });
    try {
      const answer = await partner.connect(
        { ...params, scopes: asks, ...(hasSecret && auth !== undefined ? { auth } : {}) },
        // Without the secret it is the key or nothing.
        recorded.identity === null && hasSecret ? {} : { identity, version: recorded.signature ?? 'v3' },
      );
      expect(answer.ok, `${name}: ${JSON.stringify(answer)}`).toBe(true);
      if (!answer.ok) return;
      expect(answer.payload.auth.missing ?? [], name).toEqual([]);
      expect(answer.payload.auth.requestId, name).toBeUndefined();
      expect((await partner.call('health')).ok, name).toBe(true);
    } finally {
      partner.end();
    }
  }

  it.each([
    ['with the secret', true],
    ['by the key alone', false],
  ])('A1 seed2 no helper connect %s is refused, and none writes', async (_how, hasSecret) => {
    expect(helpers.length).toBeGreaterThan(15);
    const before = standing(gateway);
    for (const recorded of helpers) await helps(recorded, recorded.params.scopes ?? [], hasSecret);
    unchanged(gateway, before);
    expect(await granted(owner, identity)).toEqual([...scopes].sort());
  });

  it('A1 seed2 nor one that asks for write, as sending and spawning did, nor several at once', async () => {
    const before = standing(gateway);
    for (const recorded of sends) await helps(recorded, [WRITE], false);
    await Promise.all(
      sends.map((recorded, i) => helps(recorded, [[READ], [WRITE], [ADMIN]][i % 3] ?? [READ], i % 2 === 0)),
    );
    unchanged(gateway, before);
    expect((await rows(owner)).open).toEqual([]);
    expect(await granted(owner, identity)).toEqual([...scopes].sort());
  });
});
