import type { Store, WriteTx } from '../store/store.ts';

interface Job<Pending> {
  readonly work: (tx: WriteTx, pending: Pending) => Promise<unknown>;
  readonly urgent: boolean;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** More than arrives in one turn of the event loop; a bound, so that one commit stays short. */
const BATCH_MAX = 256;

/**
 * Group commit: what arrives together is committed together, by one sync to disk. Each job is a part of its own: its
 * conflict is not its neighbours'. `Pending` is what a commit's jobs see of each other; it is published when the
 * commit is durable, before any job resolves, and forgotten when it fails.
 */
export class Committer<Pending> {
  readonly #store: Store;
  readonly #begin: () => Pending;
  readonly #publish: (pending: Pending) => void;
  readonly #queue: Job<Pending>[] = [];
  #busy = false;

  constructor(store: Store, begin: () => Pending, publish: (pending: Pending) => void) {
    this.#store = store;
    this.#begin = begin;
    this.#publish = publish;
  }

  run<T>(work: (tx: WriteTx, pending: Pending) => Promise<T>, urgent = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ work, urgent, resolve: resolve as (value: unknown) => void, reject });
      if (this.#busy) return;
      this.#busy = true;
      setImmediate(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) await this.#commit(this.#next());
    this.#busy = false;
  }

  /** Up to the next urgent job, which is committed alone: the room kept for it is for nothing else. */
  #next(): readonly Job<Pending>[] {
    const urgent = this.#queue.findIndex((job) => job.urgent);
    const count = urgent === -1 ? BATCH_MAX : Math.min(Math.max(urgent, 1), BATCH_MAX);
    return this.#queue.splice(0, count);
  }

  async #commit(batch: readonly Job<Pending>[]): Promise<void> {
    let settled: (() => void)[] = [];
    let pending = this.#begin();
    try {
      const work = async (tx: WriteTx) => {
        settled = [];
        pending = this.#begin();
        for (const job of batch) {
          try {
            const value = await tx.part(() => job.work(tx, pending));
            settled.push(() => job.resolve(value));
          } catch (error) {
            settled.push(() => job.reject(error));
          }
        }
      };
      await this.#store.write(work, { urgent: batch.length === 1 && batch[0]?.urgent === true });
    } catch (error) {
      for (const job of batch) job.reject(error);
      return;
    }
    this.#publish(pending);
    for (const settle of settled) settle();
  }
}
