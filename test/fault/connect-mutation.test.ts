// THREATS.md D1.2: ten thousand connects, each spoilt in its own way. FUZZ_SEED=n runs another ten thousand, FUZZ_ONLY=i
// only the i-th of them.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BASES, type Bait, fault, play } from '../attack/mutated.ts';
import { Canary } from '../canary.ts';
import { type Gateway, start } from '../gateway.ts';
import { type Identity, namedIdentity } from '../partner/identity.ts';
import { until } from '../partner/peer.ts';
import { descriptors, isLinux, residentBytes } from '../process.ts';
import { ensure, granted, READ } from '../scenario/act.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_260_219);
const ONLY = process.env.FUZZ_ONLY === undefined ? null : Number(process.env.FUZZ_ONLY);
const FRAMES = 10_000;
const AT_ONCE = 48;
const GROWTH_MAX_BYTES = 200 * 1024 * 1024;

let gateway: Gateway;
let known: Identity;
let stranger: Identity;
let bait: Bait;

beforeAll(async () => {
  // A16 slows wrong secrets; here each is answered at once, so that ten thousand frames take seconds.
  gateway = await start({ config: { gateway: { auth: { rateLimit: { lockoutMs: 0 } } } } });
  known = namedIdentity('fuzz known');
  stranger = namedIdentity('fuzz stranger');
  const owner = await gateway.owner();
  await ensure(owner, known, [READ]);
  bait = { place: { port: gateway.port }, token: gateway.token, known, stranger, seed: SEED, bases: BASES };
});
afterAll(() => gateway?.stop());

describe.skipIf(!isLinux)('threat 2: mutated connects', () => {
  it('threat 2 the control: bases that prove something are let in, the others are not', async () => {
    const seen = new Map<string, boolean>();
    for (let index = 0; seen.size < BASES.length; index += 1) {
      const outcome = await play(bait, index, false);
      expect(fault(outcome), outcome.base).toBeNull();
      seen.set(outcome.base, outcome.close === null);
    }
    expect(Object.fromEntries(seen)).toEqual({
      keyless: false,
      stranger: false,
      known: true,
      'known v2': true,
      'wrong secret': false,
      secret: true,
    });
  });

  it(`threat 2 ${FRAMES} of seed ${SEED}: each is refused or closed, and nobody else notices`, async () => {
    console.log(`threat 2: FUZZ_SEED=${SEED}`);
    const canary = await Canary.start(gateway);
    const before = { bytes: residentBytes(gateway.pid), descriptors: descriptors(gateway.pid) };
    let most = before.bytes;
    let next = ONLY ?? 0;
    const end = ONLY === null ? FRAMES : ONLY + 1;
    const faults: string[] = [];
    const count = { answered: 0, closed: 0, entered: 0 };
    const worker = async () => {
      while (next < end && faults.length < 10) {
        const index = next;
        next += 1;
        const outcome = await play(bait, index);
        const wrong = fault(outcome);
        if (wrong !== null) {
          const { base, text } = outcome;
          faults.push(`FUZZ_SEED=${SEED} FUZZ_ONLY=${index} (${base}): ${wrong}: ${text.slice(0, 600)}`);
        }
        if (outcome.close === null) count.entered += 1;
        else if (outcome.answers.length > 0) count.answered += 1;
        else count.closed += 1;
        if (index % 250 === 0) most = Math.max(most, residentBytes(gateway.pid));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    expect(faults).toEqual([]);
    await canary.stop();
    console.log(
      `threat 2: ${JSON.stringify(count)}, canary ${canary.answers} answers, slowest ${Math.round(canary.slowestMs)} ms`,
    );
    if (ONLY === null) {
      // The generator reaches every layer: some frames are no JSON, some are judged, some are still as good as before.
      for (const [name, times] of Object.entries(count)) expect(times, name).toBeGreaterThan(100);
      expect(canary.answers).toBeGreaterThan(20);
    }
    expect(most - before.bytes).toBeLessThan(GROWTH_MAX_BYTES);
    await until('descriptors back', () => descriptors(gateway.pid) <= before.descriptors + 2);
    // Nothing was given on the way.
    const owner = await gateway.owner();
    expect(await granted(owner, known)).toEqual([READ]);
    expect(await granted(owner, stranger)).toBeNull();
    expect(gateway.logs()).not.toMatch(/uncaught|unhandled/i);
  }, 120_000);
});
