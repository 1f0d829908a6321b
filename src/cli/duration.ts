import ms from 'ms';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../core/base/instant.ts';

const DURATION = /^(0|[1-9]\d{0,8})(ms|s|m|h|d|w)$/;

/** `30s`, `12h`, `7d` in ms; `null` for anything else: no bare number, no sign, no fraction, no words. */
export function parseDuration(text: string): number | null {
  return DURATION.test(text) ? ms(text as ms.StringValue) : null;
}

const UNITS = [
  ['s', SECOND_MS, MINUTE_MS],
  ['min', MINUTE_MS, HOUR_MS],
  ['h', HOUR_MS, 2 * DAY_MS],
  ['d', DAY_MS, Number.POSITIVE_INFINITY],
] as const;

/** A duration as people say it, rounded: `12 s`, `3 min`, `2 h`, `4 d`. */
export function renderDuration(durationMs: number): string {
  const size = Math.max(0, durationMs);
  // The first unit of which so many, once rounded, are not yet one of the next.
  const [name, unit] = UNITS.find(([, one, next]) => Math.round(size / one) * one < next) ?? UNITS[3];
  return `${Math.round(size / unit)} ${name}`;
}

export function renderAge(at: number, now: number): string {
  return now - at < SECOND_MS ? 'just now' : `${renderDuration(now - at)} ago`;
}

/** An instant for people: date and time here, and how far that is from UTC. */
export function renderTime(at: number): string {
  const date = new Date(at);
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const minutes = -date.getTimezoneOffset();
  const far = Math.abs(minutes);
  const zone = minutes === 0 ? 'UTC' : `UTC${minutes < 0 ? '-' : '+'}${two(Math.floor(far / 60))}:${two(far % 60)}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())} ${zone}`;
}

/** An end: local date and time, and how long until then. */
export function renderEnd(end: number, now: number): string {
  return `${renderTime(end)} (${end > now ? `in ${renderDuration(end - now)}` : 'ended'})`;
}
