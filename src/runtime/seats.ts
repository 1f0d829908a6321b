/** Runs of one agent that are at work at once: each has a model's connection open. The others wait in their order. */
export const RUNS_AT_WORK_MAX = 8;

interface Row {
  taken: number;
  readonly waiting: Set<() => void>;
}

/**
 * Seats for runs at work, so many for each agent. Whoever comes first sits first: as a session has at most one run that
 * waits here, those that are said in one session can't keep another session's waiting for longer than one turn.
 */
export class Seats {
  readonly #max: number;
  readonly #rows = new Map<string, Row>();

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Resolves once there is a seat, with what gives it back, called once; or at once when `signal` is aborted, without a
   * seat: whoever was stopped does no more work.
   */
  async take(agent: string, signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) return () => {};
    const row = this.#rows.get(agent) ?? { taken: 0, waiting: new Set() };
    this.#rows.set(agent, row);
    const leave = () => this.#leave(agent, row);
    if (row.taken < this.#max) {
      row.taken += 1;
      return leave;
    }
    return new Promise((resolve) => {
      const stopped = () => {
        row.waiting.delete(sit);
        resolve(() => {});
      };
      const sit = () => {
        signal.removeEventListener('abort', stopped);
        resolve(leave);
      };
      row.waiting.add(sit);
      signal.addEventListener('abort', stopped, { once: true });
    });
  }

  /** The seat goes to whoever waits longest, without being free in between. */
  #leave(agent: string, row: Row): void {
    const [next] = row.waiting;
    if (next !== undefined) {
      row.waiting.delete(next);
      next();
      return;
    }
    row.taken -= 1;
    if (row.taken === 0) this.#rows.delete(agent);
  }
}
