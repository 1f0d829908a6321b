import type { Instant } from '../core/base/instant.ts';
import { HOUR_MS } from '../core/base/instant.ts';
import { NO_USAGE, type Usage } from '../core/conversation/session.ts';
import { dayOf, judge, type Verdict } from './model/budget.ts';
import type { Usage as Counted } from './model/model.ts';
import type { Attempt, Candidate } from './model/route.ts';
import type { AgentFacts, TalkOptions } from './options.ts';
import type { Taken } from './scribe.ts';

const MICROS = 1_000_000;

/** Whether an agent may begin one more call of a model today. */
export async function allowed(
  { store, clock, zone }: Pick<TalkOptions, 'store' | 'clock' | 'zone'>,
  agent: Pick<AgentFacts, 'id' | 'bound'>,
  { facts }: Candidate,
): Promise<Verdict> {
  const { tokensPerDay, usdPerDay } = agent.bound;
  if (tokensPerDay === null && usdPerDay === null) return { ok: true };
  const since = dayStart(clock.now(), zone);
  const { tokens, costMicros } = await store.read((tx) => tx.runs.spent(agent.id, since));
  return judge(agent.bound, { tokens, usd: costMicros / MICROS }, facts.price);
}

/** When the day of `at` began where people count in `zone`. */
export function dayStart(at: Instant, zone: string): Instant {
  const day = dayOf(at, zone);
  // A day has 23 to 25 hours, and zones differ by quarters of one.
  const step = HOUR_MS / 4;
  let start = Math.floor(at / step) * step;
  while (dayOf(start - step, zone) === day) start -= step;
  return start;
}

/** What an attempt took. Where the provider didn't say, what it is likely to have: an abort is billed too. */
export function takenBy({ usage, spend }: Attempt, toldCharacters: number): Taken {
  const costMicros = spend.usd === null ? null : Math.round(spend.usd * MICROS);
  if (!spend.isEstimate && usage !== null) return { usage: usageOf(usage), costMicros };
  const output = Math.min(spend.tokens, Math.ceil(toldCharacters / 4));
  return { usage: { ...NO_USAGE, input: spend.tokens - output, output }, costMicros };
}

/** Their sum is what went in and out: what was cached is not in `input`. */
export function usageOf({ input, output, cacheRead, cacheWrite }: Counted): Usage {
  const [read, written] = [whole(cacheRead), whole(cacheWrite)];
  return {
    input: Math.max(0, whole(input) - read - written),
    output: whole(output),
    cacheRead: read,
    cacheWrite: written,
  };
}

/** A provider may say anything. */
function whole(count: number | null): number {
  return count !== null && Number.isSafeInteger(count) && count > 0 ? count : 0;
}
