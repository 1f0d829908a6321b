// seed0: a command line that stays in `pairing required` while `devices list` works, or where not even that does. What a
// first command happens to ask decided what every later one could do; here the first one pairs what the secret is worth.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { granted } from './act.ts';
import { type Command, clientOf, isKeyless, READING, RELEASES } from './seed-client.ts';
import { asked, standing, unchanged, works } from './seed-demand.ts';

const FIRST: readonly Command[] = ['devices list', 'health', 'status', 'gateway probe', 'cron list', 'tui'];
const REST: readonly Command[] = [...READING, 'cron list'];

describe.each(RELEASES)('seed0 the commands of %s on a fresh gateway', (release) => {
  let gateway: Gateway;
  let owner: Peer;
  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
  });
  afterAll(() => gateway?.stop());

  it.each(FIRST)(
    'A13 seed0 %s first, then every other one: nothing is refused, asked or written again',
    async (first) => {
      const client = clientOf(gateway, release, newIdentity());
      await works(gateway, client, first);
      const grant = await granted(owner, client.identity);
      // A command that brings no key pairs none.
      expect(grant !== null, `${first} paired`).toBe(!isKeyless(release, first));
      // Where one comes later that does, it is the one that pairs.
      if (grant === null) for (const command of REST) await works(gateway, client, command);
      const whole = await granted(owner, client.identity);
      const before = standing(gateway);
      for (const command of REST) await works(gateway, client, command);
      unchanged(gateway, before);
      expect(await granted(owner, client.identity)).toEqual(whole);
      if (grant !== null) expect(whole).toEqual(grant);
      expect(await asked(owner, client)).toBeNull();
    },
  );

  it('A4 seed0 once paired, the key alone does for every command', async () => {
    const client = clientOf(gateway, release, newIdentity());
    await works(gateway, client, 'tui');
    const before = standing(gateway);
    client.secret = null;
    // The probe of 2026.3.13 brings no key, and there is no secret to bring.
    const keyed = REST.filter((command) => release !== '2026.3.13' || !isKeyless(release, command));
    expect(keyed.length).toBeGreaterThan(2);
    for (const command of keyed) await works(gateway, client, command);
    client.cached = null;
    for (const command of keyed) await works(gateway, client, command);
    unchanged(gateway, before);
    expect(await asked(owner, client)).toBeNull();
  });
});
