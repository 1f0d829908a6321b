/** A moment, in milliseconds since 1970-01-01T00:00:00Z. Always handed in, never read from a clock here. */
export type Instant = number;

/** The last moment at which something holds; `null`: no end. */
export type End = Instant | null;

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** True while `end` lies ahead. A20: an end counts from its instant on, written or not. */
export function isLive(end: End, at: Instant): boolean {
  return end === null || at < end;
}

/** The earlier of two ends. */
export function earlier(a: End, b: End): End {
  if (a === null) return b;
  if (b === null) return a;
  return Math.min(a, b);
}

/** The later of two ends. */
export function later(a: End, b: End): End {
  return a === null || b === null ? null : Math.max(a, b);
}

/** True when `a` reaches at least as far as `b`. */
export function reaches(a: End, b: End): boolean {
  return a === null || (b !== null && a >= b);
}
