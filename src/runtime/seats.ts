import type { Giver } from '../core/authz/principal.ts';
import { isBounded, nameOf } from './bounds.ts';

/** Runs of one agent that are at work at once: each has a model's connection open. The others wait in their order. */
export const RUNS_AT_WORK_MAX = 8;
/** Of them, kept free for the owner, where there is more than one. */
const OWNERS = 1;

/** Whoever waits, and for whom, as it is when a seat is free; `null`: somebody who isn't known, who is bounded. */
export type For = () => Giver | null;

interface Waiting {
  readonly who: For;
  sit(name: string): void;
}

/** The seats of one agent. */
interface Row {
  readonly taken: Map<string, number>;
  readonly waiting: Set<Waiting>;
  /** When each giver that waits or sits was last given one. */
  readonly served: Map<string, number>;
}

/**
 * Seats for runs at work, so many for each agent. Whoever has one may keep it for as long as a model takes, which may be
 * for good: so nobody may have more of them than are left free, and the last one is the owner's. Of 8 one giver alone
 * holds 4, a second one 2, a third one 1, and the owner has one at once. A free seat goes to the giver that was given none
 * for longest; within what one giver asks for, whoever came first sits first.
 */
export class Seats {
  readonly #max: number;
  /** Seats of all givers but the owner together. */
  readonly #boundedMax: number;
  readonly #rows = new Map<string, Row>();
  #turn = 0;

  constructor(max: number) {
    this.#max = max;
    this.#boundedMax = max > OWNERS ? max - OWNERS : max;
  }

  /**
   * Resolves once there is a seat, with what gives it back, called once; or at once when `signal` is aborted, without a
   * seat: whoever was stopped does no more work.
   */
  async take(agent: string, who: For, signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) return () => {};
    const row = this.#rows.get(agent) ?? { taken: new Map(), waiting: new Set(), served: new Map() };
    this.#rows.set(agent, row);
    return new Promise((resolve) => {
      const stopped = () => {
        row.waiting.delete(waiting);
        this.#tidy(agent, row);
        resolve(() => {});
      };
      const sit = (name: string) => {
        signal.removeEventListener('abort', stopped);
        resolve(() => this.#leave(agent, row, name));
      };
      const waiting: Waiting = { who, sit };
      row.waiting.add(waiting);
      signal.addEventListener('abort', stopped, { once: true });
      this.#fill(row);
    });
  }

  /** For whom somebody waits may be another one by now. */
  look(agent: string): void {
    const row = this.#rows.get(agent);
    if (row !== undefined) this.#fill(row);
  }

  #leave(agent: string, row: Row, name: string): void {
    const left = (row.taken.get(name) ?? 0) - 1;
    if (left > 0) row.taken.set(name, left);
    else row.taken.delete(name);
    this.#fill(row);
    this.#tidy(agent, row);
  }

  #fill(row: Row): void {
    for (;;) {
      const next = this.#next(row);
      if (next === null) return;
      const { waiting, name } = next;
      row.waiting.delete(waiting);
      row.taken.set(name, (row.taken.get(name) ?? 0) + 1);
      this.#turn += 1;
      row.served.set(name, this.#turn);
      waiting.sit(name);
    }
  }

  /** Of those that may sit, the first of the giver whose turn it is. */
  #next(row: Row): { readonly waiting: Waiting; readonly name: string } | null {
    const left = this.#left(row);
    if (left.owner <= 0) return null;
    let found: { readonly waiting: Waiting; readonly name: string; readonly served: number } | null = null;
    for (const waiting of row.waiting) {
      const giver = waiting.who();
      const name = giver === null ? '' : nameOf(giver);
      if (giver === null || isBounded(giver)) {
        if ((row.taken.get(name) ?? 0) >= left.bounded) continue;
      }
      const served = row.served.get(name) ?? 0;
      if (found === null || served < found.served) found = { waiting, name, served };
    }
    return found;
  }

  /** Seats that are free: for the owner, and for anybody else. */
  #left({ taken }: Row): { readonly owner: number; readonly bounded: number } {
    const owners = taken.get(nameOf({ kind: 'owner' })) ?? 0;
    const all = [...taken.values()].reduce((a, b) => a + b, 0);
    return { owner: this.#max - all, bounded: Math.min(this.#max - all, this.#boundedMax - (all - owners)) };
  }

  #tidy(agent: string, row: Row): void {
    if (row.taken.size === 0 && row.waiting.size === 0) this.#rows.delete(agent);
  }
}
