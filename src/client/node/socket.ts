import { createConnection, type Socket } from 'node:net';
import type { Transport, TransportReceiver } from '../client.ts';

/** A line is at most what the gateway may send: `policy.maxPayload`. */
const LINE_MAX_BYTES = 25 * 1024 * 1024;

/**
 * Opens the owner socket (DESIGN §3): one JSON document a line, no challenge.
 * @throws the Node error: ENOENT, ECONNREFUSED (nobody listens), EACCES
 */
export function openOwnerSocket(path: string): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(new LineTransport(socket));
    });
  });
}

/** Text lines over a byte stream. */
export class LineTransport implements Transport {
  readonly #socket: Socket;
  #parts: Buffer[] = [];
  #bytes = 0;
  #error: string | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#error = error.message;
    });
  }

  open(receiver: TransportReceiver): void {
    this.#socket.on('data', (chunk) => this.#take(chunk, receiver));
    this.#socket.once('close', () => receiver.closed(this.#error ?? 'the gateway closed the connection'));
  }

  send(text: string): void {
    if (this.#socket.writable) this.#socket.write(`${text}\n`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer, receiver: TransportReceiver): void {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...this.#parts, chunk.subarray(from, end)]).toString('utf8');
      this.#parts = [];
      this.#bytes = 0;
      from = end + 1;
      if (line !== '') receiver.message(line);
    }
    if (from === chunk.length) return;
    this.#parts.push(chunk.subarray(from));
    this.#bytes += chunk.length - from;
    if (this.#bytes > LINE_MAX_BYTES) {
      this.#error = `a line of more than ${LINE_MAX_BYTES} bytes`;
      this.#socket.destroy();
    }
  }
}
