import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { CLOSE_GRACE_MS, PREAUTH_MESSAGE_BYTES } from '../../core/protocol/limit.ts';
import type { Clock } from '../../system/clock.ts';
import { Outflow } from './outflow.ts';
import type { Accept, Pipe, Receiver, TransportFacts } from './pipe.ts';

/** RFC 6455: a kind of data that is not taken. */
const UNSUPPORTED_DATA = 1003;
/** A peer that leaves more unread is not read from until it has taken half of it, in bytes. */
const UNREAD_MAX = 1024 * 1024;
/** Probes, one after the other, at which a peer may have taken nothing. */
const STALLS_MAX = 2;
/** Slower than this nobody reads: by it is told when a pong is due that stands behind what was sent. */
const SLOWEST_BYTES_PER_S = 16 * 1024;
/** More than the two kernels hold stands before no ping, in bytes. */
const BEFORE_PING_MAX = 8 * 1024 * 1024;
/** Not sent: the connection ended without a close frame. */
const ABNORMAL = 1006;

/**
 * ws takes its bound on one message when the socket opens, and has no way to raise it after `connect` was answered.
 * Its receiver reads this field anew for each frame. The version is pinned, and a test holds both bounds.
 */
interface BoundedReceiver {
  _maxPayload: number;
}

/** One WebSocket as a pipe. */
export class WebSocketPipe implements Pipe {
  readonly facts: TransportFacts;
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #clock: Clock;
  #closing: { readonly code: number; readonly reason: string } | null = null;
  #cancelCut: (() => void) | null = null;
  #alive = true;
  readonly #out: Outflow;
  /** What had been sent when the ping was that it hasn't answered yet, and the last that it answered, in bytes; when it is due. */
  #pinged: number | null = null;
  #heard = 0;
  #dueMs = 0;
  readonly #watchers: ((isGone: boolean) => void)[] = [];
  #isGone = false;
  /** Pieces that the peer's side has taken, by then and at the last probe; probes at which it had taken nothing since. */
  #taken = 0;
  #takenBefore = 0;
  #stalls = 0;
  /** It is not read from before it has read. */
  #isHeld = false;
  readonly #took = () => {
    this.#taken += 1;
    if (this.#isHeld && this.buffered() <= UNREAD_MAX / 2) {
      this.#isHeld = false;
      // It took what was there, and what it said meanwhile is only read now.
      this.#alive = true;
      if (!this.#paused) this.#ws.resume();
    }
    this.#tell();
  };
  #paused = false;
  #holding = false;

  /** @param socket what `ws` writes to */
  constructor(ws: WebSocket, socket: Duplex, facts: TransportFacts, clock: Clock) {
    this.#ws = ws;
    this.#socket = socket;
    this.facts = facts;
    this.#clock = clock;
    this.#out = new Outflow(ws, this.#took);
  }

  /** @param spoke called with the first whole message @param gone called once, after the receiver was told */
  open(accept: Accept, spoke: () => void, gone: () => void): void {
    const ws = this.#ws;
    this.allow(PREAUTH_MESSAGE_BYTES);
    ws.on('error', () => {
      // ws has sent the close frame that fits (1002, 1007, 1009), and closes.
    });
    ws.on('pong', () => {
      this.#alive = true;
      this.#heard = this.#pinged ?? this.#heard;
      this.#pinged = null;
    });
    const receiver: Receiver = accept(this);
    ws.on('message', (data: RawData, isBinary: boolean) => {
      this.#alive = true;
      if (this.#closing !== null) return;
      spoke();
      if (isBinary) this.close(UNSUPPORTED_DATA, '');
      else receiver.message((data as Buffer).toString('utf8'));
    });
    ws.once('close', (code, reason) => {
      this.#cancelCut?.();
      this.#isGone = true;
      this.#out.drop();
      const how = this.#closing ?? { code, reason: reason.toString('utf8') };
      receiver.closed(how.code, how.reason);
      gone();
      this.#tell();
    });
  }

  watch(told: (isGone: boolean) => void): void {
    this.#watchers.push(told);
    if (this.#isGone) queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    for (const told of this.#watchers.splice(0)) told(this.#isGone);
  }

  /**
   * Asks whether the peer is there. False: it was asked before and said nothing since, though it had the time to read what
   * it was sent before that; or it may talk but has taken nothing of what it was sent over two probes (threat 39).
   */
  probe(): boolean {
    this.#stalls = this.buffered() > 0 && this.#taken === this.#takenBefore ? this.#stalls + 1 : 0;
    this.#takenBefore = this.#taken;
    if (this.#stalls > STALLS_MAX) return false;
    // Who isn't read from can't be heard.
    if (this.#paused || this.#isHeld || this.#closing !== null) return true;
    const nowMs = this.#clock.monotonicMs();
    if (!this.#alive) return nowMs < this.#dueMs;
    this.#alive = false;
    // The next probe is always waited for.
    const before = Math.min((this.#pinged ?? this.#out.handed) - this.#heard, BEFORE_PING_MAX);
    this.#dueMs = nowMs + (before / SLOWEST_BYTES_PER_S) * 1_000;
    if (this.#pinged !== null) return true;
    this.#pinged = this.#out.handed;
    this.#ws.ping();
    return true;
  }

  send(text: string): void {
    if (this.#closing !== null || this.#ws.readyState !== this.#ws.OPEN) return;
    this.#hold();
    this.#out.send(text);
    if (this.#isHeld || this.buffered() <= UNREAD_MAX) return;
    // Whatever it may ask for, it doesn't ask for more of it than it takes (threat 36).
    this.#isHeld = true;
    this.#ws.pause();
  }

  /** What is sent in one turn of the event loop goes out together at its end: a system call costs more than a frame. */
  #hold(): void {
    if (this.#holding) return;
    this.#holding = true;
    this.#socket.cork();
    process.nextTick(() => this.#release());
  }

  #release(): void {
    if (!this.#holding) return;
    this.#holding = false;
    this.#socket.uncork();
  }

  buffered(): number {
    return this.#out.unread;
  }

  close(code: number, reason: string): void {
    if (this.#closing !== null) return;
    this.#closing = { code, reason };
    this.#isHeld = false;
    this.resume();
    this.#out.flush();
    this.#ws.close(code, reason);
    this.#cancelCut = this.#clock.after(CLOSE_GRACE_MS, () => this.#ws.terminate());
  }

  cut(): void {
    this.#closing ??= { code: ABNORMAL, reason: '' };
    // As far as the socket takes it, what was said before goes out: above all the frame that says why.
    this.#release();
    this.#out.drop();
    this.#ws.terminate();
  }

  allow(maxMessageBytes: number): void {
    const { _receiver: receiver } = this.#ws as unknown as { _receiver?: BoundedReceiver };
    if (typeof receiver?._maxPayload !== 'number') throw new Error('this version of ws keeps its bound elsewhere');
    receiver._maxPayload = maxMessageBytes;
  }

  pause(): void {
    this.#paused = true;
    this.#ws.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#ws.isPaused && !this.#isHeld) this.#ws.resume();
  }
}
