// THREATS.md D4.31 and 32 by order, not by seconds: while wrong secrets still wait for their answer, everybody who is
// right has theirs. (test/scenario/t17 holds the same under load.)
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import type { Answer, Peer } from '../partner/peer.ts';
import { asking, gist, once, paired, READ } from '../scenario/act.ts';

const ATTEMPTS = 3;
/** Each later answer is put off twice as long as the one before, so after so many the last is minutes away. */
const MORE = 12;
const RETRY_MAX_MS = 60_000;

let gateway: Gateway;
let owner: Peer;
let known: Identity;
const open: Partner[] = [];

/** One guess, and whether it was answered yet. */
interface Guess {
  readonly partner: Partner;
  answer: Answer | null;
  readonly done: Promise<unknown>;
}

async function guess(auth: Record<string, unknown>, identity?: Identity): Promise<Guess> {
  const partner = await Partner.open({ port: gateway.port });
  open.push(partner);
  const options = { timeoutMs: 120_000, ...(identity === undefined ? {} : { identity }) };
  const sent = partner.connect(asking([READ], { auth }), options);
  const one: Guess = {
    partner,
    answer: null,
    done: sent.then(
      (answer) => {
        one.answer = answer;
      },
      () => {},
    ),
  };
  return one;
}

async function fresh(): Promise<void> {
  gateway = await start({
    config: { gateway: { auth: { rateLimit: { maxAttempts: ATTEMPTS, windowMs: 600_000, lockoutMs: RETRY_MAX_MS } } } },
  });
  owner = await gateway.owner();
  known = await paired(owner, [READ]);
}

async function end(): Promise<void> {
  for (const partner of open.splice(0)) partner.end();
  await gateway?.stop();
}

const right = () => asking([READ], { auth: { token: gateway.token } });
const place = () => ({ port: gateway.port });

describe('threat 31 and 32: wrong secrets wait, right ones do not', () => {
  beforeAll(fresh);
  afterAll(end);
  const guesses: Guess[] = [];
  const answered = () => guesses.filter(({ answer }) => answer !== null).length;

  it('threat 31 what is no secret is no guess', async () => {
    for (let i = 0; i < 20; i += 1) {
      expect(gist(await once(place(), asking([READ])))).toBe('NOT_PAIRED DEVICE_IDENTITY_REQUIRED');
      expect(gist(await once(place(), asking([READ]), { identity: known }))).toBe('ok');
    }
  });

  it(`threat 31 the first ${ATTEMPTS} are answered at once, without a wait named`, async () => {
    for (let i = 0; i < ATTEMPTS; i += 1) {
      const one = await guess({ token: `wrong ${i}` }, newIdentity());
      await one.done;
      expect(gist(one.answer as unknown as Answer)).toBe('INVALID_REQUEST AUTH_TOKEN_MISMATCH');
      expect((await one.partner.closed).code).toBe(1008);
    }
  });

  it('threat 32 A16 those after them wait; the right secret, a granted key and the owner socket pass them by', async () => {
    for (let i = 0; i < MORE; i += 1)
      guesses.push(await guess({ token: `more ${i}` }, i % 2 ? newIdentity() : undefined));
    expect(answered()).toBeLessThan(MORE);
    for (let round = 0; round < 5; round += 1) {
      expect(gist(await once(place(), right()))).toBe('ok');
      expect(gist(await once(place(), right(), { identity: newIdentity() }))).toBe('ok');
      expect(gist(await once(place(), asking([READ]), { identity: known }))).toBe('ok');
      // A4: a granted key with a wrong secret beside it is no guess to be slowed.
      const beside = asking([READ], { auth: { token: 'wrong, and beside a key' } });
      expect(gist(await once(place(), beside, { identity: known }))).toBe('ok');
      expect(gist(await owner.call('device.pair.list', {}))).toBe('ok');
      expect(gist(await (await gateway.owner()).call('health'))).toBe('ok');
    }
    const unlocked = await gateway.cli(['status', '--json']);
    expect(unlocked.code, unlocked.stderr).toBe(0);
    expect(answered()).toBeLessThan(MORE);
  });

  it('threat 31 a right secret in between does not set the count of wrong ones back', async () => {
    const one = await guess({ token: 'after a right one' });
    expect(gist(await once(place(), right()))).toBe('ok');
    expect(one.answer).toBeNull();
  });

  it('threat 31 an invented device token beside it does not switch the brake off', async () => {
    const two = [
      await guess({ token: 'wrong', deviceToken: Buffer.alloc(32, 9).toString('base64url') }, newIdentity()),
      await guess({ password: 'wrong', deviceToken: 'x' }),
      await guess({ token: 'wrong', bootstrapToken: 'x' }, newIdentity()),
    ];
    expect(gist(await once(place(), right()))).toBe('ok');
    expect(two.map(({ answer }) => answer)).toEqual([null, null, null]);
  });

  it('threat 31 who leaves without waiting for the answer is counted all the same', async () => {
    for (let i = 0; i < 20; i += 1) (await guess({ token: `gone ${i}` })).partner.end();
    const one = await guess({ token: 'after those' });
    expect(gist(await once(place(), right()))).toBe('ok');
    expect(one.answer).toBeNull();
  });
});

describe('threat 31: what a wait says', () => {
  beforeAll(fresh);
  afterAll(end);

  it('threat 31 A16 each answer names its wait, it grows, and guesses sent together are answered one by one', async () => {
    const guesses = await Promise.all(Array.from({ length: ATTEMPTS + 3 }, (_, i) => guess({ token: `one ${i}` })));
    const order: number[] = [];
    for (const [i, { done }] of guesses.entries()) void done.then(() => order.push(i));
    await Promise.all(guesses.map(({ done }) => done));
    const waits = order.map((i) => {
      const answer = guesses[i]?.answer;
      if (answer == null || answer.ok) throw new Error(`a guess was right: ${i}`);
      return answer.error.retryAfterMs ?? 0;
    });
    expect(waits.slice(0, ATTEMPTS)).toEqual(Array(ATTEMPTS).fill(0));
    const slowed = waits.slice(ATTEMPTS);
    expect(slowed).toEqual(slowed.toSorted((a, b) => a - b));
    expect(slowed[0]).toBeGreaterThan(0);
    expect(new Set(slowed).size).toBe(slowed.length);
    for (const wait of slowed) expect(wait).toBeLessThanOrEqual(RETRY_MAX_MS);
  });
});
