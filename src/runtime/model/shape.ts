/** How deep the arguments of a call may nest. Schemas of tools nest a few levels; walking thousands ends the stack. */
export const INPUT_DEPTH_MAX = 64;
/**
 * So deep a whole event may nest: what a provider wraps arguments in (Google: ten levels round `args`), and room for more.
 */
const EVENT_DEPTH_MAX = INPUT_DEPTH_MAX + 32;
/**
 * Values in one event, about: lists, objects and what a comma parts. One event with all that a long answer held (the end of
 * a Responses stream, which also repeats the schemas of all tools) has thousands.
 */
const EVENT_VALUES_MAX = 50_000;
/**
 * Entries of one list that is the provider's own (a model's arguments stand deeper). Client libraries look through all that
 * they have for each new one: 100,000 calls in one list took them minutes. Providers send one to a few hundred.
 */
const LIST_MAX = 1_024;
const LIST_DEPTH_MAX = 7;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const NO_LIST = -1;

/** The nesting of a JSON text that comes piece by piece, in one pass and without recursion. What is no JSON has one too. */
export class Shape {
  /** For each open bracket: commas in it; NO_LIST: an object. Those below `EVENT_DEPTH_MAX` alone. */
  readonly #open: number[] = [];
  #depth = 0;
  #inText = false;
  #isEscaped = false;
  /** The deepest there was. */
  depth = 0;
  #values = 0;
  #longest = 0;

  /** `null`: no library that reads it is kept from everything else for long. Else why it is not read. */
  get excess(): string | null {
    if (this.depth > EVENT_DEPTH_MAX) return `an event nests deeper than ${EVENT_DEPTH_MAX} levels`;
    if (this.#values > EVENT_VALUES_MAX) return `an event has more than ${EVENT_VALUES_MAX} values`;
    return this.#longest > LIST_MAX ? `an event has a list of more than ${LIST_MAX} entries` : null;
  }

  /** Whether this is the beginning of a text. */
  get isNew(): boolean {
    return this.depth === 0 && this.#values === 0 && !this.#inText;
  }

  take(bytes: Uint8Array, from = 0): void {
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (this.#inText) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#inText = false;
      } else if (byte === QUOTE) this.#inText = true;
      else if (byte === COMMA) this.#parted();
      else if (byte === OPEN_LIST || byte === OPEN_OBJECT) this.#opened(byte === OPEN_LIST);
      else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) this.#depth = Math.max(0, this.#depth - 1);
    }
  }

  #opened(isList: boolean): void {
    if (this.#depth < EVENT_DEPTH_MAX) this.#open[this.#depth] = isList ? 1 : NO_LIST;
    this.#depth += 1;
    this.#values += 1;
    this.depth = Math.max(this.depth, this.#depth);
  }

  #parted(): void {
    this.#values += 1;
    const at = this.#depth - 1;
    const entries = this.#open[at] ?? NO_LIST;
    if (entries === NO_LIST || at >= LIST_DEPTH_MAX) return;
    this.#open[at] = entries + 1;
    this.#longest = Math.max(this.#longest, entries + 1);
  }
}

/** Whether arguments of a call nest deeper than anything here walks. */
export function isTooDeep(json: string): boolean {
  // Each level takes a character at least.
  if (json.length <= INPUT_DEPTH_MAX) return false;
  const shape = new Shape();
  shape.take(Buffer.from(json));
  return shape.depth > INPUT_DEPTH_MAX;
}
