import { EXIT, Failure } from '../../system/failure.ts';
import { escapeText, shellWord } from '../../system/text.ts';
import { type Adviser, advisedRow, adviserOf } from '../advice.ts';
import { type Context, print } from '../context.ts';
import { painter } from '../output.ts';
import { renderBytes } from '../part.ts';
import { callGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf } from '../value.ts';
import { endLines } from './sessions-end.ts';

type Row = Readonly<Record<string, unknown>>;

const LIMIT = 50;
/** Columns before what is shown of one. */
const INDENT = 14;

/** `latchkey sessions list`: the newest first. */
export async function list(context: Context, _args: readonly string[], options: Row): Promise<number> {
  const agentId = textOf(options.agent);
  const limit = countOf(context, options.limit, LIMIT);
  const answer = recordOf(
    await callGateway(context, 'sessions.list', { limit, ...(agentId === null ? {} : { agentId }) }),
  );
  const { count, hasMore } = answer;
  const { maintenance } = answer;
  const last = recordOf(recordOf(maintenance).last);
  print(context, { count, hasMore, sessions: answer.sessions, maintenance }, () => {
    return `${table(context, recordsOf(answer.sessions))}${forgotten(last)}`;
  });
  return EXIT.ok;
}

/** What is not in the list any more, or with `warn` would not be. */
function forgotten(last: Row): string {
  const counts = [
    ['sessions', numberOf(last.sessions)],
    ['reset conversations', numberOf(last.conversations)],
    ['rows', numberOf(last.rows)],
  ].flatMap(([name, count]) => (typeof count === 'number' && count > 0 ? `${count} ${name}` : []));
  if (counts.length === 0) return '';
  const [verb, when] = [last.mode === 'warn' ? 'Would be forgotten' : 'Forgotten', timeOf(last.at)];
  return `\n${verb} by session.maintenance, ${when}: ${counts.join(', ')}.\n`;
}

/** A number of rows that was given as an option. @throws Failure 2 */
export function countOf(context: Context, given: unknown, usual: number): number {
  if (given === undefined) return usual;
  const count = /^\d{1,4}$/.test(String(given)) ? Number(given) : 0;
  if (count >= 1 && count <= 1_000) return count;
  throw new Failure(EXIT.usage, {
    what: "--limit can't be used",
    why: 'it is a number from 1 to 1000',
    run: `${context.command} sessions list --limit ${usual}`,
  });
}

function table(context: Context, sessions: readonly Row[]): string {
  if (sessions.length === 0) return `No session yet.\n  run: ${context.command} agent -m 'hello'\n`;
  const rows = sessions.map((row) => [
    escapeText(textOf(row.key) ?? '?'),
    timeOf(row.updatedAt),
    String(numberOf(row.rows) ?? 0),
    escapeText(stateOf(row)),
    escapeText(textOf(row.label) ?? ''),
  ]);
  const heads = ['SESSION', 'CHANGED', 'MESSAGES', 'STATE', ''];
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((cells) => (cells[i] ?? '').length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return `${[painter(context.output.colour)('bold', line(heads)), ...rows.map(line)].join('\n')}\n`;
}

/** Another gateway than Latchkey has no `state`. */
function stateOf(row: Row): string {
  return textOf(row.state) ?? textOf(row.status) ?? '';
}

export function timeOf(value: unknown): string {
  const at = numberOf(value);
  return at === null ? '' : new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

/** `latchkey sessions show [KEY]` */
export async function show(context: Context, [key = 'main']: readonly string[]): Promise<number> {
  const { session, earlier } = recordOf(await callGateway(context, 'sessions.describe', { key }));
  if (session === null) throw unknown(context, key);
  const row = recordOf(session);
  const adviser = row.lastRunEnd === undefined ? null : await adviserOf(context, key);
  const told = adviser === null ? row : { ...row, lastRunEnd: advisedRow(recordOf(row.lastRunEnd), adviser) };
  print(context, { session: told, earlier }, () => {
    const text = (name: string) => escapeText(String(row[name] ?? ''));
    const lines = [
      ['session', text('key')],
      ['conversation', text('sessionId')],
      ...(textOf(row.label) === null ? [] : [['label', text('label')]]),
      ['begun', timeOf(row.createdAt)],
      ['changed', timeOf(row.updatedAt)],
      ['model', `${text('modelProvider')}/${text('model')}`],
      [
        'messages',
        `${text('rows')}${numberOf(row.droppedRows) === null ? '' : `, the first ${row.droppedRows} were taken away`}`,
      ],
      ['tokens', `${text('inputTokens')} in, ${text('outputTokens')} out`],
      [
        'context',
        `${text('totalTokens')} tokens${numberOf(row.contextTokens) === null ? "; the model's window is not known" : ` of ${row.contextTokens}`}`,
      ],
      ['queue', text('effectiveQueueMode')],
      ['state', escapeText(stateOf(row))],
      ...(adviser === null ? [] : endOf(row, adviser)),
      ...recordsOf(earlier).map((one, at) => [
        at === 0 ? 'earlier' : '',
        `${escapeText(textOf(one.sessionId) ?? '?')}  reset ${timeOf(one.resetAt)}, ${renderBytes(numberOf(one.bytes) ?? 0)}`,
      ]),
      ...(recordsOf(earlier).length === 0
        ? []
        : [['', `to read one: ${context.command} sessions export ${shellWord(key)} --id ID`]]),
    ];
    return `${lines.map(([name = '', value = '']) => `${name.padEnd(INDENT)}${value}`).join('\n')}\n`;
  });
  return EXIT.ok;
}

/** Why its last run came to nothing, and what helps. */
function endOf(row: Row, adviser: Adviser): readonly (readonly [string, string])[] {
  const { width } = adviser.context.output;
  const columns = width == null ? null : width - INDENT;
  return endLines(recordOf(row.lastRunEnd), adviser, columns).map((line) => ['', line] as const);
}

export function unknown(context: Context, key: string): Failure {
  return new Failure(EXIT.failed, {
    what: `there is no session ${key}`,
    why: 'nothing was ever said there, or it was deleted',
    run: `${context.command} sessions list`,
  });
}

/** `latchkey sessions reset KEY` */
export async function reset(context: Context, [key = '']: readonly string[]): Promise<number> {
  const answer = recordOf(await callGateway(context, 'sessions.reset', { key }));
  print(
    context,
    answer,
    () =>
      `A new conversation begins at ${escapeText(textOf(answer.key) ?? key)}.\n  run: ${context.command} agent --session ${shellWord(key)} -m 'hello'\n`,
  );
  return EXIT.ok;
}

/** `latchkey sessions delete KEY` */
export async function remove(context: Context, [key = '']: readonly string[]): Promise<number> {
  const answer = recordOf(await callGateway(context, 'sessions.delete', { key }));
  if (answer.deleted !== true) throw unknown(context, key);
  print(context, answer, () => `Forgotten: ${escapeText(textOf(answer.key) ?? key)}.\n`);
  return EXIT.ok;
}
