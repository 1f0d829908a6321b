import type { EventFrame, ResponseFrame, WireError } from '../core/protocol/frame.ts';

/**
 * Whole text messages in both directions, in order; what carries them is not known here. Platform-free: the same client
 * runs over a line socket, a WebSocket and in a browser.
 */
export interface Transport {
  /** Queues one message. After the end it does nothing. */
  send(text: string): void;
  /** Called once, before anything arrives. */
  open(receiver: TransportReceiver): void;
  close(): void;
  /** Takes messages of up to `maxBytes` from now on; absent where one bound holds throughout. */
  allow?(maxBytes: number): void;
}

export interface TransportReceiver {
  message(text: string): void;
  /** The transport is gone; called once. `why` is for people, `code` the close code where there was a close frame. */
  closed(why: string, code?: number): void;
}

/** Runs `run` once, `delayMs` from now; returns its cancellation. `Clock.after` has this shape. */
export type After = (delayMs: number, run: () => void) => () => void;

/** The gateway answered, and the answer is no. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError';
  readonly error: WireError;
  constructor(error: WireError) {
    super(error.message);
    this.error = error;
  }
  /** Latchkey's own name for the refusal; `null` from a gateway that sends none. */
  get refusal(): string | null {
    const name = this.error.details?.refusal;
    return typeof name === 'string' ? name : null;
  }
}

/** No answer, and none will come. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
  /** The close code (PROTOCOL.md §1.1); `null`: the connection ended without one. */
  readonly code: number | null;
  constructor(why: string, code: number | null = null) {
    super(why);
    this.code = code;
  }
}

/** No answer in time; the request may still have been carried out. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  readonly afterMs: number;
  constructor(method: string, afterMs: number) {
    super(`${method}: no answer within ${afterMs} ms`);
    this.afterMs = afterMs;
  }
}

interface Waiting {
  readonly resolve: (payload: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly cancel: () => void;
}

/** Requests and answers over one transport. Answers may come in any order. */
export class Client {
  /** Called with each event and how many characters it had; answers don't come here. */
  onEvent: (event: EventFrame, size: number) => void = () => {};
  /** Called once, when no answer will come any more. */
  onClosed: (lost: ConnectionLost) => void = () => {};
  readonly #transport: Transport;
  readonly #after: After;
  readonly #waiting = new Map<string, Waiting>();
  #nextId = 1;
  #ended: ConnectionLost | null = null;

  constructor(transport: Transport, after: After) {
    this.#transport = transport;
    this.#after = after;
    transport.open({ message: (text) => this.#take(text), closed: (why, code) => this.#end(why, code) });
  }

  /**
   * Sends a request and resolves with the payload of its answer. `timeoutMs` `null`: waits as long as it takes.
   * @throws RemoteError, ConnectionLost, NoAnswer
   */
  request(method: string, params: unknown, timeoutMs: number | null): Promise<unknown> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = String(this.#nextId);
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const late = (afterMs: number) => () => {
        this.#waiting.delete(id);
        reject(new NoAnswer(method, afterMs));
      };
      const cancel = timeoutMs === null ? () => {} : this.#after(timeoutMs, late(timeoutMs));
      this.#waiting.set(id, { resolve, reject, cancel });
      this.#transport.send(JSON.stringify({ type: 'req', id, method, ...(params === undefined ? {} : { params }) }));
    });
  }

  /** Why no answer will come any more; `null`: it is open. */
  get lost(): ConnectionLost | null {
    return this.#ended;
  }

  /** Once `connect` was answered, messages may be larger. */
  allow(maxBytes: number): void {
    this.#transport.allow?.(maxBytes);
  }

  close(why = 'closed here'): void {
    this.#end(why);
    this.#transport.close();
  }

  #take(text: string): void {
    // Whoever was told to go may still be talking.
    if (this.#ended !== null) return;
    let frame: unknown;
    try {
      frame = JSON.parse(text);
    } catch {
      this.#end('the other side does not speak this protocol');
      this.#transport.close();
      return;
    }
    if (!isFrame(frame)) return;
    if (frame.type === 'event') {
      this.onEvent(frame, text.length);
      return;
    }
    // An answer that nobody waits for came too late, or was never asked for: nothing of it is kept.
    const waiting = this.#waiting.get(frame.id);
    if (waiting === undefined) return;
    this.#waiting.delete(frame.id);
    waiting.cancel();
    if (frame.ok) waiting.resolve(frame.payload);
    else waiting.reject(new RemoteError(frame.error));
  }

  #end(why: string, code?: number): void {
    if (this.#ended !== null) return;
    const lost = new ConnectionLost(why, code);
    this.#ended = lost;
    const left = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of left) {
      waiting.cancel();
      waiting.reject(lost);
    }
    this.onClosed(lost);
  }
}

/** As far as this client relies on it; a newer gateway may send more, and frames of other types are passed over. */
function isFrame(value: unknown): value is ResponseFrame | EventFrame {
  if (typeof value !== 'object' || value === null) return false;
  const frame = value as Record<string, unknown>;
  if (frame.type === 'event') return typeof frame.event === 'string';
  if (frame.type !== 'res' || typeof frame.id !== 'string') return false;
  if (frame.ok === true) return true;
  const error = frame.error as Record<string, unknown> | null | undefined;
  return frame.ok === false && typeof error?.code === 'string' && typeof error.message === 'string';
}
