import { DAY_MS } from '../../core/base/instant.ts';
import { added, NO_USAGE, plus } from '../../core/conversation/session.ts';
import type { MethodInput, MethodOutput } from '../../core/protocol/registry.ts';
import type { Day } from '../../runtime/runtime.ts';
import { usageOf } from '../chat/message.ts';
import { pastAgentFor } from '../chat/place.ts';
import type { Context } from './handler.ts';

const DAYS = 30;
const DAYS_MAX = 366;
const MICROS = 1_000_000;

type Cost = MethodOutput<'usage.cost'>;

export async function cost(c: Context, input: MethodInput<'usage.cost'>): Promise<Cost> {
  const { conversations, now } = c.services;
  const agent = input.agentId === undefined ? {} : { agent: await spenderFor(c, input.agentId) };
  const asked = input.startDate === undefined ? (input.days ?? DAYS) : daysSince(input.startDate, now());
  const isIn = (date: string) =>
    date >= (input.startDate ?? '') && (input.endDate === undefined || date <= input.endDate);
  const { days: all, at, zone, agents } = await conversations.books.days({ days: asked, isIn, ...agent });
  const days = all.filter(({ date }) => isIn(date));
  const whole = days.find(({ isWhole }) => isWhole)?.date;
  return {
    updatedAt: at,
    days: days.length,
    daily: days.map((day) => ({ date: day.date, ...totalsOf([day]) })),
    totals: totalsOf(days),
    agents: agents.map((one) => ({ agentId: one.agent, ...totalsOf([one]) })),
    zone,
    wholeFrom: days[0]?.isWhole === false ? (whole ?? null) : null,
  };
}

/** The id of an agent that is there, or of which runs or sessions are. @throws Declined `unknown_agent` */
async function spenderFor(c: Context, id: string): Promise<string> {
  const agent = id.trim().toLowerCase();
  const spenders = await c.services.conversations.books.spenders();
  return spenders.includes(agent) ? agent : pastAgentFor(c, id);
}

export function status(c: Context): MethodOutput<'usage.status'> {
  return { updatedAt: c.services.now(), providers: [] };
}

/** Rather one too many: zones differ, and what is before the day is left out. */
function daysSince(date: string, now: number): number {
  const at = Date.parse(date);
  const days = Number.isNaN(at) ? 1 : Math.ceil((now - at) / DAY_MS) + 2;
  return Math.min(DAYS_MAX, Math.max(1, days));
}

function totalsOf(days: readonly Omit<Day, 'date' | 'isWhole'>[]): Cost['totals'] {
  const micros = days.reduce((sum, { costMicros }) => added(sum, costMicros), 0);
  return {
    ...usageOf(days.reduce((sum, { usage }) => plus(sum, usage), NO_USAGE)),
    totalCost: micros / MICROS,
    missingCostEntries: days.reduce((sum, { unpriced }) => sum + unpriced, 0),
    runs: days.reduce((sum, { runs, idle }) => sum + runs - idle, 0),
    idleRuns: days.reduce((sum, { idle }) => sum + idle, 0),
  };
}
