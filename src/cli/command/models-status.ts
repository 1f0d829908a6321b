import { EXIT } from '../../system/failure.ts';
import { escapeText } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { painter } from '../output.ts';
import { fail, ok, type Part, renderParts, unseen, warn } from '../part.ts';
import { withGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf, textsOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** A call to a slow model takes longer than any other command. */
const PROBE_MS = 20_000;

/** `latchkey models status [--probe]`: exit 1 where a call that was made failed. */
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
  return probes?.some((probe) => probe.ok !== true) === true ? EXIT.failed : EXIT.ok;
}

function render(context: Context, status: Row, probes: readonly Row[] | null): string {
  const paint = painter(context.output.colour);
  const model = textOf(status.model) ?? '?';
  const fallbacks = textsOf(status.fallbacks);
  const head = [
    `${paint('bold', escapeText(model))}   (${escapeText(textOf(status.why) ?? '')})`,
    ...(fallbacks.length === 0 ? [] : [`  then     ${escapeText(fallbacks.join(', '))}`]),
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
  const setKey = `${context.command} config set models.providers.${name}.apiKey -`;
  const detail = (key: string) => [...about, key].join(', ');
  switch (state) {
    case 'present':
      return ok(name, detail(`key: ${place}`));
    case 'unneeded':
      return ok(name, detail('needs no key'));
    case 'unread':
      return unseen(name, detail(`key: ${place}, not asked for yet`));
    case 'missing':
      return row.kind === 'openai-compatible' ? ok(name, detail('no key')) : warn(name, detail('no key'), setKey);
    default:
      return fail(name, detail(`key: ${place}: ${textOf(why) ?? '?'}`), setKey);
  }
}

function probePart(context: Context, row: Row): Part {
  const model = textOf(row.model) ?? '?';
  const tokens = numberOf(row.tokens);
  const cost = tokens === null ? '' : `, ${tokens} tokens`;
  if (row.ok === true) return ok('probe', `${model}: answered in ${numberOf(row.durationMs) ?? '?'} ms${cost}`);
  const why = `${model}: ${textOf(row.failure) ?? '?'}: ${textOf(row.why) ?? '?'}`;
  return fail('probe', why, `${context.command} config get models.providers`);
}
