import type { Instant } from '../core/base/instant.ts';
import { DAY_MS } from '../core/base/instant.ts';
import { added, NO_USAGE, plus, type SessionId } from '../core/conversation/session.ts';
import type { Spending } from '../store/store.ts';
import type { Keeper } from './keeper.ts';
import { dayOf } from './model/budget.ts';
import type { TalkOptions } from './options.ts';
import { dayStart } from './purse.ts';
import type { Books, Day, Days } from './runtime.ts';

const NONE: Spending = { runs: 0, usage: NO_USAGE, costMicros: 0, unpriced: 0, idle: 0 };

/** What is kept, to be counted and read: nothing here changes anything. */
export function booksOf({ store, clock, contents, zone, clean }: TalkOptions, keeper: Keeper): Books {
  return {
    agents: () => store.read((tx) => tx.sessions.agents()),
    spenders: () => store.read((tx) => tx.runs.agents()),
    newest: (agents, limit) =>
      store.read(async (tx) => {
        const there = new Set(await tx.sessions.agents());
        const look = async (agent: string) => {
          if (!there.has(agent)) return { agent, count: 0, sessions: [] };
          return { agent, count: await tx.sessions.count(agent), sessions: await tx.sessions.list({ agent, limit }) };
        };
        const all = [...new Set([...agents, ...there])];
        return Promise.all(all.map(look));
      }),
    conversation: (id) => store.read((tx) => tx.sessions.conversation(id)),
    earlier: (key, limit) => store.read((tx) => tx.sessions.earlier(key, limit)),
    ends: async (runs) => (runs.length === 0 ? new Map() : store.read((tx) => tx.runs.ends(runs))),
    rows: (id, from, limit) => store.read((tx) => tx.sessions.rows(id, from, limit)),
    content: (id: SessionId, sha256: string) => contents.get(id, sha256),
    clean: (text) => clean?.(text) ?? text,
    kept: () => ({ rules: keeper.rules, last: keeper.last }),
    async days({ days, agent, isIn }): Promise<Days> {
      const agents = agent === undefined ? await store.read((tx) => tx.runs.agents()) : [agent];
      const now = clock.now();
      const { runsMs } = keeper.rules;
      const found: Day[] = [];
      const own = new Map<string, Spending>();
      let to: Instant | null = null;
      for (const from of startsOf(now, days, zone)) {
        const until = to;
        // A day at a time: others are served between.
        const sums = await store.read((tx) => Promise.all(agents.map((one) => tx.runs.used(one, from, until))));
        const counts = isIn?.(dayOf(from, zone)) !== false;
        for (const [i, one] of counts ? agents.entries() : [])
          own.set(one, together(own.get(one) ?? NONE, sums[i] ?? NONE));
        const isWhole = runsMs === null || from >= now - runsMs;
        found.unshift({ date: dayOf(from, zone), ...sums.reduce(together, NONE), isWhole });
        to = from;
      }
      const each = [...own].map(([one, spending]) => ({ agent: one, ...spending })).filter(({ runs }) => runs > 0);
      return { at: now, zone, days: found, agents: each };
    },
  };
}

function together(a: Spending, b: Spending): Spending {
  return {
    runs: a.runs + b.runs,
    usage: plus(a.usage, b.usage),
    costMicros: added(a.costMicros, b.costMicros),
    unpriced: a.unpriced + b.unpriced,
    idle: a.idle + b.idle,
  };
}

/** When the last days began where people count in `zone`, the newest first. */
export function startsOf(at: Instant, days: number, zone: string): readonly Instant[] {
  const starts = [dayStart(at, zone)];
  while (starts.length < days) {
    const next = starts.at(-1) ?? at;
    const likely = next - DAY_MS;
    const day = dayOf(next - 1, zone);
    // Most days have 24 hours; the others are found by looking for their beginning.
    const isIt = dayOf(likely, zone) === day && dayOf(likely - 1, zone) !== day;
    starts.push(isIt ? likely : dayStart(next - 1, zone));
  }
  return starts;
}
