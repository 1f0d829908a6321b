import type { EventFrame } from '../core/protocol/frame.ts';
import { type After, ConnectionLost } from './client.ts';
import type { Session, Waiting } from './handshake.ts';
import { pauseMs, type Verdict } from './retry.ts';

/** What a link is doing, for people to read. */
export type LinkState =
  | { readonly kind: 'connecting'; readonly attempt: number }
  /** A8 */
  | { readonly kind: 'waiting'; readonly waiting: Waiting }
  | { readonly kind: 'connected'; readonly session: Session }
  /** `why` is the last failure; `onApproval`: a person has to decide. */
  | { readonly kind: 'pausing'; readonly why: Verdict; readonly forMs: number; readonly attempt: number }
  | { readonly kind: 'ended'; readonly error: unknown };

export interface LinkOptions {
  /**
   * Opens one connection and brings it to `hello-ok`; leaves nothing open where it rejects. `waits` is told of an ask,
   * `isOver` says that nobody wants the session any more.
   */
  connect(waits: (waiting: Waiting) => void, isOver: () => boolean): Promise<Session>;
  verdictOf(error: unknown): Verdict;
  readonly after: After;
  /** From 0 up to 1. */
  chance(): number;
  onState(state: LinkState): void;
  onEvent(event: EventFrame): void;
}

/** A session that lived this long begins anew with short pauses. */
const STABLE_MS = 10_000;

/**
 * A connection that comes back (A16): after each failure it does what the failure's verdict says, with pauses that grow
 * to a minute. There is never more than one socket: the next is dialed when the last one is gone. Platform-free.
 */
export class Link {
  readonly #options: LinkOptions;
  #attempt = 0;
  #failures = 0;
  #session: Session | null = null;
  #isOver = false;
  #cancelPause = () => {};
  #cancelStable = () => {};
  #cancelWatch = () => {};

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Begins; what comes of it is told through `onState`. */
  start(): void {
    if (this.#attempt === 0) void this.#try();
  }

  /** @throws ConnectionLost while there is no connection; what a session throws otherwise */
  async request(method: string, params: unknown, timeoutMs: number): Promise<unknown> {
    if (this.#session === null) throw new ConnectionLost('there is no connection now');
    return this.#session.client.request(method, params, timeoutMs);
  }

  /** Ends it for good; a request that is open at the gateway stays open. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#rest();
    this.#session?.client.close();
    this.#session = null;
  }

  async #try(): Promise<void> {
    const { connect, onState } = this.#options;
    this.#attempt += 1;
    onState({ kind: 'connecting', attempt: this.#attempt });
    let session: Session;
    try {
      session = await connect(
        (waiting) => {
          if (!this.#isOver) onState({ kind: 'waiting', waiting });
        },
        () => this.#isOver,
      );
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (this.#isOver) session.client.close();
    else this.#connected(session);
  }

  #connected(session: Session): void {
    const { client, hello } = session;
    this.#session = session;
    let isHeard = true;
    client.onClosed = (lost) => this.#lost(lost);
    this.#cancelStable = this.#options.after(STABLE_MS, () => {
      this.#failures = 0;
    });
    // A gateway ticks; one that is silent for two of them is gone, whatever the socket says.
    const watch = () => {
      this.#cancelWatch = this.#options.after(2 * hello.tickMs, () => {
        if (!isHeard) {
          this.#lost(new ConnectionLost(`the gateway was silent for ${Math.round((2 * hello.tickMs) / 1000)} s`));
          client.close();
          return;
        }
        isHeard = false;
        watch();
      });
    };
    watch();
    this.#options.onState({ kind: 'connected', session });
    session.listen((event) => {
      isHeard = true;
      this.#options.onEvent(event);
    });
    // It may have ended between its hello and now.
    if (client.lost !== null) this.#lost(client.lost);
  }

  #lost(lost: ConnectionLost): void {
    if (this.#session === null) return;
    this.#session = null;
    this.#failed(lost);
  }

  #failed(error: unknown): void {
    this.#rest();
    if (this.#isOver) return;
    const { verdictOf, after, chance, onState } = this.#options;
    const why = verdictOf(error);
    if (why.retry === 'never') {
      this.#isOver = true;
      onState({ kind: 'ended', error });
      return;
    }
    this.#failures += 1;
    const forMs = pauseMs(why, this.#failures, chance());
    // Told first: who closes the link now has it closed.
    onState({ kind: 'pausing', why, forMs, attempt: this.#attempt });
    if (this.#isOver) return;
    this.#cancelPause = after(forMs, () => void this.#try());
  }

  #rest(): void {
    this.#cancelPause();
    this.#cancelStable();
    this.#cancelWatch();
  }
}
