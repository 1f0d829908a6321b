/**
 * What `X-Forwarded-For` and `Forwarded` (RFC 7239) say of the way that a request took. Claims: whether they are
 * believed depends on who brought them, and is judged in gateway/proof.ts.
 */

/** The hops that one kind of header names, nearest last; `null` for one that is no address. */
export type Hops = readonly (string | null)[];

/** Hops further away are nobody's business. */
const HOPS_MAX = 64;

/** One list for each kind of header that is there. Lines of one kind are one list, in the order in which they came. */
export function hopsOf(rawHeaders: readonly string[]): readonly Hops[] {
  const values = (wanted: string) =>
    rawHeaders.filter((_value, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === wanted);
  const plain = values('x-forwarded-for');
  const elements = values('forwarded');
  const all: Hops[] = [];
  if (plain.length > 0) all.push(plain.join(',').split(',').slice(-HOPS_MAX).map(addressOf));
  if (elements.length > 0) all.push(forwardedHops(elements.join(',')));
  return all;
}

/** `for=` of each element; one list with `null` where the text is not what RFC 7239 says. */
function forwardedHops(text: string): Hops {
  const hops: (string | null)[] = [];
  for (const element of split(text, ',')) {
    const named = split(element, ';')
      .map((pair) => /^\s*for\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))\s*$/i.exec(pair))
      .filter((match) => match !== null);
    const [one] = named;
    // Two in one element: which of them is meant?
    hops.push(
      one === undefined || named.length > 1 ? null : addressOf((one[1] ?? one[2] ?? '').replace(/\\(.)/g, '$1')),
    );
  }
  return hops.slice(-HOPS_MAX);
}

/** Splits outside of quoted strings. One that doesn't end takes the rest: nothing behind it is read as a hop. */
function split(text: string, mark: ',' | ';'): readonly string[] {
  const parts: string[] = [];
  let from = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (quoted && character === '\\') i += 1;
    else if (character === '"') quoted = !quoted;
    else if (character === mark && !quoted) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  return [...parts, text.slice(from)];
}

/**
 * An address literal, perhaps with a port, in the one text that it has everywhere here: IPv4, or IPv6 in its shortest
 * form. `null` for names, `unknown`, `_hidden`, zones and everything else.
 */
export function addressOf(text: string): string | null {
  const net = process.getBuiltinModule('node:net');
  const trimmed = text.trim();
  const [, four, six] = /^(?:(\d+(?:\.\d+){3})(?::\d{1,5})?|\[([0-9a-f:.]+)\](?::\d{1,5})?)$/i.exec(trimmed) ?? [];
  const literal = four ?? six ?? trimmed;
  if (net.isIPv4(literal)) return six === undefined ? literal : null;
  if (!net.isIPv6(literal) || literal.includes('%')) return null;
  const short = new URL(`http://[${literal}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
  if (mapped === null) return short;
  const [high, low] = [Number.parseInt(mapped[1] ?? '', 16), Number.parseInt(mapped[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/**
 * Whether an address is one of `entries`: addresses and CIDR ranges, as the configuration checked them.
 * @returns for canonical address literals; anything else is none of them
 */
export function proxyList(entries: readonly string[]): (address: string) => boolean {
  // Asked for every connection, and mostly there are none.
  if (entries.length === 0) return () => false;
  const net = process.getBuiltinModule('node:net');
  const list = new net.BlockList();
  const familyOf = (address: string) => (address.includes(':') ? 'ipv6' : 'ipv4');
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    if (bits === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(bits), familyOf(address));
  }
  return (address) => {
    const bare = address.split('%')[0] ?? '';
    return net.isIP(bare) !== 0 && list.check(bare, familyOf(bare));
  };
}
