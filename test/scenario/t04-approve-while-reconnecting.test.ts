// T4: in OpenClaw an approval that raced a reconnect was lost, approved an id nobody held any more, or gave more than was shown.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { connected, Partner } from '../partner/client.ts';
import { newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { ADMIN, approve, asking, attempt, gist, granted, once, READ, rows, WRITE } from './act.ts';

describe('T4 approve while the asker reconnects', () => {
  let gateway: Gateway;
  let owner: Peer;
  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
  });
  afterAll(() => gateway?.stop());

  it('T4 the same ask keeps its id, and the connect after the approval is let in with exactly what was shown', async () => {
    for (let round = 0; round < 30; round += 1) {
      const identity = newIdentity();
      const first = await once({ port: gateway.port }, asking([READ, WRITE]), { identity });
      expect(gist(first)).toBe('NOT_PAIRED PAIRING_REQUIRED');
      const id = first.ok ? '' : String(first.error.details?.requestId);
      let stop = false;
      const seen: string[] = [];
      const loop = (async () => {
        while (!stop) {
          const again = await once({ port: gateway.port }, asking([READ, WRITE]), { identity });
          seen.push(again.ok ? 'in' : String(again.error.details?.requestId));
        }
      })();
      const shown = await rows(owner, identity);
      expect(shown.open.map((row) => [row.requestId, [...row.scopes].sort()])).toEqual([[id, [READ, WRITE]]]);
      const approved = await approve(owner, id);
      expect(gist(approved)).toBe('ok');
      const after = await once({ port: gateway.port }, asking([READ, WRITE]), { identity });
      stop = true;
      await loop;
      expect(gist(after)).toBe('ok');
      expect(new Set(seen.filter((what) => what !== 'in')).size, seen.join()).toBeLessThanOrEqual(1);
      expect(
        seen.every((what) => what === 'in' || what === id),
        seen.join(),
      ).toBe(true);
      // Once in, always in.
      expect(seen.slice(seen.indexOf('in') === -1 ? seen.length : seen.indexOf('in')).every((w) => w === 'in')).toBe(
        true,
      );
      expect(await granted(owner, identity)).toEqual([READ, WRITE]);
      expect((await rows(owner, identity)).open).toEqual([]);
    }
  }, 60_000);

  it('A5 a wider ask that races the approval never widens what the screen showed', async () => {
    const outcomes = new Set<string>();
    for (let round = 0; round < 40; round += 1) {
      const identity = newIdentity();
      const first = await once({ port: gateway.port }, asking([READ]), { identity });
      const id = first.ok ? '' : String(first.error.details?.requestId);
      const partner = await Partner.open({ port: gateway.port });
      // Either may come first: sometimes the ask is given a head start.
      const wider = partner.connect(asking([READ, ADMIN]), { identity });
      if (round % 2 === 1) await new Promise((done) => setTimeout(done, round % 5));
      const decided = await approve(owner, id);
      const answer = await wider;
      partner.end();
      const now = await granted(owner, identity);
      outcomes.add(gist(decided).split(' ')[0] ?? '');
      if (decided.ok) {
        // Approved first: the wider ask connects with what it has and asks for the rest.
        expect(now).toEqual([READ]);
        expect(gist(answer)).toBe('ok');
        expect(answer.ok && answer.payload.auth.missing).toEqual([ADMIN]);
      } else {
        // Superseded first: nothing is given, and the decider is told what became of the id.
        expect(now).toBeNull();
        expect(JSON.stringify(decided.error)).toMatch(/superseded/);
      }
      const open = (await rows(owner, identity)).open;
      expect(open).toHaveLength(1);
      expect(open[0].requestId).not.toBe(id);
      await owner.call('device.pair.reject', { requestId: open[0].requestId });
    }
    expect(outcomes.size).toBeGreaterThan(0);
  }, 60_000);

  it('A8 a waiting socket goes on to hello-ok under the same connect id', async () => {
    const identity = newIdentity();
    const { ask, waiting } = await wait(identity, [READ]);
    expect(waiting.payload).toMatchObject({ asked: [READ], held: [] });
    expect(waiting.payload.expiresAt).toBeGreaterThan(0);
    expect((await approve(owner, waiting.payload.requestId)).ok).toBe(true);
    const answer = await ask;
    expect(answer.ok && answer.payload.type).toBe('hello-ok');
    expect(answer.ok && answer.payload.auth.scopes).toEqual([READ]);
  });

  it('A8 only a client with the cap waits', async () => {
    const { partner, answer } = await attempt({ port: gateway.port }, asking([READ]), { identity: newIdentity() });
    expect(gist(answer)).toBe('NOT_PAIRED PAIRING_REQUIRED');
    expect((await partner.closed).code).toBe(1008);
    expect(partner.events.map((event) => event.event)).toEqual(['connect.challenge']);
  });

  it('A8 a waiting socket is told of a rejection under the same id, and closed', async () => {
    const { partner, ask, waiting } = await wait(newIdentity(), [READ]);
    await owner.ask('device.pair.reject', { requestId: waiting.payload.requestId });
    const refusal = await partner.refusal(await ask);
    expect(refusal.code).toBe('NOT_PAIRED');
    expect(refusal.close.code).toBe(1008);
  });

  it('A8 only the newest socket of (device, role) waits; the older one is answered, not left hanging', async () => {
    const identity = newIdentity();
    const older = await wait(identity, [READ]);
    const newer = await wait(identity, [READ]);
    expect(newer.waiting.payload.requestId).toBe(older.waiting.payload.requestId);
    const answer = await older.ask;
    expect(answer.ok).toBe(false);
    await older.partner.closed;
    expect((await approve(owner, newer.waiting.payload.requestId)).ok).toBe(true);
    expect(gist(await newer.ask)).toBe('ok');
  });

  it('A8 a waiting socket that speaks is closed, and its request stays', async () => {
    const identity = newIdentity();
    const { partner, waiting } = await wait(identity, [READ]);
    partner.send({ type: 'req', id: 'x', method: 'health' });
    expect((await partner.closed).code).toBe(1008);
    expect((await rows(owner, identity)).open.map((row) => row.requestId)).toEqual([waiting.payload.requestId]);
  });

  it('A8 approval widens a live session in place: same socket, same token', async () => {
    const identity = newIdentity();
    await owner.ask('device.pair.ensure', { publicKey: identity.publicKey, role: 'operator', scopes: [READ] });
    const { partner, hello } = await connected({ port: gateway.port }, asking([READ, 'operator.pairing']), {
      identity,
    });
    expect(hello.auth.missing).toEqual(['operator.pairing']);
    expect((await partner.call('device.pair.list')).ok).toBe(false);
    expect((await approve(owner, hello.auth.requestId)).ok).toBe(true);
    expect((await partner.call('device.pair.list')).ok).toBe(true);
    partner.end();
  });

  /** A client that can wait, waiting. */
  async function wait(identity: ReturnType<typeof newIdentity>, scopes: readonly string[]) {
    const partner = await Partner.open({ port: gateway.port });
    const ask = partner.connect(asking(scopes, { caps: ['latchkey.wait'] }), { identity, timeoutMs: 20_000 });
    // A test that never looks at the answer must not fail for it.
    ask.catch(() => {});
    const waiting = await partner.event('connect.waiting');
    return { partner, ask, waiting };
  }
});
