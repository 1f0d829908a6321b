// A WebSocket client written on a bare TCP socket (RFC 6455), so that it can also send what no library would: frames
// without a mask, with reserved bits, torn in the middle.
import { createHash, randomBytes } from 'node:crypto';
import { connect as dial, type Socket } from 'node:net';
import { type ConnectionOptions, connect as dialTls } from 'node:tls';

export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** How a socket ended. 1005: a close frame without a code; 1006: no close frame at all. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** Told of every frame, its payload as text: for logs. */
export type Trace = (direction: 'sent' | 'received', what: string) => void;

const NAMES: Readonly<Record<number, string>> = {
  0: 'continuation',
  [TEXT]: 'text',
  [BINARY]: 'binary',
  [CLOSE]: 'close',
  [PING]: 'ping',
  [PONG]: 'pong',
};

/** How a frame stands in a log. */
function described(opcode: number, payload: Buffer): string {
  const name = NAMES[opcode] ?? `opcode ${opcode}`;
  const code = opcode === CLOSE && payload.length >= 2 ? `${payload.readUInt16BE(0)} ` : '';
  return `${name} ${code}${payload.subarray(code === '' ? 0 : 2, 4_096).toString('utf8')}`;
}

export interface FrameOptions {
  readonly opcode?: number;
  readonly fin?: boolean;
  /** The three reserved bits, 0..7. */
  readonly reserved?: number;
  readonly masked?: boolean;
}

export interface Upgrade {
  readonly port: number;
  /** The address that is dialed; IPv4 loopback where absent. */
  readonly address?: string;
  readonly path?: string;
  /** Replaces `127.0.0.1:PORT`; `null`: no Host line at all. */
  readonly host?: string | null;
  /** A list sends the line once for each member. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Answer pings; on where absent. */
  readonly pong?: boolean;
  readonly trace?: Trace;
  /** Present: over TLS, checked against these. */
  readonly tls?: ConnectionOptions;
}

/** The answer to an upgrade that was refused. */
export class UpgradeRefused extends Error {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
  constructor(status: number, headers: string, body: string) {
    super(`upgrade refused: ${status} ${body.slice(0, 200)}`);
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

/** One frame, masked as a client must unless told otherwise. */
export function encodeFrame(payload: Buffer, options: FrameOptions = {}): Buffer {
  const { opcode = TEXT, fin = true, reserved = 0, masked = true } = options;
  const size = payload.length;
  const lengthBytes = size < 126 ? 0 : size < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (lengthBytes === 0 ? size : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(size, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(size), 2);
  if (!masked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  const body = Buffer.from(payload);
  for (let i = 0; i < body.length; i += 1) body[i] = (body[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return Buffer.concat([head, mask, body]);
}

export class WebSocketConnection {
  /** Whole text messages, in order. */
  onText: (text: string) => void = () => {};
  /** Resolves once, when the TCP connection is gone. */
  readonly closed: Promise<Closed>;
  /** Header lines of the 101 answer, lower-cased. */
  readonly response: string;
  readonly socket: Socket;
  #closed: Closed = { code: 1006, reason: '' };
  #buffer: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  readonly #pong: boolean;
  readonly #trace: Trace | undefined;
  /** Control frames other than close that arrived: opcode and payload. */
  readonly controls: { readonly opcode: number; readonly payload: Buffer }[] = [];

  constructor(socket: Socket, response: string, rest: Buffer, pong: boolean, trace?: Trace) {
    this.socket = socket;
    this.response = response;
    this.#pong = pong;
    this.#trace = trace;
    this.closed = new Promise((done) =>
      socket.once('close', () => {
        trace?.('received', `(end, ${this.#closed.code})`);
        done(this.#closed);
      }),
    );
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    // The close is what is judged; a reset on the way to it is not an event of its own.
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    // What came in one packet with the answer waits until whoever opened the socket has set `onText`.
    socket.pause();
    setImmediate(() => {
      this.#take(rest);
      socket.resume();
    });
  }

  /** What breaks the protocol ends the connection, with that as the reason of its close. */
  #take(chunk: Buffer): void {
    try {
      this.#frames(chunk);
    } catch (error) {
      this.#closed = { code: 1006, reason: error instanceof Error ? error.message : String(error) };
      this.socket.destroy();
    }
  }

  #frames(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const frame = readFrame(this.#buffer);
      if (frame === null) return;
      this.#buffer = this.#buffer.subarray(frame.size);
      this.#handle(frame.opcode, frame.fin, frame.payload);
    }
  }

  #handle(opcode: number, fin: boolean, payload: Buffer): void {
    this.#trace?.('received', described(opcode, payload));
    if (opcode === CLOSE) {
      this.#closed =
        payload.length >= 2
          ? { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString('utf8') }
          : { code: 1005, reason: '' };
      this.socket.end(encodeFrame(payload.subarray(0, 2), { opcode: CLOSE }));
    } else if (opcode === PING || opcode === PONG) {
      this.controls.push({ opcode, payload });
      if (opcode === PING && this.#pong) this.sendFrame(payload, { opcode: PONG });
    } else {
      this.#parts.push(payload);
      if (!fin) return;
      const whole = Buffer.concat(this.#parts);
      this.#parts = [];
      this.onText(whole.toString('utf8'));
    }
  }

  sendText(text: string): void {
    this.sendFrame(Buffer.from(text, 'utf8'));
  }

  sendFrame(payload: Buffer, options: FrameOptions = {}): void {
    this.#trace?.('sent', described(options.opcode ?? TEXT, payload));
    this.#write(encodeFrame(payload, options));
  }

  /** Bytes as they are, well formed or not. */
  sendBytes(bytes: Buffer): void {
    this.#trace?.('sent', `bytes ${bytes.subarray(0, 64).toString('hex')} (${bytes.length})`);
    this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    if (this.socket.writable) this.socket.write(bytes);
  }

  /** Ends in order; `destroy` ends without a word. */
  async close(code = 1000): Promise<Closed> {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.sendFrame(payload, { opcode: CLOSE });
    return this.closed;
  }

  destroy(): void {
    this.socket.destroy();
  }
}

function readFrame(buffer: Buffer): { opcode: number; fin: boolean; payload: Buffer; size: number } | null {
  if (buffer.length < 2) return null;
  const first = buffer[0] ?? 0;
  const second = buffer[1] ?? 0;
  if ((second & 0x80) !== 0) throw new Error('a server must not mask its frames');
  if ((first & 0x70) !== 0) throw new Error('reserved bits are set though no extension was agreed');
  const short = second & 0x7f;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (buffer.length < start) return null;
  const length = short < 126 ? short : short === 126 ? buffer.readUInt16BE(2) : Number(buffer.readBigUInt64BE(2));
  if (buffer.length < start + length) return null;
  return {
    opcode: first & 0x0f,
    fin: (first & 0x80) !== 0,
    payload: buffer.subarray(start, start + length),
    size: start + length,
  };
}

/**
 * Opens a WebSocket. No extension and no subprotocol is offered unless `headers` says so.
 * @throws UpgradeRefused when the answer is not 101; Error when the connection can't be made or ends before an answer.
 */
export async function openWebSocket(upgrade: Upgrade): Promise<WebSocketConnection> {
  const {
    port,
    address = '127.0.0.1',
    path = '/',
    host = `127.0.0.1:${port}`,
    headers = {},
    pong = true,
    trace,
    tls,
  } = upgrade;
  const key = randomBytes(16).toString('base64');
  const lines = [`GET ${path} HTTP/1.1`];
  if (host !== null) lines.push(`Host: ${host}`);
  lines.push('Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${key}`);
  for (const [name, value] of Object.entries(headers)) {
    for (const one of typeof value === 'string' ? [value] : value) lines.push(`${name}: ${one}`);
  }
  const socket =
    tls === undefined
      ? dial({ port, host: address, allowHalfOpen: true })
      : dialTls({ port, host: address, ALPNProtocols: ['http/1.1'], ...tls });
  socket.setNoDelay(true);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const { head, rest } = await readHead(socket);
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
  if (status !== 101) {
    const body = await readRest(socket, rest);
    throw new UpgradeRefused(status, head, body);
  }
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  if (!head.includes(accept)) throw new Error('Sec-WebSocket-Accept is wrong');
  return new WebSocketConnection(socket, head.toLowerCase(), rest, pong, trace);
}

function readHead(socket: Socket): Promise<{ head: string; rest: Buffer }> {
  return new Promise((done, fail) => {
    let seen: Buffer = Buffer.alloc(0);
    const stop = () => {
      socket.off('data', onData).off('error', onError).off('end', onClose).off('close', onClose).pause();
    };
    const onData = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      const end = seen.indexOf('\r\n\r\n');
      if (end < 0) return;
      stop();
      done({ head: seen.subarray(0, end).toString('latin1'), rest: seen.subarray(end + 4) });
    };
    const onError = (error: Error) => {
      stop();
      fail(error);
    };
    const onClose = () => onError(new Error(`closed before an answer: ${seen.toString('latin1').slice(0, 200)}`));
    // Half open is for what comes after: a server that ends before its answer has refused.
    socket.on('data', onData).on('error', onError).on('end', onClose).on('close', onClose);
  });
}

/** What follows a refusal, for at most a second: some servers keep the connection. */
function readRest(socket: Socket, first: Buffer): Promise<string> {
  return new Promise((done) => {
    const parts = [first];
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      done(Buffer.concat(parts).toString('utf8'));
    };
    const timer = setTimeout(finish, 1_000);
    socket.on('error', finish).on('close', finish).on('end', finish);
    socket.on('data', (chunk: Buffer) => parts.push(chunk)).resume();
  });
}
