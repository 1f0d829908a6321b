import { escapeText } from '../system/text.ts';
import type { Output } from './output.ts';

/** What a model says stands behind it on a terminal, each line of it: what stands at the edge is the program's own. */
const BAR = '│ ';
/** Columns for what is said, however narrow the terminal is. */
const ROOM_MIN = 20;
const TAB = 8;

/**
 * Text that comes bit by bit, set behind a bar. A line is broken where the terminal would break it, so that none goes on at
 * the edge.
 */
export class Margin {
  readonly #room: number;
  /** Columns of this line that are taken; `null`: nothing of it is written yet. */
  #column: number | null = null;

  /** @param width columns of the terminal */
  constructor(width: number) {
    this.#room = Math.max(ROOM_MIN, width - BAR.length);
  }

  /** @param text with no control characters but line ends and tabs */
  set(text: string): string {
    let set = '';
    for (const character of text) {
      if (this.#column === null) {
        set += BAR;
        this.#column = 0;
      }
      if (character === '\n') {
        set += character;
        this.#column = null;
        continue;
      }
      const columns = columnsOf(character);
      if (this.#column + columns > this.#room) {
        set += `\n${BAR}`;
        this.#column = 0;
      }
      set += character;
      this.#column += columns;
    }
    return set;
  }

  /** For a line of the program's own: what is said goes on below it. */
  leave(): string {
    const isWithin = this.#column !== null;
    this.#column = null;
    return isWithin ? '\n' : '';
  }
}

/**
 * One line with words of others in it, broken where a terminal would break it: what goes on stands behind a bar of its own, so
 * that nothing of it begins a line where the program's own words do. Where no terminal shows it it stays one line.
 * @param text with no control characters
 * @param indent columns before the bar
 * @param width columns of the terminal; `null`: there is none
 * @returns without a line's end
 */
export function hung(text: string, indent: number, width: number | null | undefined): string {
  if (width == null) return text;
  const begins = `\n${' '.repeat(indent)}${BAR}`;
  let [set, line, columns, blank] = ['', '', 0, 0];
  let room = Math.max(ROOM_MIN, width);
  for (const character of text) {
    const more = columnsOf(character);
    if (columns + more > room) {
      // Between words, unless much of the line would be empty.
      const cut = blank > line.length / 2 ? blank : line.length;
      set += `${line.slice(0, cut)}${begins}`;
      line = line.slice(cut);
      columns = [...line].reduce((sum, one) => sum + columnsOf(one), 0);
      room = Math.max(ROOM_MIN, width - indent - BAR.length);
      blank = 0;
    }
    line += character;
    columns += more;
    if (character === ' ') blank = line.length;
  }
  return set + line;
}

/** What went wrong, and why, with others' words in it perhaps, for standard error; what to run comes behind it. */
export function failureLines(what: string, why: string, { errorWidth }: Output): string {
  return `${hung(`latchkey: ${escapeText(what)}`, 8, errorWidth)}\n${hung(`  why: ${escapeText(why)}`, 5, errorWidth)}\n`;
}

/** At least as many as any terminal takes: a line that is broken early is no harm. */
function columnsOf(character: string): number {
  if (character === '\t') return TAB;
  return (character.codePointAt(0) ?? 0) < 0x1100 ? 1 : 2;
}
