import type { Instant } from '../core/base/instant.ts';

/** Time, as it is handed to everything that needs it; tests hand in a `ScriptedClock`. */
export interface Clock {
  /** Wall clock, ms since 1970. May jump: for what people read and what outlives the process, never for durations. */
  now(): Instant;
  /** Ms since some moment; only ever rises. For deadlines and durations. */
  monotonicMs(): number;
  /** Runs `run` once, `delayMs` (≥ 0) from now by the monotonic clock. Returns its cancellation. */
  after(delayMs: number, run: () => void): () => void;
}

/** `setTimeout` takes no longer delay: it would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const endMs = performance.now() + Math.max(0, delayMs);
    let timer: NodeJS.Timeout;
    const arm = () => {
      const leftMs = endMs - performance.now();
      timer = leftMs > TIMER_MAX_MS ? setTimeout(arm, TIMER_MAX_MS) : setTimeout(run, Math.max(0, leftMs));
    };
    arm();
    return () => clearTimeout(timer);
  },
};

/**
 * A clock that stands still until it is told to move. Timers fire in the order of their instants, each at its own, so
 * that what a timer sets in turn fires in the same `advance`.
 */
export class ScriptedClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #timers: { readonly atMs: number; readonly run: () => void }[] = [];

  constructor(at: Instant = 1_700_000_000_000) {
    this.#wallMs = at;
  }

  now(): Instant {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#monotonicMs + Math.max(0, delayMs), run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer);
    };
  }

  /** Lets `durationMs` pass on both clocks and fires what is due. */
  advance(durationMs: number): void {
    const endMs = this.#monotonicMs + durationMs;
    for (;;) {
      const due = this.#timers.filter((t) => t.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((t) => t !== due);
      this.#move(due.atMs);
      due.run();
    }
    this.#move(endMs);
  }

  /** Sets the wall clock alone, as a person or NTP does. */
  setWall(at: Instant): void {
    this.#wallMs = at;
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.length;
  }

  #move(toMs: number): void {
    this.#wallMs += toMs - this.#monotonicMs;
    this.#monotonicMs = toMs;
  }
}
