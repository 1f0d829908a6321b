import type { Connect } from '../core/authz/command.ts';
import type { Hops } from './listen/forwarded.ts';
import type { TransportFacts } from './listen/pipe.ts';

/**
 * What the position of a socket on the network means, computed from transport facts and nothing that a client says
 * about itself (A2). The only place where `direct` and `source` come from.
 */
export interface Position {
  /** A13: the shared secret opens sessions and pairs here. */
  readonly direct: boolean;
  readonly origin: Connect['origin'];
  /** A15: the bucket whose room an ask from here takes. */
  readonly source: string;
  /** For a person to read: the peer's address, or what a proxy that is trusted said of its client. */
  readonly remote: string;
}

export interface PositionRules {
  /** Exact origins, lower-cased, without a trailing slash. */
  readonly allowedOrigins: readonly string[];
  /** A13: `gateway.auth.sharedSecretFrom`: further exact addresses. */
  readonly secretFrom: readonly string[];
  /** `gateway.trustedProxies`: whose word on where a request came from is taken; absent: nobody's. */
  readonly isProxy?: (address: string) => boolean;
}

/** The bucket, and the name for people, of all who come through a proxy of this host that doesn't say from where. */
const HIDDEN = 'proxied';

export function positionOf(facts: TransportFacts, rules: PositionRules): Position {
  if (facts.door === 'owner') return { direct: true, origin: 'none', source: 'owner', remote: 'owner socket' };
  const address = facts.address ?? 'unknown';
  const origin =
    facts.origin === null ? 'none' : rules.allowedOrigins.includes(facts.origin.toLowerCase()) ? 'allowed' : 'foreign';
  const loopback = isLoopback(address);
  const isProxy = rules.isProxy?.(address) ?? false;
  // What a proxy says moves the bucket and what people read, and gives nothing: it is never local, never direct. Other
  // programs of a host whose own proxy is listed stay direct: they bring no such header.
  const client = isProxy ? clientOf(facts.hops ?? [], rules) : null;
  // Who hides behind a proxy of this host is nobody of this host, whatever the headers say.
  const hidden = isProxy && loopback && client === null && facts.forwarding.length > 0;
  const named = loopback ? isLoopbackHost(facts.host) : !isProxy && rules.secretFrom.includes(address);
  return {
    // A13: an Origin or a forwarding header means that somebody else speaks through this socket.
    direct: named && facts.origin === null && facts.forwarding.length === 0,
    origin,
    source: hidden ? HIDDEN : sourceOf(client ?? address),
    remote: hidden ? HIDDEN : (client ?? address),
  };
}

/**
 * Threat 25: the right-most hop that is no trusted proxy; whoever is further left could have written it himself.
 * `null`, which is the proxy itself: none, one that can't be read before it, two kinds of header that don't agree (a
 * proxy sets one, and hands on the other as its client sent it), or the proxy's own loopback.
 */
function clientOf(claims: readonly Hops[], rules: PositionRules): string | null {
  const [first = null, ...others] = claims.map((hops) => {
    const hop = hops.findLast((h) => h === null || rules.isProxy?.(h) !== true) ?? null;
    return hop === null || isLoopback(hop) ? null : hop;
  });
  return others.every((other) => other === first) ? first : null;
}

/**
 * A11: whether the owner proof counts here: on a direct socket whose client dialed the very address and port that it
 * reached. Whoever listens at another address of this host, where the gateway doesn't, could hand on both halves of the
 * proof and speak in the owner's name afterwards: the name that the client dialed, which the gateway signs, gives him away.
 */
export function mayProveOwner(facts: TransportFacts, position: Position): boolean {
  return position.direct && facts.reached !== undefined && facts.host === facts.reached;
}

/** A parsed address literal, never a prefix of a name. `address` comes from the kernel, canonical. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address);
}

function isLoopbackHost(host: string | null): boolean {
  return host !== null && /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i.test(host);
}

/** A15: loopback as one. */
export function sourceOf(address: string): string {
  return isLoopback(address) ? 'loopback' : bucketOf(address);
}

/** A15: IPv4 by address, IPv6 by its /64. */
export function bucketOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((g) => Number.parseInt(g, 16).toString(16))
    .join(':')}::/64`;
}
