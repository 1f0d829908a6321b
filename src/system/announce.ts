import { getResponder } from '@homebridge/ciao';

// The process that announces a gateway by multicast DNS, and does nothing else. It is one of its own because it reads
// whatever somebody on the network sends, and because the library ends the process that it is in where it can't settle
// a quarrel about a name: that may cost the announcement, never the gateway.

/** What is announced. Everybody on the network can read it. */
export interface Announcement {
  /** At most 63 bytes. */
  readonly name: string;
  /** Without the underscore: `openclaw-gw`. */
  readonly type: string;
  readonly port: number;
  readonly txt: Readonly<Record<string, string>>;
  /** Addresses that are answered with. */
  readonly addresses: readonly string[];
}

/** To the gateway: under which name it is announced now. */
export interface Announced {
  readonly announced: string;
}

async function announce({ name, type, port, txt, addresses }: Announcement): Promise<void> {
  const responder = getResponder({ interface: [...addresses] });
  const service = responder.createService({ name, type, port, txt: { ...txt }, restrictedAddresses: [...addresses] });
  const tell = (as: string) => process.send?.({ announced: as } satisfies Announced);
  // Somebody else has the name.
  service.on('name-change', tell);
  // The gateway is gone, or wants it: the network is told goodbye.
  process.once('disconnect', () => {
    responder.shutdown().finally(() => process.exit(0));
  });
  await service.advertise();
  tell(name);
}

process.once('message', (announcement) => {
  announce(announcement as Announcement).catch(() => process.exit(1));
});
