import type { IncomingMessage } from 'node:http';

/** What an upgrade or request says about where it was sent and through whom. */
export interface HeaderFacts {
  /** `null`: none. */
  readonly host: string | null;
  readonly origin: string | null;
  readonly forwarding: readonly string[];
  /** Headers that came more than once although they may come once. */
  readonly repeated: readonly ('host' | 'origin')[];
}

/** A13: names of headers by which a proxy speaks for somebody else. */
const FORWARDING = new Set([
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-original-host',
  'x-original-forwarded-for',
  'true-client-ip',
  'fastly-client-ip',
  'cf-connecting-ip',
  'cf-ray',
  'cf-access-authenticated-user-email',
  'cf-access-jwt-assertion',
  'remote-user',
  'x-remote-user',
  'x-authenticated-user',
  'x-webauth-user',
  'x-pomerium-jwt-assertion',
]);
const FORWARDING_PREFIX =
  /^(x-forward|x-proxy|x-real-|x-client-|x-original-|x-envoy-|x-auth|x-remote-|x-user|x-openclaw-|x-goog-|x-azure-|x-appengine-|x-amzn-|x-ms-client-|remote-|wl-proxy-|cf-|cdn-|fly-|tailscale-)/;

/** Some proxies write `_` for `-`. */
function speaksForAnother(name: string): boolean {
  const dashed = name.replaceAll('_', '-');
  return FORWARDING.has(dashed) || FORWARDING_PREFIX.test(dashed);
}

/** Names are compared as they were sent, before Node folds repeats: it would keep the first of two `Host`s. */
export function headerFacts(request: IncomingMessage): HeaderFacts {
  const { rawHeaders } = request;
  const found: Record<'host' | 'origin', string[]> = { host: [], origin: [] };
  const forwarding = new Set<string>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase();
    const value = rawHeaders[i + 1] ?? '';
    if (name === 'host' || name === 'origin') found[name].push(value);
    else if (speaksForAnother(name)) forwarding.add(name);
  }
  return {
    host: found.host[0] ?? null,
    origin: found.origin[0] ?? null,
    forwarding: [...forwarding].sort(),
    repeated: (['host', 'origin'] as const).filter((name) => found[name].length > 1),
  };
}

/** IPv4-mapped IPv6 as IPv4, small letters: one address has one text. */
export function canonicalAddress(address: string | undefined): string | null {
  if (address === undefined || address === '') return null;
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address);
  return mapped?.[1] ?? address.toLowerCase();
}

const LOOPBACK_NAMES: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Threat 23, against DNS rebinding: is `host` a name of this gateway? Loopback literals, the very address that the
 * peer reached, and names from the configuration; exactly as written, so no decimal, octal or zoned form of an
 * address, no trailing dot. The port is not compared: through an ssh tunnel it is another one (A13), and rebinding
 * needs a name.
 * @param reached the local address of the socket, canonical
 * @param allowed host names without port, small letters
 */
export function isOwnHost(host: string | null, reached: string | null, allowed: readonly string[]): boolean {
  const [, name, port] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/i.exec(host ?? '') ?? [];
  if (name === undefined || (port !== undefined && Number(port) > 65_535)) return false;
  const small = name.toLowerCase();
  const literal = reached === null ? null : reached.includes(':') ? `[${reached}]` : reached;
  return LOOPBACK_NAMES.includes(small) || small === literal || allowed.includes(small);
}

/** A18: the client's nonce in the upgrade's query: 32 bytes in base64url; `null` when absent, malformed or repeated. */
export function lkOf(url: string): string | null {
  const query = url.indexOf('?');
  if (query === -1) return null;
  const values = new URLSearchParams(url.slice(query + 1)).getAll('lk');
  const [value] = values;
  return values.length === 1 && value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value) ? value : null;
}
