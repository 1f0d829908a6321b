// T20: the gateway's process stands still for 5 s (SIGSTOP: a suspended laptop, a machine out of memory, a debugger).
// Who connects meanwhile is served late, not refused; nobody is told a word about tokens or pairing; the probe says that
// the gateway is busy. Seconds pass here; what is judged is what became of everybody.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandResult, type Gateway, start } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Answer } from '../partner/peer.ts';
import { asking, gist, paired, READ, rows, session, WRITE } from './act.ts';

const STOPPED_MS = 5_000;
/** More than the gateway would take in one turn of its loop. */
const COMERS = 40;

describe('T20 a gateway that stands still for 5 s', () => {
  let gateway: Gateway;
  let identity: Identity;
  let live: Partner;
  let before = '';
  const late: Record<string, Answer> = {};
  const comers: Answer[] = [];
  let probe: CommandResult;
  let second: CommandResult;

  beforeAll(async () => {
    gateway = await start();
    const owner = await gateway.owner();
    identity = await paired(owner, [READ, WRITE]);
    live = (await session(gateway, identity)).partner;
    // In the middle of its handshake: it has its challenge, and has said nothing.
    const half = await Partner.open({ port: gateway.port });
    // Waits for a person.
    const waiter = await Partner.open({ port: gateway.port });
    const stranger = newIdentity();
    const waited = waiter.connect(asking([READ], { caps: ['latchkey.wait'] }), { identity: stranger });
    const { requestId } = (await waiter.event('connect.waiting')).payload;
    const { token: secret } = gateway;
    before = gateway.logs();

    process.kill(gateway.pid, 'SIGSTOP');
    try {
      const asked = [
        live.call('health').then((answer) => Object.assign(late, { 'a call of a session': answer })),
        half
          .connect(asking([READ]), { identity })
          .then((answer) => Object.assign(late, { 'half a handshake': answer })),
        owner
          .call('device.pair.approve', { requestId })
          .then((answer) => Object.assign(late, { "the owner's decision": answer })),
        waited.then((answer) => Object.assign(late, { 'one that waits': answer })),
        ...Array.from({ length: COMERS }, async (_, n) => {
          const partner = await Partner.open({ port: gateway.port });
          const credential = n % 2 === 0 ? {} : { auth: { token: secret } };
          const proof = n % 4 === 3 ? {} : { identity };
          comers.push(
            n % 4 === 2
              ? await partner.connect(asking([READ]), proof)
              : await partner.connect(asking([READ], credential), proof),
          );
          partner.end();
        }),
      ];
      const pause = sleep(STOPPED_MS);
      [probe, second] = await Promise.all([
        gateway.cli(['gateway', 'probe', '--timeout', '1s', '--json']),
        gateway.cli(['gateway', 'run', '--port', '0']),
      ]);
      await pause;
      process.kill(gateway.pid, 'SIGCONT');
      // Who was given up has no answer, and is missed below.
      await Promise.allSettled(asked);
    } finally {
      process.kill(gateway.pid, 'SIGCONT');
    }
    half.end();
    waiter.end();
  }, 60_000);
  afterAll(() => gateway?.stop());

  it('T20 the probe says busy, with exit 75, and no word of access', () => {
    expect(probe.code, probe.stdout + probe.stderr).toBe(75);
    const said = JSON.parse(probe.stdout);
    expect(said).toMatchObject({ ok: false, busy: true, owner: { state: 'busy' }, tcp: { state: 'busy' } });
    expect(probe.stdout + probe.stderr).not.toMatch(/pairing|token|mismatch|denied|unauthori/i);
  });

  it('T20 T12 a second gateway does not take it for dead', () => {
    expect(second.code, second.stderr).toBe(78);
    expect(second.stderr).toContain(String(gateway.pid));
  });

  it.each(['a call of a session', 'half a handshake', "the owner's decision", 'one that waits'])(
    'T20 %s is answered late, and well',
    (who) => {
      expect(late[who], JSON.stringify(late[who])).toMatchObject({ ok: true });
    },
  );

  it('T20 whoever came meanwhile is let in', () => {
    expect(comers.map(gist)).toEqual(Array.from({ length: COMERS }, () => 'ok'));
  });

  it('T20 nothing was refused, logged as such or left open', async () => {
    const said = gateway.logs().slice(before.length);
    expect(
      said.split('\n').filter((line) => /refused|mismatch|pairing required|unauthori|deadline/i.test(line)),
    ).toEqual([]);
    expect((await rows(await gateway.owner())).open).toEqual([]);
  });

  it('T20 sessions go on, without a gap in what they are told, and the probe is content again', async () => {
    expect(gist(await live.call('status'))).toBe('ok');
    const numbers = live.events.flatMap((event) => event.seq ?? []);
    expect(numbers).toEqual(numbers.map((_, n) => n + 1));
    const again = await gateway.cli(['gateway', 'probe']);
    expect(again.code, again.stdout + again.stderr).toBe(0);
    live.end();
  });
});
