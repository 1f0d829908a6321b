import { Shape } from './shape.ts';

/**
 * One event. Most have some hundred bytes; the last one of a Responses stream repeats the whole answer, and an image of
 * Google's, which stands beside the text, is one event of some megabytes.
 */
const EVENT_BYTES_MAX = 16 * 1024 * 1024;
/** Of one event. Servers write an event as one line; one that prints JSON for people takes a line for each value. */
const LINES_MAX = 10_000;
/** What is handed on at once, before others are served; an event that is larger goes alone. */
const PIECE_BYTES = 16 * 1024;
const PIECE_EVENTS = 64;

const LF = 0x0a;
const CR = 0x0d;
const DATA = new TextEncoder().encode('data:');
const MARK = new TextEncoder().encode('\ufeff');
const END = Uint8Array.of(LF);

/** What comes is not read any further. */
export class TooMuch extends Error {
  override readonly name = 'TooMuch';
}

/**
 * The events of a stream (`text/event-stream`), looked at before a client library takes them: whole, of bounded size and
 * shape, a few at a time, with line ends of one kind, and of each event its data alone, as no client library here asks for
 * more. An event that has no end is none; some servers leave the empty line out behind the last one.
 */
export class Events {
  /** The line that has no end yet. It may come byte by byte: it is no list of what came. */
  #line: Uint8Array = new Uint8Array(0);
  #lineBytes = 0;
  #isFirstLine = true;
  #afterCr = false;
  /** The event that has no end yet, with the ends of its lines. */
  #event: Uint8Array[] = [];
  #lines = 0;
  /** Bytes of that event and that line. */
  #bytes = 0;
  #shape = new Shape();

  /** Whole events. @throws TooMuch */
  *take(bytes: Uint8Array): Generator<Uint8Array> {
    let piece: Uint8Array[] = [];
    let size = 0;
    let count = 0;
    for (const event of this.#eventsIn(bytes)) {
      for (const part of event) {
        piece.push(part);
        size += part.length;
      }
      count += 1;
      if (size < PIECE_BYTES && count < PIECE_EVENTS) continue;
      yield Buffer.concat(piece);
      [piece, size, count] = [[], 0, 0];
    }
    if (count > 0) yield Buffer.concat(piece);
  }

  /** At the good end of a stream: the event that lacks nothing but the empty line behind it. @throws TooMuch */
  end(): Uint8Array | null {
    if (this.#lineBytes > 0) this.#endLine(new Uint8Array(0));
    const { isWhole } = this.#shape;
    const event = this.#endEvent();
    return event === null || !isWhole ? null : Buffer.concat(event);
  }

  *#eventsIn(bytes: Uint8Array): Generator<readonly Uint8Array[]> {
    let from = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte !== LF && byte !== CR) {
        this.#afterCr = false;
        continue;
      }
      // Both are one end of a line, also where they come apart.
      const isSecond = byte === LF && this.#afterCr;
      this.#afterCr = byte === CR;
      if (!isSecond) {
        const event = this.#endLine(bytes.subarray(from, at));
        if (event !== null) yield event;
      }
      from = at + 1;
    }
    this.#hold(bytes.subarray(from));
  }

  #hold(bytes: Uint8Array): void {
    this.#count(bytes.length);
    const size = this.#lineBytes + bytes.length;
    if (size > this.#line.length) {
      const larger = new Uint8Array(size * 2);
      larger.set(this.#line.subarray(0, this.#lineBytes));
      this.#line = larger;
    }
    this.#line.set(bytes, this.#lineBytes);
    this.#lineBytes = size;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > EVENT_BYTES_MAX) throw new TooMuch(`an event has more than ${EVENT_BYTES_MAX} bytes`);
  }

  /** The event that ends with this line. */
  #endLine(rest: Uint8Array): readonly Uint8Array[] | null {
    const line = this.#lineOf(rest);
    if (line.length === 0) return this.#endEvent();
    if (!beginsWith(line, DATA)) {
      this.#bytes -= line.length;
      return null;
    }
    this.#lines += 1;
    this.#shape.take(line, DATA.length);
    const excess = this.#lines > LINES_MAX ? `an event has more than ${LINES_MAX} lines` : this.#shape.excess;
    if (excess !== null) throw new TooMuch(excess);
    this.#event.push(line, END);
    return null;
  }

  #lineOf(rest: Uint8Array): Uint8Array {
    let line = rest;
    if (this.#lineBytes === 0) this.#count(rest.length);
    else {
      this.#hold(rest);
      line = this.#line.subarray(0, this.#lineBytes);
      this.#line = new Uint8Array(0);
      this.#lineBytes = 0;
    }
    const isMarked = this.#isFirstLine && beginsWith(line, MARK);
    this.#isFirstLine = false;
    return isMarked ? line.subarray(MARK.length) : line;
  }

  #endEvent(): readonly Uint8Array[] | null {
    const event = this.#event;
    this.#event = [];
    this.#lines = 0;
    this.#bytes = 0;
    if (!this.#shape.isNew) this.#shape = new Shape();
    return event.length === 0 ? null : [...event, END];
  }
}

function beginsWith(bytes: Uint8Array, what: Uint8Array): boolean {
  return bytes.length >= what.length && what.every((byte, at) => bytes[at] === byte);
}
