import type { Clock } from '../../system/clock.ts';

/** A socket that hasn't said a whole message, or sent a whole HTTP request, yet. */
export interface Silent {
  /** A part of it: from now on it is silent anew. Once. */
  upgraded(): void;
  /** It has: from now on it takes no room. */
  spoke(): void;
  /** It is gone. */
  left(): void;
  /** A proxy has said whose it is: from now on it takes that one's room. */
  moved(sourceName: string): void;
}

export interface BudgetRules {
  /** Silent sockets that are read from at the same time. */
  readonly total: number;
  readonly perSource: number;
  /**
   * How long one that is read from may stay silent while others wait for its room, counted from when another of its
   * source last spoke; at most `PATIENCE` times as long in all.
   */
  readonly graceMs: number;
  /** Sockets that wait to be read from; over it the one that waits longest is cut. */
  readonly queueMax: number;
}

/**
 * Clients that share one slow machine are all slow together; each of them that speaks shows that the others may yet.
 * What a flood can make of that must keep nobody out for longer than a client waits for its challenge (2.19: 750 ms
 * and on without one, 3.13: 2 s).
 */
const PATIENCE = 4;

interface Entry {
  source: Source;
  readonly admit: () => void;
  readonly cut: () => void;
  /** When it was admitted, or what it said last came, short of a whole message. */
  quietSinceMs: number;
}

interface Source {
  readonly name: string;
  readonly admitted: Set<Entry>;
  /** Newest last; the newest is admitted first. Those that left meanwhile are skipped. */
  queue: Entry[];
  /** Of `queue`, those that are there still. */
  queued: number;
  /** When one of them last spoke. */
  heardAtMs: number;
}

/**
 * The budget for sockets before they speak (DESIGN §3). While there is room they are read from at once. Over it a new
 * one is delayed, and the oldest silent one is closed once it has had its grace. The newest that waits goes first: who
 * floods with silent sockets waits behind whoever comes later, and who speaks gives its room back within
 * milliseconds. A storm of honest clients passes through whole, on a busy machine too: grace counts neither while
 * others of the same source speak, nor while the gateway itself was too late to hear anybody.
 */
export class SilentBudget {
  readonly #rules: BudgetRules;
  readonly #clock: Clock;
  readonly #sources = new Map<string, Source>();
  /** All that are read from, oldest first. */
  readonly #admitted = new Set<Entry>();
  /** All that wait, oldest first. */
  readonly #queued = new Set<Entry>();
  /** Sources with more than their room: of what proxies brought, it was not known before. */
  readonly #over = new Set<Source>();
  #cancelTimer: (() => void) | null = null;
  /** Whom the gateway was too late to hear keeps its room until then. */
  #spareUntilMs = 0;

  constructor(rules: BudgetRules, clock: Clock) {
    this.#rules = rules;
    this.#clock = clock;
  }

  get silent(): number {
    return this.#admitted.size;
  }

  get waiting(): number {
    return this.#queued.size;
  }

  /** `admit`: read from it now; called at most once, perhaps at once. `cut`: it must go; not called after `spoke`. */
  enter(sourceName: string, admit: () => void, cut: () => void): Silent {
    const source = this.#sourceOf(sourceName);
    const entry: Entry = { source, admit, cut, quietSinceMs: 0 };
    if (this.#hasRoom(source)) {
      this.#admit(entry);
    } else {
      source.queue.push(entry);
      source.queued += 1;
      this.#queued.add(entry);
      this.#trimQueue();
      this.#plan();
    }
    const spoke = () => {
      if (this.#admitted.has(entry)) entry.source.heardAtMs = this.#clock.monotonicMs();
      this.#leave(entry);
    };
    const upgraded = () => {
      entry.quietSinceMs = this.#clock.monotonicMs();
    };
    return { upgraded, spoke, left: () => this.#leave(entry), moved: (to) => this.#move(entry, to) };
  }

  #sourceOf(name: string): Source {
    const known = this.#sources.get(name);
    const source = known ?? { name, admitted: new Set(), queue: [], queued: 0, heardAtMs: 0 };
    this.#sources.set(name, source);
    return source;
  }

  #move(entry: Entry, name: string): void {
    if (!this.#admitted.has(entry) || entry.source.name === name) return;
    const from = entry.source;
    entry.source = this.#sourceOf(name);
    from.admitted.delete(entry);
    entry.source.admitted.add(entry);
    this.#settle(from);
    this.#settle(entry.source);
    this.#fill();
  }

  /** Keeps what is known of a source true, once something came or went. */
  #settle(source: Source): void {
    if (source.admitted.size > this.#rules.perSource) this.#over.add(source);
    else this.#over.delete(source);
    // What a socket speaks later still settles the source that it came from: another may have that name by then.
    const isEmpty = source.admitted.size === 0 && source.queued === 0;
    if (isEmpty && this.#sources.get(source.name) === source) this.#sources.delete(source.name);
  }

  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #hasRoom(source: Source): boolean {
    return this.#admitted.size < this.#rules.total && source.admitted.size < this.#rules.perSource;
  }

  #admit(entry: Entry): void {
    this.#dequeue(entry);
    entry.quietSinceMs = this.#clock.monotonicMs();
    entry.source.admitted.add(entry);
    this.#admitted.add(entry);
    entry.admit();
  }

  #dequeue(entry: Entry): boolean {
    if (!this.#queued.delete(entry)) return false;
    const { source } = entry;
    source.queued -= 1;
    // Whoever comes and goes while nothing is admitted must not fill the memory.
    if (source.queue.length > 2 * source.queued + 64) source.queue = source.queue.filter((e) => this.#queued.has(e));
    return true;
  }

  #forget(entry: Entry): boolean {
    const { source } = entry;
    const was = this.#dequeue(entry) || this.#admitted.delete(entry);
    source.admitted.delete(entry);
    this.#settle(source);
    return was;
  }

  #leave(entry: Entry): void {
    if (this.#forget(entry)) this.#fill();
  }

  #trimQueue(): void {
    for (const oldest of this.#queued) {
      if (this.#queued.size <= this.#rules.queueMax) return;
      this.#forget(oldest);
      oldest.cut();
    }
  }

  /** Gives free room to those that wait: the newest first whose source has room. */
  #fill(): void {
    if (this.#queued.size === 0 && this.#over.size === 0) {
      this.close();
      return;
    }
    while (this.#admitted.size < this.#rules.total) {
      const next = this.#next();
      if (next === null) break;
      this.#admit(next);
    }
    this.#plan();
  }

  #next(): Entry | null {
    for (const source of this.#sources.values()) {
      if (source.queued === 0 || source.admitted.size >= this.#rules.perSource) continue;
      // Sources take turns.
      this.#sources.delete(source.name);
      this.#sources.set(source.name, source);
      for (let entry = source.queue.pop(); entry !== undefined; entry = source.queue.pop()) {
        if (this.#queued.has(entry)) return entry;
      }
    }
    return null;
  }

  /** Whether its room is wanted: its source is full and has others waiting, or has too many, or all is full. */
  #isInTheWay({ source }: Entry): boolean {
    if (this.#over.has(source)) return true;
    if (this.#queued.size > 0 && this.#admitted.size >= this.#rules.total) return true;
    return source.queued > 0 && source.admitted.size >= this.#rules.perSource;
  }

  #graceEndsAtMs({ source, quietSinceMs }: Entry): number {
    const { graceMs } = this.#rules;
    const sparedMs = Math.max(Math.max(quietSinceMs, source.heardAtMs) + graceMs, this.#spareUntilMs);
    return Math.min(sparedMs, quietSinceMs + PATIENCE * graceMs);
  }

  /** Comes back when the first of those that are in the way has had its grace. */
  #plan(): void {
    if (this.#cancelTimer !== null || (this.#queued.size === 0 && this.#over.size === 0)) return;
    let dueAtMs = Number.POSITIVE_INFINITY;
    for (const entry of this.#admitted) {
      if (this.#isInTheWay(entry)) dueAtMs = Math.min(dueAtMs, this.#graceEndsAtMs(entry));
    }
    if (dueAtMs === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = this.#clock.after(Math.max(0, dueAtMs - this.#clock.monotonicMs()), () => {
      this.#cancelTimer = null;
      this.#judge(dueAtMs);
    });
  }

  /** Closes whoever is in the way and has had its grace, the oldest first. */
  #judge(dueAtMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    // Timers come before what has arrived meanwhile is read: what they said may be waiting.
    const lateMs = nowMs - dueAtMs;
    if (lateMs > this.#rules.graceMs / 10) this.#spareUntilMs = nowMs + lateMs;
    for (const entry of [...this.#admitted]) {
      if (!this.#isInTheWay(entry) || this.#graceEndsAtMs(entry) > nowMs) continue;
      this.#forget(entry);
      entry.cut();
      const next = this.#next();
      if (next !== null && this.#admitted.size < this.#rules.total) this.#admit(next);
    }
    this.#fill();
  }
}
