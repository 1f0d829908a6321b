import { homedir } from 'node:os';
import { sep } from 'node:path';
import { escapeText, shellWord } from '../system/text.ts';
import type { Context } from './context.ts';
import { hostOf } from './members.ts';
import { readRun } from './running.ts';

/** Another Latchkey that runs on this host, whose state directory this user can read. */
export interface Elsewhere {
  readonly pid: number;
  readonly stateDir: string;
  readonly port: number;
}

const SHOWN = 3;

/**
 * For a command that found no gateway at its state directory: most likely the other one was meant. Those in this home
 * come first. Looks at every process, so only who has failed asks.
 */
export function elsewhere(context: Context): readonly Elsewhere[] {
  const found = hostOf(context, readRun(context.state.path), []).others.flatMap(({ kind, pid, stateDir, port }) =>
    kind === 'latchkey' && pid !== null && stateDir !== null && port !== null ? [{ pid, stateDir, port }] : [],
  );
  const near = nearOf(context, found);
  return [...near, ...found.filter((one) => !near.includes(one))];
}

function nearOf({ host }: Context, found: readonly Elsewhere[]): readonly Elsewhere[] {
  const home = host.env.HOME || homedir();
  return found.filter(({ stateDir }) => stateDir.startsWith(`${home}${sep}`));
}

/** `another Latchkey runs on this host: pid 12, state /srv/lk`; `''`: none does. */
export function elsewhereText(found: readonly Elsewhere[]): string {
  if (found.length === 0) return '';
  const names = found.slice(0, SHOWN).map(({ pid, stateDir }) => `pid ${pid}, state ${escapeText(stateDir)}`);
  const rest = found.length > SHOWN ? `; and ${found.length - SHOWN} more` : '';
  return `${found.length === 1 ? 'another Latchkey runs' : `${found.length} other Latchkeys run`} on this host: ${names.join('; ')}${rest}`;
}

/**
 * What shows the gateway that runs; `null`: somebody named this state directory, or which one was meant can't be told.
 * Never the command that was typed: it was meant for this directory, and what deletes or spends here does so there too.
 */
export function statusElsewhere(context: Context, found: readonly Elsewhere[]): string | null {
  const near = nearOf(context, found);
  const [only, ...more] = near.length > 0 ? near : found;
  if (only === undefined || more.length > 0 || context.state.from !== 'default') return null;
  return `latchkey --state-dir ${shellWord(only.stateDir)} status`;
}
