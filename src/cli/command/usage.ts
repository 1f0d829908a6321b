import { EXIT, Failure } from '../../system/failure.ts';
import { escapeText } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { painter } from '../output.ts';
import { callGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

const DAYS = 30;
const DAYS_MAX = 366;

/** `latchkey usage [--days N] [--agent ID]`: what the agents took, day by day and by agent. */
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
  // A day without anything is no line of its own: a month would be mostly those.
  const days = recordsOf(answer.daily).filter((day) => numberOf(day.runs) !== 0);
  const totals = recordOf(answer.totals);
  const agents = recordsOf(answer.agents);
  const byDay = [...days.map((day) => cells(textOf(day.date) ?? '?', day)), cells('total', totals)];
  const byAgent = agents.map((one) => cells(textOf(one.agentId) ?? '?', one));
  const missing = numberOf(totals.missingCostEntries) ?? 0;
  const idle = numberOf(totals.idleRuns) ?? 0;
  const whole = textOf(answer.wholeFrom);
  const notes = [
    `The last ${numberOf(answer.days) ?? '?'} days, in ${escapeText(textOf(answer.zone) ?? 'the zone of the gateway')}.`,
    ...(missing === 0
      ? []
      : [`Of these runs ${missing} took what is in no cost: the price of the model is not known.`]),
    ...(idle === 0 ? [] : [`${idle} more took nothing: commands to the gateway, calls that were refused, words that`]),
    ...(idle === 0 ? [] : ['were answered with others.']),
    ...(whole === null ? [] : [`Before ${escapeText(whole)} runs may be forgotten: session.maintenance.runRetention.`]),
  ];
  // One agent alone is the total.
  const tables = [table(context, 'DAY', byDay), ...(byAgent.length > 1 ? [table(context, 'AGENT', byAgent)] : [])];
  return `${tables.join('\n')}\n${notes.join('\n')}\n`;
}

function table(context: Context, first: string, rows: readonly (readonly string[])[]): string {
  const paint = painter(context.output.colour);
  const heads = [first, 'RUNS', 'IN', 'OUT', 'CACHED', 'COST'];
  const widths = heads.map((head, i) => rows.reduce((most, row) => Math.max(most, (row[i] ?? '').length), head.length));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ');
  return `${[paint('bold', line(heads)), ...rows.map(line)].join('\n')}\n`;
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
