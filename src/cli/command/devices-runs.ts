import { escapeText } from '../../system/text.ts';
import type { Context } from '../context.ts';
import { numberOf, recordsOf, textOf } from '../value.ts';
import { abortAllCommand, abortCommand } from './agent-place.ts';

/** Sessions whose command is printed; `--json` has up to 50. */
const SHOWN_MAX = 10;
/** Of a client's making: what a shell or a terminal could take for something else stands in no command. */
const PLAIN = /^[\w@%+=:,./][\w@%+=:,./-]*$/;

/**
 * A9: runs that a device began and that go on without it, and what ends them; `''`: none.
 * @param answer of a decision that took its leave to talk
 */
export function renderGoingOn(context: Context, answer: Readonly<Record<string, unknown>>): string {
  const total = numberOf(answer.runsTotal) ?? 0;
  if (total === 0) return '';
  // One run is at work in a session: what else is of it joined that one, and ends with it.
  const bySession = new Map<string, string>();
  for (const row of recordsOf(answer.runs)) {
    const [session, run] = [textOf(row.sessionKey), textOf(row.runId)];
    if (session !== null && run !== null && !bySession.has(session)) bySession.set(session, run);
  }
  const size = total === 1 ? 'One run that it began goes on' : `${total} runs that it began go on`;
  if (bySession.size === 0) return `${size}. Where is told to who holds operator.read.\n`;
  const named = [...bySession].filter(([session]) => escapeText(session) === session).slice(0, SHOWN_MAX);
  const commands = named.map(([session, id]) =>
    PLAIN.test(id) ? abortCommand(context, { session }, id) : abortAllCommand(context, { session }),
  );
  const left = bySession.size - commands.length;
  if (commands.length === 1 && left === 0) return `${size}. To end ${total === 1 ? 'it' : 'them'}: ${commands[0]}\n`;
  const more = left === 0 ? [] : [`and in ${left} more: ${context.command} sessions list`];
  return [`${size}. To end them:`, ...[...commands, ...more].map((line) => `  ${line}`), ''].join('\n');
}
