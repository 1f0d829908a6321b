import { EXIT, Failure } from '../../system/failure.ts';
import { claimText } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { painter } from '../output.ts';
import { callGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf, textsOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** `latchkey models list [--provider NAME]`: what can be asked, and what is known of it. */
export async function modelsList(context: Context, _args: readonly string[], options: Row): Promise<number> {
  const wanted = textOf(options.provider);
  const all = recordsOf(recordOf(await callGateway(context, 'models.list')).models);
  const models = wanted === null ? all : all.filter((row) => row.provider === wanted);
  if (wanted !== null && models.length === 0) {
    throw new Failure(EXIT.failed, {
      what: `no model of '${wanted}' is known`,
      why: 'the provider is not set up, is not there now, or its models are not listed: it may be asked by their names',
      run: `${context.command} models status`,
    });
  }
  print(context, { models }, () => render(context, models));
  return EXIT.ok;
}

function render(context: Context, models: readonly Row[]): string {
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
  return `${[paint('bold', line(heads)), ...rows.map(line)].join('\n')}\n`;
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
  ];
  return claimText(notes.join(', '));
}
