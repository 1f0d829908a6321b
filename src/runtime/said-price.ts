import { added, type Usage } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
import { costOf } from './model/cost.ts';
import type { Price } from './model/model.ts';
import type { TalkOptions } from './options.ts';

const MICROS = 1_000_000;

/** Of the model that was saying something in a run with which the gateway died; `null`: unknown, or nothing was said. */
export async function priceSaid(
  { store, models }: Pick<TalkOptions, 'store' | 'models'>,
  run: RunId,
): Promise<Price | null> {
  try {
    const saying = await store.read((tx) => tx.runs.saying(run));
    const thought = saying === null ? null : await models.of(saying.model);
    return thought?.candidates[0].facts.price ?? null;
  } catch {
    // Its end is worth more than its price.
    return null;
  }
}

/** In millionths of a dollar; `null`: the price isn't known. */
export function microsOf({ input, output, cacheRead, cacheWrite }: Usage, price: Price | null): number | null {
  const whole = input + cacheRead + cacheWrite;
  const usd = costOf({ input: whole, output, cacheRead, cacheWrite, reasoning: null }, price);
  return usd === null ? null : added(Math.round(usd * MICROS));
}
