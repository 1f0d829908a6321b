import { hostOf } from '../client/node/challenge.ts';

/** Where a port is. */
export interface DoorPlace {
  readonly address: string;
  readonly port: number;
  readonly secure: boolean;
}

/** The first of a gateway's own addresses (`ws://[::1]:18789`) that can be dialed from this host; `null`: none. */
export function placeOf(addresses: readonly string[]): DoorPlace | null {
  for (const text of addresses) {
    const url = URL.canParse(text) ? new URL(text) : null;
    const port = Number(url?.port);
    if (url === null || port <= 0) continue;
    return { address: reachable(url.hostname.replace(/^\[|\]$/g, '')), port, secure: url.protocol === 'wss:' };
  }
  return null;
}

/** Who listens everywhere is reached at home. */
export function reachable(address: string): string {
  return address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
}

export function urlOf({ address, port, secure }: DoorPlace): string {
  return `${secure ? 'wss' : 'ws'}://${hostOf(address, port)}`;
}
