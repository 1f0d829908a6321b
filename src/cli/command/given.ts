import { claimText, escapeText } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { renderEnd } from '../duration.ts';
import { numberOf, recordsOf, textOf, textsOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** What was given to a device, and until when. */
export function renderGiven(context: Context, word: string, device: Row, answer: Row): string {
  const now = context.host.clock.now();
  const given = recordsOf(answer.given).map((row) => {
    const end = numberOf(row.untilMs);
    return `${escapeText(textOf(row.scope) ?? '?')}${end === null ? '' : ` until ${renderEnd(end, now)}`}`;
  });
  const name = textOf(device.displayName);
  const id = escapeText((textOf(device.deviceId) ?? textOf(answer.deviceId) ?? '?').slice(0, 12));
  const who = name === null ? id : `${id} "${claimText(name)}"`;
  const what = given.length > 0 ? `  given  ${given.join(', ')}\n` : '';
  const holds = textsOf(device.scopes);
  return `${word}: ${who}\n${what}  holds  ${holds.length === 0 ? 'no scope' : holds.map(escapeText).join(', ')}\n`;
}
