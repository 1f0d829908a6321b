import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { CLOSE } from '../../core/protocol/close.ts';
import { CLOSE_GRACE_MS, MAX_PAYLOAD_BYTES } from '../../core/protocol/limit.ts';
import type { Clock } from '../../system/clock.ts';
import { codeOf, EXIT, Failure } from '../../system/failure.ts';
import { fits, type OwnerSocketPlace } from '../../system/owner.ts';
import { ensurePrivateDirectory } from '../../system/state-dir.ts';
import { LineReader } from './line.ts';
import type { Accept, Pipe, Receiver, TransportFacts } from './pipe.ts';

/** A11: whoever opens the socket is its directory's owner; nothing else is known, or needed. */
const FACTS: TransportFacts = {
  door: 'owner',
  address: null,
  host: null,
  origin: null,
  forwarding: [],
  lk: null,
  userAgent: null,
};

export interface OwnerDoor {
  readonly path: string;
  /** Connections now. */
  readonly size: number;
  /** Stops listening, removes the socket and cuts what is still connected. */
  close(): Promise<void>;
}

/**
 * Listens on the owner socket (DESIGN §3). Only the holder of the state directory's lock may call it: a socket file
 * that stands there already is a dead gateway's, and is removed.
 * @throws Failure 78 for a directory that others can write, or a path that is no socket
 */
export async function listenOwner(place: OwnerSocketPlace, accept: Accept, clock: Clock): Promise<OwnerDoor> {
  const isPipe = process.platform === 'win32';
  if (!isPipe) {
    if (!fits(place.path)) throw new Error(`a socket can't have this path: ${place.path}`);
    ensurePrivateDirectory(place.directory);
    removeStale(place.path);
  }
  const pipes = new Set<LinePipe>();
  const server = createServer((socket) => {
    const pipe = new LinePipe(socket, clock, () => pipes.delete(pipe));
    pipes.add(pipe);
    pipe.open(accept);
  });
  await listening(server, place.path);
  if (!isPipe) chmodSync(place.path, 0o600);
  return {
    path: place.path,
    get size() {
      return pipes.size;
    },
    close: () =>
      new Promise((done) => {
        // Node removes the socket file itself when it stops listening.
        server.close(() => done());
        for (const pipe of pipes) pipe.cut();
      }),
  };
}

/** @throws Failure 78 when something that is no socket has the name */
function removeStale(path: string): void {
  try {
    if (!lstatSync(path).isSocket()) {
      throw new Failure(EXIT.configuration, {
        what: `can't make the owner socket ${path}`,
        why: 'something else has that name',
        run: `ls -l ${path}`,
      });
    }
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    // A11: bind(2) happens within this call, so nobody else's file is made under the mask, and there is no moment in
    // which others could open the socket.
    const mask = process.platform === 'win32' ? null : process.umask(0o077);
    try {
      server.listen(path);
    } finally {
      if (mask !== null) process.umask(mask);
    }
  });
}

/** One connection to the owner socket. */
class LinePipe implements Pipe {
  readonly facts = FACTS;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #gone: () => void;
  readonly #reader = new LineReader(MAX_PAYLOAD_BYTES);
  /** How it was closed from this side. */
  #closing: { readonly code: number; readonly reason: string } | null = null;
  #cancelCut: (() => void) | null = null;

  constructor(socket: Socket, clock: Clock, gone: () => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#gone = gone;
  }

  open(accept: Accept): void {
    const receiver: Receiver = accept(this);
    this.#socket.on('data', (chunk) => this.#take(chunk, receiver));
    // Half open sockets are closed by Node when the peer ends; an error is followed by close.
    this.#socket.on('error', () => {});
    this.#socket.once('close', (hadError) => {
      this.#cancelCut?.();
      this.#gone();
      const how = this.#closing ?? { code: hadError ? 1006 : CLOSE.normal, reason: '' };
      receiver.closed(how.code, how.reason);
    });
  }

  #take(chunk: Buffer, receiver: Receiver): void {
    if (this.#closing !== null) return;
    const fault = this.#reader.take(chunk, (text) => {
      receiver.message(text);
      return this.#closing === null;
    });
    if (fault === 'large') this.close(CLOSE.tooLarge, '');
    if (fault === 'encoding') this.close(CLOSE.encoding, '');
  }

  send(text: string): void {
    if (this.#closing === null && this.#socket.writable) this.#socket.write(`${text}\n`);
  }

  buffered(): number {
    return this.#socket.writableLength;
  }

  close(code: number, reason: string): void {
    if (this.#closing !== null) return;
    this.#closing = { code, reason };
    this.#socket.resume();
    this.#socket.end();
    this.#cancelCut = this.#clock.after(CLOSE_GRACE_MS, () => this.#socket.destroy());
  }

  cut(): void {
    this.#closing ??= { code: 1006, reason: '' };
    this.#socket.destroy();
  }

  /** The owner socket's bound is `policy.maxPayload` from the first line on. */
  allow(maxMessageBytes: number): void {
    this.#reader.allow(Math.max(maxMessageBytes, MAX_PAYLOAD_BYTES));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}
