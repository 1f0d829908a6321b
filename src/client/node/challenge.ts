import { createConnection, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** What the TCP door says first (PROTOCOL.md §3, §9). */
export interface Challenge {
  readonly nonce: string;
  readonly ts: number | null;
  /** A18: the gateway's key and its signature over the client's nonce; `null` from another gateway. */
  readonly gateway: { readonly key: string; readonly signature: string } | null;
  /** Lower-case hex SHA-256 of the certificate that was shown; `null`: no TLS. */
  readonly fingerprint: string | null;
}

/** Why no challenge was read; `kind` tells a busy gateway from another program. */
export class NoChallenge extends Error {
  override readonly name = 'NoChallenge';
  readonly kind: 'unreachable' | 'silent' | 'refused' | 'foreign';
  constructor(kind: NoChallenge['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface ChallengeOptions {
  readonly address: string;
  readonly port: number;
  /** TLS. Nothing secret is sent, so any certificate will do: the challenge says whose it is. */
  readonly secure: boolean;
  /** 32 random bytes as base64url: sent along so that the gateway can prove itself. `null`: it need not. */
  readonly lk: string | null;
  readonly timeoutMs: number;
}

/**
 * RFC 6455's own example of a key, and what a WebSocket server makes of it. A fresh one would only keep caches from
 * answering, and loading cryptography for it would cost more than all else here.
 */
const UPGRADE = { key: 'dGhlIHNhbXBsZSBub25jZQ==', accept: 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' };

const HEAD_MAX_BYTES = 16 * 1024;
const FRAME_MAX_BYTES = 64 * 1024;

/** The `Host` that the request names. */
export function hostOf(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** Opens the WebSocket, reads `connect.challenge` and leaves. @throws NoChallenge */
export function readChallenge(options: ChallengeOptions): Promise<Challenge> {
  return withChallenge(options, async (challenge) => challenge);
}

/**
 * The same, and leaves once `use` is done with it. By hand: one frame from the server is all that is read, and a
 * WebSocket library would cost the command more time than the whole exchange. @throws NoChallenge
 */
export async function withChallenge<T>(
  options: ChallengeOptions,
  use: (challenge: Challenge) => Promise<T>,
): Promise<T> {
  const { challenge, leave } = await open(options);
  try {
    return await use(challenge);
  } finally {
    leave();
  }
}

function open(options: ChallengeOptions): Promise<{ readonly challenge: Challenge; readonly leave: () => void }> {
  return new Promise((resolve, reject) => {
    const { address: host, port, secure } = options;
    const socket = secure
      ? process.getBuiltinModule('node:tls').connect({ host, port, rejectUnauthorized: false })
      : createConnection({ host, port });
    let opened = false;
    const timer = setTimeout(() => {
      const message = opened
        ? `it accepted the connection and said nothing for ${options.timeoutMs} ms`
        : `no connection within ${options.timeoutMs} ms`;
      end(() => reject(new NoChallenge(opened ? 'silent' : 'unreachable', message)));
    }, options.timeoutMs);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      socket.removeAllListeners('data');
      socket.destroy();
      settle();
    };
    const reader = new UpgradeReader();
    socket.on('connect', () => {
      opened = true;
    });
    socket.on(secure ? 'secureConnect' : 'connect', () => requestUpgrade(socket, options));
    socket.on('data', (chunk) => {
      try {
        const text = reader.take(chunk);
        if (text === null) return;
        const challenge = { ...challengeOf(text), fingerprint: secure ? fingerprintOf(socket as TLSSocket) : null };
        clearTimeout(timer);
        // What it says after that is not kept.
        socket.removeAllListeners('data').resume();
        resolve({ challenge, leave: () => end(() => {}) });
      } catch (error) {
        end(() => reject(error));
      }
    });
    socket.on('error', (error) => {
      // A connection that stands, and no TLS on it: something else listens there.
      const kind = opened && secure ? 'foreign' : 'unreachable';
      end(() => reject(new NoChallenge(kind, error.message)));
    });
    socket.on('close', () => end(() => reject(new NoChallenge('refused', 'it closed the connection without a word'))));
  });
}

function requestUpgrade(socket: Socket, options: ChallengeOptions): void {
  const lines = [
    `GET /${options.lk === null ? '' : `?lk=${options.lk}`} HTTP/1.1`,
    `Host: ${hostOf(options.address, options.port)}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${UPGRADE.key}`,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
}

/** Reads the answer to the upgrade and the first text frame after it. */
class UpgradeReader {
  #bytes: Buffer = Buffer.alloc(0);
  #upgraded = false;

  /** The first text message, once it is whole. @throws NoChallenge for anything else */
  take(chunk: Buffer): string | null {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (!this.#upgraded && !this.#head()) return null;
    const [first = 0, second = 0] = this.#bytes;
    if (this.#bytes.length < 2) return null;
    if (first !== 0x81 || (second & 0x80) !== 0) throw new NoChallenge('refused', 'it closed the WebSocket at once');
    const short = second & 0x7f;
    if (short === 127) throw new NoChallenge('foreign', 'its first message is far too long');
    const start = short === 126 ? 4 : 2;
    if (this.#bytes.length < start) return null;
    const length = short === 126 ? this.#bytes.readUInt16BE(2) : short;
    if (length > FRAME_MAX_BYTES) throw new NoChallenge('foreign', 'its first message is far too long');
    return this.#bytes.length < start + length ? null : this.#bytes.toString('utf8', start, start + length);
  }

  #head(): boolean {
    const end = this.#bytes.indexOf('\r\n\r\n');
    if (end === -1) {
      if (this.#bytes.length > HEAD_MAX_BYTES) throw new NoChallenge('foreign', 'it does not speak HTTP');
      return false;
    }
    const [status = '', ...headers] = this.#bytes.toString('latin1', 0, end).split('\r\n');
    const [, code] = /^HTTP\/1\.1 (\d{3})/.exec(status) ?? [];
    if (code === undefined) throw new NoChallenge('foreign', 'it does not speak HTTP');
    if (code !== '101') throw new NoChallenge('refused', `it answered the upgrade with ${code}`);
    const accept = headers.find((line) => /^sec-websocket-accept:/i.test(line))?.replace(/^[^:]*:\s*/, '');
    if (accept?.trim() !== UPGRADE.accept) throw new NoChallenge('foreign', 'it is no WebSocket server');
    this.#bytes = this.#bytes.subarray(end + 4);
    this.#upgraded = true;
    return true;
  }
}

function fingerprintOf(socket: TLSSocket): string | null {
  const { fingerprint256 } = socket.getPeerCertificate();
  return typeof fingerprint256 === 'string' ? fingerprint256.replaceAll(':', '').toLowerCase() : null;
}

function challengeOf(text: string): Omit<Challenge, 'fingerprint'> {
  let frame: { event?: unknown; payload?: Record<string, unknown> } | null;
  try {
    frame = JSON.parse(text);
  } catch {
    frame = null;
  }
  const payload = frame?.payload;
  if (frame?.event !== 'connect.challenge' || typeof payload?.nonce !== 'string') {
    throw new NoChallenge('foreign', 'its first message is no connect.challenge');
  }
  const { nonce, ts } = payload;
  const gateway = payload.gateway as { key?: unknown; signature?: unknown } | undefined;
  const proof =
    typeof gateway?.key === 'string' && typeof gateway.signature === 'string'
      ? { key: gateway.key, signature: gateway.signature }
      : null;
  return { nonce, ts: typeof ts === 'number' ? ts : null, gateway: proof };
}
