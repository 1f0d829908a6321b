import type { Instant } from '../../core/base/instant.ts';
import type { Price } from './model.ts';

/** What an agent may spend in a day. `null`: as much as it takes. */
export interface Bound {
  readonly tokensPerDay: number | null;
  readonly usdPerDay: number | null;
  /** Where each of the two is set, for people: a key of the configuration; absent or `null`: nowhere. */
  readonly keys?: { readonly tokensPerDay: string | null; readonly usdPerDay: string | null };
}

/** What it has spent in one. */
export interface Spent {
  readonly tokens: number;
  readonly usd: number;
}

/** What one attempt cost. */
export interface Spend {
  readonly tokens: number;
  /** `null`: nobody knows. */
  readonly usd: number | null;
  /** The provider did not say: it was reckoned from the length of the texts, not to count as nothing. */
  readonly isEstimate: boolean;
}

/** Where it is kept. The day is the caller's: `dayOf`. */
export interface Ledger {
  spent(agent: string, day: string): Promise<Spent>;
  add(agent: string, day: string, spend: Spend): Promise<void>;
}

export type Verdict =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly why: string;
      readonly bound: 'tokens' | 'usd' | 'unpriced';
      /** The command that helps. */
      readonly remedy?: string;
    };

/**
 * Whether one more step may begin. A step that has begun is not cut off: the bound is passed by at most what was under
 * way when it was reached.
 */
export function judge(bound: Bound, spent: Spent, price: Price | null): Verdict {
  const { tokensPerDay, usdPerDay } = bound;
  if (tokensPerDay !== null && spent.tokens >= tokensPerDay) {
    return { ok: false, bound: 'tokens', why: `${spent.tokens} of ${tokensPerDay} tokens are spent today` };
  }
  if (usdPerDay === null) return { ok: true };
  if (spent.usd >= usdPerDay) {
    return { ok: false, bound: 'usd', why: `${dollars(spent.usd)} of ${dollars(usdPerDay)} are spent today` };
  }
  if (price !== null) return { ok: true };
  const why = 'its price is unknown, and a bound in money could not be held: declare its cost, or bound the tokens';
  return { ok: false, bound: 'unpriced', why };
}

/** Small bounds are held to fractions of a cent. */
function dollars(usd: number): string {
  return `$${usd > 0 && usd < 0.1 ? usd.toFixed(4).replace(/0{1,2}$/, '') : usd.toFixed(2)}`;
}

/** The day of an instant as people of a zone count it: `2026-11-21`. @param zone IANA */
export function dayOf(at: Instant, zone: string): string {
  let calendar = CALENDARS.get(zone);
  if (calendar === undefined) {
    calendar = new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' });
    CALENDARS.set(zone, calendar);
  }
  return calendar.format(at);
}

/** By zone: the host's own, and hardly another. Each step asks for the day, and to make one takes far longer than to ask it. */
const CALENDARS = new Map<string, Intl.DateTimeFormat>();
