import type { Price, Rates, Usage } from './model.ts';

const MILLION = 1_000_000;
/** Of one call, of one kind: no model takes or says as much. */
export const TOKENS_MAX_A_CALL = 100_000_000;

/** A provider may say anything: what can be no count of one call was not said. `null`: unknown. */
export function counted(tokens: number | null | undefined): number | null {
  return Number.isInteger(tokens) && inBounds(tokens as number) ? (tokens as number) : null;
}

function inBounds(tokens: number): boolean {
  return tokens >= 0 && tokens <= TOKENS_MAX_A_CALL;
}

/** What of it can be believed. */
export function believed({ input, cacheRead, cacheWrite, output, reasoning }: Usage): Usage {
  return {
    input: counted(input),
    cacheRead: counted(cacheRead),
    cacheWrite: counted(cacheWrite),
    output: counted(output),
    reasoning: counted(reasoning),
  };
}

/** In US dollars, 0 or more; `null`: the price or the usage is unknown. */
export function costOf(usage: Usage | null, price: Price | null): number | null {
  if (usage === null || price === null) return null;
  const { input, output, cacheRead, cacheWrite } = believed(usage);
  if (input === null || output === null) return null;
  const { beyond } = price;
  const rates: Rates = beyond !== undefined && input > beyond.inputTokens ? beyond : price;
  const read = cacheRead ?? 0;
  const written = cacheWrite ?? 0;
  const plain = Math.max(0, input - read - written);
  const dollars =
    plain * rates.input +
    read * (rates.cacheRead ?? rates.input) +
    written * (rates.cacheWrite ?? rates.input) +
    output * rates.output;
  return dollars / MILLION;
}

/** `null`: unknown. */
export function tokensOf(usage: Usage | null): number | null {
  const input = counted(usage?.input);
  const output = counted(usage?.output);
  return input === null || output === null ? null : input + output;
}
