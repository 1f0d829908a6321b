import { EXIT, Failure } from '../../system/failure.ts';
import { escapeText } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { painter } from '../output.ts';
import { callGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

const DAYS = 30;
const DAYS_MAX = 366;

/** `latchkey usage [--days N] [--agent ID]`: what the agents took, day by day. */
export async function usage(context: Context, _args: readonly string[], options: Row): Promise<number> {
  const agentId = textOf(options.agent);
  const days = daysOf(context, options.days);
  const answer = recordOf(await callGateway(context, 'usage.cost', { days, ...(agentId === null ? {} : { agentId }) }));
  print(context, answer, () => render(context, answer));
  return EXIT.ok;
}

/** @throws Failure 2 */
function daysOf(context: Context, given: unknown): number {
  if (given === undefined) return DAYS;
  const days = /^\d{1,3}$/.test(String(given)) ? Number(given) : 0;
  if (days >= 1 && days <= DAYS_MAX) return days;
  throw new Failure(EXIT.usage, {
    what: "--days can't be used",
    why: `it is a number from 1 to ${DAYS_MAX}`,
    run: `${context.command} usage --days ${DAYS}`,
  });
}

function render(context: Context, answer: Row): string {
  const paint = painter(context.output.colour);
  // A day without anything is no line of its own: a month would be mostly those.
  const days = recordsOf(answer.daily).filter((day) => numberOf(day.runs) !== 0);
  const totals = recordOf(answer.totals);
  const heads = ['DAY', 'RUNS', 'IN', 'OUT', 'CACHED', 'COST'];
  const rows = [...days.map((day) => cells(textOf(day.date) ?? '?', day)), cells('total', totals)];
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ');
  const missing = numberOf(totals.missingCostEntries) ?? 0;
  const whole = textOf(answer.wholeFrom);
  const notes = [
    `The last ${numberOf(answer.days) ?? '?'} days, in ${escapeText(textOf(answer.zone) ?? 'the zone of the gateway')}.`,
    ...(missing === 0 ? [] : [`${missing} runs are in no cost: the price of their model is not known.`]),
    ...(whole === null ? [] : [`Before ${escapeText(whole)} runs may be forgotten: session.maintenance.runRetention.`]),
  ];
  return `${[paint('bold', line(heads)), ...rows.map(line)].join('\n')}\n\n${notes.join('\n')}\n`;
}

function cells(name: string, row: Row): readonly string[] {
  const cached = (numberOf(row.cacheRead) ?? 0) + (numberOf(row.cacheWrite) ?? 0);
  const cost = `$${(numberOf(row.totalCost) ?? 0).toFixed(4)}`;
  const isPriced = numberOf(row.missingCostEntries) === 0;
  return [
    escapeText(name),
    String(numberOf(row.runs) ?? 0),
    String(numberOf(row.input) ?? 0),
    String(numberOf(row.output) ?? 0),
    String(cached),
    isPriced ? cost : `${cost} +?`,
  ];
}
