import { newIdentity } from '../../partner/identity.ts';
import { until } from '../../partner/peer.ts';
import { descriptors, residentBytes } from '../../process.ts';
import { READ } from '../../scenario/act.ts';
import { assert, type Check, equal } from '../check.ts';
import { BASES, type Bait, type Base, fault, play } from '../mutated.ts';
import type { Target } from '../target.ts';

/** OpenClaw answers 503 to more that have not said anything yet. */
const AT_ONCE = 16;
const GROWTH_MAX_BYTES = 200 * 1024 * 1024;

/** Plays them all. @throws Error with the first that were answered wrongly, and how to play one of them again */
async function playAll(bait: Bait, frames: number): Promise<string> {
  const faults: string[] = [];
  const seen = { answered: 0, closed: 0, entered: 0 };
  let next = 0;
  const worker = async () => {
    while (next < frames && faults.length < 5) {
      const index = next;
      next += 1;
      const outcome = await play(bait, index);
      const wrong = fault(outcome);
      if (wrong !== null) faults.push(`frame ${index} (${outcome.base}): ${wrong}: ${outcome.text.slice(0, 300)}`);
      if (outcome.close === null) seen.entered += 1;
      else if (outcome.answers.length > 0) seen.answered += 1;
      else seen.closed += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  assert(faults.length === 0, faults.join('\n'));
  return `${frames} frames: ${JSON.stringify(seen)}`;
}

async function mutations(target: Target, bases: readonly Base[]): Promise<string> {
  const known = await target.pair([READ]);
  const stranger = newIdentity();
  const { seed, quick, pid, token } = target.options;
  const bait = { place: { ...target.place(), trace: () => {} }, token, known, stranger, seed, bases };
  const canary = await target.watch();
  const before = pid === undefined ? null : { bytes: residentBytes(pid), fds: descriptors(pid) };
  const note = await playAll(bait, quick ? 400 : 10_000);
  await canary.stop();
  equal(await target.granted(known), [READ], 'what the known device holds');
  equal(await target.granted(stranger), null, 'what the stranger holds');
  if (pid === undefined || before === null) return note;
  const grown = residentBytes(pid) - before.bytes;
  assert(grown < GROWTH_MAX_BYTES, `memory grew by ${grown} bytes`);
  await until('descriptors back', () => descriptors(pid) <= before.fds + 2);
  return `${note}, memory +${Math.round(grown / 2 ** 20)} MiB, canary slowest ${Math.round(canary.slowestMs)} ms`;
}

export const MUTATION_CHECKS: readonly Check[] = [
  {
    id: 'D1.2',
    title: 'mutated connects are refused or closed, never let in, and nobody else notices',
    quick: true,
    needs: ['token'],
    // Wrong secrets are slowed (A16), and ten thousand of those would never end.
    run: (target) => mutations(target, ['keyless', 'stranger', 'known', 'known v2']),
  },
  {
    id: 'D1.2 secret',
    title: 'mutated connects that bring secrets, at a gateway that answers wrong ones at once',
    quick: true,
    needs: ['second process'],
    run: async (target) =>
      mutations(
        target.over(await target.spawn({ config: { gateway: { auth: { rateLimit: { lockoutMs: 0 } } } } })),
        BASES,
      ),
  },
];
