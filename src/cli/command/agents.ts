import { resolve } from 'node:path';
import { EXIT, Failure } from '../../system/failure.ts';
import { claimText, shellWord } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { callGateway, withGateway } from '../reach.ts';
import { remedyText } from '../remedy.ts';
import { numberOf, recordOf, textOf, textsOf } from '../value.ts';

type Options = Readonly<Record<string, unknown>>;

const ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** `latchkey agents add NAME` */
export async function add(context: Context, [name = '']: readonly string[], options: Options): Promise<number> {
  const agentId = textOf(options.id);
  const model = textOf(options.model);
  if (name.trim() === '') {
    throw new Failure(EXIT.usage, {
      what: 'an agent without a name is not added',
      why: 'the name is empty',
      run: `${context.command} agents add --help`,
    });
  }
  const given = {
    name,
    ...(agentId === null ? {} : { agentId }),
    ...(model === null ? {} : { model }),
    ...common(options),
  };
  const [answer, isServed] = await withGateway(context, async (call, by) => {
    const made = recordOf(await call('agents.create', given));
    return [made, !by.isOffline] as const;
  });
  const id = textOf(answer.agentId) ?? '';
  print(context, answer, () => {
    const lines = [
      `${claimText(id)} is there, called ${claimText(textOf(answer.name) ?? name)}.`,
      `  workspace  ${claimText(textOf(answer.workspace) ?? '')}   (AGENTS.md, SOUL.md, MEMORY.md in it are told to it)`,
      ...warningsOf(answer),
      // Nothing that a gateway says is put into a command, unless it is an id.
      ...(ID.test(id) ? [remedyText(talking(context, id, isServed))] : []),
    ];
    return `${lines.join('\n')}\n`;
  });
  return EXIT.ok;
}

/** Nobody thinks where no gateway runs. */
function talking({ command }: Context, id: string, isServed: boolean): string {
  const talk = `${command} agent --agent ${id} -m 'hello'`;
  return isServed ? talk : `${command} gateway run   (no gateway runs; then, in another terminal: ${talk})`;
}

/** `latchkey agents update ID` */
export async function update(context: Context, [agentId = '']: readonly string[], options: Options): Promise<number> {
  const [name, model] = [textOf(options.name), textOf(options.model)];
  const given = {
    ...(name === null ? {} : { name }),
    ...(model === null ? {} : { model: model === 'default' ? null : model }),
    ...common(options),
  };
  if (Object.keys(given).length === 0) {
    throw new Failure(EXIT.usage, {
      what: 'there is nothing to change',
      why: 'none of --name, --model, --workspace, --usd-per-day, --tokens-per-day, --emoji, --default was said',
      run: `${context.command} agents update --help`,
    });
  }
  const answer = recordOf(await callGateway(context, 'agents.update', { agentId, ...given }));
  const id = claimText(textOf(answer.agentId) ?? agentId);
  print(context, answer, () => {
    const what = answer.changed === true ? `${id} is changed.` : `${id} is so already.`;
    return `${[what, ...warningsOf(answer)].join('\n')}\n`;
  });
  return EXIT.ok;
}

/** `latchkey agents remove ID [--delete-files]` */
export async function remove(context: Context, [agentId = '']: readonly string[], options: Options): Promise<number> {
  const deleteFiles = options.deleteFiles === true;
  const answer = recordOf(await callGateway(context, 'agents.delete', { agentId, deleteFiles }));
  const id = claimText(textOf(answer.agentId) ?? agentId);
  print(context, answer, () => {
    const aborted = textsOf(answer.abortedRuns).length;
    const sessions = numberOf(answer.sessions) ?? 0;
    const isKept = answer.sessionsDeleted !== true;
    const lines = [
      `${id} is no more; ${claimText(textOf(answer.defaultId) ?? '?')} is the default agent.`,
      ...(aborted === 0 ? [] : [`  aborted    ${aborted} ${aborted === 1 ? 'run' : 'runs'}`]),
      ...(sessions === 0 ? [] : [`  sessions   ${sessions} ${isKept ? 'stay, and can be read' : 'deleted'}`]),
      `  workspace  ${claimText(textOf(answer.workspace) ?? '')}   (${answer.workspaceDeleted === true ? 'deleted' : 'stays, if it is there'})`,
      ...(sessions > 0 && isKept ? [`  run: ${context.command} sessions list --agent ${shellWord(agentId)}`] : []),
    ];
    return `${lines.join('\n')}\n`;
  });
  return EXIT.ok;
}

/** What `add` and `update` have in common. */
function common(options: Options): Options {
  const [workspace, emoji] = [textOf(options.workspace), textOf(options.emoji)];
  const { usdPerDay, tokensPerDay } = options;
  // A word in the place of a number takes the bound away.
  const budget = {
    ...(usdPerDay === undefined ? {} : { usdPerDay: numberOf(usdPerDay) }),
    ...(tokensPerDay === undefined ? {} : { tokensPerDay: numberOf(tokensPerDay) }),
  };
  return {
    // As this shell means it: the gateway's own directory is another one.
    ...(workspace === null ? {} : { workspace: workspace.startsWith('~/') ? workspace : resolve(workspace) }),
    ...(emoji === null ? {} : { emoji }),
    ...(Object.keys(budget).length === 0 ? {} : { budget }),
    ...(options.default === true ? { default: true } : {}),
  };
}

function warningsOf(answer: Options): readonly string[] {
  return textsOf(answer.warnings).map((line) => `  warning    ${claimText(line)}`);
}
