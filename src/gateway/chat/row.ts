import type { RunEnd, RunState } from '../../core/conversation/run.ts';
import type { SessionState } from '../../core/conversation/session.ts';
import { effective, NO_THINKING } from '../../core/conversation/thinking.ts';
import type { MethodOutput } from '../../core/protocol/registry.ts';
import type { Agent, Conversations } from '../../runtime/runtime.ts';
import { nameOf } from './message.ts';
import { levelRows } from './thinking.ts';

export type SessionRow = NonNullable<MethodOutput<'sessions.describe'>['session']>;

/** The same, of a session that may think with a model of its own. */
export async function sessionRowOf(
  conversations: Pick<Conversations, 'open' | 'wait' | 'thinker' | 'books'>,
  session: SessionState,
  agents: readonly Agent[],
  more: Pick<SessionRow, 'derivedTitle' | 'lastMessagePreview'> = {},
): Promise<SessionRow> {
  const { model } = session.settings;
  const own = model === undefined ? null : await conversations.thinker(model);
  const dropped = (await conversations.books.conversation(session.id))?.dropped ?? 0;
  const end = await lastEndOf(conversations, session);
  const known = sessionRow(session, agents, { open: conversations.open(session.key), end }, more);
  const row = dropped === 0 ? known : { ...known, droppedRows: dropped };
  if (own === null) return row;
  const named = nameOf(own.model);
  return {
    ...row,
    modelProvider: named.provider,
    model: named.model,
    ...(own.contextWindow === null ? {} : { contextTokens: own.contextWindow }),
    thinkingLevels: levelRows(own.levels),
    thinkingDefault: effective(own.levels, agents.find(({ id }) => id === session.agent)?.thinking ?? null),
  };
}

/** How its last run ended; `null`: none has, or that is not kept any more. */
export async function lastEndOf(
  conversations: Pick<Conversations, 'books' | 'open' | 'wait'>,
  { key, lastRun }: SessionState,
): Promise<RunEnd | null> {
  if (lastRun === null) return null;
  const end = (await conversations.books.ends([lastRun])).get(lastRun);
  if (end !== undefined || conversations.open(key).length > 0) return end ?? null;
  // Begun, and nobody is at it: the gateway died, and none has started since. Or it has ended just now.
  const run = await conversations.wait(lastRun, 0);
  return run === null || run.startedAt === null ? null : (run.end ?? { kind: 'interrupted' });
}

interface Runs {
  /** Those that wait or run. */
  readonly open: readonly RunState[];
  /** How the last one ended. */
  readonly end: RunEnd | null;
}

/** A session in OpenClaw's shape. `agents`: those there are. */
export function sessionRow(
  session: SessionState,
  agents: readonly Agent[],
  { open, end }: Runs,
  more: Pick<SessionRow, 'derivedTitle' | 'lastMessagePreview'> = {},
): SessionRow {
  const { key, id, agent: agentId, settings, usage } = session;
  const agent = agents.find((one) => one.id === agentId);
  const model = settings.model ?? agent?.model;
  const window = settings.model === undefined ? (agent?.contextWindow ?? null) : null;
  const named = model === undefined ? null : nameOf(model);
  const state = stateOf({ open, end });
  return {
    key,
    kind: 'direct',
    chatType: 'direct',
    agentId,
    isMain: key === `agent:${agentId}:main`,
    sessionId: id,
    createdAt: session.createdAt,
    updatedAt: session.updatedAt,
    ...(settings.label === undefined ? {} : { label: settings.label, displayName: settings.label }),
    ...more,
    ...(named === null ? {} : { modelProvider: named.provider, model: named.model }),
    ...(settings.thinking === undefined ? {} : { thinkingLevel: settings.thinking }),
    ...thinkingRow(settings.model === undefined ? agent : undefined),
    effectiveQueueMode: settings.queue ?? agent?.queue ?? 'steer',
    inputTokens: usage.input,
    outputTokens: usage.output,
    totalTokens: session.context,
    totalTokensFresh: true,
    ...(window === null ? {} : { contextTokens: window }),
    systemSent: session.rows > 0,
    abortedLastRun: state === 'aborted',
    status: statusOf(state, end),
    state,
    ...(open.length > 0 || end === null || end.kind === 'ok' || end.kind === 'joined' ? {} : { lastRunEnd: end }),
    hasActiveRun: open.length > 0,
    activeRunIds: open.map((run) => run.id),
    ...(session.lastRun === null ? {} : { lastRunId: session.lastRun }),
    rows: session.rows,
  };
}

type State = 'running' | 'queued' | 'done' | 'failed' | 'aborted' | 'interrupted';

function stateOf({ open, end }: Runs): State {
  if (open.length > 0) return open.some((run) => run.startedAt !== null) ? 'running' : 'queued';
  if (end?.kind === 'error') return 'failed';
  return end?.kind === 'aborted' || end?.kind === 'interrupted' ? end.kind : 'done';
}

/** The same in the words of OpenClaw's clients, which know no run that waits. */
function statusOf(state: State, end: RunEnd | null): 'running' | 'done' | 'failed' | 'killed' | 'timeout' {
  if (end?.kind === 'error' && state === 'failed') return end.code === 'timeout' ? 'timeout' : 'failed';
  const words = {
    queued: 'running',
    running: 'running',
    done: 'done',
    failed: 'failed',
    aborted: 'killed',
    interrupted: 'failed',
  } as const;
  return words[state];
}

/** What a session has that nothing was set for: the default agent's, or that of the agent that is asked for. */
export function defaultsOf(agents: readonly Agent[], agentId?: string) {
  const agent = agents.find((one) => one.id === agentId) ?? agents[0];
  const { provider, model } = nameOf(agent?.model ?? '');
  return { modelProvider: provider, model, contextTokens: agent?.contextWindow ?? null, ...thinkingRow(agent) };
}

function thinkingRow(agent: Agent | undefined): Pick<SessionRow, 'thinkingLevels' | 'thinkingDefault'> {
  return { thinkingLevels: levelRows(agent?.levels ?? NO_THINKING), thinkingDefault: agent?.thinking ?? 'off' };
}
