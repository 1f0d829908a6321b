import type { IncomingMessage, RequestListener } from 'node:http';
import type { Server as NetServer, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { CLOSE_GRACE_MS, HANDSHAKE_MS, MAX_PAYLOAD_BYTES, SILENT_SOCKETS } from '../../core/protocol/limit.ts';
import type { Clock } from '../../system/clock.ts';
import { codeOf } from '../../system/failure.ts';
import { refuseUpgrade } from '../http/refuse.ts';
import { type BudgetRules, type Silent, SilentBudget } from './budget.ts';
import { hopsOf } from './forwarded.ts';
import { canonicalAddress, type HeaderFacts, headerFacts, isOwnHost, lkOf } from './host.ts';
import { PortTaken, portOccupant } from './occupant.ts';
import type { Accept, TransportFacts } from './pipe.ts';
import { TlsLayer, type TlsSource } from './tls.ts';
import { WebSocketPipe } from './websocket.ts';

// Loaded this way: an ESM import of these costs the start of every command 40 ms (LIBRARIES.md, rule 3).
const http = process.getBuiltinModule('node:http');
const net = process.getBuiltinModule('node:net');

export interface TcpOptions {
  /** Addresses to listen at, on one port. The first must succeed; `::1` beside `127.0.0.1` is left out where there is none. */
  readonly addresses: readonly string[];
  /** 0: any free one. */
  readonly port: number;
  /** Further host names under which the gateway is reached: without port, small letters. */
  readonly hosts: readonly string[];
  readonly accept: Accept;
  /** Plain HTTP requests, their `Host` checked. */
  readonly http: RequestListener;
  /** Present: TLS, and nothing else, is spoken on this port. */
  readonly tls?: TlsSource | null;
  /** A15: the bucket of a peer's address. */
  sourceOf(address: string): string;
  /** The bucket of an upgrade, which may know more than the peer's address: a trusted proxy says whose it is. */
  clientSource?(facts: TransportFacts): string;
  readonly clock: Clock;
  readonly limits?: Partial<TcpLimits>;
}

export interface TcpLimits {
  /** From the accepted socket to the upgrade, or to the whole HTTP answer. After an upgrade the receiver counts. */
  readonly handshakeMs: number;
  readonly silent: BudgetRules;
  /** An idle WebSocket is pinged this often, and cut when it hasn't answered by the next time. */
  readonly pingMs: number;
  readonly headerBytes: number;
}

const LIMITS: TcpLimits = {
  handshakeMs: HANDSHAKE_MS,
  silent: { ...SILENT_SOCKETS, graceMs: 250, queueMax: 8192 },
  pingMs: 25_000,
  headerBytes: 16 * 1024,
};

/** Connections that the kernel has made and the gateway has not taken: as many as may come at once. */
const BACKLOG = 8192;

export interface TcpDoor {
  readonly port: number;
  /** Where it listens in fact. */
  readonly addresses: readonly string[];
  /** TLS is spoken here: `wss`, `https`. */
  readonly secure: boolean;
  /** WebSockets since the start. */
  readonly met: number;
  /** WebSockets now; sockets that haven't spoken; those that wait to be read from. */
  counts(): { readonly open: number; readonly silent: number; readonly waiting: number };
  /** Stops listening; what is connected stays, so that it can be told. */
  stop(): Promise<void>;
  /** Stops listening and cuts everything. */
  close(): Promise<void>;
}

/** What the listener keeps of a socket until it has spoken. */
interface Guest {
  readonly silent: Silent;
  cancelDeadline(): void;
}

/**
 * The TCP door: HTTP and WebSocket on one port. Checks what must be checked before a byte is answered (threats 4, 9,
 * 22, 23, 29, 30) and hands pipes on; who may come in is decided elsewhere, `Origin` included.
 * @throws PortTaken, or the Node error (EACCES, EADDRNOTAVAIL)
 */
export async function listenTcp(options: TcpOptions): Promise<TcpDoor> {
  const door = new Door(options, { ...LIMITS, ...options.limits });
  await door.listen();
  return door;
}

class Door implements TcpDoor {
  readonly #options: TcpOptions;
  readonly #limits: TcpLimits;
  readonly #budget: SilentBudget;
  /** By both ends of the connection: between TCP and HTTP may be a TLS socket. */
  readonly #guests = new Map<string, Guest>();
  readonly #sockets = new Set<Socket>();
  readonly #pipes = new Set<WebSocketPipe>();
  readonly #http;
  readonly #wss: WebSocketServer;
  readonly #tls: TlsLayer | null;
  #servers: NetServer[] = [];
  #addresses: string[] = [];
  #port = 0;
  #met = 0;
  #cancelPing: (() => void) | null = null;

  constructor(options: TcpOptions, limits: TcpLimits) {
    this.#options = options;
    this.#limits = limits;
    this.#budget = new SilentBudget(limits.silent, options.clock);
    // Node's own request timers run only for a server that listens itself; the deadline below covers all of it.
    this.#http = http.createServer({
      maxHeaderSize: limits.headerBytes,
      insecureHTTPParser: false,
      requireHostHeader: true,
      requestTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: 1,
    });
    this.#http.maxHeadersCount = 100;
    this.#http.on('request', (request, response) => {
      // One request a connection: nothing can be smuggled behind it, and no idle connection takes room.
      response.shouldKeepAlive = false;
      this.#options.http(request, response);
    });
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    const webSocketOptions = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: MAX_PAYLOAD_BYTES,
      // For closes that ws begins itself; its types don't know this option yet.
      closeTimeout: CLOSE_GRACE_MS,
    };
    this.#wss = new WebSocketServer(webSocketOptions);
    this.#wss.on('wsClientError', (_error, socket) => refuseUpgrade(socket, 400, 'this is no WebSocket handshake'));
    const secured = (socket: Duplex) => this.#http.emit('connection', socket);
    this.#tls = options.tls == null ? null : new TlsLayer(options.tls, limits.handshakeMs, secured);
  }

  get port(): number {
    return this.#port;
  }

  get addresses(): readonly string[] {
    return this.#addresses;
  }

  get secure(): boolean {
    return this.#tls !== null;
  }

  get met(): number {
    return this.#met;
  }

  counts() {
    return { open: this.#pipes.size, silent: this.#budget.silent, waiting: this.#budget.waiting };
  }

  async listen(): Promise<void> {
    const [first, ...more] = this.#options.addresses;
    if (first === undefined) throw new Error('no address to listen at');
    // With any free port the second address may find it taken: another is tried.
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#bind(first, this.#options.port);
        for (const address of more) await this.#bindBeside(address);
        break;
      } catch (error) {
        await this.stop();
        if (codeOf(error) !== 'EADDRINUSE') throw error;
        if (this.#options.port === 0 && tries < 10) continue;
        throw new PortTaken(first, this.#options.port, portOccupant(this.#options.port));
      }
    }
    this.#schedulePing();
  }

  async #bind(address: string, port: number): Promise<void> {
    // Paused: nothing is read from a socket before the budget admits it.
    const server = net.createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#arrived(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // What the kernel has no room for comes again after a second or more. It keeps to its own limit, 4096 mostly.
      server.listen({ host: address, port, ipv6Only: address.includes(':'), backlog: BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    // Running out of descriptors is no reason to die: accepting goes on when some are free again.
    server.on('error', () => {});
    const bound = server.address();
    if (typeof bound === 'object' && bound !== null) this.#port = bound.port;
    this.#servers.push(server);
    this.#addresses.push(address);
  }

  async #bindBeside(address: string): Promise<void> {
    try {
      await this.#bind(address, this.#port);
    } catch (error) {
      // A host without IPv6 has no ::1.
      const code = codeOf(error);
      if (code !== 'EADDRNOTAVAIL' && code !== 'EAFNOSUPPORT') throw error;
    }
  }

  #arrived(socket: Socket): void {
    const address = canonicalAddress(socket.remoteAddress);
    // It left before it could be looked at.
    if (address === null) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.on('error', () => {});
    const cut = () => socket.destroy();
    const cancelDeadline = this.#options.clock.after(this.#limits.handshakeMs, cut);
    const silent = this.#budget.enter(
      this.#options.sourceOf(address),
      () => {
        if (this.#tls !== null) return this.#tls.enter(socket);
        this.#http.emit('connection', socket);
        socket.resume();
      },
      cut,
    );
    const ends = endsOf(socket);
    const guest: Guest = { silent, cancelDeadline };
    this.#guests.set(ends, guest);
    socket.once('close', () => {
      if (this.#guests.get(ends) === guest) this.#guests.delete(ends);
      cancelDeadline();
      silent.left();
      this.#sockets.delete(socket);
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const guest = this.#guests.get(endsOf(request.socket));
    const facts = headerFacts(request);
    const fault = this.#upgradeFault(request, facts);
    if (fault !== null) {
      refuseUpgrade(socket, ...fault);
      return;
    }
    // The answer to the upgrade goes out together with the first frame.
    socket.cork();
    this.#wss.handleUpgrade(request, socket, head, (ws) => {
      guest?.cancelDeadline();
      guest?.silent.upgraded();
      const known = transportFacts(request, facts);
      const source = facts.forwarding.length === 0 ? undefined : this.#options.clientSource?.(known);
      if (source !== undefined) guest?.silent.moved(source);
      const pipe = new WebSocketPipe(ws, socket, known, this.#options.clock);
      this.#pipes.add(pipe);
      this.#met += 1;
      pipe.open(
        this.#options.accept,
        () => guest?.silent.spoke(),
        () => this.#pipes.delete(pipe),
      );
    });
    socket.uncork();
  }

  #upgradeFault(request: IncomingMessage, facts: HeaderFacts): [400 | 403 | 421, string] | null {
    if (facts.repeated.includes('origin')) return [403, 'more than one Origin'];
    if (facts.repeated.includes('host') || facts.host === null || !request.url?.startsWith('/')) {
      return [400, 'one Host, and a path'];
    }
    const reached = canonicalAddress(request.socket.localAddress);
    return isOwnHost(facts.host, reached, this.#options.hosts) ? null : [421, 'not a name of this gateway'];
  }

  #schedulePing(): void {
    this.#cancelPing = this.#options.clock.after(this.#limits.pingMs, () => {
      for (const pipe of this.#pipes) if (!pipe.probe()) pipe.cut();
      this.#schedulePing();
    });
  }

  async stop(): Promise<void> {
    const servers = this.#servers;
    this.#servers = [];
    this.#addresses = [];
    // `close` calls back once all connections are gone; that listening has ended holds at once.
    for (const server of servers) server.close();
  }

  async close(): Promise<void> {
    this.#cancelPing?.();
    this.#budget.close();
    const servers = this.#servers;
    const closed = servers.map((server) => new Promise<void>((done) => server.once('close', () => done())));
    await this.stop();
    for (const pipe of this.#pipes) pipe.cut();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }
}

function transportFacts(request: IncomingMessage, facts: HeaderFacts): TransportFacts {
  const reached = reachedBy(request.socket);
  return {
    door: 'tcp',
    address: canonicalAddress(request.socket.remoteAddress),
    ...(reached === null ? {} : { reached }),
    host: facts.host,
    origin: facts.origin,
    forwarding: facts.forwarding,
    ...(facts.forwarding.length === 0 ? {} : { hops: hopsOf(request.rawHeaders) }),
    lk: lkOf(request.url ?? ''),
    userAgent: request.headers['user-agent']?.slice(0, 512) ?? null,
  };
}

function reachedBy(socket: Socket): string | null {
  const address = canonicalAddress(socket.localAddress);
  if (address === null) return null;
  // Clients leave the scheme's own port out.
  const own = 'encrypted' in socket ? 443 : 80;
  return `${address.includes(':') ? `[${address}]` : address}${socket.localPort === own ? '' : `:${socket.localPort}`}`;
}

/** Both ends of a TCP connection: no two have the same at one time. */
function endsOf(socket: Socket): string {
  return [socket.remoteAddress, socket.remotePort, socket.localAddress, socket.localPort].join('|');
}
