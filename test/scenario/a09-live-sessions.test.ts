// A9 and A20: narrowing, revoking and the end of a time box reach live sessions, and come before the answer.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { connected, Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import { type Answer, type Peer, until, within } from '../partner/peer.ts';
import {
  ADMIN,
  approve,
  approveFor,
  asking,
  ensure,
  gist,
  granted,
  narrow,
  once,
  PAIRING,
  paired,
  READ,
  remove,
  revoke,
  rotate,
  rows,
  session,
  WRITE,
} from './act.ts';

describe('A9 narrowing and revoking are immediate', () => {
  let gateway: Gateway;
  let owner: Peer;
  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
  });
  afterAll(() => gateway?.stop());

  /** True when the socket was closed together with the answer to `decide`. */
  async function closedWith(closed: Promise<unknown>, decide: () => Promise<Answer>): Promise<boolean> {
    let first: 'closed' | undefined;
    void closed.then(() => {
      first = 'closed';
    });
    const answer = await decide();
    expect(gist(answer)).toBe('ok');
    // The two travel on different sockets: what was written first may be read a moment later.
    const answered = performance.now();
    if (first === undefined) await closed;
    return performance.now() - answered < 100;
  }

  it('A4, A9 a page whose origin is taken off the list is closed before that is answered', async () => {
    const origins = (allowedOrigins: readonly string[]) =>
      owner.call('config.patch', { raw: JSON.stringify({ gateway: { controlUi: { allowedOrigins } } }) });
    const [gone, stays] = ['https://gone.example', 'https://stays.example'];
    await origins([gone, stays]);
    const identity = await paired(owner, [READ]);
    const page = (origin: string) => connected({ port: gateway.port, origin }, asking([READ]), { identity });
    const [first, second, plain] = [await page(gone), await page(stays), await session(gateway, identity)];
    const waiting = await Partner.open({ port: gateway.port, origin: gone });
    expect(await closedWith(first.partner.closed, () => origins([stays]))).toBe(true);
    expect((await first.partner.closed).code).toBe(1008);
    expect((await waiting.closed).code).toBe(1008);
    for (const { partner } of [second, plain]) expect(gist(await partner.call('health'))).toBe('ok');
    await expect(page(gone)).rejects.toThrow(/origin/i);
    for (const { partner } of [second, plain]) partner.end();
  });

  it.each([
    ['device.token.revoke', revoke],
    ['device.pair.remove', remove],
  ])('A9 %s closes the live sessions of the grant, and the key has to ask again', async (_name, end) => {
    const identity = await paired(owner, [READ]);
    const live = await Promise.all([session(gateway, identity), session(gateway, identity, [READ])]);
    const other = await session(gateway, await paired(owner, [READ]));
    expect(await closedWith(Promise.all(live.map((s) => s.partner.closed)), () => end(owner, identity))).toBe(true);
    for (const { partner } of live) expect((await partner.closed).code).toBeGreaterThanOrEqual(1008);
    expect(gist(await other.partner.call('health'))).toBe('ok');
    expect(await granted(owner, identity)).toBeNull();
    // A9: gone; not even the secret brings it back, only a decision.
    const again = await once({ port: gateway.port }, asking([READ], { auth: { token: gateway.token } }), { identity });
    expect(gist(again)).toBe('NOT_PAIRED PAIRING_REQUIRED');
    expect(gist(await approve(owner, again.ok ? '' : String(again.error.details?.requestId)))).toBe('ok');
    expect(await granted(owner, identity)).toEqual([READ]);
    other.partner.end();
  });

  it('A9 after the answer to a revoke no call of the device is answered and no event reaches it', async () => {
    for (let round = 0; round < 20; round += 1) {
      const identity = await paired(owner, [READ, PAIRING]);
      const { partner } = await session(gateway, identity);
      const calls = Array.from({ length: 20 }, () => partner.call('device.pair.list').catch(() => null));
      expect(gist(await revoke(owner, identity))).toBe('ok');
      const seen = partner.received.length;
      // Something that a pairing session would be told of.
      await once({ port: gateway.port }, asking([READ]), { identity: newIdentity() });
      await partner.closed;
      const late = partner.received.slice(seen).filter((text) => text.includes('device.pair.requested'));
      expect(late).toEqual([]);
      void Promise.all(calls);
    }
  }, 60_000);

  it('A9 a connect that races a revoke does not survive it', async () => {
    for (let round = 0; round < 40; round += 1) {
      const identity = await paired(owner, [READ]);
      const partner = await Partner.open({ port: gateway.port });
      const connecting = partner.connect(asking([READ]), { identity });
      if (round % 4 !== 0) await new Promise((done) => setTimeout(done, round % 4));
      expect(gist(await revoke(owner, identity))).toBe('ok');
      const answer = await connecting;
      // Let in before it: closed by it. After it: refused. Never a session without a grant.
      const close = await within(partner.closed, `close after ${gist(answer)}`, 3_000);
      expect(close.code, gist(answer)).toBe(answer.ok ? 4001 : 1008);
    }
  }, 60_000);

  it('A9 narrowing leaves the session open with less, at its very next call', async () => {
    const identity = await paired(owner, [READ, PAIRING]);
    const { partner } = await session(gateway, identity);
    expect(gist(await partner.call('device.pair.list'))).toBe('ok');
    expect(gist(await narrow(owner, identity, [READ]))).toBe('ok');
    expect(gist(await partner.call('device.pair.list'))).toBe('FORBIDDEN MISSING_SCOPE');
    expect(gist(await partner.call('status'))).toBe('ok');
    partner.end();
  });

  it('A9 rotate with scopes narrows; A10 rotate alone closes nothing and tells the token to its own device only', async () => {
    const identity = await paired(owner, [READ, PAIRING]);
    const { partner, hello } = await session(gateway, identity);
    const plain = await rotate(owner, identity);
    expect(gist(plain)).toBe('ok');
    expect(plain.ok && plain.payload.token).toBeUndefined();
    expect(gist(await partner.call('device.pair.list'))).toBe('ok');
    const own = await rotate(partner, identity);
    expect(own.ok && own.payload.token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(own.ok && own.payload.token).not.toBe(hello.auth.deviceToken);
    expect(gist(await rotate(owner, identity, [READ]))).toBe('ok');
    expect(gist(await partner.call('device.pair.list'))).toBe('FORBIDDEN MISSING_SCOPE');
    expect((await rotate(owner, identity, [READ, ADMIN])).ok).toBe(false);
    expect(await granted(owner, identity)).toEqual([READ]);
    partner.end();
  });

  it('A7 who was narrowed a moment ago decides nothing', async () => {
    const giver = await paired(owner, [READ, PAIRING]);
    const { partner } = await session(gateway, giver);
    const asker = newIdentity();
    const ask = await once({ port: gateway.port }, asking([READ]), { identity: asker });
    const id = ask.ok ? '' : String(ask.error.details?.requestId);
    const [narrowed, decided] = await Promise.all([narrow(owner, giver, [PAIRING]), approve(partner, id)]);
    expect(gist(narrowed)).toBe('ok');
    // Either it decided before, or not at all; afterwards never.
    expect(await granted(owner, asker)).toEqual(decided.ok ? [READ] : null);
    const later = await once({ port: gateway.port }, asking([READ, WRITE]), { identity: newIdentity() });
    expect((await approve(partner, later.ok ? '' : String(later.error.details?.requestId))).ok).toBe(false);
    partner.end();
  });

  it('A9 requests and waiting sockets of a removed key end with it', async () => {
    const identity = await paired(owner, [READ]);
    const { partner, hello } = await connected({ port: gateway.port }, asking([READ, WRITE]), { identity });
    const id = String(hello.auth.requestId);
    expect(gist(await remove(owner, identity))).toBe('ok');
    await partner.closed;
    expect((await rows(owner, identity)).open).toEqual([]);
    expect((await approve(owner, id)).ok).toBe(false);
    expect(await granted(owner, identity)).toBeNull();
  });

  it('A7 its own device a session may always narrow and revoke, without pairing', async () => {
    const identity = await paired(owner, [READ, WRITE]);
    const { partner } = await session(gateway, identity);
    expect(gist(await narrow(partner, identity, [READ]))).toBe('ok');
    expect(await granted(owner, identity)).toEqual([READ]);
    const other: Identity = await paired(owner, [READ]);
    expect((await narrow(partner, other, [])).ok).toBe(false);
    expect((await revoke(partner, other)).ok).toBe(false);
    expect(await granted(owner, other)).toEqual([READ]);
    const answer = await Promise.race([revoke(partner, identity), partner.closed]);
    expect(answer).toBeDefined();
    await partner.closed;
    expect(await granted(owner, identity)).toBeNull();
  });
});

describe('A20 time-boxed scopes end by themselves', () => {
  let gateway: Gateway;
  let owner: Peer;
  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
  });
  afterAll(() => gateway?.stop());

  it('A20 the end narrows a live session in place', async () => {
    const identity = await paired(owner, [READ]);
    const { partner, hello } = await connected({ port: gateway.port }, asking([READ, PAIRING]), { identity });
    const given = await approveFor(owner, String(hello.auth.requestId), 1_500);
    expect(gist(given)).toBe('ok');
    expect(gist(await partner.call('device.pair.list'))).toBe('ok');
    let last = 'ok';
    await until('end of the time box', async () => {
      last = gist(await partner.call('device.pair.list'));
      return last !== 'ok';
    });
    expect(last).toBe('FORBIDDEN MISSING_SCOPE');
    const from = partner.events.length;
    expect(gist(await partner.call('status'))).toBe('ok');
    // Events that need what is over stay away as well.
    await once({ port: gateway.port }, asking([READ]), { identity: newIdentity() });
    await partner.ask('health');
    expect(partner.events.slice(from).filter((e) => e.event === 'device.pair.requested')).toEqual([]);
    expect(await granted(owner, identity)).toEqual([READ]);
    partner.end();
  });

  it('A20 a time box never shortens what is permanent', async () => {
    const identity = newIdentity();
    const ask = await once({ port: gateway.port }, asking([READ]), { identity });
    expect(gist(await approveFor(owner, ask.ok ? '' : String(ask.error.details?.requestId), 1_000))).toBe('ok');
    await ensure(owner, identity, [READ]);
    await new Promise((done) => setTimeout(done, 1_200));
    expect(await granted(owner, identity)).toEqual([READ]);
    expect(gist(await once({ port: gateway.port }, asking([READ]), { identity }))).toBe('ok');
  });

  it('A7 nobody gives for longer than they hold', async () => {
    const giver = await paired(owner, [READ]);
    const { partner, hello } = await connected({ port: gateway.port }, asking([READ, PAIRING]), { identity: giver });
    await approveFor(owner, String(hello.auth.requestId), 60_000);
    const boxed = newIdentity();
    const ask = await once({ port: gateway.port }, asking([READ]), { identity: boxed });
    expect(gist(await approve(partner, ask.ok ? '' : String(ask.error.details?.requestId)))).toBe('ok');
    // `read` is permanent with the giver, so it may be given for ever; `pairing` may not.
    const second = newIdentity();
    const more = await once({ port: gateway.port }, asking([PAIRING]), { identity: second });
    expect(gist(await approve(partner, more.ok ? '' : String(more.error.details?.requestId)))).toBe('ok');
    const row = (await rows(owner, second)).paired[0];
    const until = row.grants[0].scopes[0].untilMs;
    expect(until).toBeGreaterThan(0);
    partner.end();
  });
});
