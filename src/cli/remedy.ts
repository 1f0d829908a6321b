import { escapeText, shellWord } from '../system/text.ts';
import type { Context, Globals } from './context.ts';

/** What a person is told to do about something. */
export interface Remedy {
  /** `run`: a command line that works as it is pasted. `do`: plain words, which no shell should be given. */
  readonly kind: 'run' | 'do';
  readonly text: string;
  /** To be run on the gateway's own host, not here. */
  readonly isThere: boolean;
  /** What to know before it is run; `null`: nothing. */
  readonly note: string | null;
}

/** With what a remedy begins that is a command line. */
const PROGRAM =
  /^(?:[A-Z_]+=\S+ )?(?:latchkey|openclaw|npm|npx|sudo|for|sqlite3|ls|df|grep|file|kill|rm|mv|cp|chmod|chown|mkdir|export|ssh|ssh-keygen|openssl|secret-tool|security|timedatectl|vi|systemctl|\$\{EDITOR:-vi\})(?: |$)/;
const THERE = "on the gateway's host: ";

/** Whoever makes a remedy writes it on one line: where, the command, and behind three blanks a note in brackets. */
export function readRemedy(line: string): Remedy {
  const isThere = line.startsWith(THERE);
  const rest = isThere ? line.slice(THERE.length) : line;
  if (!PROGRAM.test(rest)) return { kind: 'do', text: line, isThere: false, note: null };
  const [, text = rest, note = null] = /^(.*?) {3}\((.*)\)$/.exec(rest) ?? [];
  return { kind: 'run', text, isThere, note };
}

/** `run: …` or `do: …`, and below it the note where there is one; without a line's end. */
export function remedyText(line: string, indent = 2): string {
  const { kind, text, isThere, note } = readRemedy(line);
  const blanks = ' '.repeat(indent);
  const below = note === null ? '' : `\n${blanks}     (${escapeText(note)})`;
  return `${blanks}${isThere ? "run on the gateway's host" : kind}: ${escapeText(text)}${below}`;
}

/** The same as fields of a document. */
export function remedyFields(line: string): Readonly<Record<string, string>> {
  const { kind, text, isThere, note } = readRemedy(line);
  return { [kind]: text, ...(isThere ? { where: "the gateway's host" } : {}), ...(note === null ? {} : { note }) };
}

/**
 * What a part of the program that knows no command line advises, for this one: with the state directory that was named.
 * What is run on another host is left alone.
 */
export function withPlace(line: string, { profile, stateDir }: Globals): string {
  if (!/^latchkey /.test(line) || / --(profile|state-dir) /.test(line)) return line;
  const flags =
    (profile === undefined ? '' : ` --profile ${shellWord(profile)}`) +
    (stateDir === undefined ? '' : ` --state-dir ${shellWord(stateDir)}`);
  return `latchkey${flags}${line.slice('latchkey'.length)}`;
}

/** The same command line by TLS instead of in clear, or the other way round. A secret in it is not repeated. */
export function otherScheme({ globals, host }: Pick<Context, 'globals' | 'host'>, url: string): string {
  const other = url.startsWith('wss:') ? url.replace(/^wss:/, 'ws:') : url.replace(/^ws:/, 'wss:');
  const { token, password } = globals;
  const isOpen = [token, password].every((secret) => secret === undefined || secret === '-');
  const words = globals.url === undefined ? ['--url', other, ...host.argv] : [...host.argv];
  const place = words.findIndex((word) => word === globals.url || word === `--url=${globals.url}`);
  if (place !== -1) words[place] = words[place]?.startsWith('--url=') ? `--url=${other}` : other;
  return `latchkey ${(isOpen ? words : ['--url', other, 'status']).map(shellWord).join(' ')}`;
}
