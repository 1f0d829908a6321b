import type { Room } from '../core/authz/command.ts';
import { ROOM } from '../core/authz/decide.ts';
import type { DeviceId, RequestId } from '../core/authz/principal.ts';
import type { Role } from '../core/authz/scope.ts';
import { type Instant, MINUTE_MS } from '../core/base/instant.ts';

/** A15: how long a new request counts as recent. */
export const RECENT_MS = 10 * MINUTE_MS;

/** A live request of a key without a grant in that role. */
export interface OpenAsk {
  readonly device: DeviceId;
  readonly role: Role;
  readonly id: RequestId;
  readonly source: string;
  readonly openedAt: Instant;
  readonly expiresAt: Instant;
}

/** The requests of keys without a grant that were opened after `at` − RECENT_MS and not after `at`. */
export interface RecentAsks {
  readonly total: number;
  /** How many at which instant, oldest first. Read only when there are too many. */
  each(): readonly { readonly at: Instant; readonly count: number }[];
}

/** A15, the same for every driver: the room that is taken. */
export function roomOf(
  open: readonly OpenAsk[],
  asks: RecentAsks,
  source: string,
  at: Instant,
  waitedAt: ReadonlySet<RequestId>,
): Room {
  const here = open.filter((o) => o.source === source);
  const oldest = here
    .filter((o) => !waitedAt.has(o.id))
    .reduce<OpenAsk | null>((a, b) => (a === null || isOlder(b, a) ? b : a), null);
  const frees = [oldest === null ? freeAt(here, ROOM.perSource) : null, freeAt(open, ROOM.total), recentFreeAt(asks)];
  return {
    fromSource: here.length,
    total: open.length,
    recent: asks.total,
    oldest: oldest === null ? null : { device: oldest.device, role: oldest.role, id: oldest.id },
    freeAt: Math.max(at, ...frees.filter((f) => f !== null)),
  };
}

function isOlder(a: OpenAsk, b: OpenAsk): boolean {
  return a.openedAt < b.openedAt || (a.openedAt === b.openedAt && a.id < b.id);
}

/** When so many have expired that fewer than `cap` are left; `null`: that is so now. */
function freeAt(open: readonly OpenAsk[], cap: number): Instant | null {
  const ends = open.map((o) => o.expiresAt).sort((a, b) => a - b);
  return ends[open.length - cap] ?? null;
}

function recentFreeAt(asks: RecentAsks): Instant | null {
  let over = asks.total - ROOM.recent + 1;
  if (over <= 0) return null;
  for (const ask of asks.each()) {
    over -= ask.count;
    if (over <= 0) return ask.at + RECENT_MS;
  }
  return null;
}
