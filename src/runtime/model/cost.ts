import type { Price, Rates, Usage } from './model.ts';

const MILLION = 1_000_000;

/** In US dollars; `null`: the price or the usage is unknown. */
export function costOf(usage: Usage | null, price: Price | null): number | null {
  if (usage === null || price === null || usage.input === null || usage.output === null) return null;
  const { beyond } = price;
  const rates: Rates = beyond !== undefined && usage.input > beyond.inputTokens ? beyond : price;
  const read = usage.cacheRead ?? 0;
  const written = usage.cacheWrite ?? 0;
  const plain = Math.max(0, usage.input - read - written);
  const dollars =
    plain * rates.input +
    read * (rates.cacheRead ?? rates.input) +
    written * (rates.cacheWrite ?? rates.input) +
    usage.output * rates.output;
  return dollars / MILLION;
}

/** `null`: unknown. */
export function tokensOf(usage: Usage | null): number | null {
  return usage === null || usage.input === null || usage.output === null ? null : usage.input + usage.output;
}
