import type { SessionKey } from '../../core/conversation/session.ts';
import { MODES, type Mode } from '../../core/lane/lane.ts';
import type { MethodName, MethodOutput } from '../../core/protocol/registry.ts';
import { type Context, Declined, Passed } from '../method/handler.ts';

/** What the gateway answers itself when it is said to an agent. */
export interface Spoken {
  readonly name: string;
  readonly description: string;
  readonly category: string;
  /** What may stand behind its name, for people; `null`: nothing. */
  readonly takes: string | null;
  /** Carries it out with calls of who said it, each decided as if it had been sent by itself; the answer. */
  readonly answer: (c: Context, key: SessionKey, rest: string) => Promise<string>;
}

/** @throws Passed where the caller may not make this call, or it is refused otherwise */
async function ask<N extends MethodName>(c: Context, method: N, params: unknown): Promise<MethodOutput<N>> {
  const answer = await c.ask(method, params);
  if (!answer.ok) throw new Passed(answer);
  return answer.payload as MethodOutput<N>;
}

async function anew(c: Context, key: SessionKey): Promise<string> {
  await ask(c, 'sessions.reset', { key, reason: 'new' });
  return 'A new conversation begins here.';
}

async function status(c: Context, key: SessionKey): Promise<string> {
  const { session } = await ask(c, 'sessions.describe', { key });
  const { agents } = await ask(c, 'agents.list', {});
  const agent = agents.find(({ id }) => id === session?.agentId);
  const model = session?.model === undefined ? agent?.model.primary : `${session.modelProvider}/${session.model}`;
  const window = session?.contextTokens;
  return [
    `Latchkey ${c.services.facts().version}`,
    `Session: ${key}`,
    `Model: ${model ?? 'none'}`,
    `Messages: ${session?.rows ?? 0}`,
    `Tokens: ${session?.inputTokens ?? 0} in, ${session?.outputTokens ?? 0} out`,
    `Context: ${session?.totalTokens ?? 0}${window === undefined ? '' : ` of ${window}`}`,
    `Queue: ${session?.effectiveQueueMode ?? AS_AGENT}`,
    `Runs: ${session?.activeRunIds.length ?? 0} at work or waiting`,
  ].join('\n');
}

/** Of a session in which nothing was said yet. */
const AS_AGENT = 'as the agent has it';

async function stop(c: Context, key: SessionKey): Promise<string> {
  const { runIds } = await ask(c, 'chat.abort', { sessionKey: key });
  return runIds.length === 0 ? 'Nothing runs here.' : `Stopped: ${runIds.length}.`;
}

async function model(c: Context, key: SessionKey, rest: string): Promise<string> {
  if (rest !== '') {
    const { resolved } = await ask(c, 'sessions.patch', { key, model: rest === 'default' ? null : rest });
    return `This session thinks with ${resolved.modelProvider}/${resolved.model}.`;
  }
  const { models } = await ask(c, 'models.list', {});
  const { session } = await ask(c, 'sessions.describe', { key });
  const now = session?.model === undefined ? [] : [`Now: ${session.modelProvider}/${session.model}`];
  const there = models.filter(({ available }) => available).map(({ provider, id }) => `  ${provider}/${id}`);
  return [...now, 'There are:', ...there, 'Choose one with /model NAME; /model default goes back.'].join('\n');
}

async function queue(c: Context, key: SessionKey, rest: string): Promise<string> {
  if (rest === '') {
    const { session } = await ask(c, 'sessions.describe', { key });
    return `Queue: ${session?.effectiveQueueMode ?? AS_AGENT}. Choose with /queue ${MODES.join(', /queue ')}.`;
  }
  const mode: Mode | undefined = MODES.find((one) => one === rest);
  if (mode === undefined && rest !== 'default')
    throw new Declined('command_invalid', `/queue takes one of ${MODES.join(', ')}, default`);
  const { entry } = await ask(c, 'sessions.patch', { key, queueMode: mode ?? null });
  return `Queue: ${entry.effectiveQueueMode}.`;
}

async function help(c: Context): Promise<string> {
  const { commands } = await ask(c, 'commands.list', {});
  return commands.map(({ textAliases, description }) => `${textAliases.join(', ')}: ${description}`).join('\n');
}

const plain = (name: string, category: string, description: string, answer: Spoken['answer']): Spoken => ({
  name,
  description,
  category,
  takes: null,
  answer,
});

export const SPOKEN: readonly Spoken[] = [
  plain('help', 'status', 'What can be said to the gateway.', help),
  plain('status', 'status', 'The session, its model, and what it took so far.', status),
  plain('new', 'session', 'Begins a new conversation.', anew),
  plain('reset', 'session', 'Begins a new conversation.', anew),
  plain('stop', 'session', 'Ends what the agent does here, and what waits.', stop),
  { ...plain('model', 'options', 'Shows or chooses the model of this session.', model), takes: 'NAME' },
  { ...plain('queue', 'options', 'What becomes of messages while the agent is busy.', queue), takes: 'MODE' },
];

/**
 * The command that a message is, with what stands behind it; `null`: it is for the agent. Other words with a slash are the
 * agent's too: the gateway takes none from it but these.
 * @throws Declined where something stands behind one that takes nothing
 */
export function spokenIn(text: string): { readonly spoken: Spoken; readonly rest: string } | null {
  const [, name, rest = ''] = /^\/([a-z]{1,16})(?:\s+([\s\S]*))?$/i.exec(text.trim()) ?? [];
  const spoken = SPOKEN.find((one) => one.name === name?.toLowerCase());
  if (spoken === undefined) return null;
  if (spoken.takes === null && rest.trim() !== '')
    throw new Declined('command_invalid', `/${spoken.name} takes nothing behind it`);
  return { spoken, rest: rest.trim() };
}
