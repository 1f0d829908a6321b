import { networkInterfaces } from 'node:os';
import { isLoopbackAddress } from '../config/bind.ts';
import type { Reach } from '../gateway/setup.ts';

/** As many as a setup code names: each is one more to try. */
const URLS_MAX = 8;
/** Bridges of containers and virtual machines: no other host comes in there. */
const WITHIN = /^(docker|br-|veth|virbr|vmnet|cni|podman|lxc|lxd)/;
const WILDCARDS = ['0.0.0.0', '::'];

type Interfaces = ReturnType<typeof networkInterfaces>;

/** Where others dial a gateway that listens at these addresses. */
export function reachOf(
  door: {
    readonly addresses: readonly string[];
    /** 0: not known yet. */
    readonly port: number;
    readonly bind: string;
    /** Lower-case hex SHA-256 of the certificate; `null`: none to pin. `undefined`: no TLS. */
    readonly fingerprint: string | null | undefined;
  },
  interfaces: () => Interfaces = networkInterfaces,
): Reach {
  const { port, bind, fingerprint } = door;
  const addresses = door.addresses.flatMap((address) =>
    WILDCARDS.includes(address) ? outer(address, interfaces()) : [address],
  );
  const beyond = addresses.filter((address) => !isLoopbackAddress(address));
  const chosen = beyond.length > 0 ? beyond : [addresses.find(isLoopbackAddress) ?? '127.0.0.1'];
  const scheme = fingerprint === undefined ? 'ws' : 'wss';
  const urls = chosen.slice(0, URLS_MAX).map((a) => `${scheme}://${a.includes(':') ? `[${a}]` : a}:${port}`);
  return {
    urls: port === 0 ? [] : urls,
    source: `gateway.bind=${bind}`,
    beyondHost: beyond.length > 0,
    tlsFingerprint: fingerprint ?? null,
  };
}

/** This host's addresses on networks, those of homes and offices first. */
function outer(wildcard: string, interfaces: Interfaces): readonly string[] {
  const found = Object.entries(interfaces)
    .filter(([name]) => !WITHIN.test(name))
    .flatMap(([, list]) => list ?? [])
    .filter(
      ({ internal, family, address }) =>
        !internal && (family === 'IPv4' || (wildcard === '::' && !isLinkLocal(address))),
    )
    .map(({ address }) => address);
  return found.sort((a, b) => Number(isPrivate(b)) - Number(isPrivate(a)));
}

function isPrivate(address: string): boolean {
  const [a, b = 0] = address.split('.').map(Number);
  return a === 10 || (a === 192 && b === 168) || (a === 172 && b >= 16 && b < 32);
}

/** Means nothing without the name of the interface, which is the other side's own. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
