import type { Instant } from '../core/base/instant.ts';
import { HOUR_MS } from '../core/base/instant.ts';
import { added, NO_USAGE, type Usage } from '../core/conversation/session.ts';
import { toldOf } from './day.ts';
import { dayOf, judge, type Verdict } from './model/budget.ts';
import { counted } from './model/cost.ts';
import type { Usage as Counted } from './model/model.ts';
import type { Attempt, Candidate } from './model/route.ts';
import type { AgentFacts, TalkOptions } from './options.ts';
import type { Leaf, Taken } from './scribe.ts';

const MICROS = 1_000_000;

/** Whether an agent may begin one more call of a model today. */
export async function allowed(
  { store, clock, zone }: Pick<TalkOptions, 'store' | 'clock' | 'zone'>,
  agent: Pick<AgentFacts, 'id' | 'bound'>,
  { facts }: Candidate,
): Promise<Verdict> {
  const { tokensPerDay, usdPerDay } = agent.bound;
  if (tokensPerDay === null && usdPerDay === null) return { ok: true };
  const at = clock.now();
  const since = dayStart(at, zone);
  const { tokens, costMicros } = await store.read((tx) => tx.runs.spent(agent.id, since));
  const spent = { tokens, usd: costMicros / MICROS };
  const verdict = judge(agent.bound, spent, facts.price);
  return verdict.ok ? verdict : toldOf(verdict, agent.bound, spent, { agent: agent.id, at, zone });
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
  const costMicros = spend.usd === null ? null : added(Math.round(spend.usd * MICROS));
  if (!spend.isEstimate && usage !== null) return { usage: usageOf(usage), costMicros };
  const output = Math.min(spend.tokens, Math.ceil(toldCharacters / 4));
  return { usage: { ...NO_USAGE, input: spend.tokens - output, output }, costMicros };
}

/** Their sum is what went in and out: what was cached is not in `input`. */
export function usageOf({ input, output, cacheRead, cacheWrite }: Counted): Usage {
  const [read, written] = [counted(cacheRead) ?? 0, counted(cacheWrite) ?? 0];
  return {
    input: Math.max(0, (counted(input) ?? 0) - read - written),
    output: counted(output) ?? 0,
    cacheRead: read,
    cacheWrite: written,
  };
}

/** The same with counts that can be stored, whatever they were: what is none is reckoned from what was said. */
export function recounted({ rows, taken, context }: Leaf): Leaf {
  const said = rows.reduce((length, body) => length + (body.kind === 'assistant' ? body.text.length : 0), 0);
  const { costMicros } = taken;
  return {
    rows: rows.map((body) =>
      body.kind === 'assistant' ? { ...body, usage: wholeUsage(body.usage, body.text.length) } : body,
    ),
    taken: {
      usage: wholeUsage(taken.usage, said),
      costMicros: costMicros !== null && isCount(costMicros) ? costMicros : null,
    },
    ...(context === undefined ? {} : { context: isCount(context) ? context : 0 }),
  };
}

function wholeUsage({ input, output, cacheRead, cacheWrite }: Usage, saidCharacters: number): Usage {
  const whole = (count: number) => (isCount(count) ? count : 0);
  const reckoned = Math.ceil(saidCharacters / 4);
  return {
    input: whole(input),
    output: isCount(output) ? output : reckoned,
    cacheRead: whole(cacheRead),
    cacheWrite: whole(cacheWrite),
  };
}

function isCount(count: number): boolean {
  return Number.isSafeInteger(count) && count >= 0;
}
