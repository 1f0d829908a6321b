import { EXIT } from '../../system/failure.ts';
import { claimText } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { painter } from '../output.ts';
import { callGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** `latchkey agents list`: the default one first. */
export async function agentsList(context: Context): Promise<number> {
  const answer = recordOf(await callGateway(context, 'agents.list'));
  const { defaultId } = answer;
  const agents = recordsOf(answer.agents);
  print(context, { defaultId, agents }, () => table(context, agents, defaultId));
  return EXIT.ok;
}

/** `$1.00, 20000 tokens`; a gateway of an older release says nothing. */
function boundText(budget: Row): string {
  const [usd, tokens] = [numberOf(budget.usdPerDay), numberOf(budget.tokensPerDay)];
  const bounds = [...(usd === null ? [] : [`$${usd.toFixed(2)}`]), ...(tokens === null ? [] : [`${tokens} tokens`])];
  if (bounds.length > 0) return bounds.join(', ');
  return Object.keys(budget).length === 0 ? '' : 'no bound';
}

function table(context: Context, agents: readonly Row[], defaultId: unknown): string {
  const rows = agents.map((row) => [
    claimText(textOf(row.id) ?? '?'),
    claimText([textOf(recordOf(row.identity).emoji), textOf(row.name)].filter((part) => part !== null).join(' ')),
    claimText(textOf(recordOf(row.model).primary) ?? ''),
    boundText(recordOf(row.budget)),
    claimText(textOf(row.workspace) ?? ''),
    row.id === defaultId ? 'default' : '',
  ]);
  const heads = ['AGENT', 'NAME', 'MODEL', 'A DAY', 'WORKSPACE', ''];
  const widths = heads.map((head, i) =>
    rows.reduce((most, cells) => Math.max(most, (cells[i] ?? '').length), head.length),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return `${[painter(context.output.colour)('bold', line(heads)), ...rows.map(line)].join('\n')}\n`;
}
