import { EXIT, Failure } from '../../system/failure.ts';
import { type Context, print } from '../context.ts';
import { type Call, withGateway } from '../reach.ts';
import { recordOf, recordsOf, textOf, textsOf } from '../value.ts';
import { approveCommand, renderRequests } from './devices-list.ts';
import { renderGiven } from './given.ts';
import { requestNamed } from './named.ts';
import { withSuccessor } from './successor.ts';

type Options = Readonly<Record<string, unknown>>;
type Row = Readonly<Record<string, unknown>>;

/** `latchkey devices approve [REQUEST] [--scope …] [--for DURATION]`. Without a request it shows them, and asks on a terminal. */
export async function approve(context: Context, [given]: readonly string[], options: Options): Promise<number> {
  return withGateway(context, async (call) => {
    const id = given === undefined ? await choose(context, call) : await requestNamed(context, call, given);
    if (id === null) return EXIT.usage;
    const until = typeof options.for === 'number' ? context.host.clock.now() + options.for : null;
    const params = {
      requestId: id,
      ...(options.scope === undefined ? {} : { scopes: textsOf(options.scope) }),
      ...(until === null ? {} : { untilMs: until }),
    };
    const answer = await call('device.pair.approve', params).catch(async (error) => {
      throw await withSuccessor(error, context, call, id);
    });
    print(context, answer, () => renderApproved(context, recordOf(answer)));
    return EXIT.ok;
  });
}

function renderApproved(context: Context, answer: Row): string {
  return renderGiven(context, 'Approved', recordOf(answer.device), answer);
}

/** Shows what is open. On a terminal the answer is asked for; elsewhere the commands are the answer, and `null` comes back. */
async function choose(context: Context, call: Call): Promise<string | null> {
  const open = recordsOf(recordOf(await call('device.pair.list')).pending).filter((row) => row.state !== 'rejected');
  const ids = open.flatMap((row) => textOf(row.requestId) ?? []);
  if (ids.length === 0) {
    throw new Failure(EXIT.failed, {
      what: 'there is nothing to approve',
      why: 'no device asks for anything now',
      run: `${context.command} devices list`,
    });
  }
  if (context.globals.json === true) {
    print(context, { pending: open, commands: ids.map((id) => approveCommand(context, id)) }, () => '');
    return null;
  }
  context.output.out(`${renderRequests(context, open).join('\n')}\n`);
  if (!context.output.interactive) {
    context.output.err('latchkey: name the request to approve; nothing was approved\n');
    return null;
  }
  const only = ids.length === 1 ? ids[0] : undefined;
  const question =
    only === undefined ? 'The beginning of the id to approve: ' : 'Does the code match, and approve? [y/N] ';
  const typed = (await context.host.ask(question))?.trim() ?? '';
  if (only !== undefined) return /^y(es)?$/i.test(typed) ? only : null;
  // Only what was shown: a request that came meanwhile is not approved by accident.
  const meant = typed === '' ? [] : ids.filter((id) => id.startsWith(typed));
  return meant.length === 1 ? (meant[0] ?? null) : null;
}
