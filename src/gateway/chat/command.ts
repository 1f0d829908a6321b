import type { SessionKey } from '../../core/conversation/session.ts';
import { MODES, type Mode } from '../../core/lane/lane.ts';
import type { MethodName, MethodOutput } from '../../core/protocol/registry.ts';
import { nearest } from '../../system/text.ts';
import { type Context, Declined, Passed } from '../method/handler.ts';
import { NOT_HERE } from './elsewhere.ts';
import { short } from './page.ts';

/** What the gateway answers itself when it is said to an agent. */
export interface Spoken {
  readonly name: string;
  /** Other names of it. */
  readonly aliases: readonly string[];
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
  // Whoever may stop may read. It is not asked for by a call: that could wait behind large answers.
  const waiting = c.services.conversations.open(key).filter(({ startedAt }) => startedAt === null);
  const { runIds } = await ask(c, 'chat.abort', { sessionKey: key });
  if (runIds.length === 0) return 'Nothing runs here.';
  const dropped = waiting.filter(({ id }) => runIds.includes(id));
  if (dropped.length === 0) return `Stopped: ${runIds.length}.`;
  const words = dropped.slice(0, DROPPED_SHOWN).map(({ ask: { text } }) => `  ${short(text, DROPPED_MAX)}`);
  const more = dropped.length > DROPPED_SHOWN ? [`  and ${dropped.length - DROPPED_SHOWN} more`] : [];
  const head = `Stopped: ${runIds.length}. Of these waited, and were not said to the agent: ${dropped.length}.`;
  return [head, ...words, ...more].join('\n');
}

/** Of what was dropped by /stop: so many messages, so much of each. */
const DROPPED_SHOWN = 10;
const DROPPED_MAX = 60;

async function think(c: Context, key: SessionKey, rest: string): Promise<string> {
  if (rest !== '') {
    const { resolved } = await ask(c, 'sessions.patch', { key, thinkingLevel: rest === 'default' ? null : rest });
    return `Thinking: ${resolved.thinkingLevel}.`;
  }
  const { sessionInfo, defaults } = await ask(c, 'chat.history', { sessionKey: key, limit: 1 });
  const { thinkingLevels, thinkingDefault } = sessionInfo ?? defaults;
  const now = `Thinking: ${sessionInfo?.thinkingLevel ?? thinkingDefault}.`;
  const there = `The model has ${thinkingLevels.map(({ id }) => id).join(', ')}.`;
  return `${now} ${there} Choose one with /think LEVEL; /think default goes back.`;
}

async function usage(c: Context, key: SessionKey): Promise<string> {
  const { session } = await ask(c, 'sessions.describe', { key });
  const { totals } = await ask(c, 'usage.cost', { days: 1, ...(session === null ? {} : { agentId: session.agentId }) });
  const counted = (n: number) => `${n} ${n === 1 ? 'run' : 'runs'}`;
  const unpriced = totals.missingCostEntries;
  const cost = unpriced === 0 ? '' : `, and ${counted(unpriced)} without a known price`;
  return [
    `This session: ${session?.inputTokens ?? 0} tokens in, ${session?.outputTokens ?? 0} out`,
    `The agent today: ${counted(totals.runs)}, ${totals.totalTokens} tokens, $${totals.totalCost.toFixed(2)}${cost}`,
  ].join('\n');
}

async function compact(c: Context, key: SessionKey): Promise<string> {
  const { compacted } = await ask(c, 'sessions.compact', { key });
  return compacted ? 'What is old is summed up, for the model.' : 'There is nothing to sum up.';
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
  aliases: [],
  description,
  category,
  takes: null,
  answer,
});

export const SPOKEN: readonly Spoken[] = [
  plain('help', 'status', 'What can be said to the gateway.', help),
  plain('status', 'status', 'The session, its model, and what it took so far.', status),
  plain('usage', 'status', 'What this session took, and what the agent took today.', usage),
  plain('new', 'session', 'Begins a new conversation.', anew),
  plain('reset', 'session', 'Begins a new conversation.', anew),
  { ...plain('stop', 'session', 'Ends what the agent does here, and what waits.', stop), aliases: ['abort'] },
  plain('compact', 'session', 'Sums up what is old, for the model.', compact),
  { ...plain('model', 'options', 'Shows or chooses the model of this session.', model), takes: 'NAME' },
  {
    ...plain('think', 'options', 'Shows or chooses how much is thought in this session.', think),
    aliases: ['thinking', 't'],
    takes: 'LEVEL',
  },
  { ...plain('queue', 'options', 'What becomes of messages while the agent is busy.', queue), takes: 'MODE' },
];

/** Everything that is answered here. */
const NAMES = SPOKEN.flatMap(({ name, aliases }) => [name, ...aliases]);

/**
 * The command that a message is, with what stands behind it; `null`: it is for the agent. So are other words with a slash,
 * and paths: but one line that begins with a slash and letters alone, which are nearly a command or one that OpenClaw's
 * gateways have, is taken for a slip. A model would be paid for it, and a misspelt /stop would wait behind what it is to end.
 * @throws Declined for such a slip, and where something stands behind a command that takes nothing
 */
export function spokenIn(text: string): { readonly spoken: Spoken; readonly rest: string } | null {
  const [, word = '', rest = ''] = /^\/([a-z][a-z_-]{0,31})(?:\s+([\s\S]*))?$/i.exec(text.trim()) ?? [];
  const name = word.toLowerCase();
  const spoken = SPOKEN.find((one) => one.name === name || one.aliases.includes(name));
  if (spoken === undefined) {
    if (/^\/[a-z]/i.test(text) && !text.trimEnd().includes('\n')) refuseSlip(name);
    return null;
  }
  if (spoken.takes === null && rest.trim() !== '')
    throw new Declined('command_invalid', `/${name} takes nothing behind it`);
  return { spoken, rest: rest.trim() };
}

/** @throws Declined `command_invalid` */
function refuseSlip(name: string): void {
  // Shorter ones are near to too much.
  const near = name.length < 3 ? null : nearest(name, NAMES);
  if (near === null && !NOT_HERE.has(name)) return;
  const meant = near === null ? 'it is none of this gateway, see /help' : `did you mean /${near}?`;
  throw new Declined('command_invalid', `unknown command /${name}; ${meant} (${AS_IT_IS})`);
}

const AS_IT_IS = 'to say it as it is, put a space in front';
