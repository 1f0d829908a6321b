// seed1: a request to widen that comes back for ever. A device that holds admin is asked for less than that again and
// again; one that really lacks something asks once, is told under one id, and is mended by one command.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { ADMIN, APPROVALS, ensure, granted, narrow, PAIRING, READ } from './act.ts';
import { type Client, type Command, clientOf, isKeyless, READING, RELEASES } from './seed-client.ts';
import { asked, mend, standing, unchanged, unrepeated, works } from './seed-demand.ts';

const NARROW = [ADMIN, APPROVALS, PAIRING];
const TIMES = 10;

describe.each(RELEASES)('seed1 the commands of %s', (release) => {
  let gateway: Gateway;
  let owner: Peer;
  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
  });
  afterAll(() => gateway?.stop());

  /** The secret stays at home where a key is to be judged that 2026.9.6 would otherwise not bring. */
  const keyed = (client: Client): Client => {
    if (release === '2026.9.6') client.secret = null;
    return client;
  };

  it('A1 seed1 an admin-only device, rotated to admin, approvals, pairing by its own command, then status ten times', async () => {
    const client = keyed(clientOf(gateway, release, newIdentity()));
    await ensure(owner, client.identity, NARROW);
    await works(gateway, client, 'status');
    const old = client.cached;
    await works(gateway, client, 'devices rotate');
    const before = standing(gateway);
    for (let time = 0; time < TIMES; time += 1) await works(gateway, client, 'status');
    for (const command of [...READING, 'cron list', 'tui'] as const) await works(gateway, client, command);
    unchanged(gateway, before);
    expect(await granted(owner, client.identity)).toEqual([...NARROW].sort());
    expect(await asked(owner, client)).toBeNull();
    // Whoever keeps a token has the new one by now.
    if (old !== null) expect(client.cached).not.toBe(old);
  });

  it('A10 seed1 narrowed by its owner while the client keeps the token and scopes of before', async () => {
    const client = clientOf(gateway, release, newIdentity());
    await works(gateway, client, 'tui');
    keyed(client);
    const stale = client.cached;
    expect((await narrow(owner, client.identity, NARROW)).ok).toBe(true);
    const before = standing(gateway);
    for (let time = 0; time < TIMES; time += 1) {
      // Each time as it was when the client was last here.
      client.cached = stale;
      await works(gateway, client, 'status');
    }
    unchanged(gateway, before);
    expect(await granted(owner, client.identity)).toEqual([...NARROW].sort());
  });

  it('A5 seed1 a wide ask is open while narrower commands run; one command closes it for good', async () => {
    const client = keyed(clientOf(gateway, release, newIdentity()));
    await ensure(owner, client.identity, [READ]);
    const wide = async () => {
      const outcome = await client.run(gateway, 'devices list');
      expect(outcome.complaints).toHaveLength(1);
      expect(outcome.complaints[0]).toMatch(/^device\.pair\.list: missing scope: operator\.pairing/);
      expect(outcome.sockets).toBe(outcome.recorded);
      return outcome.requests;
    };
    const first = await wide();
    const request = await asked(owner, client);
    expect(first).toEqual([request]);
    const before = standing(gateway);
    const narrower: readonly Command[] = ['health', 'status', 'gateway probe', 'status --deep'];
    for (let time = 0; time < TIMES; time += 1) {
      for (const command of narrower) {
        if (release === '2026.3.13' && isKeyless(release, command)) continue;
        const outcome = await client.run(gateway, command);
        expect(outcome.complaints, command).toEqual([]);
        expect(outcome.sockets, command).toBe(outcome.recorded);
        for (const id of outcome.requests) expect(id).toBe(request);
      }
      expect(await wide()).toEqual([request]);
    }
    unchanged(gateway, before);
    expect(await asked(owner, client)).toBe(request);
    expect(await granted(owner, client.identity)).toEqual([READ]);
    await mend(gateway, request ?? '', /devices approve /);
    const after = standing(gateway);
    await works(gateway, client, 'devices list');
    for (const command of narrower.filter((c) => release !== '2026.3.13' || !isKeyless(release, c)))
      await works(gateway, client, command);
    unchanged(gateway, after);
    expect(await asked(owner, client)).toBeNull();
  });

  it('A16 seed1 a key that nobody knows reconnects twenty times: one request, one line', async () => {
    const client = clientOf(gateway, release, newIdentity());
    client.secret = null;
    // On this command every release brings its key where it has no secret.
    const command = 'tui';
    const outcome = await client.run(gateway, command);
    expect(new Set(outcome.complaints)).toEqual(new Set(['NOT_PAIRED PAIRING_REQUIRED']));
    const request = await asked(owner, client);
    expect(request).not.toBeNull();
    const before = standing(gateway);
    for (let time = 0; time < 5; time += 1) await client.run(gateway, command);
    unchanged(gateway, before);
    unrepeated(gateway, before);
    expect(await asked(owner, client)).toBe(request);
    await mend(gateway, request ?? '', /devices approve /);
    await works(gateway, client, command);
  });
});
