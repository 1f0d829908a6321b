// D4.31, D4.32, D4.35: guessing is slowed and locks nobody out; everybody comes back at once.
import { Partner } from '../../partner/client.ts';
import { type Identity, newIdentity } from '../../partner/identity.ts';
import type { Answer } from '../../partner/peer.ts';
import { asking, READ } from '../../scenario/act.ts';
import { assert, type Check, equal, matches } from '../check.ts';
import { answered, gistOf, type Target } from '../target.ts';

const MISMATCH = /^INVALID_REQUEST AUTH_(TOKEN|PASSWORD)_MISMATCH$|^INVALID_REQUEST AUTH_(RATE_LIMITED|UNAUTHORIZED)$/;

interface Guess {
  answer: Answer | null;
  atMs: number;
  readonly done: Promise<unknown>;
}

async function guess(target: Target, auth: Record<string, unknown>, identity?: Identity): Promise<Guess> {
  const partner = await target.open();
  const options = { timeoutMs: 90_000, ...(identity === undefined ? {} : { identity }) };
  const one: Guess = { answer: null, atMs: 0, done: Promise.resolve() };
  const done = answered(partner, partner.connect(asking([READ], { auth }), options)).then(
    (answer) => {
      one.answer = answer;
      one.atMs = performance.now();
    },
    () => {},
  );
  return Object.assign(one, { done });
}

const retryOf = (answer: Answer | null) => (answer === null || answer.ok ? 0 : (answer.error.retryAfterMs ?? 0));

/** Wrong ones are answered one behind the other, later and later, each naming its wait. */
async function slowed(target: Target): Promise<string> {
  const known = await target.pair([READ]);
  for (let i = 0; i < 20; i += 1) {
    matches((await target.connect(asking([READ]))).gist, /^(NOT_PAIRED|INVALID_REQUEST)/, 'no credential at all');
    equal((await target.enter(known, [READ])).gist, 'ok', 'a granted key after connects without a credential');
  }
  // Sent together, so that parallel guessing is what is judged.
  const together = target.quick ? 14 : 40;
  const began = performance.now();
  const guesses = await Promise.all(
    Array.from({ length: together }, (_, i) => {
      const auth = i % 3 === 0 ? { token: `wrong ${i}`, deviceToken: 'x'.repeat(43) } : { token: `wrong ${i}` };
      return guess(target, auth, i % 2 === 0 ? newIdentity() : undefined);
    }),
  );
  await target.alive();
  equal(
    (await target.connect(asking([READ], { auth: { token: target.options.token } }))).gist,
    'ok',
    'the right secret',
  );
  equal((await target.enter(known, [READ])).gist, 'ok', 'a granted key while guesses wait');
  const patienceMs = target.quick ? 4_000 : 70_000;
  await Promise.race([
    Promise.all(guesses.map(({ done }) => done)),
    new Promise((done) => setTimeout(done, patienceMs).unref()),
  ]);
  const seen = guesses.filter(({ answer }) => answer !== null).toSorted((a, b) => a.atMs - b.atMs);
  for (const { answer } of seen) matches(gistOf(answer as Answer), MISMATCH, 'a wrong secret');
  const waits = seen.map(({ answer }) => retryOf(answer)).filter((wait) => wait > 0);
  // Either some still wait, or those that were answered late said so.
  const held = guesses.length - seen.length;
  assert(
    held > 0 || waits.length > 0,
    `${together} guesses at once were all answered within ${Math.round(performance.now() - began)} ms, and no wait was named`,
  );
  equal(
    waits,
    waits.toSorted((a, b) => a - b),
    'the waits',
  );
  for (const wait of waits) assert(wait <= 60_000, `a wait of ${wait} ms`);
  const last = seen.at(-1)?.atMs ?? began;
  assert(held > 0 || last - began > 250, 'nothing was slowed');
  return `${together} guesses at once: ${seen.length} answered within ${Math.round(last - began)} ms, waits up to ${waits.at(-1) ?? 0} ms, ${held} still waiting`;
}

/** After many wrong ones from here: nobody who is right waits. */
async function nobodyLockedOut(target: Target): Promise<string> {
  const known = await target.pair([READ]);
  const sockets = target.quick ? 40 : 200;
  const guesses = await Promise.all(
    Array.from({ length: sockets }, (_, i) =>
      guess(target, { token: `flood ${i}` }, i % 2 ? newIdentity() : undefined),
    ),
  );
  for (let round = 0; round < 5; round += 1) {
    const right = asking([READ], { auth: { token: target.options.token } });
    equal((await target.connect(right)).gist, 'ok', 'the right secret');
    equal((await target.enter(known, [READ])).gist, 'ok', 'a granted key');
    if (target.product === 'latchkey') {
      const beside = asking([READ], { auth: { token: `wrong ${round}, beside a key` } });
      equal((await target.connect(beside, { identity: known })).gist, 'ok', 'a granted key beside a wrong secret (A4)');
    }
    const owner = await target.options.own?.owner();
    if (owner !== undefined) equal(gistOf(await owner.call('health')), 'ok', 'the owner socket');
  }
  const done = guesses.filter(({ answer }) => answer !== null).length;
  assert(done < sockets, `all of ${sockets} guesses at once were answered while five rounds of right ones were`);
  return `${sockets} guesses at once, ${done} answered so far`;
}

async function storm(target: Target): Promise<string> {
  const inner = target.over(await target.spawn());
  const clients = target.quick ? 150 : 5_000;
  const identities: Identity[] = [];
  for (let i = 0; i < clients; i += 1) identities.push(await inner.pair([READ]));
  const place = (of: Target) => ({ ...of.place(), trace: () => {} });
  const come = async (of: Target, identity: Identity) => {
    const began = performance.now();
    const partner = await Partner.open(place(of));
    const answer = await answered(partner, partner.connect(asking([READ]), { identity, timeoutMs: 60_000 }));
    return { gist: gistOf(answer), ms: performance.now() - began, partner };
  };
  // Five thousand sockets at both ends are ten thousand descriptors: half the usual limit.
  const all = async (of: Target, atOnce: number) => {
    const results: Awaited<ReturnType<typeof come>>[] = [];
    let next = 0;
    const worker = async () => {
      for (let i = next++; i < identities.length; i = next++) {
        const identity = identities[i];
        if (identity !== undefined) results.push(await come(of, identity));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return results;
  };
  const before = await all(inner, 64);
  await inner.options.own?.kill();
  await Promise.all(before.map(({ partner }) => partner.closed));
  const again = target.over(await target.spawn({ stateDir: inner.options.stateDir ?? '' }));
  const began = performance.now();
  const after = await all(again, clients);
  const tookMs = performance.now() - began;
  equal([...new Set(after.map(({ gist }) => gist))], ['ok'], 'how they were answered');
  const slowest = after.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const p99 = slowest[Math.floor(slowest.length * 0.99)] ?? 0;
  assert(tookMs < 60_000, `all were back after ${Math.round(tookMs)} ms`);
  equal((await again.pending()).length, 0, 'requests that coming back made');
  for (const { partner } of [...before, ...after]) partner.end();
  return `${clients} clients back in ${Math.round(tookMs)} ms, p99 ${Math.round(p99)} ms`;
}

export const GUESS_CHECKS: readonly Check[] = [
  {
    id: 'D4.35',
    title: 'after kill -9 all paired clients come back at once, none is refused and none asks',
    quick: true,
    needs: ['second process'],
    run: storm,
  },
  {
    id: 'D4.31',
    title: 'wrong secrets are slowed, in parallel too and beside invented tokens; connects without one are not',
    quick: true,
    needs: ['token'],
    run: slowed,
  },
  {
    id: 'D4.32',
    title: 'while many guess, the right secret, a granted key and the owner socket are served at once',
    quick: true,
    needs: ['token'],
    run: nobodyLockedOut,
  },
];
