import type { AgentConfig } from '../config/agents.ts';
import type { MethodOutput } from '../core/protocol/registry.ts';
import { dayEnd } from '../runtime/day.ts';
import type { Bound } from '../runtime/model/budget.ts';
import { dayStart } from '../runtime/purse.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../system/clock.ts';

const MICROS = 1_000_000;

/** What agents that have a bound have spent of it today. */
export type SpentToday = (
  agents: readonly AgentConfig[],
) => Promise<Pick<MethodOutput<'models.status'>, 'spent' | 'dayEndsAt' | 'zone'>>;

/** @param zone IANA: in which days are counted */
export function spentToday({ store, clock, zone }: { store: Store; clock: Clock; zone: string }): SpentToday {
  return async (agents) => {
    const now = clock.now();
    const since = dayStart(now, zone);
    const bound = agents.filter(({ budget }) => budget.tokensPerDay !== null || budget.usdPerDay !== null);
    const sums = await store.read((tx) => Promise.all(bound.map(({ id }) => tx.runs.spent(id, since))));
    const spent = bound.map(({ id, budget, budgetKeys }, i) => ({
      agentId: id,
      tokens: sums[i]?.tokens ?? 0,
      usd: (sums[i]?.costMicros ?? 0) / MICROS,
      ...budget,
      tokensKey: budgetKeys.tokensPerDay,
      usdKey: budgetKeys.usdPerDay,
    }));
    return { spent, dayEndsAt: dayEnd(now, zone), zone };
  };
}

/** As the runtime holds it. */
export function boundOf({ budget, budgetKeys }: Pick<AgentConfig, 'budget' | 'budgetKeys'>): Bound {
  return { ...budget, keys: budgetKeys };
}
