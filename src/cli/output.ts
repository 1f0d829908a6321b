import { writeSync } from 'node:fs';
import { codeOf } from '../system/failure.ts';
import { escapeText } from '../system/text.ts';

/** Where a command writes: results to `out`, everything else to `err`. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
  /** Colour and width only where a person looks. */
  readonly colour: boolean;
  /** A person can be asked. */
  readonly interactive: boolean;
  /** Columns of the terminal that `out` is; `null` or absent: it is none. */
  readonly width?: number | null;
  /** The same of `err`. */
  readonly errorWidth?: number | null;
  /** The reader of `out` has gone: what goes on printing may stop. */
  readonly isUnread?: boolean;
}

/** Whole texts, at once: nothing is left in a buffer when the process ends. What costs time is asked when it is needed. */
export function processOutput(terminal: {
  colour(): boolean;
  interactive(): boolean;
  width(): number | null;
  errorWidth(): number | null;
}): Output {
  let isUnread = false;
  return {
    out: (text) => {
      if (!writeAll(1, visible(text))) isUnread = true;
    },
    err: (text) => void writeAll(2, visible(text)),
    get isUnread() {
      return isUnread;
    },
    get width() {
      return terminal.width();
    },
    get errorWidth() {
      return terminal.errorWidth();
    },
    get colour() {
      return terminal.colour();
    },
    get interactive() {
      return terminal.interactive();
    },
  };
}

/** False: nobody reads it. */
function writeAll(file: number, text: string): boolean {
  let bytes = Buffer.from(text, 'utf8');
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(file, bytes));
    } catch (error) {
      const code = codeOf(error);
      // A pipe whose reader is slow: wait for it. One without a reader: nobody wants the rest.
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      else if (code === 'EPIPE') return false;
      else throw error;
    }
  }
  return true;
}

/**
 * The last line of defence against what others wrote: but for line ends, tabs and the colours below nothing reaches a
 * terminal that it would obey. Within JSON an escape stands for the same character.
 */
export function visible(text: string): string {
  return text
    .split(OWN)
    .map((part, i) =>
      i % 2 === 1
        ? part
        : part
            .split(/([\n\t])/)
            .map(escaped)
            .join(''),
    )
    .join('');
}

const escaped = (part: string): string => (part === '\n' || part === '\t' ? part : escapeText(part));

const CODES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33', cyan: '36' } as const;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what the painter makes
const OWN = /(\u001b\[(?:0|1|2|31|32|33|36)m)/;
export type Style = keyof typeof CODES;
export type Paint = (style: Style, text: string) => string;

export function painter(colour: boolean): Paint {
  return (style, text) => (colour ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text);
}
