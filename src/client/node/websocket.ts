import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { RawData, WebSocket } from 'ws';
import { codeOf } from '../../system/failure.ts';
import type { Address } from '../address.ts';
import { withNonce } from '../address.ts';
import type { After, Transport, TransportReceiver } from '../client.ts';

/** One message before `connect` was answered, in bytes. */
const EARLY_BYTES = 64 * 1024;
/** A peer that was told to go is cut when it hasn't gone by then. */
const CLOSE_GRACE_MS = 1_000;
/** Without a sign of life the other side is asked for one; without an answer by the next time it is gone. */
const SILENCE_MS = 30_000;

/** Why no WebSocket was opened. */
export class DialFailed extends Error {
  override readonly name = 'DialFailed';
  /**
   * `unreachable`: nobody answers there. `silent`: no answer in time. `refused`: an HTTP answer, in `status`; a
   * redirection is one. `foreign`: it speaks neither HTTP nor TLS as a gateway does. `insecure`: what is sent could be
   * read on the way, so nothing was. `certificate`: nobody vouches for it; `changed-certificate`: it is another than
   * the known one. Both with its fingerprint, and nothing was sent.
   */
  readonly kind: 'unreachable' | 'silent' | 'refused' | 'foreign' | 'insecure' | 'certificate' | 'changed-certificate';
  readonly status: number | null;
  /** Lower-case hex SHA-256 of the certificate that was shown. */
  readonly fingerprint: string | null;
  constructor(kind: DialFailed['kind'], message: string, more: { status?: number; fingerprint?: string } = {}) {
    super(message);
    this.kind = kind;
    this.status = more.status ?? null;
    this.fingerprint = more.fingerprint ?? null;
  }
}

export interface DialOptions {
  readonly address: Address;
  /** A18: 32 bytes in base64url. */
  readonly lk: string;
  /** The certificate that is known, as lower-case hex SHA-256; `null`: the system's authorities vouch for it. */
  readonly tlsFingerprint: string | null;
  /** Plain `ws://` beyond this host. */
  readonly insecure: boolean;
  readonly timeoutMs: number;
  readonly after: After;
}

/**
 * Opens a WebSocket to a gateway. What vouches for the other side is checked before a byte of HTTP is sent; no
 * redirection is followed. @throws DialFailed
 */
export async function openWebSocket(options: DialOptions): Promise<Transport> {
  const { address, insecure, after, timeoutMs } = options;
  if (!address.secure && !address.loopback && !insecure) {
    throw new DialFailed('insecure', 'ws:// is not encrypted, and the gateway is on another host');
  }
  const dialing: { socket: Socket | null; ws: WebSocket | null } = { socket: null, ws: null };
  let late = () => {};
  const lateness = new Promise<never>((_, reject) => {
    late = after(timeoutMs, () => reject(new DialFailed('silent', `no answer within ${timeoutMs} ms`)));
  });
  try {
    return await Promise.race([lateness, dial(options, dialing)]);
  } catch (error) {
    dialing.ws?.terminate();
    dialing.socket?.destroy();
    throw error;
  } finally {
    late();
  }
}

async function dial(options: DialOptions, dialing: { socket: Socket | null; ws: WebSocket | null }) {
  const { address, lk, after } = options;
  const socket = address.secure ? await vouched(options, dialing) : await plain(options, dialing);
  const { WebSocket: Ws } = await import('./ws.ts');
  const ws = new Ws(withNonce(address, lk), {
    // The one that was looked at, and no other.
    createConnection: () => socket,
    headers: { Host: address.host },
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload: EARLY_BYTES,
  });
  dialing.ws = ws;
  const transport = new WebSocketTransport(ws, after);
  await new Promise<void>((resolve, reject) => {
    ws.once('open', resolve);
    ws.once('unexpected-response', (request, response) => {
      const { statusCode: status = 0, headers } = response;
      request.destroy();
      const where = headers.location === undefined ? '' : ', and names another place';
      reject(new DialFailed('refused', `it answered ${status}${where}`, { status }));
    });
    // T19: a gateway that ends just then is away; it has said nothing that would show it to be another program.
    ws.on('error', (error) => reject(isCut(error) ? unreachable(error) : new DialFailed('foreign', error.message)));
  });
  return transport;
}

function plain({ address }: DialOptions, dialing: { socket: Socket | null }): Promise<Socket> {
  const net = process.getBuiltinModule('node:net');
  return new Promise((resolve, reject) => {
    const socket = net.connect(placeOf(address));
    dialing.socket = socket;
    socket.once('error', (error) => reject(unreachable(error)));
    socket.once('connect', () => resolve(socket));
  });
}

/** Node knows the authorities of its own release; this system may know more, which takes longer to read. */
async function vouched(options: DialOptions, dialing: { socket: Socket | null }): Promise<TLSSocket> {
  try {
    return await secured(options, dialing);
  } catch (error) {
    if (!(error instanceof DialFailed) || error.kind !== 'certificate') throw error;
    const { getCACertificates } = process.getBuiltinModule('node:tls');
    return await secured(options, dialing, [...getCACertificates('default'), ...getCACertificates('system')]);
  }
}

/**
 * TLS, with the certificate judged here: one that is known by its fingerprint needs no authority and no name, and then
 * no authority helps another one.
 */
function secured(
  { address, tlsFingerprint }: DialOptions,
  dialing: { socket: Socket | null },
  ca?: string[],
): Promise<TLSSocket> {
  const tls = process.getBuiltinModule('node:tls');
  const net = process.getBuiltinModule('node:net');
  return new Promise((resolve, reject) => {
    const place = placeOf(address);
    const socket = tls.connect({
      ...place,
      ...(net.isIP(place.host) === 0 ? { servername: place.host } : {}),
      ...(ca === undefined ? {} : { ca }),
      minVersion: 'TLSv1.2',
      // Judged below, before anything is sent: a refusal then names the fingerprint.
      rejectUnauthorized: false,
    });
    dialing.socket = socket;
    socket.once('error', (error) => reject(unreachable(error)));
    socket.once('secureConnect', () => {
      const fingerprint = fingerprintOf(socket);
      if (tlsFingerprint === null ? socket.authorized : fingerprint === tlsFingerprint) return resolve(socket);
      socket.destroy();
      if (tlsFingerprint === null) {
        const why = String(socket.authorizationError ?? 'it names another host');
        return reject(
          new DialFailed('certificate', `no authority vouches for its certificate (${why})`, { fingerprint }),
        );
      }
      reject(new DialFailed('changed-certificate', 'its certificate is another than the known one', { fingerprint }));
    });
  });
}

function fingerprintOf(socket: TLSSocket): string {
  const { hash } = process.getBuiltinModule('node:crypto');
  const { raw } = socket.getPeerCertificate();
  return hash('sha256', raw, 'hex');
}

function placeOf({ url }: Address): { host: string; port: number; lookup?: LookupFunction } {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  const place = { host, port: Number(port) || (protocol === 'wss:' ? 443 : 80) };
  // `localhost` is this host, whatever a resolver says.
  return host === 'localhost' ? { ...place, lookup: ownHost } : place;
}

type LookupFunction = import('node:net').LookupFunction;

const ownHost: LookupFunction = (_name, options, give) => {
  if (options.all !== true) return give(null, '127.0.0.1', 4);
  give(null, [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]);
};

const isCut = (error: Error): boolean => /^(ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT)$/.test(codeOf(error) ?? '');

function unreachable(error: Error): DialFailed {
  const code = codeOf(error) ?? '';
  const isTls = /^(ERR_SSL|ERR_TLS|EPROTO)/.test(code);
  return isTls
    ? new DialFailed('foreign', `it does not speak TLS as expected (${code})`)
    : new DialFailed('unreachable', code === '' ? error.message : `${code}`);
}

/** See `BoundedReceiver` in gateway/listen/websocket.ts: ws has no way to raise the bound of an open socket. */
interface BoundedReceiver {
  _maxPayload: number;
}

/** One WebSocket as a transport of text messages. */
class WebSocketTransport implements Transport {
  readonly #ws: WebSocket;
  readonly #after: After;
  /** What came with the answer to the upgrade: no more than one read of the socket, as `open` follows at once. */
  #early: string[] = [];
  #receiver: TransportReceiver | null = null;
  #ended: { readonly why: string; readonly code: number | undefined } | null = null;
  #error: string | null = null;
  #isAlive = true;
  #cancelPulse = () => {};
  #isClosing = false;

  constructor(ws: WebSocket, after: After) {
    this.#ws = ws;
    this.#after = after;
    ws.on('message', (data, isBinary) => this.#take(data, isBinary));
    ws.on('ping', () => this.#heard());
    ws.on('pong', () => this.#heard());
    ws.on('error', (error) => {
      this.#error ??= error.message;
    });
    ws.once('close', (code, reason) => this.#gone(code, reason.toString('utf8')));
    this.#pulse();
  }

  open(receiver: TransportReceiver): void {
    // What came before is handed on after the caller has set its handlers.
    queueMicrotask(() => {
      this.#receiver = receiver;
      for (const text of this.#early.splice(0)) receiver.message(text);
      if (this.#ended !== null) receiver.closed(this.#ended.why, this.#ended.code);
    });
  }

  send(text: string): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(text);
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#cancelPulse();
    this.#ws.close(1000);
    const cancel = this.#after(CLOSE_GRACE_MS, () => this.#ws.terminate());
    this.#ws.once('close', cancel);
  }

  allow(maxBytes: number): void {
    const { _receiver: receiver } = this.#ws as unknown as { _receiver?: BoundedReceiver };
    // Gone already.
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (typeof receiver?._maxPayload !== 'number') throw new Error('this version of ws keeps its bound elsewhere');
    receiver._maxPayload = maxBytes;
  }

  #take(data: RawData, isBinary: boolean): void {
    this.#heard();
    if (isBinary) {
      this.#error ??= 'the other side does not speak this protocol';
      this.#ws.close(1003);
      return;
    }
    const text = (data as Buffer).toString('utf8');
    if (this.#receiver === null) this.#early.push(text);
    else this.#receiver.message(text);
  }

  #gone(code: number, reason: string): void {
    this.#cancelPulse();
    // 1005 and 1006 stand for no code at all.
    const given = code === 1005 || code === 1006 ? undefined : code;
    const told = given === undefined ? 'the connection ended' : `the gateway closed the connection (${given})`;
    const why = this.#error ?? (reason === '' ? told : `${told}: ${reason}`);
    this.#ended = { why, code: given };
    this.#receiver?.closed(why, given);
  }

  #heard(): void {
    this.#isAlive = true;
  }

  #pulse(): void {
    this.#cancelPulse = this.#after(SILENCE_MS, () => {
      if (!this.#isAlive) {
        this.#error ??= `the gateway was silent for ${(2 * SILENCE_MS) / 1000} s`;
        return this.#ws.terminate();
      }
      this.#isAlive = false;
      if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping();
      this.#pulse();
    });
  }
}
