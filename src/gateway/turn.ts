import { Busy } from './method/handler.ts';

/** Answers that are made at the same time, for all sessions; for one session it is one. */
const AT_ONCE = 4;
/** Calls that wait for their turn: for one session, and for all. */
const WAITING_OF_ONE = 8;
const WAITING_MAX = 64;
/** A session that leaves more unread is not read to before it has caught up, in bytes. */
const UNREAD_OF_ONE = 1024 * 1024;
/** The same for all sessions together. */
const UNREAD_MAX = 64 * 1024 * 1024;

/** Who asks: what a turn needs of a session. */
export interface Taker {
  readonly pipe: { buffered(): number };
}

interface Waiter {
  readonly of: Taker;
  go(): void;
}

/**
 * Turns for calls whose small question has a large answer: few are made at the same time, and none for who doesn't read
 * those before it. So what one client can make the gateway hold is bounded, however often it asks (threat 36).
 */
export class Turns {
  readonly #all: () => Iterable<Taker>;
  readonly #running = new Map<Taker['pipe'], number>();
  readonly #waiting: Waiter[] = [];
  #count = 0;

  /** @param all every session there is */
  constructor(all: () => Iterable<Taker>) {
    this.#all = all;
  }

  /** Does `work` when it is the session's turn. @throws Busy: come again */
  async take<T>(of: Taker, work: () => Promise<T>): Promise<T> {
    await this.#enter(of);
    try {
      // What it was told meanwhile counts too.
      this.#checkUnread(of);
      return await work();
    } finally {
      this.#leave(of);
    }
  }

  #enter(of: Taker): Promise<void> | void {
    this.#checkUnread(of);
    if (this.#mayRun(of)) return this.#run(of);
    const own = this.#waiting.filter((w) => w.of.pipe === of.pipe).length;
    if (own >= WAITING_OF_ONE || this.#waiting.length >= WAITING_MAX) throw new Busy();
    return new Promise((go) => void this.#waiting.push({ of, go }));
  }

  #checkUnread(of: Taker): void {
    if (of.pipe.buffered() > UNREAD_OF_ONE) throw new Busy();
    let all = 0;
    for (const { pipe } of this.#all()) all += pipe.buffered();
    if (all > UNREAD_MAX) throw new Busy();
  }

  #mayRun(of: Taker): boolean {
    return this.#count < AT_ONCE && !this.#running.has(of.pipe);
  }

  #run(of: Taker): void {
    this.#count += 1;
    this.#running.set(of.pipe, 1);
  }

  /** The next is the one that waits longest, of those whose session has no turn now. */
  #leave(of: Taker): void {
    this.#count -= 1;
    this.#running.delete(of.pipe);
    const next = this.#waiting.findIndex((w) => this.#mayRun(w.of));
    const [waiter] = next === -1 ? [] : this.#waiting.splice(next, 1);
    if (waiter === undefined) return;
    this.#run(waiter.of);
    waiter.go();
  }
}
