import type { WebSocket } from 'ws';

/** A larger text leaves in frames of so many bytes, each once the one before it has left: so it shows that it moves. */
const PIECE_BYTES = 256 * 1024;

interface Queued {
  readonly bytes: Buffer;
  next: Queued | null;
}

/** What one WebSocket sends, in order: all at once where it is small, the rest as it leaves. */
export class Outflow {
  readonly #ws: WebSocket;
  readonly #left: () => void;
  /** What waits here, the first of it from `#from` on. A list: its begin is taken off however long it is. */
  #first: Queued | null = null;
  #last: Queued | null = null;
  #from = 0;
  #waitingBytes = 0;
  #handedBytes = 0;
  #onItsWay = false;

  /** @param left called whenever something was taken by the peer's side */
  constructor(ws: WebSocket, left: () => void) {
    this.#ws = ws;
    this.#left = left;
  }

  /** Bytes not yet taken by the peer's side. */
  get unread(): number {
    return this.#waitingBytes + this.#ws.bufferedAmount;
  }

  /** Bytes given to the socket so far. */
  get handed(): number {
    return this.#handedBytes;
  }

  send(text: string): void {
    const size = Buffer.byteLength(text);
    if (this.#first === null && size <= PIECE_BYTES) {
      this.#handedBytes += size;
      this.#ws.send(text, this.#left);
      return;
    }
    const queued: Queued = { bytes: Buffer.from(text), next: null };
    if (this.#last === null) this.#first = queued;
    else this.#last.next = queued;
    this.#last = queued;
    this.#waitingBytes += size;
    this.#go(PIECE_BYTES);
  }

  /** What waits goes to the socket as it is: a close frame can't overtake it. */
  flush(): void {
    this.#onItsWay = false;
    this.#go(Number.POSITIVE_INFINITY);
  }

  /** Nothing more goes out. */
  drop(): void {
    this.#first = null;
    this.#last = null;
    this.#from = 0;
    this.#waitingBytes = 0;
  }

  #go(pieceBytes: number): void {
    // A peer that has said that it goes is sent no more.
    if (this.#ws.readyState !== this.#ws.OPEN) return this.drop();
    while (this.#first !== null && !this.#onItsWay) {
      const { bytes, next } = this.#first;
      const piece = bytes.subarray(this.#from, this.#from + pieceBytes);
      this.#from += piece.length;
      const isLast = this.#from >= bytes.length;
      if (isLast) {
        this.#first = next;
        if (next === null) this.#last = null;
        this.#from = 0;
      }
      this.#waitingBytes -= piece.length;
      this.#handedBytes += piece.length;
      this.#onItsWay = !isLast;
      this.#ws.send(piece, { binary: false, fin: isLast }, isLast ? this.#left : this.#gone);
    }
  }

  readonly #gone = () => {
    this.#onItsWay = false;
    this.#left();
    this.#go(PIECE_BYTES);
  };
}
