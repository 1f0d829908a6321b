import { escapeText, shellWord, truncateBytes } from '../system/text.ts';
import type { Context } from './context.ts';
import { withPlace } from './remedy.ts';
import { aimOf } from './remote-target.ts';
import { textOf } from './value.ts';

type Row = Readonly<Record<string, unknown>>;

/** Whose word a remedy is, and which conversation it is about. */
export interface Adviser {
  readonly context: Context;
  /** It is another gateway than this state directory's: it gives no orders here (A16). */
  readonly isElsewhere: boolean;
  /** As it is named on a command line; `''`: the main one. */
  readonly key: string;
}

/** What helps after a run that failed. */
export interface Advice {
  /** A line for `remedyText`; `null`: nothing is known. */
  readonly run: string | null;
  /** What a gateway elsewhere said helps, fit for a terminal: its words, never a command of ours. `null`: nothing. */
  readonly advised: string | null;
}

export async function adviserOf(context: Context, key = ''): Promise<Adviser> {
  return { context, isElsewhere: (await aimOf(context)) !== null, key };
}

const ADVISED_BYTES = 500;

/** A16: from this state directory's own gateway what it said; from one elsewhere what this side's own table says of the code. */
export function adviceOf({ code, remedy }: Row, { context, isElsewhere, key }: Adviser): Advice {
  const told = textOf(remedy);
  if (!isElsewhere) return { run: told === null ? null : withPlace(told, context.globals), advised: null };
  const words = WORDS.get(textOf(code) ?? '');
  return {
    run: words === undefined ? null : `${context.command} ${words(key === '' ? 'main' : key)}`,
    advised: told === null ? null : escapeText(truncateBytes(told, ADVISED_BYTES)),
  };
}

/** The same for a document: `remedy` is never a command of a gateway elsewhere, which stands as `advised`. */
export function advisedRow(row: Row, adviser: Adviser): Row {
  if (!adviser.isElsewhere || row.remedy === undefined) return row;
  const { remedy, ...rest } = row;
  const { run } = adviceOf(row, adviser);
  return { ...rest, ...(run === null ? {} : { remedy: run }), advised: remedy };
}

const probe = () => 'models status --probe';
const models = () => 'models list';
const tail = (key: string) => `sessions tail ${shellWord(key)}`;

/** By the code of the failure. Each of them asks the gateway that failed, whatever named it: none is of this host's configuration. */
const WORDS: ReadonlyMap<string, (key: string) => string> = new Map([
  ['auth', probe],
  ['quota', probe],
  ['rate_limit', probe],
  ['overloaded', probe],
  ['server', probe],
  ['network', probe],
  ['idle', probe],
  ['truncated', probe],
  ['malformed', probe],
  ['setup', probe],
  ['not_found', models],
  ['unknown_model', models],
  ['unknown_agent', () => 'agents list'],
  ['bad_request', tail],
  ['aborted', tail],
  ['timeout', tail],
  ['filter', tail],
  ['steps', tail],
  ['context', (key: string) => `sessions reset ${shellWord(key)}`],
  ['budget', () => 'models status'],
  ['not_allowed', () => 'status'],
  ['internal', () => 'logs'],
]);
