// seed3: a token that doesn't match, kept in two places, and two gateways. A paired key doesn't notice an old value,
// wherever it lives; where the secret alone counts and is wrong, that is what is said, and one command shows the right one.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, latchkey, newStateDir, removeStateDir, start, statusOf } from '../gateway.ts';
import { newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { granted, rotate } from './act.ts';
import { type Client, type Command, clientOf, isKeyless, READING, RELEASES } from './seed-client.ts';
import { asked, mend, standing, unchanged, works } from './seed-demand.ts';

const TIMES = 10;
/** Some of them: a wrong secret is answered later and later (A16). */
const JUDGED: readonly Command[] = ['devices list', 'status', 'gateway probe'];
const newSecret = () => randomBytes(24).toString('hex');

/** What became of the credentials file while nobody looked: the token that the client reads there now. */
const HARMS: readonly (readonly [string, (token: string) => string | null])[] = [
  ['an old value', (token) => token],
  ['truncated', (token) => token.slice(0, 20)],
  ['deleted', () => null],
  ["another host's", () => randomBytes(32).toString('base64url')],
];

describe.each(RELEASES)('seed3 the commands of %s', (release) => {
  let gateway: Gateway;
  let owner: Peer;
  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
  });
  afterAll(() => gateway?.stop());

  /** A client whose key is paired, with all that the secret is worth. */
  async function paired(): Promise<Client> {
    const client = clientOf(gateway, release, newIdentity());
    await works(gateway, client, 'tui');
    return client;
  }

  /** The commands that bring the key, or the secret where there is one. */
  const commands = (client: Client) =>
    READING.filter((command) => client.secret !== null || release !== '2026.3.13' || !isKeyless(release, command));

  describe.each([
    ['with the secret', true],
    ['by the key alone', false],
  ])('%s', (_how, hasSecret) => {
    it.each(HARMS)('A10 seed3 a credentials file: %s', async (name, harm) => {
      const client = await paired();
      const given = client.cached ?? '';
      if (name === 'an old value') expect((await rotate(owner, client.identity)).ok).toBe(true);
      if (!hasSecret) client.secret = null;
      const grant = await granted(owner, client.identity);
      const before = standing(gateway);
      for (let time = 0; time < TIMES; time += 1) {
        client.cached = harm(given);
        for (const command of commands(client)) await works(gateway, client, command);
      }
      unchanged(gateway, before);
      expect(await granted(owner, client.identity)).toEqual(grant);
      expect(await asked(owner, client)).toBeNull();
      // Each command that brings the key leaves the right value behind: the same one each time.
      client.cached = harm(given);
      await works(gateway, client, 'tui');
      expect(client.cached === given).toBe(name !== 'an old value');
      expect(client.cached).toHaveLength(given.length);
    });
  });

  /** Both sides say another secret: what brings the paired key works, what brings none is told; one command mends it. */
  async function judge(on: Gateway, client: Client, wrong: string): Promise<void> {
    const peer = await on.owner();
    const grant = await granted(peer, client.identity);
    const before = standing(on);
    client.secret = wrong;
    const decisions = new Set<string>();
    const told = new Set<Command>();
    for (let time = 0; time < TIMES; time += 1) {
      for (const command of JUDGED) {
        const outcome = await client.run(on, command);
        expect(outcome.sockets, command).toBe(outcome.recorded);
        if (outcome.complaints.length === 0) expect(new Set(outcome.ignored), command).toEqual(new Set(['secret']));
        for (const complaint of outcome.complaints) expect(complaint).toBe('INVALID_REQUEST AUTH_TOKEN_MISMATCH');
        for (const text of outcome.texts) {
          expect(text).toContain('gateway token mismatch');
          expect(text).not.toContain('device token mismatch');
          expect(text).not.toContain(wrong);
        }
        if (outcome.complaints.length > 0) told.add(command);
        for (const decision of outcome.decisions) decisions.add(decision);
      }
      // A guess is put off, the more of them the longer (A16): the right secret and keys aren't.
      if (told.size > 0) break;
    }
    expect([...told]).toEqual(JUDGED.filter((command) => isKeyless(release, command)));
    unchanged(on, before);
    expect(await granted(peer, client.identity)).toEqual(grant);
    expect(await asked(peer, client)).toBeNull();
    const shown = told.size > 0 ? await mend(on, [...decisions][0] ?? '', /gateway secret show$/) : on.token;
    client.secret = shown;
    expect(client.secret).toBe(on.token);
    for (const command of JUDGED) await works(on, client, command);
    unchanged(on, before);
  }

  it('A13 seed3 an old secret in the environment, the right one in the configuration', async () => {
    // 2026.2.19 and 2026.3.13 take the one in the environment; 2026.9.6 takes it where it has no other.
    await judge(gateway, await paired(), newSecret());
  });

  it('A13 seed3 the same with a key that nobody knows: told, nothing asked; mended by the command that is named', async () => {
    const client = clientOf(gateway, release, newIdentity());
    const before = standing(gateway);
    client.secret = newSecret();
    const outcome = await client.run(gateway, 'health');
    expect(new Set(outcome.complaints)).toEqual(new Set(['INVALID_REQUEST AUTH_TOKEN_MISMATCH']));
    expect(outcome.sockets).toBe(outcome.recorded);
    unchanged(gateway, before);
    client.secret = await mend(gateway, outcome.decisions[0] ?? '', /gateway secret show$/);
    for (const command of READING) await works(gateway, client, command);
  });

  it.each([
    ['an older openclaw.json came back', false],
    ["an older configuration of the gateway's came back", true],
  ])(
    'A13 seed3 %s',
    async (_name, isGateways) => {
      const [old, fresh] = [newSecret(), newSecret()];
      const stateDir = newStateDir({ gateway: { auth: { token: old } } });
      const file = join(stateDir, 'latchkey.json');
      const copy = readFileSync(file, 'utf8');
      const client = clientOf({ port: 0, token: old }, release, newIdentity());
      let on = await start({ stateDir });
      try {
        await works(on, client, 'tui');
        await on.halt();
        writeFileSync(file, copy.replace(old, fresh));
        on = await start({ stateDir });
        client.secret = fresh;
        for (const command of READING) await works(on, client, command);
        if (isGateways) {
          await on.halt();
          writeFileSync(file, copy);
          on = await start({ stateDir });
        }
        await judge(on, client, isGateways ? fresh : old);
      } finally {
        await on.halt();
        removeStateDir(stateDir);
      }
    },
    60_000,
  );

  it('A11 seed3 a second gateway on the state directory ends with 78, and no command notices', async () => {
    const client = await paired();
    const before = standing(gateway);
    for (const port of ['0', String(gateway.port)]) {
      const second = await latchkey(['gateway', 'run', '--port', port, '--state-dir', gateway.stateDir], {
        home: join(gateway.stateDir, '..'),
      });
      expect(second.code, second.stderr).toBe(78);
      expect(second.stderr).toContain(String(gateway.pid));
      expect(await statusOf(gateway.port, '/readyz')).toBe(200);
      for (const command of READING) await works(gateway, client, command);
    }
    unchanged(gateway, before);
  });
});
