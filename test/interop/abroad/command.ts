// The commands that a person runs against another gateway, and when each of them has done what it is for.
import type { CommandResult } from '../../gateway.ts';
import { type Finding, type Verdict, WORKS } from '../verdict.ts';
import { saying } from './traveller.ts';

export interface Command {
  readonly args: readonly string[];
  /** It did what it is for: exit 0 alone doesn't show that. */
  isDone(ran: CommandResult): boolean;
}

export const named = ({ args }: { readonly args: readonly string[] }): string => args.join(' ');

export function judged(ran: CommandResult, isRight: boolean, otherwise: Verdict = 'fails'): Finding {
  return isRight ? WORKS : { verdict: otherwise, says: saying(ran) };
}

// biome-ignore lint/suspicious/noExplicitAny: whatever shape came back is looked into
export function documentOf({ stdout }: CommandResult): any {
  try {
    return JSON.parse(stdout) ?? {};
  } catch {
    return {};
  }
}

const call = (method: string, isRight: (answer: ReturnType<typeof documentOf>) => boolean): Command => ({
  args: ['gateway', 'call', method],
  isDone: (ran) => isRight(documentOf(ran)),
});

/** What reads and changes nothing. */
export const READING: readonly Command[] = [
  { args: ['gateway', 'probe'], isDone: ({ stdout }) => /^ok .*proves no key/m.test(stdout) },
  { args: ['health'], isDone: ({ stdout }) => /^ok\b/.test(stdout) },
  { args: ['devices', 'list'], isDone: ({ stdout }) => /^1 paired device$/m.test(stdout) },
  { args: ['devices', 'list', '--json'], isDone: (ran) => documentOf(ran).paired?.length === 1 },
  {
    args: ['status'],
    isDone: ({ stdout }) => /^gateway +running/m.test(stdout) && /^devices +1 paired$/m.test(stdout),
  },
  { args: ['status', '--deep'], isDone: ({ stdout }) => /^ok +requests +none open, 1 device paired$/m.test(stdout) },
  { args: ['status', '--json'], isDone: (ran) => documentOf(ran).devices?.paired?.length === 1 },
  call('health', (answer) => answer.ok === true),
  call('status', (answer) => typeof answer.sessions === 'object'),
  call('device.pair.list', (answer) => answer.paired?.length === 1),
  call('config.get', (answer) => answer.exists === true && answer.config?.gateway?.mode === 'local'),
  { args: ['config', 'get', 'gateway.mode'], isDone: ({ stdout }) => stdout.trim() === 'local' },
  { args: ['logs', '--limit', '5'], isDone: ({ stdout }) => /^\d\d:\d\d:\d\d (INFO|WARN|ERROR|DEBUG) /m.test(stdout) },
];

/** The reading commands, with the one that begins so put first. */
export function startingWith(first: string): readonly Command[] {
  const leads = READING.filter((command) => named(command).startsWith(first));
  if (leads.length === 0) throw new Error(`no command begins with ${first}`);
  return [...leads, ...READING.filter((command) => !leads.includes(command))];
}
