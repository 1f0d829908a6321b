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

/** At least as many as any terminal takes: a line that is broken early is no harm. */
function columnsOf(character: string): number {
  if (character === '\t') return TAB;
  return (character.codePointAt(0) ?? 0) < 0x1100 ? 1 : 2;
}
