import { hostname } from 'node:os';
import type { TcpDoor } from '../gateway/listen/tcp.ts';
import { type Announcer, announce } from '../system/announcer.ts';
import { systemClock as clock } from '../system/clock.ts';
import { SERVICE } from '../system/discovery.ts';
import type { House } from './house.ts';
import { reachOf } from './reach.ts';

/** Of the host's name: a DNS label has 63 bytes, and where it is taken already a number is added. */
const HOST_MAX = 40;

/**
 * Tells the local network that there is a gateway, and how to dial it; `null` where nobody there could, or that was turned
 * off. A tailnet carries no multicast.
 * @param pin as of `pinOf`
 */
export function announcement(house: House, tcp: TcpDoor, pin: string | null | undefined): Announcer | null {
  const { gateway, discovery } = house.loaded.config;
  const { bind } = gateway;
  if (discovery.mdns === 'off' || bind.loopback || bind.spec === 'tailnet') return null;
  const { urls, beyondHost } = reachOf({ addresses: tcp.addresses, port: tcp.port, bind: bind.spec, fingerprint: pin });
  if (!beyondHost) return null;
  const host = hostname().split('.')[0] ?? '';
  const { log } = house;
  return announce(
    {
      name: `Latchkey on ${host.slice(0, HOST_MAX)}`,
      type: SERVICE.slice(1).replace('._tcp', ''),
      port: tcp.port,
      addresses: urls.map((url) => new URL(url).hostname.replace(/^\[|\]$/g, '')),
      txt: {
        role: 'gateway',
        transport: 'gateway',
        gatewayPort: String(tcp.port),
        ...(tcp.secure ? { gatewayTls: '1' } : {}),
        ...(typeof pin === 'string' ? { gatewayTlsSha256: pin } : {}),
        latchkeyKey: house.identity.signingKey.publicKey,
      },
    },
    clock,
    (as) => {
      if (as === null) log.onceAMinute('mdns', 'warn', 'not announced on the network: the announcing process ended');
      else log.info('announced on the network', { name: as });
    },
  );
}
