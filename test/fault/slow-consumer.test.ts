// THREATS.md D4.36: who doesn't read. There is no setting for the bound of 50 MiB that is unread for one client, so it
// is filled in earnest: a client asks for large answers and takes none, while events go to everybody.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Canary } from '../canary.ts';
import { type Gateway, start } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { newIdentity } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { until } from '../partner/peer.ts';
import { descriptors, isLinux, residentBytes } from '../process.ts';
import { ADMIN, asking, ensure, gist, once, paired, READ, session } from '../scenario/act.ts';

const DEVICES = 120;
const BOUND_BYTES = 50 * 1024 * 1024;

let gateway: Gateway;
let owner: Peer;

beforeAll(async () => {
  gateway = await start();
  owner = await gateway.owner();
  for (let i = 0; i < DEVICES; i += 1) await ensure(owner, newIdentity(), [READ]);
});
afterAll(() => gateway?.stop());

const sessions = async (): Promise<number> => (await owner.ask('status')).latchkey.sessions;

/** Keeps asking for the list of devices and reads none of it, until the connection is gone. */
async function gorge(partner: Partner): Promise<number> {
  const { socket } = partner.ws;
  socket.pause();
  let asked = 0;
  let gone = false;
  // Nothing is read, so its end shows when writing fails.
  const end = () => {
    gone = true;
  };
  socket.on('error', end).on('close', end);
  while (!gone && asked < 5_000) {
    for (let i = 0; i < 4; i += 1) {
      asked += 1;
      partner.send({ type: 'req', id: `g${asked}`, method: 'device.pair.list' });
    }
    await new Promise((done) => setTimeout(done, 10));
  }
  return asked;
}

describe.skipIf(!isLinux)('threat 36: a client that stops reading', () => {
  it('threat 36 is closed at the bound; nobody else misses an event or waits for long, and the memory comes back', async () => {
    const listBytes = JSON.stringify(await owner.ask('device.pair.list', {})).length;
    const canary = await Canary.start(gateway);
    const watcher = (await session(gateway, await paired(owner, [ADMIN]))).partner;
    const sloth = (await session(gateway, await paired(owner, [ADMIN]))).partner;
    const before = { sessions: await sessions(), fds: descriptors(gateway.pid), bytes: residentBytes(gateway.pid) };
    let most = before.bytes;
    const feeding = gorge(sloth);
    // Events meanwhile: strangers that ask.
    let strangers = 0;
    let fed = false;
    void feeding.then(() => {
      fed = true;
    });
    while (!fed) {
      const answer = await once({ port: gateway.port }, asking([READ]), { identity: newIdentity() });
      expect(gist(answer)).toBe('NOT_PAIRED PAIRING_REQUIRED');
      strangers += 1;
      most = Math.max(most, residentBytes(gateway.pid));
      // A15 takes a thousand strangers in ten minutes, and this test is not about that.
      await new Promise((done) => setTimeout(done, 20));
    }
    const asked = await feeding;
    await until('the session gone', async () => (await sessions()) === before.sessions - 1);
    expect(asked * listBytes).toBeGreaterThan(BOUND_BYTES);
    // Closed at the bound, not at what the client would have taken in the end.
    expect(most - before.bytes).toBeLessThan(6 * BOUND_BYTES);
    await canary.stop();
    console.log(
      `threat 36: ${asked} answers of ${listBytes} bytes, canary ${canary.answers} answers, slowest ${Math.round(canary.slowestMs)} ms, memory +${Math.round((most - before.bytes) / 2 ** 20)} MiB`,
    );
    expect(canary.answers).toBeGreaterThan(3);
    expect(canary.slowestMs).toBeLessThan(1_500);
    // The watcher heard of every stranger, in order and without a gap.
    const requested = () => watcher.events.filter((event) => event.event === 'device.pair.requested').length;
    await until('all events', () => requested() === strangers);
    const seqs = watcher.events.flatMap(({ seq }) => (seq === undefined ? [] : [seq]));
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    watcher.end();
    sloth.end();
    await until('descriptors back', () => descriptors(gateway.pid) <= before.fds);
    // It may come back as if nothing had been.
    const again = await session(gateway, canary.identity);
    expect(gist(await again.partner.call('health'))).toBe('ok');
    again.partner.end();
  }, 60_000);

  it('threat 36 who speaks wrongly and does not read the answer is cut after the grace, and leaves nothing behind', async () => {
    const before = descriptors(gateway.pid);
    const all = await Promise.all(Array.from({ length: 50 }, () => Partner.open({ port: gateway.port })));
    for (const partner of all) partner.ws.socket.pause();
    expect(descriptors(gateway.pid)).toBeGreaterThan(before);
    for (const partner of all) partner.send({ type: 'req', id: '1', method: 'health' });
    await until('descriptors back', () => descriptors(gateway.pid) <= before, 5_000);
    for (const partner of all) partner.end();
  });
});
