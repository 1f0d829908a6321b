// T16: a device can't approve its own upgrade, and asking again can't widen what was shown.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { connected } from '../partner/client.ts';
import { newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import {
  ADMIN,
  approve,
  asking,
  ensure,
  gist,
  granted,
  once,
  PAIRING,
  paired,
  READ,
  reject,
  rotate,
  rows,
  session,
  WRITE,
} from './act.ts';

describe('T16 no authority out of nothing', () => {
  let gateway: Gateway;
  let owner: Peer;
  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
  });
  afterAll(() => gateway?.stop());

  it('T16 a device with pairing can neither approve its own upgrade nor reach it by another way', async () => {
    const identity = await paired(owner, [PAIRING, READ]);
    const { partner, hello } = await connected({ port: gateway.port }, asking([PAIRING, READ, ADMIN]), { identity });
    expect(hello.auth.missing).toEqual([ADMIN]);
    const id = String(hello.auth.requestId);
    for (const attempt of [
      () => approve(partner, id),
      () => approve(partner, id, { scopes: [READ] }),
      () => approve(partner, id, { scopes: [] }),
      () => approve(partner, id, { scopes: [ADMIN] }),
      () => rotate(partner, identity, [ADMIN]),
      () => rotate(partner, identity, [PAIRING, READ, WRITE]),
      () => partner.call('device.pair.ensure', { publicKey: identity.publicKey, role: 'operator', scopes: [ADMIN] }),
      () => partner.call('device.grant.narrow', { deviceId: identity.id, role: 'operator', scopes: [ADMIN] }),
      () => partner.call('gateway.secret.rotate', {}),
    ]) {
      const answer = await attempt();
      expect(answer.ok, JSON.stringify(answer)).toBe(false);
    }
    expect(await granted(owner, identity)).toEqual([PAIRING, READ]);
    expect((await rows(owner, identity)).open.map((row) => row.requestId)).toEqual([id]);
    partner.end();
  });

  it('A7 two devices with pairing can not lift each other, and do not see what they could not decide', async () => {
    const [a, b] = [await paired(owner, [PAIRING]), await paired(owner, [PAIRING, READ])];
    const { hello } = await connected({ port: gateway.port }, asking([PAIRING, ADMIN]), { identity: a });
    const { partner } = await session(gateway, b);
    const answer = await approve(partner, String(hello.auth.requestId));
    expect(answer.ok).toBe(false);
    // The same answer as for an id that never was.
    const nowhere = await approve(partner, 'no-such-request');
    expect(gist(answer)).toBe(gist(nowhere));
    expect((await rows(partner)).open.map((row) => row.requestId)).not.toContain(hello.auth.requestId);
    expect(await granted(owner, a)).toEqual([PAIRING]);
    partner.end();
  });

  it('A7 a device with pairing gives what it holds and nothing beyond', async () => {
    const giver = await paired(owner, [PAIRING, READ]);
    const { partner } = await session(gateway, giver);
    const [within, beyond] = [newIdentity(), newIdentity()];
    const asks = [
      await once({ port: gateway.port }, asking([READ]), { identity: within }),
      await once({ port: gateway.port }, asking([READ, WRITE]), { identity: beyond }),
    ].map((answer) => (answer.ok ? '' : String(answer.error.details?.requestId)));
    expect(gist(await approve(partner, asks[0] ?? ''))).toBe('ok');
    expect((await approve(partner, asks[1] ?? '')).ok).toBe(false);
    expect((await approve(partner, asks[1] ?? '', { scopes: [READ] })).ok).toBe(false);
    expect(await granted(owner, within)).toEqual([READ]);
    expect(await granted(owner, beyond)).toBeNull();
    partner.end();
  });

  it('T16 A5 asking again for more closes the id that was shown; approving that id gives nothing', async () => {
    const identity = newIdentity();
    const ask = async (scopes: readonly string[]) => {
      const answer = await once({ port: gateway.port }, asking(scopes), { identity });
      return answer.ok ? '' : String(answer.error.details?.requestId);
    };
    const shown = await ask([READ]);
    expect(await ask([READ])).toBe(shown);
    expect(await ask([])).toBe(shown);
    const wider = await ask([READ, ADMIN]);
    expect(wider).not.toBe(shown);
    const late = await approve(owner, shown);
    expect(late.ok).toBe(false);
    expect(JSON.stringify(!late.ok && late.error)).toMatch(/superseded/);
    expect(await granted(owner, identity)).toBeNull();
    const open = (await rows(owner, identity)).open;
    expect(open.map((row) => [row.requestId, [...row.scopes].sort()])).toEqual([[wider, [ADMIN, READ]]]);
  });

  it('A5 what was left out of an approval is not asked again, and can not be had by asking', async () => {
    const identity = newIdentity();
    const first = await once({ port: gateway.port }, asking([READ, ADMIN]), { identity });
    const id = first.ok ? '' : String(first.error.details?.requestId);
    expect(gist(await approve(owner, id, { scopes: [READ] }))).toBe('ok');
    for (let time = 0; time < 3; time += 1) {
      const { partner, hello } = await connected({ port: gateway.port }, asking([READ, ADMIN]), { identity });
      expect(hello.auth.missing).toEqual([ADMIN]);
      expect(hello.auth.rejected).toBe(true);
      expect((await partner.call('device.pair.list')).ok).toBe(false);
      partner.end();
    }
    const listed = await rows(owner, identity);
    expect(listed.open).toEqual([]);
    expect(listed.rejected.map((row) => row.scopes)).toEqual([[ADMIN]]);
    // A closed id never acts again; the rejection can still be approved by its own.
    expect((await approve(owner, id)).ok).toBe(false);
    expect(gist(await approve(owner, listed.rejected[0].requestId))).toBe('ok');
    expect(await granted(owner, identity)).toEqual([ADMIN, READ]);
  });

  it('A5 A13 the secret brings nobody past a rejection', async () => {
    const identity = newIdentity();
    const first = await once({ port: gateway.port }, asking([READ]), { identity });
    await reject(owner, first.ok ? '' : String(first.error.details?.requestId));
    for (const scopes of [[READ], [READ, ADMIN], []]) {
      const answer = await once({ port: gateway.port }, asking(scopes, { auth: { token: gateway.token } }), {
        identity,
      });
      expect(answer.ok, JSON.stringify(answer)).toBe(false);
      expect(!answer.ok && (answer.error.retryAfterMs ?? answer.error.details?.retryAfterMs)).toBeGreaterThan(0);
    }
    expect(await granted(owner, identity)).toBeNull();
    expect((await rows(owner, identity)).open).toEqual([]);
    await ensure(owner, identity, [READ]);
    expect(gist(await once({ port: gateway.port }, asking([READ]), { identity }))).toBe('ok');
  });

  it('A7 scopes that nobody knows are not kept, and do not open anything', async () => {
    const identity = newIdentity();
    const names = ['operator.root', 'operator.read,operator.admin', '*', 'OPERATOR.ADMIN', 'operator.admin '];
    const answer = await once({ port: gateway.port }, asking([READ, ...names]), { identity });
    expect(answer.ok).toBe(false);
    const open = (await rows(owner, identity)).open;
    expect(open.flatMap((row) => row.scopes).filter((scope) => scope !== READ)).toEqual([]);
  });
});
