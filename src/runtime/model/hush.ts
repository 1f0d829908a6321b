import { REDACTED } from '../../system/redact.ts';

/** Shorter ones are words like any other: half of what is said would be missing. */
const SECRET_MIN = 8;

/** Of a text, without the character at `to`. */
type Range = readonly [from: number, to: number];

/**
 * Takes the secrets of a call out of what its model says: a provider or a relay that repeats a key must not bring it into a
 * conversation, which whoever may read is told. What could be the beginning of one is kept back until more of it is there.
 * However a text is cut up, what is told of it is what `whole` makes of all of it.
 */
export class Hush {
  readonly #secrets: readonly string[];
  /** No longer than the longest secret. */
  #held = '';
  /** So many characters of it are part of what was told as `[redacted]`. */
  #covered = 0;

  constructor(secrets: readonly string[]) {
    this.#secrets = [...new Set(secrets)].filter((secret) => secret.length >= SECRET_MIN);
  }

  /** What of it, and of what was kept back before, can be told now. */
  take(delta: string): string {
    if (this.#secrets.length === 0) return delta;
    const text = this.#held + delta;
    const end = Math.min(...this.#secrets.map((secret) => beginningOf(secret, text)));
    return this.#told(text, end);
  }

  /** What was kept back, at the end. */
  rest(): string {
    return this.#told(this.#held, this.#held.length);
  }

  whole(text: string): string {
    return without(text, this.#rangesIn(text));
  }

  /** Texts that follow each other, as `whole` makes them of all together: what stands for a secret, in the one it begins in. */
  each(texts: readonly string[]): readonly string[] {
    const ranges = this.#rangesIn(texts.join(''));
    if (ranges.length === 0) return texts;
    let from = 0;
    return texts.map((text) => {
      const to = from + text.length;
      const within = ranges.filter((range) => range[0] < to && range[1] > from);
      const told = without(
        text,
        within.map((range) => [Math.max(0, range[0] - from), range[1] - from]),
      );
      const isLater = (within[0]?.[0] ?? from) < from;
      from = to;
      return isLater ? told.slice(REDACTED.length) : told;
    });
  }

  /** Where secrets stand in it, in order. Those that overlap are one. */
  #rangesIn(text: string): readonly Range[] {
    const found = this.#secrets.flatMap((secret) => placesOf(secret, text));
    return found.length === 0 ? found : united(found);
  }

  /** What stands before `end`; the rest is kept back. A secret that is whole may reach beyond it, and another begin in it. */
  #told(text: string, end: number): string {
    const told: Range[] = this.#covered === 0 ? [] : [[0, this.#covered]];
    const ranges = united([...told, ...this.#rangesIn(text)]);
    const last = ranges.findLast(([from]) => from < end)?.[1] ?? 0;
    const out = without(text.slice(0, end), ranges);
    const known = this.#covered > 0 && end > 0 ? out.slice(REDACTED.length) : out;
    this.#held = text.slice(end);
    this.#covered = end > 0 ? Math.max(0, last - end) : this.#covered;
    return known;
  }
}

/** @param ranges in order and apart from each other; of one that reaches beyond the text, what stands in it */
function without(text: string, ranges: readonly Range[]): string {
  let out = '';
  let at = 0;
  for (const [from, to] of ranges) {
    if (from >= text.length) break;
    out += text.slice(at, from) + REDACTED;
    at = to;
  }
  return out + text.slice(at);
}

function placesOf(secret: string, text: string): readonly Range[] {
  const found: Range[] = [];
  for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + 1))
    found.push([at, at + secret.length]);
  return found;
}

/** One beside another stays apart. */
function united(ranges: readonly Range[]): readonly Range[] {
  const all: [number, number][] = [];
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = all.at(-1);
    if (last === undefined || from >= last[1]) all.push([from, to]);
    else last[1] = Math.max(last[1], to);
  }
  return all;
}

/** Where the end of a text begins that could be the beginning of a secret; the text's length: nowhere. */
function beginningOf(secret: string, text: string): number {
  const first = secret.charAt(0);
  for (let at = text.indexOf(first, Math.max(0, text.length - secret.length + 1)); at !== -1; ) {
    if (secret.startsWith(text.slice(at))) return at;
    at = text.indexOf(first, at + 1);
  }
  return text.length;
}
