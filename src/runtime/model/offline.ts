import { NO_THINKING } from '../../core/conversation/thinking.ts';
import { ModelFailure } from './failure.ts';
import type { AssistantMessage, Message, Model, ModelFacts, Part, Provider, Step, ToolCall, Usage } from './model.ts';
import { isTooDeep } from './shape.ts';

export const OFFLINE = 'offline';
const ID = 'echo';

export const offlineFacts: ModelFacts = {
  id: ID,
  name: 'Offline (built in, not an intelligence)',
  contextWindow: 32_000,
  maxOutputTokens: 4_096,
  input: ['text', 'image', 'file'],
  reasoning: false,
  levels: NO_THINKING,
  price: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
};

export const offlineProvider: Provider = {
  name: OFFLINE,
  kind: 'offline',
  baseUrl: '',
  isLocal: true,
  keyFrom: null,
  credentials: async () => ({ key: null, headers: {} }),
  models: [offlineFacts],
};

/**
 * The model that is always there: no intelligence, no network, the same answer to the same words. It says so with each
 * answer, and exists so that everything else can be tried and tested. `/say TEXT` answers TEXT alone; `/tool NAME {json}`
 * calls a tool; `/spawn TASK` calls `sessions_spawn`; what a tool gave is told in the next step.
 */
export const offlineModel: Model = {
  name: `${OFFLINE}/${ID}`,
  step: answer,
};

async function* answer(step: Step): AsyncGenerator<Part> {
  const { text, call } = saidTo(step);
  let began = false;
  for (const delta of deltasOf(text)) {
    // Later than what is waiting: as from a socket.
    await new Promise((resolve) => setImmediate(resolve));
    if (step.signal.aborted) {
      const stopped = new ModelFailure('aborted', { model: offlineModel.name, why: 'it was told to stop' });
      stopped.began = began;
      throw stopped;
    }
    began = true;
    yield { kind: 'text', delta };
  }
  if (call !== null) yield call;
  const content: AssistantMessage['content'] = [
    ...(text === '' ? [] : [{ kind: 'text' as const, text }]),
    ...(call === null ? [] : [call]),
  ];
  const out = text + (call === null ? '' : JSON.stringify(call.input));
  yield { kind: 'usage', usage: usageOf(step, out) };
  yield { kind: 'finish', reason: call === null ? 'stop' : 'tool', message: { role: 'assistant', content } };
}

const LABEL = '[offline model]';

function saidTo({ messages }: Step): { readonly text: string; readonly call: ToolCall | null } {
  const last = messages.at(-1);
  if (last?.role === 'tool') {
    const results = last.results.map(
      ({ name, output, isError }) => `${name} ${isError ? 'failed' : 'answered'}: ${output}`,
    );
    return { text: `${LABEL} ${results.join('\n')}`, call: null };
  }
  const asked = last === undefined ? '' : textOf(last).trim();
  const [, command, rest = ''] = /^\/(say|tool|spawn)(?:\s+([\s\S]*))?$/.exec(asked) ?? [];
  switch (command) {
    case 'say':
      return { text: rest, call: null };
    case 'tool':
      return toolCall(rest, messages);
    case 'spawn':
      return { text: '', call: callOf('sessions_spawn', { task: rest.trim() }, messages) };
    default:
      return { text: `${LABEL} You said: ${asked}`, call: null };
  }
}

function toolCall(rest: string, messages: readonly Message[]): ReturnType<typeof saidTo> {
  const [, name = '', json = ''] = /^(\S+)\s*([\s\S]*)$/.exec(rest.trim()) ?? [];
  const usage = `${LABEL} Write: /tool NAME {"argument": "value"}`;
  if (name === '') return { text: usage, call: null };
  try {
    if (isTooDeep(json)) return { text: `${usage} (what follows ${name} nests too deep)`, call: null };
    const input: unknown = json === '' ? {} : JSON.parse(json);
    return { text: '', call: callOf(name, input, messages) };
  } catch {
    return { text: `${usage} (what follows ${name} is no JSON)`, call: null };
  }
}

/** The id is that of the place in the conversation: the same each time it is asked. */
function callOf(name: string, input: unknown, messages: readonly Message[]): ToolCall {
  return { kind: 'tool', id: `call_${messages.length}`, name, input };
}

function textOf(message: Message): string {
  if (message.role === 'tool') return message.results.map(({ output }) => output).join('\n');
  const parts: readonly { readonly kind: string; readonly text?: string }[] = message.content;
  return parts.flatMap(({ text }) => text ?? []).join('\n');
}

/** By words, each with the space behind it. */
function deltasOf(text: string): readonly string[] {
  return text.match(/\S+\s*|\s+/g) ?? [];
}

/** Four characters are a token: a made-up measure, but the same one always. */
const tokens = (text: string) => Math.ceil(text.length / 4);

function usageOf({ system, messages }: Step, out: string): Usage {
  const input = tokens(system) + messages.reduce((sum, message) => sum + tokens(textOf(message)), 0);
  return { input, cacheRead: 0, cacheWrite: 0, output: tokens(out), reasoning: 0 };
}
