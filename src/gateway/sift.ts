import type { DeviceId } from '../core/authz/principal.ts';
import { ROLES } from '../core/authz/scope.ts';
import { namesIn, type Sight } from './explain/sight.ts';

/** What every line has; the rest are its fields. */
const ALWAYS = ['time', 'level', 'subsystem', 'message'] as const;
/** Fields that say something of one device, one request, or whoever came. */
const ABOUT = new Set(['device', 'requestId', 'request', 'decision', 'change', 'source', 'by', 'client', 'claimed']);
const DEVICE_ID = /[0-9a-f]{64}/g;

/**
 * A7 for the log: a line about a device or request that the caller may not see keeps when, how grave, where and what;
 * of its fields is left that there were some (`withheld`), of names that clients claim nothing.
 */
export function sifted(lines: readonly string[], sight: Sight): readonly string[] {
  return sight.all ? lines : lines.map((line) => siftedLine(line, sight));
}

function siftedLine(line: string, sight: Sight): string {
  const entry = entryOf(line);
  // No line of ours, or half of one: what it says is not known.
  if (entry === null) return JSON.stringify({ level: 'warn', message: 'a line that is no log line', withheld: true });
  if (isSeen(entry, line, sight)) return line;
  const kept = ALWAYS.flatMap((name) => (name in entry ? [[name, entry[name]]] : []));
  return JSON.stringify({ ...Object.fromEntries(kept), withheld: true });
}

function entryOf(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null ? (entry as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}

function isSeen(entry: Readonly<Record<string, unknown>>, line: string, sight: Sight): boolean {
  const { device, role, scopes } = entry;
  const named = new Set(line.match(DEVICE_ID));
  if (typeof device === 'string') {
    named.delete(device);
    const known = ROLES.find((r) => r === role) ?? null;
    if (!sight.device(device as DeviceId, known, namesIn(scopes))) return false;
  } else if (Object.keys(entry).some((name) => ABOUT.has(name))) return false;
  return [...named].every((id) => sight.isOwn(id as DeviceId));
}
