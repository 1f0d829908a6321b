// Outputs as they are committed: what differs from machine to machine and from run to run is named instead.
import { join } from 'node:path';
import type { Ran } from '../openclaw.ts';
import type { ReleaseName } from '../release.ts';

/** What stands in an output that is another one each time. */
export interface Facts {
  readonly port: number;
  readonly stateDir: string;
  readonly home: string;
  /** Where the release stands. */
  readonly program: string;
}

export const REQUEST = '<request>';
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const DEVICE = /\b[0-9a-f]{64}\b/g;
const STACK = /^\s+at .*[(:]/;
const COMMAND =
  /\blatchkey(?: (?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|<request>|--scope operator\.[a-z]+|[a-z]+(?![\w-])))+/g;
/** Above that only what is about the gateway is kept: the rest is about the machine and the release's own house. */
const LONG = 12;
const ABOUT = /^\W*Gateway\s+│|pairing|missing scope|latchkey|approv|^(?:Reason|Hint|Recovery|Fallback):/i;

export function narrowedFile(release: ReleaseName, name: string): string {
  return join(import.meta.dirname, `${release}-${name}.txt`);
}

/** A long text cut to what is about the gateway, its left out lines as one `…`; a short one as it is. */
function gist(text: string): readonly string[] {
  const lines = text.trimEnd().split('\n');
  if (lines.filter((line) => !STACK.test(line)).length <= LONG) return lines;
  let isCell = false;
  const kept = lines.map((line) => {
    // A row without a name goes on with the one above.
    isCell = /^│\s+│/.test(line) ? isCell : ABOUT.test(line);
    return isCell ? line : '…';
  });
  return kept.filter((line, index) => line !== '…' || kept[index - 1] !== '…');
}

/** A command as it was typed, what it exited with, and what it printed. */
export function transcript({ args, code, stdout, stderr }: Ran): string {
  const part = (name: string, text: string) => (text.trim() === '' ? [] : [`--- ${name}`, ...gist(text)]);
  return [
    `$ openclaw ${args.join(' ')}`,
    ...part('stdout', stdout),
    ...part('stderr', stderr),
    `--- exit ${code}`,
  ].join('\n');
}

/** Frames are as wide as what they hold: their lines and blanks are drawn in, each to one. */
export function scrubbed(text: string, { port, stateDir, home, program }: Facts): string {
  const lines = text
    .replaceAll(stateDir, '<state>')
    .replaceAll(home, '<home>')
    .replaceAll(program, '<openclaw>')
    .replaceAll(`:${port}`, ':<port>')
    .replace(UUID, REQUEST)
    .replace(DEVICE, '<device>')
    .replace(/ · \S+ app [\d.]+ \w+/g, ' · <gateway>')
    .replace(/\breachable [\d.]+(?:ms|s)\b/g, 'reachable <time>')
    .replace(/[\u2500-\u257f]+/g, (frame) => [...frame][0] ?? '')
    .split('\n')
    .filter((line) => !STACK.test(line))
    .map((line) => line.replace(/(\S) {2,}/g, '$1 ').trimEnd());
  return `${lines.join('\n')}\n`;
}

/** The text without its frames, so that what a table broke stands in one line again. */
function unframed(text: string): string {
  return text.replace(/[\u2500-\u257f]/g, ' ').replace(/\s+/g, ' ');
}

/** Latchkey's commands that a text names, each once. */
export function remediesIn(text: string): readonly string[] {
  return [...new Set(unframed(text).match(COMMAND) ?? [])];
}
