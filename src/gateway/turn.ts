import type { Principal } from '../core/authz/principal.ts';
import { whoOf } from './idempotency.ts';
import { Busy } from './method/handler.ts';

/** Answers that are made at the same time, for all principals; for one principal it is one. */
const AT_ONCE = 4;
/** Calls that wait for their turn: of one principal, and of one of its connections. Nobody waits in another's line. */
const WAITING_OF_ONE = 128;
const WAITING_OF_PIPE = 32;
/** A connection that leaves more unread is not read to before it has caught up, in bytes. */
const UNREAD_OF_PIPE = 1024 * 1024;
/** The same for all connections of one principal. */
const UNREAD_OF_ONE = 16 * 1024 * 1024;
/** For all principals together: beyond it who holds most of it is closed. */
const UNREAD_MAX = 64 * 1024 * 1024;

/** Who asks: what a turn needs of a session. */
export interface Taker {
  readonly principal: Principal;
  readonly pipe: {
    buffered(): number;
    close(code: number, reason: string): void;
    cut(): void;
  };
}

interface Waiter {
  readonly of: Taker;
  go(): void;
}

/** The calls of one principal. */
interface Line {
  readonly waiting: Waiter[];
  isServed: boolean;
}

/** What is unread of one principal, in bytes. */
interface Unread {
  bytes: number;
  readonly takers: Taker[];
}

/**
 * Turns for calls whose small question has a large answer: few are made at the same time, and none for who doesn't read
 * those before it. So what one client can make the gateway hold is bounded, however often it asks (threat 36). Everything is
 * counted by principal, and principals take turns: over however many connections one asks, it waits for itself (threat 38).
 */
export class Turns {
  readonly #all: () => Iterable<Taker>;
  /** By principal, the one that was served longest ago first; only those with something to do. */
  readonly #lines = new Map<string, Line>();
  /** On their way out: what they leave unread goes with them. */
  readonly #closing = new WeakSet<Taker['pipe']>();
  #count = 0;

  /** @param all every session there is */
  constructor(all: () => Iterable<Taker>) {
    this.#all = all;
  }

  /** Does `work` when it is the turn of the session's principal. @throws Busy: come again */
  async take<T>(of: Taker, work: () => Promise<T>): Promise<T> {
    const who = nameOf(of);
    await this.#enter(of, who);
    try {
      this.#checkUnread(of, who);
      return await work();
    } finally {
      this.#leave(who);
    }
  }

  #enter(of: Taker, who: string): Promise<void> | void {
    if (of.pipe.buffered() > UNREAD_OF_PIPE) throw new Busy();
    const line = this.#lines.get(who) ?? { waiting: [], isServed: false };
    this.#lines.set(who, line);
    if (this.#count < AT_ONCE && !line.isServed) return this.#serve(line);
    const own = line.waiting.filter((waiter) => waiter.of.pipe === of.pipe).length;
    if (own >= WAITING_OF_PIPE || line.waiting.length >= WAITING_OF_ONE) throw new Busy();
    return new Promise((go) => void line.waiting.push({ of, go }));
  }

  #serve(line: Line): void {
    this.#count += 1;
    line.isServed = true;
  }

  /** Whoever had a turn is the last to have another. */
  #leave(who: string): void {
    this.#count -= 1;
    const own = this.#lines.get(who);
    this.#lines.delete(who);
    if (own !== undefined) own.isServed = false;
    if (own !== undefined && own.waiting.length > 0) this.#lines.set(who, own);
    for (const line of this.#lines.values()) {
      const [waiter] = line.isServed ? [] : line.waiting.splice(0, 1);
      if (waiter === undefined) continue;
      this.#serve(line);
      // Others are served between two turns, also where no turn waits for anything.
      return void setImmediate(waiter.go);
    }
  }

  /** Right before the answer is made: what was told meanwhile counts too. */
  #checkUnread(of: Taker, who: string): void {
    if (of.pipe.buffered() > UNREAD_OF_PIPE) throw new Busy();
    const unread = this.#unread();
    this.#shed(unread);
    if ((unread.get(who)?.bytes ?? 0) > UNREAD_OF_ONE) throw new Busy();
  }

  /** The owner's own way has no bound here (A11). */
  #unread(): Map<string, Unread> {
    const unread = new Map<string, Unread>();
    for (const taker of this.#all()) {
      const bytes = taker.pipe.buffered();
      if (bytes === 0 || taker.principal.kind === 'owner' || this.#closing.has(taker.pipe)) continue;
      const who = nameOf(taker);
      const known = unread.get(who) ?? { bytes: 0, takers: [] };
      known.bytes += bytes;
      known.takers.push(taker);
      unread.set(who, known);
    }
    return unread;
  }

  /** Others go on: of who holds most, the connection that holds most is closed, until there is room again. */
  #shed(unread: ReadonlyMap<string, Unread>): void {
    let all = 0;
    for (const { bytes } of unread.values()) all += bytes;
    while (all > UNREAD_MAX) {
      const most = [...unread.values()].reduce((a, b) => (b.bytes > a.bytes ? b : a));
      const [worst] = most.takers.sort((a, b) => b.pipe.buffered() - a.pipe.buffered()).splice(0, 1);
      if (worst === undefined) return;
      const bytes = worst.pipe.buffered();
      this.#closing.add(worst.pipe);
      worst.pipe.close(1008, 'slow consumer');
      worst.pipe.cut();
      most.bytes -= bytes;
      all -= bytes;
    }
  }
}

function nameOf({ principal }: Taker): string {
  return JSON.stringify(whoOf(principal));
}
