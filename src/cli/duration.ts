import ms from 'ms';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../core/base/instant.ts';

const DURATION = /^(0|[1-9]\d{0,8})(ms|s|m|h|d|w)$/;

/** `30s`, `12h`, `7d` in ms; `null` for anything else: no bare number, no sign, no fraction, no words. */
export function parseDuration(text: string): number | null {
  return DURATION.test(text) ? ms(text as ms.StringValue) : null;
}

/** A duration as people say it: `12 s`, `3 min`, `2 h`, `4 d`. */
export function renderDuration(durationMs: number): string {
  const size = Math.max(0, durationMs);
  if (size < SECOND_MS) return '0 s';
  if (size < MINUTE_MS) return `${Math.floor(size / SECOND_MS)} s`;
  if (size < HOUR_MS) return `${Math.floor(size / MINUTE_MS)} min`;
  if (size < 2 * DAY_MS) return `${Math.floor(size / HOUR_MS)} h`;
  return `${Math.floor(size / DAY_MS)} d`;
}

export function renderAge(at: number, now: number): string {
  return now - at < SECOND_MS ? 'just now' : `${renderDuration(now - at)} ago`;
}

/** An end: local date and time, and how long until then. */
export function renderEnd(end: number, now: number): string {
  const date = new Date(end);
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const left = end > now ? `in ${renderDuration(end - now)}` : 'ended';
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())} (${left})`;
}
