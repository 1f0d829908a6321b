import { createHash } from 'node:crypto';
import { createConnection, type Socket } from 'node:net';

/** What the TCP door says first (PROTOCOL.md §3, §9). */
export interface Challenge {
  readonly nonce: string;
  readonly ts: number | null;
  /** A18: the gateway's key and its signature over the client's nonce; `null` from another gateway. */
  readonly gateway: { readonly key: string; readonly signature: string } | null;
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
  /** 32 random bytes as base64url: sent along so that the gateway can prove itself. */
  readonly lk: string;
  /** 16 random bytes as base64. */
  readonly webSocketKey: string;
  readonly timeoutMs: number;
}

const HEAD_MAX_BYTES = 16 * 1024;
const FRAME_MAX_BYTES = 64 * 1024;
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The `Host` that the request names. */
export function hostOf(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/**
 * Opens the WebSocket, reads `connect.challenge` and leaves. By hand: one frame from the server is all that is read, and
 * a WebSocket library would cost the command more time than the whole exchange. @throws NoChallenge
 */
export function readChallenge(options: ChallengeOptions): Promise<Challenge> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: options.address, port: options.port });
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
    const reader = new UpgradeReader(options.webSocketKey);
    socket.on('connect', () => {
      opened = true;
      requestUpgrade(socket, options);
    });
    socket.on('data', (chunk) => {
      try {
        const text = reader.take(chunk);
        if (text === null) return;
        const challenge = challengeOf(text);
        end(() => resolve(challenge));
      } catch (error) {
        end(() => reject(error));
      }
    });
    socket.on('error', (error) => end(() => reject(new NoChallenge('unreachable', error.message))));
    socket.on('close', () => end(() => reject(new NoChallenge('refused', 'it closed the connection without a word'))));
  });
}

function requestUpgrade(socket: Socket, options: ChallengeOptions): void {
  const lines = [
    `GET /?lk=${options.lk} HTTP/1.1`,
    `Host: ${hostOf(options.address, options.port)}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${options.webSocketKey}`,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
}

/** Reads the answer to the upgrade and the first text frame after it. */
class UpgradeReader {
  readonly #accept: string;
  #bytes: Buffer = Buffer.alloc(0);
  #upgraded = false;

  constructor(webSocketKey: string) {
    this.#accept = createHash('sha1').update(`${webSocketKey}${GUID}`).digest('base64');
  }

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
    if (accept?.trim() !== this.#accept) throw new NoChallenge('foreign', 'it is no WebSocket server');
    this.#bytes = this.#bytes.subarray(end + 4);
    this.#upgraded = true;
    return true;
  }
}

function challengeOf(text: string): Challenge {
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
