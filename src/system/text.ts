/**
 * Characters that would change how the text around them is read, and those that nobody sees: controls, line and paragraph
 * separators, direction marks and overrides, all that is of no width or left out when text is drawn (joiners, tags, variation
 * selectors, fillers), halves of surrogate pairs. What makes one emoji of several characters is the first group: joiners
 * between two of them, the selectors of their look, a key's, the flags of England, Scotland and Wales.
 */
const UNSAFE =
  /((?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}]\ufe0f?)\u200d(?=\p{Extended_Pictographic})|(?<=\p{Extended_Pictographic})[\ufe0e\ufe0f]|(?<=[0-9#*])\ufe0f(?=\u20e3)|(?<=\u{1f3f4})\u{e0067}\u{e0062}(?:\u{e0065}\u{e006e}\u{e0067}|\u{e0073}\u{e0063}\u{e0074}|\u{e0077}\u{e006c}\u{e0073})\u{e007f})|[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** One line that shows on any terminal what it is made of: `\n`, `\u001b`, `\u202e`, `\udb40\udc41`. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (found: string, emoji: string | undefined) => emoji ?? SHORT[found] ?? codesOf(found));
}

/** Each unit by itself, so that it is its own escape within JSON too. */
function codesOf(text: string): string {
  return text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

/** The same for a text of several lines: line ends and tabs stay. */
export function escapeLines(text: string): string {
  return text
    .split(/([\n\t])/)
    .map((part) => (part === '\n' || part === '\t' ? part : escapeText(part)))
    .join('');
}

/** At most `maxBytes` of UTF-8, cut between characters and marked with what was left out. */
export function truncateBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return text;
  // One pass, and no further than what is kept.
  let end = 0;
  for (let size = 0; end < text.length; end += 1) {
    size += addedBytes(text, end);
    if (size > maxBytes) break;
  }
  if (isFirst(text.charCodeAt(end - 1))) end -= 1;
  const kept = text.slice(0, end);
  return `${kept}…[+${bytes - Buffer.byteLength(kept)} bytes]`;
}

/** By how many bytes of UTF-8 the text up to `at` grows with the unit there; half a pair counts as U+FFFD, as it is written. */
function addedBytes(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  if (unit < 0x80) return 1;
  if (unit < 0x800) return 2;
  const isSecond = unit >= 0xdc00 && unit <= 0xdfff && isFirst(text.charCodeAt(at - 1));
  return isSecond ? 1 : 3;
}

function isFirst(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

/** Whoever said it is not believed: a claim of at most 256 bytes, escaped, on one line. */
export function claimText(text: string): string {
  // Cut before it is looked at: the work is bounded whatever somebody sends.
  return escapeText(truncateBytes(text, 256));
}

/** Text as one word of a POSIX shell's command line. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The known word closest to `word` by edits, if it is close enough to be meant. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours; `limit` when there are as many or more. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const above = rows[i - 1] ?? [];
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? limit;
}
