/** How `gateway.auth.rateLimit` bounds guessing (A16). */
export interface GuessRules {
  /** Wrong secrets of one source within `windowMs` that are answered at once. */
  readonly maxAttempts: number;
  readonly windowMs: number;
  /** The longest that an answer is put off. */
  readonly maxDelayMs: number;
}

interface Tally {
  failures: number;
  since: number;
  /** When the last answer that was put off goes out. */
  nextAt: number;
}

/** Sources remembered at most; the oldest are forgotten first, so that a flood of addresses takes no memory. */
const SOURCES_MAX = 10_000;
const STEP_MS = 250;

/**
 * A16: guessing is slowed, never answered by locking out. Only wrong secrets come here: a right secret, a granted key
 * and the owner socket are answered at once, whatever others tried. Answers to one source queue one behind the other,
 * up to `maxDelayMs`. Who hangs up instead of waiting is not slowed by it: the secret's length is what stands against
 * that (SECURITY.md). Times are monotonic.
 */
export class GuessBrake {
  readonly #rules: () => GuessRules;
  readonly #tallies = new Map<string, Tally>();

  constructor(rules: () => GuessRules) {
    this.#rules = rules;
  }

  /** Counts a wrong secret. Returns by how much its answer is put off; 0: not at all. */
  wrong(source: string, nowMs: number): number {
    const rules = this.#rules();
    const old = this.#tallies.get(source);
    const tally = old && nowMs - old.since < rules.windowMs ? old : { failures: 0, since: nowMs, nextAt: 0 };
    tally.failures += 1;
    this.#tallies.delete(source);
    this.#tallies.set(source, tally);
    for (const key of this.#tallies.keys()) {
      if (this.#tallies.size <= SOURCES_MAX) break;
      this.#tallies.delete(key);
    }
    const over = tally.failures - rules.maxAttempts;
    if (over <= 0) return 0;
    const step = Math.min(STEP_MS * 2 ** Math.min(over - 1, 10), rules.maxDelayMs);
    tally.nextAt = Math.min(Math.max(tally.nextAt, nowMs) + step, nowMs + rules.maxDelayMs);
    return tally.nextAt - nowMs;
  }

  /** True when more came from the source within the window than are answered at once. Counts nothing. */
  over(source: string, nowMs: number): boolean {
    const { maxAttempts, windowMs } = this.#rules();
    const tally = this.#tallies.get(source);
    return tally !== undefined && nowMs - tally.since < windowMs && tally.failures >= maxAttempts;
  }
}
