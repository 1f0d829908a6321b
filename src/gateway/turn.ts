import type { Principal } from '../core/authz/principal.ts';
import { whoOf } from './idempotency.ts';
import type { Pipe } from './listen/pipe.ts';
import { Busy } from './method/handler.ts';

/** Answers that are made at the same time, for all principals; for one principal it is one. */
const AT_ONCE = 4;
/**
 * What waits of one principal, over all its connections, in characters of what it came in; a small call counts as so many.
 * One connection has no more in flight than `CALLS_IN_FLIGHT_MAX`. Nobody waits in another's line.
 */
const WAITING_MAX = 4 * 1024 * 1024;
const SMALL_CALL = 4 * 1024;
/** A connection that leaves more unread waits until it has caught up, in bytes. */
const UNREAD_OF_PIPE = 1024 * 1024;
/** The same for all connections of one principal: beyond it those wait that have anything to read. */
const UNREAD_OF_ONE = 16 * 1024 * 1024;
/** For all principals together: beyond it who holds most of it is closed. */
const UNREAD_MAX = 64 * 1024 * 1024;

/** Who asks: what a turn needs of a session. */
export interface Taker {
  readonly principal: Principal;
  readonly pipe: Pick<Pipe, 'buffered' | 'close' | 'cut' | 'watch'>;
}

interface Waiter {
  readonly of: Taker;
  /** What it counts, in characters. */
  readonly weight: number;
  go(): void;
  refuse(): void;
}

/** The calls of one principal. */
interface Line {
  waiting: Waiter[];
  isServed: boolean;
}

/** What is unread of one principal, in bytes. */
interface Unread {
  bytes: number;
  readonly takers: Taker[];
}

/**
 * Turns for calls whose small question has a large answer: few are made at the same time, and none for who doesn't read
 * those before it: that one keeps its place, and others pass. So what one client can make the gateway hold is bounded,
 * however often it asks (threat 36). Everything is counted by principal, and principals take turns: over however many
 * connections one asks, it waits for itself (threat 38). One principal may be many programs, that share a secret: of them
 * those wait that don't read, and one that asks little is refused for none that asks much.
 */
export class Turns {
  readonly #all: () => Iterable<Taker>;
  /** By principal, the one that was served longest ago first; only those with something to do. */
  readonly #lines = new Map<string, Line>();
  /** On their way out: what they leave unread goes with them. */
  readonly #closing = new WeakSet<Taker['pipe']>();
  /** Pipes that tell when somebody is to be looked for. */
  readonly #watched = new WeakSet<Taker['pipe']>();
  #count = 0;

  /** @param all every session there is */
  constructor(all: () => Iterable<Taker>) {
    this.#all = all;
  }

  /**
   * Does `work` when it is the turn of the session's principal, and the session has read what was before it.
   * @param size characters of what it came in
   * @throws Busy: come again
   */
  async take<T>(of: Taker, work: () => Promise<T>, size = 0): Promise<T> {
    const who = nameOf(of);
    await this.#enter(of, who, size);
    try {
      this.#shed(this.#unread());
      if (this.#closing.has(of.pipe)) throw new Busy();
      return await work();
    } finally {
      this.#leave(who);
    }
  }

  #enter(of: Taker, who: string, size: number): Promise<void> | void {
    const line = this.#lines.get(who) ?? { waiting: [], isServed: false };
    const isNext = !line.isServed && line.waiting.length === 0 && this.#count < AT_ONCE;
    if (isNext && !this.#isBehind(of, who, () => this.#unread())) {
      this.#lines.set(who, line);
      return this.#serve(line);
    }
    const weight = Math.max(size, SMALL_CALL);
    makeRoom(line, of.pipe, weight);
    this.#lines.set(who, line);
    return new Promise((go, no) => {
      line.waiting.push({ of, weight, go, refuse: () => no(new Busy()) });
      this.#watch(of.pipe, who);
      this.#look();
    });
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
    this.#look();
  }

  /** Gives the turns that there are to who may have one. */
  #look(): void {
    let known: ReadonlyMap<string, Unread> | null = null;
    const unread = () => {
      known ??= this.#unread();
      return known;
    };
    for (const [who, line] of this.#lines) {
      if (this.#count >= AT_ONCE) return;
      if (line.isServed) continue;
      const waiter = this.#nextOf(line, who, unread);
      if (waiter === undefined) continue;
      this.#serve(line);
      // Others are served between two turns, also where no turn waits for anything.
      setImmediate(waiter.go);
    }
  }

  /** Who isn't up to date keeps its place and is passed. */
  #nextOf(line: Line, who: string, unread: () => ReadonlyMap<string, Unread>): Waiter | undefined {
    const behind = new Set<Taker['pipe']>();
    for (const [at, { of }] of line.waiting.entries()) {
      if (behind.has(of.pipe)) continue;
      if (!this.#isBehind(of, who, unread)) return line.waiting.splice(at, 1)[0];
      behind.add(of.pipe);
    }
    return undefined;
  }

  /** It reads before it is told more. */
  #isBehind({ pipe }: Taker, who: string, unread: () => ReadonlyMap<string, Unread>): boolean {
    const bytes = pipe.buffered();
    if (bytes === 0) return false;
    return bytes > UNREAD_OF_PIPE || (unread().get(who)?.bytes ?? 0) > UNREAD_OF_ONE;
  }

  /** As long as calls of it wait, a pipe says when it was read from; with it they go. */
  #watch(pipe: Taker['pipe'], who: string): void {
    if (this.#watched.has(pipe)) return;
    this.#watched.add(pipe);
    pipe.watch?.((isGone) => {
      this.#watched.delete(pipe);
      const line = this.#lines.get(who);
      const own = line?.waiting.filter((waiter) => waiter.of.pipe === pipe) ?? [];
      if (line === undefined || own.length === 0) return;
      if (!isGone) this.#watch(pipe, who);
      else {
        line.waiting = line.waiting.filter((waiter) => waiter.of.pipe !== pipe);
        for (const waiter of own) waiter.refuse();
        if (!line.isServed && line.waiting.length === 0) this.#lines.delete(who);
      }
      this.#look();
    });
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

/** Of the connection with most in the line the last gives way. @throws Busy where that is the one that asks */
function makeRoom({ waiting }: Line, pipe: Taker['pipe'], weight: number): void {
  const weights = new Map<Taker['pipe'], number>();
  for (const { of, weight } of waiting) weights.set(of.pipe, (weights.get(of.pipe) ?? 0) + weight);
  let all = waiting.reduce((sum, waiter) => sum + waiter.weight, weight);
  while (all > WAITING_MAX) {
    const [most, heaviest] = [...weights].reduce((a, b) => (b[1] > a[1] ? b : a), [pipe, 0]);
    if ((weights.get(pipe) ?? 0) + weight >= heaviest) throw new Busy();
    const at = waiting.findLastIndex(({ of }) => of.pipe === most);
    for (const out of waiting.splice(at, 1)) {
      all -= out.weight;
      weights.set(most, heaviest - out.weight);
      out.refuse();
    }
  }
}
