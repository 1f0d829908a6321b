import * as Type from '../type.ts';
import { AgentId } from './conversation.ts';
import type { Method } from './method.ts';
import { READ } from './scope.ts';
import { Instant } from './shape.ts';

const Totals = {
  input: Type.Integer(),
  output: Type.Integer(),
  cacheRead: Type.Integer(),
  cacheWrite: Type.Integer(),
  totalTokens: Type.Integer(),
  /** US dollars, of what has a known price. */
  totalCost: Type.Number(),
  /** Runs that took tokens whose price isn't known: they are in no cost. */
  missingCostEntries: Type.Integer(),
  /** Latchkey's own. Those that took tokens. */
  runs: Type.Integer(),
  /**
   * Latchkey's own. Those that took none: commands to the gateway, calls that were refused, messages that were answered in the
   * run of another one.
   */
  idleRuns: Type.Integer(),
};

const DateText = Type.Optional(Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' }));

export const usageCost = {
  name: 'usage.cost',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({
    /** The last so many, today included; 30 when absent. */
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: 366 })),
    /** `2026-11-21`: from this day on, up to that one; at most 366 days back. */
    startDate: DateText,
    endDate: DateText,
    agentId: Type.Optional(AgentId),
  }),
  output: Type.Object({
    updatedAt: Instant,
    days: Type.Integer(),
    /** Oldest first; a day on which nothing ran is told too. */
    daily: Type.Array(Type.Object({ date: Type.String(), ...Totals })),
    totals: Type.Object(Totals),
    /** Latchkey's own: of all these days, by agent, also by those that are no more. */
    agents: Type.Array(Type.Object({ agentId: Type.String(), ...Totals })),
    /** Latchkey's own: IANA, in which days are counted. */
    zone: Type.String(),
    /** Latchkey's own: of the days before this one runs may be forgotten already; `null`: there is none such. */
    wholeFrom: Type.Union([Type.String(), Type.Null()]),
  }),
  errors: ['unknown_agent'],
  summary: 'What the agents took on each of the last days: tokens, and their price where it is known.',
} as const satisfies Method;

export const usageStatus = {
  name: 'usage.status',
  scope: READ,
  role: 'operator',
  input: Type.Object({}),
  output: Type.Object({
    updatedAt: Instant,
    /** What providers say of quotas of theirs: none is asked, so the list is empty. */
    providers: Type.Array(Type.Unknown()),
  }),
  errors: [],
  summary: 'Quotas of providers, as OpenClaw tells them: none is asked here.',
} as const satisfies Method;
