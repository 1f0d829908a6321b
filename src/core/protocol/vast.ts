/** Values that a request may hold to be told what is wrong with it. */
export const VALUES_MAX = 2_000;

/**
 * Whether JSON holds more than `max` values, members of its lists and objects counted, without looking at the rest.
 * A validator that says what is wrong walks all of it and notes what it meets; one that only judges stops at the first
 * wrong one. So what is vast is judged, and not explained: a frame of 25 MiB would take minutes and all memory.
 */
export function isVast(value: unknown, max = VALUES_MAX): boolean {
  let left = max;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    left -= 1;
    if (left < 0) return true;
    if (typeof next !== 'object' || next === null) continue;
    if (Array.isArray(next)) {
      if (next.length > left) return true;
      open.push(...next);
      continue;
    }
    let size = open.length;
    for (const name in next) {
      if (size > left) return true;
      size += 1;
      open.push((next as Record<string, unknown>)[name]);
    }
  }
  return false;
}

export const VAST_TEXT = 'holds more values than any request here';
