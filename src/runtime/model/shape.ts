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
 * Numbers and texts in lists beside them. Some servers repeat the prompt as the numbers of its tokens (vLLM's
 * `prompt_token_ids`): 128k of them are read in some ten milliseconds; where a client library wanted objects, it takes a
 * second to say what is wrong with each.
 */
const EVENT_PLAIN_MAX = 160_000;
/**
 * Objects and lists in one list that is the provider's own (a model's arguments stand deeper). Client libraries look through
 * all that they have for each new one: 100,000 calls in one list took them minutes. Providers send one to a few hundred.
 */
const LIST_MAX = 1_024;
const LIST_DEPTH_MAX = 7;
/**
 * Where in a call's arguments a piece of them belongs: `$.a.b[0]`. Google sends such pieces only to who asks for them, and
 * its client builds whatever the path says: one of eight million steps took it nine seconds and two gigabytes.
 */
const PATH_NAME = 'jsonPath';
const PATH_BYTES_MAX = 1_024;
const PATH_STEPS_MAX = 64;
/** `candidates[].content.parts[].functionCall.partialArgs[]`. In a model's arguments an object in a list stands deeper. */
const PATH_DEPTH_MAX = 9;
/** Each character of a name may be written as six. */
const NAME_BYTES_MAX = PATH_NAME.length * 6;

const QUOTE = 0x22;
const COMMA = 0x2c;
const POINT = 0x2e;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const NO_LIST = -1;
const NO_NAME = -1;

/** The nesting of a JSON text that comes piece by piece, in one pass and without recursion. What is no JSON has one too. */
export class Shape {
  /** For each open bracket: the brackets in it; NO_LIST: an object. Those below `EVENT_DEPTH_MAX` alone. */
  readonly #open: number[] = [];
  #depth = 0;
  #inText = false;
  #isEscaped = false;
  /** The deepest there was. */
  depth = 0;
  #values = 0;
  #plain = 0;
  #longest = 0;
  /** What ended last was a list or an object. */
  #afterBracket = false;
  /** Of the text that it is in, where that may be a name to be known. */
  readonly #name = new Uint8Array(NAME_BYTES_MAX);
  /** Bytes of it; NO_NAME: it is none. */
  #nameBytes = NO_NAME;
  #afterPathName = false;
  #inPath = false;
  #pathBytes = 0;
  #pathSteps = 0;
  #isPathLong = false;

  /** `null`: no library that reads it is kept from everything else for long. Else why it is not read. */
  get excess(): string | null {
    if (this.depth > EVENT_DEPTH_MAX) return `an event nests deeper than ${EVENT_DEPTH_MAX} levels`;
    if (this.#values > EVENT_VALUES_MAX) return `an event has more than ${EVENT_VALUES_MAX} values`;
    if (this.#plain > EVENT_PLAIN_MAX) return `an event has more than ${EVENT_PLAIN_MAX} numbers`;
    if (this.#isPathLong) return `an event has a path of more than ${PATH_STEPS_MAX} steps or ${PATH_BYTES_MAX} bytes`;
    return this.#longest > LIST_MAX ? `an event has a list of more than ${LIST_MAX} entries` : null;
  }

  /** Whether this is the beginning of a text. */
  get isNew(): boolean {
    return this.depth === 0 && this.#values === 0 && !this.#inText;
  }

  /** It is a list or an object, and has its end. */
  get isWhole(): boolean {
    return this.depth > 0 && this.#depth === 0 && !this.#inText;
  }

  take(bytes: Uint8Array, from = 0): void {
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (this.#inText) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) {
          this.#textEnded();
          continue;
        }
        if (this.#nameBytes !== NO_NAME) this.#named(byte);
        if (this.#inPath) this.#stepped(byte);
      } else if (byte === QUOTE) this.#textBegan();
      else if (byte === COMMA) this.#parted();
      else if (byte === OPEN_LIST || byte === OPEN_OBJECT) this.#opened(byte === OPEN_LIST);
      else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) this.#closed();
    }
  }

  #opened(isList: boolean): void {
    const at = this.#depth - 1;
    const entries = this.#open[at] ?? NO_LIST;
    if (entries !== NO_LIST && at < LIST_DEPTH_MAX) {
      this.#open[at] = entries + 1;
      this.#longest = Math.max(this.#longest, entries + 1);
    }
    if (this.#depth < EVENT_DEPTH_MAX) this.#open[this.#depth] = isList ? 0 : NO_LIST;
    this.#depth += 1;
    this.#values += 1;
    this.depth = Math.max(this.depth, this.#depth);
    this.#afterBracket = false;
    this.#afterPathName = false;
  }

  #closed(): void {
    this.#depth = Math.max(0, this.#depth - 1);
    this.#afterBracket = true;
    this.#afterPathName = false;
  }

  #parted(): void {
    const isPlain = !this.#afterBracket && (this.#open[this.#depth - 1] ?? NO_LIST) !== NO_LIST;
    if (isPlain) this.#plain += 1;
    else this.#values += 1;
    this.#afterBracket = false;
    this.#afterPathName = false;
  }

  // ---- paths ----------------------------------------------------------------------------------------------------------

  #textBegan(): void {
    this.#inText = true;
    this.#inPath = this.#afterPathName;
    this.#afterPathName = false;
    this.#pathBytes = 0;
    this.#pathSteps = 0;
    const mayBeName =
      !this.#inPath &&
      this.#depth > 1 &&
      this.#depth <= PATH_DEPTH_MAX &&
      this.#open[this.#depth - 1] === NO_LIST &&
      this.#open[this.#depth - 2] !== NO_LIST;
    this.#nameBytes = mayBeName ? 0 : NO_NAME;
  }

  #named(byte: number | undefined): void {
    if (this.#nameBytes === NAME_BYTES_MAX) this.#nameBytes = NO_NAME;
    else this.#name[this.#nameBytes++] = byte ?? 0;
  }

  /** An escape may stand for anything: each is a step. */
  #stepped(byte: number | undefined): void {
    this.#pathBytes += 1;
    if (byte === POINT || byte === OPEN_LIST || byte === BACKSLASH) this.#pathSteps += 1;
    if (this.#pathBytes > PATH_BYTES_MAX || this.#pathSteps > PATH_STEPS_MAX) this.#isPathLong = true;
  }

  #textEnded(): void {
    this.#inText = false;
    this.#inPath = false;
    // After a text that is a value comes a comma, or an end: what follows a name at once is its value.
    this.#afterPathName = this.#nameBytes >= PATH_NAME.length && isPathName(this.#name.subarray(0, this.#nameBytes));
  }
}

/** @param name without its quotation marks, in whatever spelling JSON has for it */
function isPathName(name: Uint8Array): boolean {
  const text = Buffer.from(name).toString('latin1');
  if (!text.includes('\\')) return text === PATH_NAME;
  try {
    return JSON.parse(`"${text}"`) === PATH_NAME;
  } catch {
    return false;
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
