import { type Discovery, discover, type Found, networkAddresses } from '../../system/discovery.ts';
import { EXIT, Failure } from '../../system/failure.ts';
import { claimText } from '../../system/text.ts';
import { type Context, print } from '../context.ts';
import { painter } from '../output.ts';

/** Answers come within half a second; the question is asked twice. */
const PATIENCE_MS = 3_000;

/** What one answer says. Claims: anybody on the network can say them. */
interface Claims {
  readonly name: string;
  readonly host: string;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly url: string;
  readonly tls: boolean;
  readonly tlsFingerprint: string | null;
  readonly gatewayKey: string | null;
}

interface Row {
  /** The kernel's word, not the sender's. */
  readonly answeredFrom: string;
  readonly claims: Claims;
}

/**
 * `latchkey gateway discover [--interface ADDRESS]`: gateways of the local network that announce themselves (mDNS). Exit 0
 * when the network was asked, whoever answered. Writes nothing (A6).
 */
export async function gatewayDiscover(
  context: Context,
  _args: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<number> {
  const named = typeof options.interface === 'string' ? [options.interface] : null;
  const waitMs = context.globals.timeout ?? PATIENCE_MS;
  const result = await discover(named ?? networkAddresses(), { waitMs, clock: context.host.clock });
  if (result.asked.length === 0) throw unasked(context, result);
  const gateways = result.found.map(rowOf);
  const { asked, failed } = result;
  print(context, { gateways, asked, failed }, () => render(context, gateways, result, waitMs));
  return EXIT.ok;
}

function unasked(context: Context, { failed }: Discovery): Failure {
  const reasons = failed.map(({ address, why }) => `${address}: ${why}`).join('; ');
  return new Failure(EXIT.failed, {
    what: "the network can't be asked for gateways",
    why: reasons === '' ? 'this host has no IPv4 address on a network' : claimText(reasons),
    run: `${context.command} --url wss://HOST:PORT status   (with the address that the gateway's own status shows)`,
  });
}

function rowOf(found: Found): Row {
  const { txt } = found;
  const tls = txt.gatewaytls === '1';
  // What answered first, where it says that this is its address; an IPv4 address before an IPv6 one.
  const [address = found.from] = [...found.addresses].sort((a, b) => rank(a, found) - rank(b, found));
  const shape = (text: string | undefined, pattern: RegExp) => (text !== undefined && pattern.test(text) ? text : null);
  return {
    answeredFrom: found.from,
    claims: {
      name: claimText(found.name),
      host: claimText(found.host),
      addresses: found.addresses,
      port: found.port,
      url: `${tls ? 'wss' : 'ws'}://${address.includes(':') ? `[${address}]` : address}:${found.port}`,
      tls,
      tlsFingerprint: shape(txt.gatewaytlssha256?.toLowerCase().replaceAll(':', ''), /^[0-9a-f]{64}$/),
      gatewayKey: shape(txt.latchkeykey, /^[A-Za-z0-9_-]{43}$/),
    },
  };
}

function rank(address: string, { from }: Found): number {
  return address === from ? 0 : address.includes(':') ? 2 : 1;
}

function render(context: Context, gateways: readonly Row[], { asked, failed }: Discovery, waitMs: number): string {
  const paint = painter(context.output.colour);
  const missed = failed.map(({ address, why }) => paint('yellow', `not asked from ${address}: ${claimText(why)}\n`));
  if (gateways.length === 0) {
    return `no gateway answered within ${waitMs} ms; asked from ${asked.join(', ')}\n${missed.join('')}`;
  }
  const blocks = gateways.map(({ answeredFrom, claims: c }) => {
    const encryption = c.tls ? `tls, sha256 ${c.tlsFingerprint ?? 'not named'}` : 'plain: can be read on the way';
    const lines = [
      `  claims address  ${c.url}`,
      `  claims          ${encryption}`,
      `  claims key      ${c.gatewayKey ?? 'none: not a Latchkey'}`,
      `  answered from   ${answeredFrom}`,
    ];
    return `${paint('bold', c.name)}\n${lines.join('\n')}\n`;
  });
  const note =
    'Anybody on the network can say this. A setup code or the comparison code shows whether it is yours:\n' +
    `  ${context.command} --url URL status\n`;
  return `${blocks.join('\n')}\n${note}${missed.join('')}`;
}
