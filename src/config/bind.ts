import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { EXIT, Failure } from '../system/failure.ts';

/** Where the TCP door listens. */
export interface Bind {
  /** As it was written: `loopback`, `192.0.2.7`. */
  readonly spec: string;
  /** Addresses to listen at, the first of which must succeed. */
  readonly addresses: readonly string[];
  /** Nobody beyond this host can reach it. */
  readonly loopback: boolean;
}

type Interfaces = ReturnType<typeof networkInterfaces>;

/** An address literal that only this host reaches. Parsed, never matched by prefix: `127.evil.test` is none. */
export function isLoopbackAddress(address: string): boolean {
  return isIP(address) === 4 ? address.startsWith('127.') : isIP(address) === 6 && isSixLoopback(address);
}

function isSixLoopback(address: string): boolean {
  const { hostname } = new URL(`http://[${address.split('%')[0]}]/`);
  return hostname === '[::1]' || hostname.startsWith('[::ffff:7f');
}

/** Tailscale's range, 100.64.0.0/10. */
function isTailnet(address: string): boolean {
  const [a, b = 0] = address.split('.').map(Number);
  return isIP(address) === 4 && a === 100 && b >= 64 && b < 128;
}

/**
 * What `gateway.bind` means here.
 * @throws Failure 78 for a word that means nothing, a name, or a network that is not there
 */
export function resolveBind(
  spec: string,
  customHost: string | undefined,
  where: string,
  interfaces: () => Interfaces = networkInterfaces,
): Bind {
  switch (spec) {
    case 'loopback':
      return { spec, addresses: ['127.0.0.1', '::1'], loopback: true };
    case 'lan':
      return { spec, addresses: ['0.0.0.0'], loopback: false };
    case 'tailnet': {
      const all = Object.values(interfaces()).flatMap((list) => (list ?? []).map((entry) => entry.address));
      const address = all.find(isTailnet);
      if (address === undefined)
        throw refused(spec, where, 'no interface here has a Tailscale address', 'tailscale up');
      return { spec, addresses: [address], loopback: false };
    }
    case 'custom':
      if (customHost === undefined) {
        throw refused(spec, where, 'gateway.customBindHost names no address', 'latchkey gateway run --bind loopback');
      }
      return ofAddress(customHost, 'gateway.customBindHost');
    default:
      return ofAddress(spec, where);
  }
}

function ofAddress(address: string, where: string): Bind {
  if (isIP(address) === 0) {
    throw refused(
      address,
      where,
      'it must be "loopback", "lan", "tailnet", "custom" or an IP address',
      'latchkey gateway run --bind loopback',
    );
  }
  return { spec: address, addresses: [address], loopback: isLoopbackAddress(address) };
}

function refused(value: string, where: string, why: string, run: string): Failure {
  return new Failure(EXIT.configuration, { what: `can't bind to '${value.slice(0, 80)}' (${where})`, why, run });
}
