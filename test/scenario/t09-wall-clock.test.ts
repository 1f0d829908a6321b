// T9: the wall clock jumps by an hour and by a year, back and forth, and begins in 1970. Keys, sessions and handshakes
// don't notice; ends are judged by the clock as it is, and what was written as ended stays ended. The clock is the
// test's (test/crash/root.ts); the monotonic one runs as ever.
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Authority } from '../../src/authority/authority.ts';
import type { DeviceId, RequestId } from '../../src/core/authz/principal.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/core/base/instant.ts';
import { openMemory } from '../../src/store/memory/memory.ts';
import { ScriptedClock } from '../../src/system/clock.ts';
import { House } from '../crash/house.ts';
import { newStateDir, removeStateDir } from '../gateway.ts';
import type { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { approve, asking, attempt, gist, once, PAIRING, paired, READ, reject, rows, session, WRITE } from './act.ts';
import { TruthReader } from './state.ts';

const YEAR_MS = 365 * DAY_MS;
const NOW = Date.now();
/** To 1970: the clock of a board without a battery. */
const TO_1970 = -NOW;

const JUMPS: readonly (readonly [string, number])[] = [
  ['an hour ahead', HOUR_MS],
  ['an hour back', -HOUR_MS],
  ['a year ahead', YEAR_MS],
  ['a year back', -YEAR_MS],
  ['to 1970', TO_1970],
  ['where it was', 0],
];

let dir: string;
let house: House;
let owner: Peer;
let token: string;
const partners: Partner[] = [];

const place = () => ({ port: house.port, token });
const turn = (offsetMs: number) => house.tell({ order: 'turn', offsetMs });

async function open(identity: Identity, scopes?: readonly string[]): Promise<Partner> {
  const { partner } = await session(place(), identity, scopes);
  partners.push(partner);
  return partner;
}

async function begin(): Promise<void> {
  token = randomBytes(24).toString('hex');
  dir = newStateDir({ gateway: { auth: { token } } });
  house = await House.start(dir, { scripted: true });
  owner = await house.owner();
}

async function end(): Promise<void> {
  for (const partner of partners.splice(0)) partner.end();
  await house.stop();
  removeStateDir(dir);
}

describe('T9 sessions and handshakes under a clock that jumps', () => {
  let identity: Identity;
  let live: Partner;
  beforeAll(async () => {
    await begin();
    identity = await paired(owner, [READ, WRITE]);
    live = await open(identity);
  });
  afterAll(end);

  it.each(JUMPS)('T9 %s: the session stays, its key connects, its token is the same', async (_name, offsetMs) => {
    const first = await once(place(), asking([READ]), { identity });
    const events = live.events.length;
    const logged = house.printed.length;
    await turn(offsetMs);
    expect(Math.abs((await live.ask('health')).ts - (Date.now() + offsetMs))).toBeLessThan(MINUTE_MS);
    const again = await once(place(), asking([READ]), { identity });
    expect(gist(again)).toBe('ok');
    // A3: the time in the signature is recorded, never judged.
    const old = await once(place(), asking([READ]), { identity, signedAt: 1 });
    expect(gist(old)).toBe('ok');
    if (!first.ok || !again.ok) throw new Error('not connected');
    expect(again.payload.auth.deviceToken).toBe(first.payload.auth.deviceToken);
    expect(again.payload.auth.missing ?? []).toEqual([]);
    expect(gist(await once(place(), asking([READ], { auth: { token } })))).toBe('ok');
    expect(gist(await live.call('system-presence'))).toBe('ok');
    // Nothing is told or logged because of a clock.
    expect(live.events.slice(events).filter((e) => !/^(presence|tick|health)$/.test(e.event))).toEqual([]);
    expect(
      house.printed
        .slice(logged)
        .split('\n')
        .filter((line) => /warn|error|refused/i.test(line)),
    ).toEqual([]);
  });

  it('T9 after every jump the process is idle: no timer runs after another', async () => {
    const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));
    // Ends on both sides of every jump.
    const { ts } = await owner.ask('health');
    await owner.ask('device.pair.ensure', {
      publicKey: newIdentity().publicKey,
      role: 'operator',
      scopes: [READ],
      untilMs: ts + 2 * HOUR_MS,
    });
    for (const [name, offsetMs] of JUMPS) {
      await turn(offsetMs);
      await owner.ask('health');
      await house.tell({ order: 'look' });
      const before = (await house.tell({ order: 'look' })).busyMs;
      await sleep(300);
      const { timers, busyMs } = await house.tell({ order: 'look' });
      // Nothing is due for seconds; what runs again and again would do so even at its slowest, every 20 ms.
      expect(timers, name).toBeLessThan(8);
      expect(busyMs - before, name).toBeLessThan(150);
    }
    await turn(0);
  });

  it('T9 a gateway that starts in 1970 serves what was paired before', async () => {
    const stored = newStateDir();
    let early = await House.start(stored, { scripted: true });
    const known = await paired(await early.owner(), [READ]);
    await early.stop();
    early = await House.start(stored, { scripted: true, offsetMs: TO_1970 });
    try {
      expect((await (await early.owner()).ask('health')).ts).toBeLessThan(YEAR_MS);
      expect(gist(await once({ port: early.port }, asking([READ]), { identity: known }))).toBe('ok');
      const other = newIdentity();
      const asked = await once({ port: early.port }, asking([READ]), { identity: other });
      expect(gist(asked)).toContain('NOT_PAIRED');
      const [row] = (await rows(await early.owner(), other)).open;
      expect(gist(await approve(await early.owner(), row?.requestId))).toBe('ok');
      expect(gist(await once({ port: early.port }, asking([READ]), { identity: other }))).toBe('ok');
    } finally {
      await early.stop();
      removeStateDir(stored);
    }
  });
});

describe('T9 what ends by the clock', () => {
  afterEach(end);

  /** A device that holds read for good and write for an hour, and its session. */
  async function boxed(): Promise<{ readonly identity: Identity; readonly partner: Partner }> {
    await begin();
    const identity = await paired(owner, [READ]);
    await once(place(), asking([READ, WRITE]), { identity });
    const [row] = (await rows(owner, identity)).open;
    const { ts } = await owner.ask('health');
    const given = await approve(owner, row?.requestId, { untilMs: ts + HOUR_MS });
    expect(gist(given)).toBe('ok');
    return { identity, partner: await open(identity) };
  }

  const holds = async (peer: Peer): Promise<readonly string[]> => {
    const { latchkey } = await peer.ask('status');
    return latchkey.access.scopes.map((held: { scope: string }) => held.scope);
  };
  const written = (): string => {
    const reader = new TruthReader(dir);
    const { entry = [] } = reader.tables();
    reader.close();
    return entry.join('\n');
  };

  it('T9 A20 an end counts from its instant, and not before it when the clock goes back', async () => {
    const { partner } = await boxed();
    expect(await holds(partner)).toContain(WRITE);
    await turn(-YEAR_MS);
    expect(await holds(partner)).toContain(WRITE);
    await turn(2 * HOUR_MS);
    expect(await holds(partner)).not.toContain(WRITE);
    expect(await holds(partner)).toContain(READ);
  });

  it('T9 A20 a jump that is undone before anything was written took nothing', async () => {
    const { identity, partner } = await boxed();
    await turn(YEAR_MS);
    expect(await holds(partner)).not.toContain(WRITE);
    expect(written()).toContain(WRITE);
    await turn(0);
    expect(await holds(partner)).toContain(WRITE);
    expect(gist(await once(place(), asking([WRITE]), { identity }))).toBe('ok');
  });

  it('T9 A20 what was written as ended stays ended when the jump is undone', async () => {
    const { identity, partner } = await boxed();
    await turn(YEAR_MS);
    // A change writes the ends that it meets.
    await owner.ask('device.pair.rename', { deviceId: identity.id, label: 'named meanwhile' });
    expect(written()).not.toContain(WRITE);
    for (const offsetMs of [0, -YEAR_MS]) {
      await turn(offsetMs);
      expect(await holds(partner)).not.toContain(WRITE);
      expect(await holds(partner)).toContain(READ);
    }
    // It may ask again, and a person may give it again.
    const asked = await once(place(), asking([READ, WRITE]), { identity });
    expect(asked.ok && asked.payload.auth.missing).toEqual([WRITE]);
    const [row] = (await rows(owner, identity)).open;
    expect(gist(await approve(owner, row?.requestId))).toBe('ok');
    expect(await holds(partner)).toContain(WRITE);
  });

  it('T9 A5 a request ends ten minutes after it was made, whichever way the clock went', async () => {
    await begin();
    const [late, early] = [newIdentity(), newIdentity()];
    await once(place(), asking([READ]), { identity: late });
    const lateId = (await rows(owner, late)).open[0]?.requestId;
    await turn(-YEAR_MS);
    await once(place(), asking([READ]), { identity: early });
    const earlyId = (await rows(owner, early)).open[0]?.requestId;
    // Both stand, each once; the clock went back, and nobody's time was up.
    expect((await rows(owner)).open.map((row) => row.requestId).sort()).toEqual([lateId, earlyId].sort());
    // The same ask joins the one that is open.
    await once(place(), asking([READ]), { identity: late });
    expect((await rows(owner, late)).open.map((row) => row.requestId)).toEqual([lateId]);
    await turn(-YEAR_MS + 11 * MINUTE_MS);
    expect((await rows(owner)).open.map((row) => row.requestId)).toEqual([lateId]);
    expect(gist(await approve(owner, earlyId))).not.toBe('ok');
    expect(gist(await approve(owner, lateId))).toBe('ok');
    expect(gist(await once(place(), asking([READ]), { identity: late }))).toBe('ok');
    expect(gist(await once(place(), asking([READ]), { identity: early }))).toContain('NOT_PAIRED');
  });

  it('T9 A15 asks of another year leave room for those of this one, and their number is bounded', async () => {
    await begin();
    for (const offsetMs of [0, YEAR_MS, -YEAR_MS, TO_1970]) {
      await turn(offsetMs);
      for (let n = 0; n < 4; n += 1) {
        const identity = newIdentity();
        expect(gist(await once(place(), asking([READ]), { identity })), `${offsetMs}`).toContain('NOT_PAIRED');
        expect((await rows(owner, identity)).open, `${offsetMs}`).toHaveLength(1);
      }
      // Three by the clock of each year: those that a jump ahead ended are open again if it is undone unwritten.
      expect((await rows(owner)).open.length, `${offsetMs}`).toBeLessThanOrEqual(6);
    }
  });

  it('T9 A5 who was told no is told a time that can be waited for', async () => {
    await begin();
    const identity = newIdentity();
    await once(place(), asking([READ]), { identity });
    expect(gist(await reject(owner, (await rows(owner, identity)).open[0]?.requestId))).toBe('ok');
    for (const offsetMs of [0, -HOUR_MS, -YEAR_MS, TO_1970]) {
      await turn(offsetMs);
      const refused = await once(place(), asking([READ]), { identity });
      expect(refused.ok).toBe(false);
      if (refused.ok) continue;
      // A no holds for 24 h: nobody is told to come again next year.
      expect(refused.error.retryAfterMs, `${offsetMs}`).toBeLessThanOrEqual(DAY_MS);
      expect(refused.error.retryAfterMs, `${offsetMs}`).toBeGreaterThan(22 * HOUR_MS);
    }
    await turn(DAY_MS + MINUTE_MS);
    expect(gist(await once(place(), asking([READ]), { identity }))).toContain('NOT_PAIRED');
    expect((await rows(owner, identity)).open).toHaveLength(1);
  });

  it('T9 A14 a setup code ends by the clock, and a jump that is undone leaves it usable', async () => {
    await begin();
    const { code } = await owner.ask('device.code.create', { role: 'operator', scopes: [READ] });
    await turn(YEAR_MS);
    const identity = newIdentity();
    const bring = () => once(place(), asking([READ], { auth: { bootstrapToken: code } }), { identity });
    expect(gist(await bring())).toContain('NOT_PAIRED');
    await turn(0);
    expect(gist(await bring())).toBe('ok');
  });

  it('T9 A9 a decision while the clock is wrong holds when it is right again', async () => {
    await begin();
    const identity = await paired(owner, [READ, PAIRING]);
    const { code } = await owner.ask('device.code.create', { role: 'operator', scopes: [READ] });
    await turn(-YEAR_MS);
    expect(gist(await owner.call('device.token.revoke', { deviceId: identity.id, role: 'operator' }))).toBe('ok');
    await turn(0);
    expect(gist(await once(place(), asking([READ]), { identity }))).toContain('NOT_PAIRED');
    // Order numbers, not clocks: the code is older than the no.
    const { partner, answer } = await attempt(place(), asking([READ], { auth: { bootstrapToken: code } }), {
      identity,
    });
    partner.end();
    expect(gist(answer)).toContain('NOT_PAIRED');
  });
});

describe('T9 the ticker', () => {
  it('T9 A20 an end is written within half a minute, though one by a wrong clock lay before it', async () => {
    const clock = new ScriptedClock(NOW);
    const authority = await Authority.open({
      store: openMemory(),
      now: () => clock.now(),
      freshId: () => String(process.hrtime.bigint()),
      secretScopes: () => [],
      waitedAt: () => new Set<RequestId>(),
      after: (delayMs, run) => clock.after(delayMs, run),
    });
    const settled = () => new Promise((done) => setImmediate(() => setImmediate(done)));
    const owner = { kind: 'owner' } as const;
    const device = (n: number) => String(n).repeat(64) as DeviceId;
    const boxed = (n: number, until: number) =>
      authority.decide(owner, { kind: 'ensure', role: 'operator', scopes: [{ scope: READ, until }] }, device(n), 'key');
    clock.setWall(NOW - YEAR_MS);
    await boxed(1, NOW - YEAR_MS + 7 * DAY_MS);
    clock.setWall(NOW);
    await boxed(2, NOW + 20_000);
    for (let n = 0; n < 8; n += 1) {
      clock.advance(10_000);
      await settled();
    }
    // By the right clock both are over.
    expect([1, 2].map((n) => authority.peek(device(n))?.roles.operator.grant?.entries)).toEqual([[], []]);
    expect(clock.pending).toBeLessThanOrEqual(1);
    authority.close();
  });
});
