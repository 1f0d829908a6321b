// seed4: the shared secret on loopback without a device block. The scopes of such a connection were cleared, and what was
// left of the answers said `missing scope`, or nothing at all. Here the secret has a grant of its own (A13).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { Partner, plainParams } from '../partner/client.ts';
import type { ConnectParams } from '../partner/identity.ts';
import { newIdentity } from '../partner/identity.ts';
import { recordedConnects, replayParams } from '../wire/verdict.ts';
import { ADMIN, APPROVALS, PAIRING, READ, rows, WRITE } from './act.ts';
import { clientOf, isKeyless, READING, RELEASES } from './seed-client.ts';
import { mend, standing, unchanged, works } from './seed-demand.ts';

const keyless = recordedConnects().filter(
  ({ identity, origin, params }) => identity === null && origin === null && params.auth !== undefined,
);
const CLIENTS = [
  ['cli', 'cli'],
  ['gateway-client', 'backend'],
  ['cli', 'probe'],
] as const;
const TIMES = 10;

describe('seed4 the secret on loopback, no device block', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start();
  });
  afterAll(() => gateway?.stop());

  /** What was asked is what is held: told, and good for the calls that need it. */
  async function keeps(params: ConnectParams, name: string): Promise<void> {
    const partner = await Partner.open({ port: gateway.port });
    try {
      const answer = await partner.connect(params);
      expect(answer.ok, `${name}: ${JSON.stringify(answer)}`).toBe(true);
      if (!answer.ok) return;
      const asked = params.scopes ?? [];
      const { scopes, missing = [] } = answer.payload.auth ?? {};
      if (scopes !== undefined) expect(scopes, name).toEqual(expect.arrayContaining([...asked]));
      expect(missing, name).toEqual([]);
      const may = (scope: string) => asked.includes(scope) || asked.includes(ADMIN);
      for (const method of ['health', 'status', 'system-presence', 'config.get'])
        expect((await partner.call(method, {})).ok, `${name}: ${method}`).toBe(
          method === 'health' || may(READ) || may(WRITE),
        );
      expect((await partner.call('device.pair.list', {})).ok, `${name}: device.pair.list`).toBe(may(PAIRING));
    } finally {
      partner.end();
    }
  }

  it('A13 seed4 every recorded connect without a key keeps what it asks, ten times over', async () => {
    expect(keyless.length).toBeGreaterThan(50);
    const before = standing(gateway);
    for (let time = 0; time < TIMES; time += 1)
      for (const recorded of keyless)
        await keeps(replayParams(recorded, 'secret', gateway.token), `${recorded.release} ${recorded.command}`);
    unchanged(gateway, before);
  }, 60_000);

  it.each(CLIENTS.flatMap((client) => [3, 4].map((protocol) => [...client, protocol] as const)))(
    'A2 seed4 %s/%s of protocol %i keeps what it asks',
    async (id, mode, protocol) => {
      const client = { ...plainParams().client, id, mode, version: '2026.3.13', platform: 'linux' };
      const params = { client, minProtocol: protocol, maxProtocol: protocol, auth: { token: gateway.token } };
      const before = standing(gateway);
      for (const scopes of [[READ], [WRITE], [PAIRING], [ADMIN], [ADMIN, READ, WRITE, APPROVALS, PAIRING]])
        await keeps(plainParams({ ...params, scopes }), `asking ${scopes}`);
      unchanged(gateway, before);
      const owner = await gateway.owner();
      expect((await rows(owner)).open).toEqual([]);
      expect((await rows(owner)).paired).toEqual([]);
    },
  );

  it.each(RELEASES)(
    'A13 seed4 the commands of %s that bring no key, with the right and with a wrong secret',
    async (release) => {
      const client = clientOf(gateway, release, newIdentity());
      const commands = READING.filter((command) => isKeyless(release, command));
      // 2026.2.19 always brings one.
      expect(commands.length === 0).toBe(release === '2026.2.19');
      for (const command of READING) await works(gateway, client, command);
      const before = standing(gateway);
      for (let time = 0; time < TIMES; time += 1) for (const command of commands) await works(gateway, client, command);
      unchanged(gateway, before);
      const command = commands[0];
      if (command === undefined) return;
      client.secret = 'ab'.repeat(24);
      const outcome = await client.run(gateway, command);
      expect(new Set(outcome.complaints)).toEqual(new Set(['INVALID_REQUEST AUTH_TOKEN_MISMATCH']));
      client.secret = await mend(gateway, outcome.decisions[0] ?? '', /gateway secret show$/);
      await works(gateway, client, command);
      unchanged(gateway, before);
    },
  );
});
