import type { Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import type { Clock } from './clock.ts';
import { type DnsRecord, decodeResponse, encodeQuery, labelsOf, type Question, TYPE } from './dns-message.ts';
import { codeOf } from './failure.ts';

// Asking for gateways by multicast DNS. `@homebridge/ciao`, which announces, can't ask; and what it would take (a socket
// on port 5353 for as long as it runs) is more than a question needs: one sent from any other port is answered to that
// port alone (RFC 6762 §6.7).

/** The service type of gateways, OpenClaw's too. */
export const SERVICE = '_openclaw-gw._tcp';
const SERVICE_NAME = `${SERVICE}.local`;
const MULTICAST = { address: '224.0.0.251', port: 5353 } as const;
/** RFC 6762 §5.2: asked again, in case the first question or its answer was lost. */
const AGAIN_MS = 1_000;
/** More than anybody's network has: what comes after is not kept. */
const FOUND_MAX = 64;
const RECORDS_MAX = 4_096;

/** What somebody on the network says of a gateway. Nothing of it is proven, and no text in it is harmless. */
export interface Found {
  /** The instance's name: `Latchkey on attic`. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly string[];
  /** Keys in small letters. */
  readonly txt: Readonly<Record<string, string>>;
  /** Where the answer came from, by the kernel's word. */
  readonly from: string;
}

export interface Discovery {
  readonly found: readonly Found[];
  /** Addresses of this host from which the question went out. */
  readonly asked: readonly string[];
  readonly failed: readonly { readonly address: string; readonly why: string }[];
}

/** This host's IPv4 addresses on networks. */
export function networkAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address);
}

/** Asks from each of these addresses, and collects what comes within `waitMs`. */
export async function discover(
  addresses: readonly string[],
  options: { readonly waitMs: number; readonly clock: Clock; readonly port?: number },
): Promise<Discovery> {
  const { waitMs, clock } = options;
  const heard = new Heard();
  const asked: string[] = [];
  const failed: { address: string; why: string }[] = [];
  const sockets: Socket[] = [];
  const cancels: (() => void)[] = [];
  for (const address of addresses) {
    try {
      const socket = await open(address);
      sockets.push(socket);
      socket.on('message', (bytes, { address: from }) => heard.take(bytes, from));
      await ask(socket, heard.questions(), options.port);
      asked.push(address);
      const again = () => void ask(socket, heard.questions(), options.port).catch(() => {});
      cancels.push(clock.after(Math.min(AGAIN_MS, waitMs / 2), again));
    } catch (error) {
      failed.push({ address, why: codeOf(error) ?? String(error) });
    }
  }
  if (asked.length > 0) await new Promise<void>((done) => clock.after(waitMs, done));
  for (const cancel of cancels) cancel();
  for (const socket of sockets) socket.close();
  return { found: heard.found(), asked, failed };
}

function open(address: string): Promise<Socket> {
  const socket = process.getBuiltinModule('node:dgram').createSocket('udp4');
  return new Promise((done, fail) => {
    socket.once('error', (error) => {
      socket.close();
      fail(error);
    });
    socket.bind({ address, port: 0 }, () => {
      socket.removeAllListeners('error');
      // An ICMP answer to a question is no reason to end.
      socket.on('error', () => {});
      try {
        socket.setMulticastInterface(address);
        socket.setMulticastTTL(255);
        done(socket);
      } catch (error) {
        socket.close();
        fail(error);
      }
    });
  });
}

function ask(socket: Socket, questions: readonly Question[], port: number = MULTICAST.port): Promise<void> {
  return new Promise((done, fail) => {
    socket.send(encodeQuery(questions), port, MULTICAST.address, (error) => (error ? fail(error) : done()));
  });
}

/** What was heard so far. */
class Heard {
  /** Each record once, with who said it first. */
  readonly #records = new Map<string, { readonly record: DnsRecord; readonly from: string }>();

  take(bytes: Buffer, from: string): void {
    for (const record of decodeResponse(bytes) ?? []) {
      const key = JSON.stringify(record).toLowerCase();
      if (this.#records.size < RECORDS_MAX && !this.#records.has(key)) this.#records.set(key, { record, from });
    }
  }

  /** The service, and for instances without an address or a text, those. */
  questions(): readonly Question[] {
    const open = this.#instances()
      .filter(({ name }) => this.#of('SRV', name) === undefined || this.#of('TXT', name) === undefined)
      .slice(0, FOUND_MAX / 4);
    return [
      { name: SERVICE_NAME, type: TYPE.PTR },
      ...open.flatMap(({ name }) => [
        { name, type: TYPE.SRV },
        { name, type: TYPE.TXT },
      ]),
    ];
  }

  found(): readonly Found[] {
    return this.#instances().flatMap(({ name, from }) => {
      const srv = this.#of('SRV', name);
      if (srv === undefined) return [];
      const hosts = this.#all().flatMap(({ record }) =>
        (record.type === 'A' || record.type === 'AAAA') && same(record.name, srv.target) ? [record.address] : [],
      );
      return {
        name: labelsOf(name)[0] ?? '',
        host: srv.target,
        port: srv.port,
        addresses: [...new Set(hosts)],
        txt: pairsOf(this.#of('TXT', name)?.texts ?? []),
        from,
      };
    });
  }

  #all() {
    return [...this.#records.values()];
  }

  #instances(): readonly { readonly name: string; readonly from: string }[] {
    return this.#all()
      .flatMap(({ record, from }) =>
        record.type === 'PTR' && same(record.name, SERVICE_NAME) && under(record.target)
          ? [{ name: record.target, from }]
          : [],
      )
      .slice(0, FOUND_MAX);
  }

  #of<T extends DnsRecord['type']>(type: T, name: string): Extract<DnsRecord, { type: T }> | undefined {
    const found = this.#all().find(({ record }) => record.type === type && same(record.name, name));
    return found?.record as Extract<DnsRecord, { type: T }> | undefined;
  }
}

function under(name: string): boolean {
  return name.toLowerCase().endsWith(`.${SERVICE_NAME}`);
}

/** DNS doesn't tell small letters from large ones. */
function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** RFC 6763 §6.4: the first of a key counts; one without `=` is there and says nothing. */
function pairsOf(texts: readonly string[]): Readonly<Record<string, string>> {
  const pairs = new Map<string, string>();
  for (const text of texts) {
    const [, key, value = ''] = /^([^=]+)(?:=([\s\S]*))?$/.exec(text) ?? [];
    if (key !== undefined && !pairs.has(key.toLowerCase())) pairs.set(key.toLowerCase(), value);
  }
  return Object.fromEntries(pairs);
}
