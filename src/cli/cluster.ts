/** Units of text that one character on a screen may be made of. */
const UNITS_MAX = 40;

/** What may go on with what comes next: half a pair, a key's digit, an emoji and what is joined to it, a flag and its letters. */
const OPEN =
  /(?:[0-9#*]\ufe0f?|\u{1f3f4}[\u{e0020}-\u{e007f}]*|(?:\p{Extended_Pictographic}\ufe0f?\p{Emoji_Modifier}?\u200d)*(?:\p{Extended_Pictographic}[\ufe0e\ufe0f]?\p{Emoji_Modifier}?\u200d?))?[\ud800-\udbff]?$/u;

/** How many units at the end of a text are perhaps half of a character: cut there, it would be shown by its codes. */
export function openUnits(text: string): number {
  return OPEN.exec(text.slice(-UNITS_MAX))?.[0].length ?? 0;
}
