// T17 and A16: guessing is slowed and named, and locks nobody out who is right.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Answer, Peer } from '../partner/peer.ts';
import { asking, gist, once, paired, READ } from './act.ts';

const SOCKETS = 200;
/** "At once": a small part of what a slowed guess waits, with room for a busy machine. */
const AT_ONCE_MS = 1_500;

describe('T17 guessing from many sockets', () => {
  let gateway: Gateway;
  let owner: Peer;
  let known: Identity;
  let stop = false;
  let answered = 0;
  let opened = 0;
  const guesses: Promise<void>[] = [];
  const refusals: Answer[] = [];

  beforeAll(async () => {
    gateway = await start();
    owner = await gateway.owner();
    known = await paired(owner, [READ]);
    for (let socket = 0; socket < SOCKETS; socket += 1) guesses.push(guess(socket));
    // Until the brake is on.
    await sleep(1_500);
  });
  afterAll(async () => {
    stop = true;
    await Promise.all(guesses);
    await gateway?.stop();
  });

  /** One guesser: as many wrong secrets as it gets answers to, keyless and with a new key in turn. */
  async function guess(socket: number): Promise<void> {
    for (let turn = 0; !stop; turn += 1) {
      try {
        const partner = await Partner.open({ port: gateway.port });
        opened += 1;
        const auth = { token: `wrong ${socket} ${turn}` };
        const identity = turn % 2 === 0 ? {} : { identity: newIdentity() };
        const answer = await Promise.race([
          partner.connect(asking([READ], { auth }), { ...identity, timeoutMs: 30_000 }),
          partner.closed.then(() => null),
          stopped(),
        ]);
        partner.end();
        if (answer === null) continue;
        answered += 1;
        refusals.push(answer);
      } catch {
        // Turned away at the door: no guess was made.
        await sleep(50);
      }
    }
  }

  async function stopped(): Promise<null> {
    while (!stop) await sleep(200);
    return null;
  }

  async function timed(what: () => Promise<Answer>): Promise<number> {
    const began = performance.now();
    const answer = await what();
    expect(gist(answer)).toBe('ok');
    return performance.now() - began;
  }

  it('T17 the right secret, a granted key and the owner socket are accepted at once, all the while', async () => {
    const slowest = { secret: 0, pairing: 0, key: 0, wrongBesideKey: 0, owner: 0 };
    for (let round = 0; round < 10; round += 1) {
      const params = asking([READ], { auth: { token: gateway.token } });
      const place = { port: gateway.port };
      const took = {
        secret: await timed(() => once(place, params)),
        pairing: await timed(() => once(place, params, { identity: newIdentity() })),
        key: await timed(() => once(place, asking([READ]), { identity: known })),
        wrongBesideKey: await timed(() =>
          once(place, asking([READ], { auth: { token: 'wrong' } }), { identity: known }),
        ),
        owner: await timed(() => owner.call('health')),
      };
      for (const name of Object.keys(took) as (keyof typeof took)[])
        slowest[name] = Math.max(slowest[name], took[name]);
    }
    for (const [name, tookMs] of Object.entries(slowest)) expect(tookMs, name).toBeLessThan(AT_ONCE_MS);
  }, 60_000);

  it('T17 A16 200 sockets guess no faster than the brake lets one, and none gets in', async () => {
    const before = answered;
    await sleep(3_000);
    expect(opened).toBeGreaterThanOrEqual(SOCKETS);
    // Unslowed, 200 sockets get thousands of answers in three seconds.
    expect(answered - before).toBeLessThan(100);
    expect(refusals.length).toBeGreaterThan(0);
    expect(refusals.filter((answer) => answer.ok)).toEqual([]);
  });

  it('T17 the refusal names its cause and when to come back', async () => {
    const kinds = new Set(refusals.map(gist));
    for (const kind of kinds)
      expect(kind).toMatch(/^INVALID_REQUEST (AUTH_TOKEN_MISMATCH|AUTH_RATE_LIMITED)$|^UNAVAILABLE AUTH_RATE_LIMITED$/);
    const waits = refusals.flatMap((answer) =>
      answer.ok ? [] : [Number(answer.error.retryAfterMs ?? answer.error.details?.retryAfterMs ?? 0)],
    );
    expect(Math.max(...waits)).toBeGreaterThan(0);
    expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
  });

  it('T17 it is said in the log, once a minute and not once a guess', () => {
    const lines = gateway
      .logs()
      .split('\n')
      .filter((line) => /mismatch|guess|rate/i.test(line));
    expect(lines.length).toBeLessThan(10);
  });
});
