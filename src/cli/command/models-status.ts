import { EXIT } from '../../system/failure.ts';
import { claimText, escapeText, truncateBytes } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { painter } from '../output.ts';
import { fail, ok, type Part, renderParts, unseen, warn } from '../part.ts';
import { withGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf, textsOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** A call to a slow model takes longer than any other command. */
const PROBE_MS = 20_000;

/** `latchkey models status [--probe]`: exit 1 where what agents think with can't be asked, or a call that was made failed. */
export async function modelsStatus(context: Context, _args: readonly string[], options: Row): Promise<number> {
  const wanted = textOf(options.provider);
  const timeoutMs = context.globals.timeout ?? PROBE_MS;
  const patient = options.probe === true ? { ...context, timeoutMs: timeoutMs + 5_000 } : context;
  const { status, probes } = await withGateway(patient, async (call) => {
    const found = recordOf(await call('models.status'));
    if (options.probe !== true) return { status: found, probes: null };
    const params = { timeoutMs, ...(wanted === null ? {} : { provider: wanted }) };
    return { status: found, probes: recordsOf(recordOf(await call('models.probe', params)).probes) };
  });
  print(context, probes === null ? status : { ...status, probes }, () => render(context, status, probes));
  const failed = probes?.some((probe) => probe.ok !== true) === true;
  return failed || !isFit(status) ? EXIT.failed : EXIT.ok;
}

function render(context: Context, status: Row, probes: readonly Row[] | null): string {
  const paint = painter(context.output.colour);
  const model = textOf(status.model) ?? '?';
  const fallbacks = textsOf(status.fallbacks);
  const head = [
    `${paint('bold', claimText(model))}   (${claimText(textOf(status.why) ?? '')})`,
    ...(fallbacks.length === 0 ? [] : [`  then     ${escapeText(truncateBytes(fallbacks.join(', '), 4_096))}`]),
    ...budgetOf(recordOf(status.budget)),
    ...(model.startsWith('offline/') ? [`  the built-in model is no intelligence: ${HINT}`] : []),
  ];
  const parts = [
    ...recordsOf(status.providers).map((row) => providerPart(context, row)),
    ...textsOf(status.problems).map((problem) => fail('name', problem, `${context.command} models list`)),
    ...(probes ?? []).map((row) => probePart(context, row)),
  ];
  return `${head.join('\n')}\n\n${renderParts(parts, paint)}`;
}

/** Every name leads somewhere, and the first model's provider has the key that it wants. */
function isFit(status: Row): boolean {
  const provider = (textOf(status.model) ?? '').split('/')[0];
  const row = recordsOf(status.providers).find(({ name }) => name === provider);
  return textsOf(status.problems).length === 0 && (row === undefined || !isKeyless(row));
}

/** A compatible server may be anybody's, and may want none. */
function wantsKey({ name, kind }: Row): boolean {
  return kind !== 'openai-compatible' || name === 'openrouter';
}

/** It can't be asked as it is: the key that it wants is not there, or can't be had. */
export function isKeyless(row: Row): boolean {
  const { state } = recordOf(row.key);
  return state === 'unresolved' || (state === 'missing' && wantsKey(row));
}

/** Of a provider, as the configuration takes it; and of a model of it, of which a shell thinks nothing. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const MODEL = /^[a-z0-9][a-z0-9_-]{0,63}\/[A-Za-z0-9][\w.:/@+-]{0,255}$/;

const HINT = 'set a key, or start a local server';

function budgetOf({ tokensPerDay, usdPerDay }: Row): readonly string[] {
  const [tokens, dollars] = [numberOf(tokensPerDay), numberOf(usdPerDay)];
  const bounds = [...(tokens === null ? [] : [`${tokens} tokens`]), ...(dollars === null ? [] : [`$${dollars}`])];
  return bounds.length === 0 ? [] : [`  a day    ${bounds.join(', ')} for each agent`];
}

function providerPart(context: Context, row: Row): Part {
  const name = textOf(row.name) ?? '?';
  const { state, from, why } = recordOf(row.key);
  const place = textOf(from) ?? '';
  const at = textOf(row.baseUrl);
  const count = numberOf(row.models) ?? 0;
  const about = [at ?? 'built in', count === 1 ? '1 model listed' : `${count} models listed`];
  const setKey = NAME.test(name)
    ? `${context.command} config set models.providers.${name}.apiKey -`
    : `${context.command} models list`;
  const detail = (key: string) => [...about, key].join(', ');
  if (row.unnamed !== undefined) {
    return warn(name, detail("its listener may be another user's: not used before it is named"), useOf(context, row));
  }
  switch (state) {
    case 'present':
      return ok(name, detail(`key: ${place}`));
    case 'unneeded':
      return ok(name, detail('needs no key'));
    case 'unread':
      return unseen(name, detail(`key: ${place}, not asked for yet`));
    case 'missing':
      return wantsKey(row) ? warn(name, detail('no key'), setKey) : ok(name, detail('no key'));
    default:
      return fail(name, detail(`key: ${place}: ${textOf(why) ?? '?'}`), setKey);
  }
}

/** Names come from a gateway that may lie, and models from whoever listens: in a command stands what is nothing else. */
function useOf(context: Context, row: Row): string {
  const model = textOf(row.unnamed) ?? '';
  return MODEL.test(model) ? `${context.command} models set ${model}` : `${context.command} models list`;
}

function probePart(context: Context, row: Row): Part {
  const model = textOf(row.model) ?? '?';
  const tokens = numberOf(row.tokens);
  const cost = tokens === null ? '' : `, ${tokens} tokens`;
  if (row.ok === true) return ok('probe', `${model}: answered in ${numberOf(row.durationMs) ?? '?'} ms${cost}`);
  const why = `${model}: ${textOf(row.failure) ?? '?'}: ${textOf(row.why) ?? '?'}`;
  return fail('probe', why, `${context.command} config get models.providers`);
}
