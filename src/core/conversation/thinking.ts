/** How much a model may think before it answers, from nothing on. */
export const LEVELS = ['off', 'minimal', 'low', 'medium', 'high', 'xhigh'] as const;
export type Level = (typeof LEVELS)[number];

/** `adaptive`: as much as the model does by itself. */
export const ADAPTIVE = 'adaptive';
export type Thinking = Level | typeof ADAPTIVE;

/** A model that does not think, or of which nobody said that it does. */
export const NO_THINKING: readonly Level[] = ['off'];

/** What people and OpenClaw's clients write for them. */
const WORDS: Readonly<Record<string, Thinking>> = {
  none: 'off',
  min: 'minimal',
  on: 'low',
  mid: 'medium',
  med: 'medium',
  extrahigh: 'xhigh',
  max: 'xhigh',
  ultra: 'xhigh',
  auto: ADAPTIVE,
  adaptive: ADAPTIVE,
};

/** The level that is meant; `null`: the word means none. */
export function thinkingOf(text: string): Thinking | null {
  const word = text
    .trim()
    .toLowerCase()
    .replace(/[\s_-]+/g, '');
  const level = LEVELS.find((one) => one === word);
  if (level !== undefined) return level;
  return Object.hasOwn(WORDS, word) ? (WORDS[word] ?? null) : null;
}

/**
 * Of the levels that a model has the one that is nearest: the next lower one at which it thinks, else its lowest. Only
 * `off`, and what a model without thoughts is asked for, comes to `off`.
 * @param levels in the order of LEVELS, never empty
 */
export function levelIn(levels: readonly Level[], wanted: Level): Level {
  if (levels.includes(wanted)) return wanted;
  const lower = levels.filter((level) => level !== 'off' && LEVELS.indexOf(level) < LEVELS.indexOf(wanted)).at(-1);
  return lower ?? levels.find((level) => level !== 'off') ?? 'off';
}

/** What a model of these levels does where this is wanted; `null`: nothing was said. */
export function effective(levels: readonly Level[], wanted: Thinking | null): Thinking {
  if (wanted !== null && wanted !== ADAPTIVE) return levelIn(levels, wanted);
  return levels.some((level) => level !== 'off') ? ADAPTIVE : 'off';
}
