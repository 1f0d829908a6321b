import { claimText } from '../../system/text.ts';
import { numberOf, recordOf, recordsOf, textOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** What `models.status` says of bounds, and what is spent of them today: a line for each agent that has one. */
export function spentLines(status: Row): readonly string[] {
  const { tokensPerDay, usdPerDay } = recordOf(status.budget);
  const [tokens, usd] = [numberOf(tokensPerDay), numberOf(usdPerDay)];
  const bounds = [...(tokens === null ? [] : [`${tokens} tokens`]), ...(usd === null ? [] : [dollars(usd)])];
  const spent = recordsOf(status.spent);
  return [
    ...(bounds.length === 0 ? [] : [`  a day    ${bounds.join(', ')} for each agent`]),
    ...spent.map((row) => `  today    ${claimText(textOf(row.agentId) ?? '?')}: ${spentOf(row)}`),
    ...(spent.length === 0 ? [] : [`           until ${endOf(status)}`]),
  ];
}

function spentOf({ tokens, tokensPerDay, usd, usdPerDay }: Row): string {
  const [tokensMost, usdMost] = [numberOf(tokensPerDay), numberOf(usdPerDay)];
  const money = usdMost === null ? [] : [`${dollars(numberOf(usd) ?? 0)} of ${dollars(usdMost)}`];
  const words = tokensMost === null ? [] : [`${numberOf(tokens) ?? 0} of ${tokensMost} tokens`];
  return [...money, ...words].join(', ');
}

/** In the zone in which the gateway counts days. */
function endOf({ dayEndsAt, zone }: Row): string {
  const [at, name] = [numberOf(dayEndsAt) ?? 0, textOf(zone) ?? 'UTC'];
  try {
    // Sweden writes dates as everybody reads them.
    const options = { timeZone: name, dateStyle: 'short', timeStyle: 'short' } as const;
    return `${new Intl.DateTimeFormat('sv-SE', options).format(at)} ${claimText(name)}`;
  } catch {
    return claimText(`the end of its day in ${name}`);
  }
}

/** Small bounds are held to fractions of a cent. */
function dollars(usd: number): string {
  return `$${usd > 0 && usd < 0.1 ? usd.toFixed(4).replace(/0{1,2}$/, '') : usd.toFixed(2)}`;
}
