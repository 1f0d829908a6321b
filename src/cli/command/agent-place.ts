import { shellWord } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { textOf } from '../value.ts';

type Options = Readonly<Record<string, unknown>>;

/** The conversation as the command line named it: `''` is the main one. */
export function placeOf(options: Options): { readonly sessionKey: string; readonly agentId?: string } {
  const agentId = textOf(options.agent);
  return { sessionKey: textOf(options.session) ?? '', ...(agentId === null ? {} : { agentId }) };
}

/** What shows what was said there. */
export function tailCommand({ command }: Context, options: Options): string {
  const key = keyOf(options);
  return `${command} sessions tail${key === '' ? '' : ` ${shellWord(key)}`}`;
}

/** The conversation in one word; `''`: the main one. */
export function keyOf(options: Options): string {
  const { sessionKey, agentId } = placeOf(options);
  const isWhole = agentId === undefined || sessionKey.startsWith('agent:');
  return isWhole ? sessionKey : `agent:${agentId}:${sessionKey === '' ? 'main' : sessionKey}`;
}

/** What ends one run of it. */
export function abortCommand(context: Context, options: Options, id: string): string {
  return `${abortAllCommand(context, options)} --id ${shellWord(id)}`;
}

/** What ends all that is at work and that waits there. */
export function abortAllCommand({ command }: Context, options: Options): string {
  const { sessionKey, agentId } = placeOf(options);
  const at =
    (agentId === undefined ? '' : ` --agent ${shellWord(agentId)}`) +
    (sessionKey === '' ? '' : ` --session ${shellWord(sessionKey)}`);
  return `${command} agent --abort${at}`;
}
