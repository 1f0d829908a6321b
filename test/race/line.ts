import type { Accept, Pipe, Receiver, TransportFacts } from '../../src/gateway/listen/pipe.ts';
import type { Payload, WireError } from '../partner/peer.ts';

/** The order in which things were seen from outside: each stamp is later than the one before. */
export class Stamps {
  #last = 0;

  next(): number {
    this.#last += 1;
    return this.#last;
  }
}

export interface Frame {
  readonly ok: boolean;
  readonly payload?: Payload;
  readonly error?: WireError;
  readonly seen: number;
}

export interface Told {
  readonly event: string;
  readonly payload: Payload;
  readonly seen: number;
}

export const OWNER_DOOR: TransportFacts = {
  door: 'owner',
  address: null,
  host: null,
  origin: null,
  forwarding: [],
  lk: null,
  userAgent: null,
};

export function tcpFrom(address: string): TransportFacts {
  return {
    ...OWNER_DOOR,
    door: 'tcp',
    address,
    host: `${address.startsWith('127.') ? '127.0.0.1' : 'gateway.test'}:1`,
  };
}

/** One connection within this process: what goes through it are the frames of the wire. */
export class Line {
  readonly events: Told[] = [];
  readonly facts: TransportFacts;
  /** Set once the gateway has closed it. */
  over: { readonly code: number; readonly reason: string } | null = null;
  readonly #stamps: Stamps;
  readonly #receiver: Receiver;
  readonly #waiters = new Map<string, (frame: Frame | null) => void>();
  #onEvent: ((told: Told) => void) | null = null;
  #next = 0;

  constructor(accept: Accept, facts: TransportFacts, stamps: Stamps) {
    this.facts = facts;
    this.#stamps = stamps;
    const pipe: Pipe = {
      facts,
      send: (text) => this.#take(text),
      buffered: () => 0,
      close: (code, reason) => this.#closed(code, reason),
      cut: () => this.#closed(1006, 'cut'),
      allow: () => undefined,
      pause: () => undefined,
      resume: () => undefined,
    };
    this.#receiver = accept(pipe);
  }

  /** Sends a request; the stamp of its sending, and its answer (`null`: the connection ended without one). */
  send(method: string, params: unknown): { readonly sent: number; readonly answer: Promise<Frame | null> } {
    this.#next += 1;
    const id = `l${this.#next}`;
    const sent = this.#stamps.next();
    const answer = new Promise<Frame | null>((done) => this.#waiters.set(id, done));
    if (this.over !== null) this.#drop();
    else this.#receiver.message(JSON.stringify({ type: 'req', id, method, params }));
    return { sent, answer };
  }

  async ask(method: string, params: unknown): Promise<Payload> {
    const frame = await this.send(method, params).answer;
    if (frame?.ok !== true) throw new Error(`${method}: ${JSON.stringify(frame?.error ?? this.over)}`);
    return frame.payload;
  }

  /** The next event of that name, from now on. */
  next(event: string): Promise<Told> {
    return new Promise((done) => {
      this.#onEvent = (told) => {
        if (told.event === event) done(told);
      };
    });
  }

  /** This side goes away. */
  hangUp(): void {
    if (this.over !== null) return;
    this.over = { code: 1000, reason: 'gone' };
    this.#receiver.closed(1000, 'gone');
    this.#drop();
  }

  #take(text: string): void {
    if (this.over !== null) return;
    const frame = JSON.parse(text);
    const seen = this.#stamps.next();
    if (frame.type === 'event') {
      const told = { event: frame.event, payload: frame.payload, seen };
      this.events.push(told);
      this.#onEvent?.(told);
      return;
    }
    const done = this.#waiters.get(frame.id);
    this.#waiters.delete(frame.id);
    done?.({ ...frame, seen });
  }

  #closed(code: number, reason: string): void {
    if (this.over !== null) return;
    this.over = { code, reason };
    // As with a socket, the gateway hears of the end in a later turn.
    setImmediate(() => this.#receiver.closed(code, reason));
    this.#drop();
  }

  #drop(): void {
    for (const done of this.#waiters.values()) done(null);
    this.#waiters.clear();
  }
}
