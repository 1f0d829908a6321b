import { EXIT, Failure } from '../../system/failure.ts';
import { claimText, escapeText, nearest, truncateBytes } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { painter } from '../output.ts';
import { fail, ok, type Part, renderParts, unseen, warn } from '../part.ts';
import { withGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf, textsOf } from '../value.ts';
import {
  isKeyless,
  isProviderName,
  isShut,
  listRemedy,
  PAGE,
  probeRemedy,
  setKey,
  setModel,
  wantsKey,
} from './models-remedy.ts';
import { spentLines } from './models-spent.ts';

type Row = Readonly<Record<string, unknown>>;

/** A call to a slow model takes longer than any other command. */
const PROBE_MS = 20_000;

/** `latchkey models status [--probe]`: exit 1 where what is set up can't be asked, or a call that was made failed. */
export async function modelsStatus(context: Context, _args: readonly string[], options: Row): Promise<number> {
  const wanted = textOf(options.provider);
  const timeoutMs = context.globals.timeout ?? PROBE_MS;
  // A list that is asked for anew has as long as the call behind it.
  const patient = options.probe === true ? { ...context, timeoutMs: 2 * timeoutMs + 5_000 } : context;
  const { status, probes } = await withGateway(patient, async (call) => {
    const found = recordOf(await call('models.status'));
    if (wanted !== null) checkProvider(context, wanted, found, options.probe === true);
    if (options.probe !== true) return { status: found, probes: null };
    const params = { timeoutMs, ...(wanted === null ? {} : { provider: wanted }) };
    return { status: found, probes: recordsOf(recordOf(await call('models.probe', params)).probes) };
  });
  print(context, probes === null ? status : { ...status, probes }, () => render(context, status, probes));
  const failed = probes?.some((probe) => probe.ok !== true) === true;
  return failed || !isFit(status) ? EXIT.failed : EXIT.ok;
}

/** @throws Failure for one that is not there */
function checkProvider(context: Context, wanted: string, status: Row, probes: boolean): void {
  const names = recordsOf(status.providers).flatMap(({ name }) => textOf(name) ?? []);
  if (names.includes(wanted)) return;
  const near = nearest(wanted, names.filter(isProviderName));
  const line = `${context.command} models status`;
  throw new Failure(EXIT.failed, {
    what: `no provider '${claimText(wanted)}' is set up`,
    why:
      near === null
        ? 'models.providers does not name it, and no server of that name is here'
        : `did you mean '${near}'?`,
    run: near === null ? line : `${line}${probes ? ' --probe' : ''} --provider ${near}`,
  });
}

function render(context: Context, status: Row, probes: readonly Row[] | null): string {
  const paint = painter(context.output.colour);
  const model = textOf(status.model) ?? '?';
  const fallbacks = textsOf(status.fallbacks);
  const providers = recordsOf(status.providers);
  const isBare = providers.every(({ kind }) => kind === 'offline');
  const head = [
    `${paint('bold', claimText(model))}   (${claimText(textOf(status.why) ?? '')})`,
    ...(fallbacks.length === 0 ? [] : [`  then     ${escapeText(truncateBytes(fallbacks.join(', '), 4_096))}`]),
    ...spentLines(status),
    ...(model.startsWith('offline/') ? hintLines(context, isBare) : []),
  ];
  const parts = [
    ...providers.map((row) => providerPart(context, row)),
    ...textsOf(status.problems).map((problem) => fail('name', problem, `${context.command} models list`)),
    ...textsOf(status.warnings).map((warning) => warn('model', warning, DECLARE)),
    ...(probes ?? []).map((row) => probePart(context, row, status)),
  ];
  return `${head.join('\n')}\n\n${renderParts(parts, paint, context.output.width)}`;
}

const DECLARE = `declare the model in models.providers, with reasoning: true where it thinks: ${PAGE}`;

/** The built-in model answers: what gives agents one that thinks. */
function hintLines(context: Context, isBare: boolean): readonly string[] {
  const say = '  the built-in model is no intelligence';
  if (!isBare) return [`${say}: it answers because no other one can be asked`];
  return [
    `${say}; start a server such as Ollama on this host, or set a key:`,
    `           ${context.command} config set models.providers.anthropic.apiKey -   (or openai, google, openrouter; ${PAGE})`,
  ];
}

/** Every name leads somewhere, what is set up lets itself be asked, and the first model's provider has the key that it wants. */
function isFit(status: Row): boolean {
  const provider = (textOf(status.model) ?? '').split('/')[0];
  const providers = recordsOf(status.providers);
  const row = providers.find(({ name }) => name === provider);
  return textsOf(status.problems).length === 0 && !providers.some(isShut) && (row === undefined || !isKeyless(row));
}

function providerPart(context: Context, row: Row): Part {
  const name = textOf(row.name) ?? '?';
  const { state, from, why } = recordOf(row.key);
  const place = textOf(from) ?? '';
  const detail = (...more: readonly string[]) =>
    [textOf(row.baseUrl) ?? 'built in', ...countOf(row), ...more].join(', ');
  if (row.unnamed !== undefined) {
    const stranger = detail("its listener may be another user's: not used before it is named");
    return warn(name, stranger, setModel(context, textOf(row.unnamed) ?? ''));
  }
  if (state === 'unresolved') return fail(name, detail(`key: ${place}: ${textOf(why) ?? '?'}`), setKey(context, name));
  if (row.unlisted !== undefined) {
    const { failure, why: because } = recordOf(row.unlisted);
    const kind = textOf(failure);
    const key = state === 'missing' || state === 'unneeded' ? 'it wants a key' : `its key is refused (${place})`;
    const what = kind === 'auth' ? key : kind === 'network' ? 'it is out of reach' : "its models can't be listed";
    const said = detail(`${what}: ${textOf(because) ?? '?'}`);
    return (isShut(row) ? fail : warn)(name, said, listRemedy(context, name, kind));
  }
  switch (state) {
    case 'present':
      return ok(name, detail(`key: ${place}`));
    case 'unneeded':
      return ok(name, detail('needs no key'));
    case 'unread':
      return unseen(name, detail(`key: ${place}, not asked for yet`));
    case 'missing':
      return wantsKey(row) ? warn(name, detail('no key'), setKey(context, name)) : ok(name, detail('no key'));
    default:
      return fail(name, detail(`key: ${place}: ${textOf(why) ?? '?'}`), setKey(context, name));
  }
}

function countOf(row: Row): readonly string[] {
  const count = numberOf(row.models) ?? 0;
  if (count === 0 && row.unlisted !== undefined) return [];
  const models = count === 1 ? '1 model' : `${count} models`;
  return [`${models} ${row.declared === true ? 'declared' : 'listed'}`];
}

function probePart(context: Context, row: Row, status: Row): Part {
  const model = textOf(row.model) ?? '?';
  const tokens = numberOf(row.tokens);
  const cost = tokens === null ? '' : `, ${tokens} tokens`;
  if (row.ok === true) return ok('probe', `${model}: answered in ${numberOf(row.durationMs) ?? '?'} ms${cost}`);
  const failure = textOf(row.failure);
  const why = `${model}: ${failure ?? '?'}: ${textOf(row.why) ?? '?'}`;
  return fail('probe', why, probeRemedy(context, model, failure, status));
}
