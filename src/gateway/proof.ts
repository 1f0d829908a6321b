import type { Connect } from '../core/authz/command.ts';
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
  /** For a person to read. */
  readonly remote: string;
}

export interface PositionRules {
  /** Exact origins, lower-cased, without a trailing slash. */
  readonly allowedOrigins: readonly string[];
  /** A13: `gateway.auth.sharedSecretFrom`: further exact addresses. */
  readonly secretFrom: readonly string[];
}

export function positionOf(facts: TransportFacts, rules: PositionRules): Position {
  if (facts.door === 'owner') return { direct: true, origin: 'none', source: 'owner', remote: 'owner socket' };
  const address = facts.address ?? 'unknown';
  const origin =
    facts.origin === null ? 'none' : rules.allowedOrigins.includes(facts.origin.toLowerCase()) ? 'allowed' : 'foreign';
  const loopback = isLoopback(address);
  const named = loopback ? isLoopbackHost(facts.host) : rules.secretFrom.includes(address);
  return {
    // A13: an Origin or a forwarding header means that somebody else speaks through this socket.
    direct: named && facts.origin === null && facts.forwarding.length === 0,
    origin,
    source: sourceOf(address),
    remote: address,
  };
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
