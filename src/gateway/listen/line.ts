/** Why a stream of lines can't go on: `large` is past the bound, `encoding` is no UTF-8. */
export type LineFault = 'large' | 'encoding';

const NEWLINE = 0x0a;

/**
 * Cuts a byte stream into lines of UTF-8 text (owner socket: one JSON document each). Memory: at most one line within
 * the bound, plus the chunk that was read last. Empty lines are skipped; `\r` before the end is left to JSON, which
 * takes it for a blank.
 */
export class LineReader {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #parts: Buffer[] = [];
  #bytes = 0;
  #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  allow(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  /** Hands each whole line of what has come to `line`, until that returns false. Returns what was wrong, if anything. */
  take(chunk: Buffer, line: (text: string) => boolean): LineFault | null {
    let rest = chunk;
    for (;;) {
      const end = rest.indexOf(NEWLINE);
      const part = end === -1 ? rest : rest.subarray(0, end);
      this.#bytes += part.length;
      if (this.#bytes > this.#maxBytes) return 'large';
      this.#parts.push(part);
      if (end === -1) return null;
      const whole = this.#parts.length === 1 ? part : Buffer.concat(this.#parts, this.#bytes);
      this.#parts = [];
      this.#bytes = 0;
      rest = rest.subarray(end + 1);
      if (whole.length === 0) continue;
      let text: string;
      try {
        text = this.#decoder.decode(whole);
      } catch {
        return 'encoding';
      }
      if (!line(text)) return null;
    }
  }
}
