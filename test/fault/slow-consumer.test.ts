// THREATS.md D4.36: who doesn't read. A client asks for answers of all sizes, many times what may be unread for one client,
// and takes none, while events go to everybody. (That it is closed once it took nothing over two probes, and at 50 MiB of
// events, is held by websocket.test.ts and publish.test.ts.)
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

/** What is large because of what is stored, what is large by itself, and what is small. */
const METHODS = ['device.pair.list', 'config.schema', 'health'];

/** Asks for more than the bound over and over and reads none of it. */
async function gorge(partner: Partner, rounds: number): Promise<void> {
  partner.ws.socket.pause();
  for (let round = 0; round < rounds; round += 1) {
    for (const method of METHODS) partner.send({ type: 'req', id: `${method} ${round}`, method });
    if (round % 4 === 0) await new Promise((done) => setTimeout(done, 10));
  }
}

describe.skipIf(!isLinux)('threat 36: a client that stops reading', () => {
  it('threat 36 is not read from either; nobody else misses an event or waits for long, and little is held for it', async () => {
    const sizes = await Promise.all(METHODS.map(async (method) => JSON.stringify(await owner.ask(method, {})).length));
    const roundBytes = sizes.reduce((sum, size) => sum + size);
    const canary = await Canary.start(gateway);
    const watcher = (await session(gateway, await paired(owner, [ADMIN]))).partner;
    const sloth = (await session(gateway, await paired(owner, [ADMIN]))).partner;
    const before = { sessions: await sessions(), fds: descriptors(gateway.pid), bytes: residentBytes(gateway.pid) };
    let most = before.bytes;
    const rounds = Math.ceil((2 * BOUND_BYTES) / roundBytes);
    const feeding = gorge(sloth, rounds);
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
    // Far less than it asked for.
    expect(most - before.bytes).toBeLessThan(BOUND_BYTES);
    await canary.stop();
    console.log(
      `threat 36: ${rounds} times ${sizes.join(', ')} bytes, canary ${canary.answers} answers, slowest ${Math.round(canary.slowestMs)} ms, memory +${Math.round((most - before.bytes) / 2 ** 20)} MiB`,
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
    // The canary's went when it stopped.
    await until('the sessions gone', async () => (await sessions()) === before.sessions - 3);
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
