import { HOUR_MS, type Instant } from '../core/base/instant.ts';
import { type Bound, dayOf, type Spent, type Verdict } from './model/budget.ts';

/** Zones differ by quarters of an hour, and so do the ends of days. */
const STEP_MS = HOUR_MS / 4;

/** When the day of `at` ends where people count in `zone`. */
export function dayEnd(at: Instant, zone: string): Instant {
  const day = dayOf(at, zone);
  let end = (Math.floor(at / STEP_MS) + 1) * STEP_MS;
  while (dayOf(end, zone) === day) end += STEP_MS;
  return end;
}

/** `2026-11-22 00:00 Europe/Berlin` */
export function timeIn(at: Instant, zone: string): string {
  const time = new Intl.DateTimeFormat('en-GB', { timeZone: zone, timeStyle: 'short' }).format(at);
  return `${dayOf(at, zone)} ${time} ${zone}`;
}

type Refused = Extract<Verdict, { readonly ok: false }>;

interface Around {
  /** Whose bound it is. */
  readonly agent: string;
  readonly at: Instant;
  readonly zone: string;
}

/** The same with whose bound it is, until when it holds, and what raises it. */
export function toldOf(refused: Refused, bound: Bound, spent: Spent, { agent, at, zone }: Around): Refused {
  if (refused.bound === 'unpriced') return { ...refused, remedy: 'latchkey models list' };
  const isTokens = refused.bound === 'tokens';
  const key = isTokens ? bound.keys?.tokensPerDay : bound.keys?.usdPerDay;
  const end = `the day ends at ${timeIn(dayEnd(at, zone), zone)}`;
  if (key == null) return { ...refused, why: `${refused.why}; ${end}` };
  const isDefault = key.startsWith('agents.defaults.');
  const whose = isDefault ? `the bound of each agent, ${key}` : `the bound of '${agent}' itself`;
  const most = isTokens ? bound.tokensPerDay : bound.usdPerDay;
  const value = raised(most ?? 0, isTokens ? spent.tokens : spent.usd, isTokens);
  // By its id: its place in the list may be another's by the time that this is run.
  const own = `latchkey agents update ${agent} ${isTokens ? '--tokens-per-day' : '--usd-per-day'} ${value}`;
  const remedy = isDefault ? `latchkey config set ${key} ${value}` : own;
  return { ...refused, why: `${refused.why}; ${whose}; ${end}`, remedy };
}

/** Twice as much; where more is spent already, twice that: what is proposed lets a call through. */
function raised(most: number, spent: number, isWhole: boolean): number {
  const twice = 2 * Math.max(most, spent);
  if (isWhole) return Math.max(1, Math.ceil(twice));
  return Math.max(0.01, Math.ceil(twice * 100) / 100);
}
