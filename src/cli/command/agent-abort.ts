import { EXIT, Failure } from '../../system/failure.ts';
import { claimText } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { hung } from '../margin.ts';
import { callGateway } from '../reach.ts';
import { recordOf, textOf, textsOf } from '../value.ts';
import { placeOf, tailCommand } from './agent-place.ts';

/** Of a client's or a gateway's making: what could be taken for a remedy stands in quotes. */
const nameOf = (id: string) => (/^[\w.-]+$/.test(id) ? claimText(id) : `'${claimText(id)}'`);

type Options = Readonly<Record<string, unknown>>;

/** `latchkey agent --abort`: ends what runs and what waits in a conversation, or the one run that `--id` names. */
export async function abort(context: Context, options: Options): Promise<number> {
  const wrong = ['message', 'attach', 'thinking', 'detach'].find((name) => options[name] !== undefined);
  if (wrong !== undefined) {
    throw new Failure(EXIT.usage, {
      what: `--abort and --${wrong} exclude each other`,
      why: 'where something is ended nothing is said',
      run: `${context.command} agent --help`,
    });
  }
  const runId = textOf(options.id);
  const answer = recordOf(
    await callGateway(context, 'chat.abort', { ...placeOf(options), ...(runId === null ? {} : { runId }) }),
  );
  const runIds = textsOf(answer.runIds);
  const { output, globals } = context;
  if (globals.json === true) {
    output.out(`${JSON.stringify({ done: true, aborted: answer.aborted === true, runIds })}\n`);
    return EXIT.ok;
  }
  if (runIds.length === 0) {
    output.out('Nothing was at work there, and nothing waited.\n');
    return EXIT.ok;
  }
  const ids = runIds.map((id) => `${hung(`  ${nameOf(id)}`, 2, output.width)}\n`).join('');
  const size = runIds.length === 1 ? 'one run' : `${runIds.length} runs`;
  output.out(`Aborted: ${size}.\n${ids}  run: ${tailCommand(context, options)}\n`);
  return EXIT.ok;
}
