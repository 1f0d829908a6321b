import { EXIT, Failure } from '../../system/failure.ts';
import { claimText } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { painter } from '../output.ts';
import { renderParts, warn } from '../part.ts';
import { callGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf, textsOf } from '../value.ts';
import { listRemedy, PAGE } from './models-remedy.ts';

type Row = Readonly<Record<string, unknown>>;

/** `latchkey models list [--provider NAME]`: what can be asked, and what is known of it. */
export async function modelsList(context: Context, _args: readonly string[], options: Row): Promise<number> {
  const wanted = textOf(options.provider);
  const answer = recordOf(await callGateway(context, 'models.list'));
  const of = (rows: readonly Row[]) => (wanted === null ? rows : rows.filter((row) => row.provider === wanted));
  const models = of(recordsOf(answer.models));
  const unlisted = of(recordsOf(answer.unlisted));
  if (wanted !== null && models.length === 0) throw modelless(context, wanted, unlisted[0]);
  print(context, unlisted.length === 0 ? { models } : { models, unlisted }, () => render(context, models, unlisted));
  return EXIT.ok;
}

function modelless(context: Context, provider: string, unlisted: Row | undefined): Failure {
  const why =
    'the provider is not set up, is not there now, or its models are not listed: it may be asked by their names';
  return new Failure(EXIT.failed, {
    what: `no model of '${provider}' is known`,
    why: unlisted === undefined ? why : `asked for its models: ${claimText(textOf(unlisted.why) ?? '?')}`,
    run:
      unlisted === undefined
        ? `${context.command} models status`
        : listRemedy(context, provider, textOf(unlisted.failure)),
  });
}

/** Behind the table: who gave no list and why, and what an unknown price means. */
function notes(context: Context, models: readonly Row[], unlisted: readonly Row[]): string {
  const parts = unlisted.map((row) => {
    const name = textOf(row.provider) ?? '?';
    const failure = textOf(row.failure);
    const what = failure === 'auth' ? 'its key is refused, or is missing' : "its models can't be listed";
    return warn(name, `${what}: ${textOf(row.why) ?? '?'}`, listRemedy(context, name, failure));
  });
  const unpriced = models.some((row) => costOf(row) === 'unknown');
  const price = `Under a bound in money a model of unknown price is not called: declare its cost (${PAGE}).\n`;
  return `${unpriced ? `\n${price}` : ''}${parts.length === 0 ? '' : `\n${renderParts(parts, painter(context.output.colour), context.output.width)}`}`;
}

function render(context: Context, models: readonly Row[], unlisted: readonly Row[]): string {
  const paint = painter(context.output.colour);
  const rows = models.map((row) => [nameOf(row), windowOf(row), costOf(row), notesOf(row)]);
  const heads = ['MODEL', 'WINDOW', '$/M IN, OUT', ''];
  const widths = heads.map((head, i) =>
    rows.reduce((most, cells) => Math.max(most, (cells[i] ?? '').length), head.length),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return `${[paint('bold', line(heads)), ...rows.map(line)].join('\n')}\n${notes(context, models, unlisted)}`;
}

function nameOf(row: Row): string {
  return claimText(`${textOf(row.provider) ?? '?'}/${textOf(row.id) ?? '?'}`);
}

function windowOf(row: Row): string {
  const tokens = numberOf(row.contextWindow);
  if (tokens === null) return 'unknown';
  return tokens >= 10_000 ? `${Math.round(tokens / 1_000)}k` : String(tokens);
}

function costOf(row: Row): string {
  const [input, output] = [numberOf(recordOf(row.cost).input), numberOf(recordOf(row.cost).output)];
  return input === null || output === null ? 'unknown' : `${input}, ${output}`;
}

function notesOf(row: Row): string {
  const notes = [
    ...textsOf(row.tags),
    ...(row.local === true && row.provider !== 'offline' ? ['on this host'] : []),
    ...(row.available === true ? [] : ['its key is missing']),
    ...(row.listed === false ? ['in no list'] : []),
  ];
  return claimText(notes.join(', '));
}
