import type { Store } from '../../src/store/store.ts';
import type { Random } from '../random.ts';

/** One turn of the event loop: what arrived meanwhile is handled, what was queued for it is committed. */
export function turn(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}

/** Where a seeded number of turns passes between two steps of a race; before `begin` and after `end` none does. */
export class Schedule {
  #random: Random | null = null;
  #slow = 0;

  begin(random: Random): void {
    this.#random = random;
    // Half of the rounds run as the drivers of today do, a commit in one turn; the other half as a slow disk would.
    this.#slow = random.chance(0.5) ? 0 : random.pick([0.2, 0.5]);
  }

  end(): void {
    this.#random = null;
  }

  /** A step of the store: passes turns in slow rounds only. */
  async disk(): Promise<void> {
    const random = this.#random;
    if (random === null || !random.chance(this.#slow)) return;
    for (let left = 1 + random.int(3); left > 0; left -= 1) await turn();
  }
}

/** The store, each of its steps taking as many turns as the schedule says. */
export function paced(store: Store, schedule: Schedule): Store {
  return {
    describe: store.describe,
    close: () => store.close(),
    read: async (work) => {
      await schedule.disk();
      const found = await store.read(work);
      await schedule.disk();
      return found;
    },
    write: async (work, options) => {
      await schedule.disk();
      const result = await store.write(
        (tx) =>
          work({
            ...tx,
            part: async (inner) => {
              await schedule.disk();
              return tx.part(inner);
            },
          }),
        options,
      );
      await schedule.disk();
      return result;
    },
  };
}
