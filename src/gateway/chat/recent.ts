import { heldUntil, READ } from '../../core/authz/scope.ts';
import type { SessionState } from '../../core/conversation/session.ts';
import type { Agent } from '../../runtime/runtime.ts';
import type { Context } from '../method/handler.ts';
import { defaultsOf, lastEndOf, sessionRow } from './row.ts';

/** Of each agent, and of all of them. */
const RECENT = 10;

interface Counted<Row> {
  readonly count: number;
  /** The newest first. */
  readonly recent: readonly Row[];
}

/** How many sessions there are, and the newest of them: as `health` tells it, and in its rows `status`. */
export interface SessionsSeen<Row = SessionBrief> extends Counted<Row> {
  readonly byAgent: readonly ({ readonly agentId: string } & Counted<Row>)[];
}

export interface SessionBrief {
  readonly key: string;
  readonly updatedAt: number;
  /** Since its latest change, in milliseconds. */
  readonly age: number;
}

/** For who may not see what is said where, and where nobody is asked. */
export const NOTHING_SEEN: SessionsSeen<never> = { count: 0, recent: [], byAgent: [] };

/** @param agents by name, the default one first */
export function sessionsBrief(c: Context, agents: readonly string[]): Promise<SessionsSeen> {
  return seenBy(c, agents, (session) => ({
    key: session.key,
    updatedAt: session.updatedAt,
    age: ageOf(c, session),
  }));
}

export type StatusSeen = Awaited<ReturnType<typeof sessionsSeen>>;

/** The same, with what `openclaw status` reads besides: a row of `sessions.list`, and how full its window is. */
export async function sessionsSeen(c: Context, names: readonly string[]) {
  // Which models there are is looked up where something was said, and nowhere else.
  const brief = await sessionsBrief(c, names);
  const agents = brief.count === 0 ? [] : await c.services.conversations.agents();
  const { model, contextTokens } = defaultsOf(agents);
  const seen = brief.count === 0 ? NOTHING_SEEN : await seenBy(c, names, (session) => rowOf(c, session, agents));
  return { ...seen, byAgent: [...seen.byAgent], defaults: { model: model === '' ? null : model, contextTokens } };
}

async function seenBy<Row extends { readonly updatedAt: number }>(
  c: Context,
  agents: readonly string[],
  rowFor: (session: SessionState) => Row | Promise<Row>,
): Promise<SessionsSeen<Row>> {
  const { authority, conversations, now } = c.services;
  const { held } = authority.decider(c.principal);
  if (heldUntil(held, READ, now()) === undefined) return NOTHING_SEEN;
  // What was said to agents that are no more is listed as well.
  const newest = await conversations.books.newest(agents, RECENT);
  const byAgent = await Promise.all(
    newest.map(async ({ agent: agentId, count, sessions }) => ({
      agentId,
      count,
      recent: await Promise.all(sessions.map(rowFor)),
    })),
  );
  const recent = byAgent.flatMap((one) => one.recent).sort((a, b) => b.updatedAt - a.updatedAt);
  return { count: byAgent.reduce((sum, { count }) => sum + count, 0), recent: recent.slice(0, RECENT), byAgent };
}

async function rowOf(c: Context, session: SessionState, agents: readonly Agent[]) {
  const { conversations } = c.services;
  const end = await lastEndOf(conversations, session);
  const row = sessionRow(session, agents, { open: conversations.open(session.key), end });
  const { contextTokens: window, totalTokens } = row;
  const isKnown = window !== undefined && window > 0;
  return {
    ...row,
    age: ageOf(c, session),
    contextTokens: window ?? null,
    remainingTokens: isKnown ? Math.max(0, window - totalTokens) : null,
    percentUsed: isKnown ? Math.min(100, Math.round((totalTokens / window) * 100)) : null,
    flags: [],
  };
}

function ageOf(c: Context, { updatedAt }: SessionState): number {
  return Math.max(0, c.services.now() - updatedAt);
}
