// T14 and A6: probe, status, lists, refusals and covered connects leave the truth as it is. trace.sqlite is exempt.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start, statusOf } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { ADMIN, asking, ensure, gist, granted, once, PAIRING, READ, reject, rows, session, WRITE } from './act.ts';
import { files, TruthReader } from './state.ts';

describe('T14 reading writes nothing', () => {
  let gateway: Gateway;
  let owner: Peer;
  let truth: TruthReader;
  /** Granted {write, pairing}. */
  let known: Identity;
  /** Unknown, with an open request for {read}. */
  let asker: Identity;
  /** Unknown, with {read} rejected. */
  let turnedDown: Identity;
  /** Granted {read}, with an open request for {admin}. */
  let wanting: Identity;

  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
    [known, asker, turnedDown, wanting] = [newIdentity(), newIdentity(), newIdentity(), newIdentity()];
    await ensure(owner, known, [WRITE, PAIRING]);
    await ensure(owner, wanting, [READ]);
    await once({ port: gateway.port }, asking([READ, ADMIN]), { identity: wanting });
    await once({ port: gateway.port }, asking([READ]), { identity: asker });
    const no = await once({ port: gateway.port }, asking([READ]), { identity: turnedDown });
    const said = await reject(owner, no.ok ? '' : String(no.error.details?.requestId));
    expect(gist(said)).toBe('ok');
    truth = new TruthReader(gateway.stateDir);
  });
  afterAll(async () => {
    truth?.close();
    await gateway?.stop();
  });

  async function unchanged(what: () => Promise<void>): Promise<void> {
    const before = { version: truth.version(), tables: truth.tables(), files: files(gateway.stateDir) };
    await what();
    expect(truth.tables()).toEqual(before.tables);
    // Not even a write of equal rows.
    expect(truth.version()).toEqual(before.version);
    expect(files(gateway.stateDir)).toEqual(before.files);
  }

  it('T14 the reader sees a change when there is one', async () => {
    const before = truth.version();
    const tables = truth.tables();
    expect(Object.values(tables).flat().join()).toContain(known.id);
    await ensure(owner, newIdentity(), [READ]);
    expect(truth.version()).not.toEqual(before);
    expect(truth.tables()).not.toEqual(tables);
  });

  it.each(['/healthz', '/readyz', '/startupz', '/', '/metrics', '/nothing-here'])('T14 GET %s', async (path) => {
    await unchanged(async () => {
      expect(await statusOf(gateway.port, path)).toBeGreaterThan(0);
    });
  });

  it.each(['health', 'status', 'system-presence', 'config.get', 'device.pair.list'])(
    'T14 %s, by the owner and by a device',
    async (method) => {
      const { partner } = await session(gateway, known);
      await unchanged(async () => {
        expect(gist(await owner.call(method))).toBe('ok');
        expect(gist(await partner.call(method))).toBe('ok');
      });
      partner.end();
    },
  );

  it.each([
    ['status'],
    ['health'],
    ['gateway', 'probe'],
    ['devices', 'list'],
    ['gateway', 'call', 'status'],
    ['gateway', 'secret', 'show'],
  ])('T14 latchkey %s %s %s', async (...args) => {
    await unchanged(async () => {
      const result = await gateway.cli([...args.filter((a) => a !== undefined), '--json']);
      expect(result.code, result.stderr).toBe(0);
    });
  });

  it('T14 a connect whose ask the grant covers, however it is made', async () => {
    const stale = Buffer.alloc(32, 3).toString('base64url');
    await unchanged(async () => {
      for (const scopes of [[READ], [WRITE], [WRITE, READ], [PAIRING], [], ['operator.talk']]) {
        for (const auth of [
          undefined,
          { token: gateway.token },
          { token: 'wrong' },
          { token: stale },
          { deviceToken: stale },
        ]) {
          const answer = await once({ port: gateway.port }, asking(scopes, auth === undefined ? {} : { auth }), {
            identity: known,
          });
          expect(gist(answer), `${scopes} ${JSON.stringify(auth)}`).toBe('ok');
        }
      }
    });
  });

  it('A6 a connect whose ask the open request covers', async () => {
    await unchanged(async () => {
      for (const scopes of [[READ], []]) {
        const answer = await once({ port: gateway.port }, asking(scopes), { identity: asker });
        expect(gist(answer)).toBe('NOT_PAIRED PAIRING_REQUIRED');
      }
      const more = await once({ port: gateway.port }, asking([READ, ADMIN]), { identity: wanting });
      expect(more.ok && more.payload.auth.missing).toEqual([ADMIN]);
    });
    expect(await granted(owner, wanting)).toEqual([READ]);
  });

  it('A6 a connect whose ask a rejection covers', async () => {
    await unchanged(async () => {
      for (let time = 0; time < 3; time += 1)
        expect((await once({ port: gateway.port }, asking([READ]), { identity: turnedDown })).ok).toBe(false);
    });
    expect((await rows(owner, turnedDown)).rejected).toHaveLength(1);
  });

  it('A16 refusals', async () => {
    const alien = newIdentity();
    await unchanged(async () => {
      const refused = [
        await once({ port: gateway.port }, asking([READ])),
        await once({ port: gateway.port }, asking([READ], { auth: { token: 'wrong' } })),
        await once({ port: gateway.port }, asking([READ], { auth: { token: 'wrong' } }), { identity: alien }),
        await once({ port: gateway.port }, asking([READ]), { identity: alien, nonce: 'another' }),
        await once({ port: gateway.port }, asking([READ], { minProtocol: 9, maxProtocol: 9 }), { identity: alien }),
        await once({ port: gateway.port }, asking([READ], { role: 'emperor' }), { identity: alien }),
        await once({ port: gateway.port, origin: 'https://evil.example' }, asking([READ]), { identity: alien }).catch(
          () => ({ ok: false as const }),
        ),
      ];
      expect(refused.filter((answer) => answer.ok)).toEqual([]);
      const { partner } = await session(gateway, wanting);
      for (const method of ['device.pair.list', 'no.such.method', 'device.pair.ensure'])
        expect((await partner.call(method, {})).ok).toBe(false);
      partner.end();
    });
  });

  it('T14 a socket that says nothing, and one that leaves in the middle', async () => {
    await unchanged(async () => {
      const silent = await Partner.open({ port: gateway.port });
      silent.end();
      const leaving = await Partner.open({ port: gateway.port });
      void leaving.connect(asking([READ]), { identity: known }).catch(() => {});
      leaving.end();
      await owner.ask('health');
    });
  });
});
