import { Life } from '../life.ts';
import { Queue } from '../queue.ts';
import type { ReadTx, Store, WriteTx } from '../store.ts';
import { MemoryRuns, MemorySessions } from './conversation.ts';
import { MemoryChanges, MemoryCodes, MemoryDevices } from './repositories.ts';
import { copyOf, emptyTables, type Tables } from './tables.ts';

/** A store that ends with its process: for tests, and as the plainest statement of what a driver must do. */
export function openMemory(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  readonly describe = 'memory';
  readonly #queue = new Queue();
  #tables: Tables = emptyTables();
  #seq = 0;
  #open = true;

  write<T>(work: (tx: WriteTx) => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      this.#check();
      const life = new Life();
      let draft = copyOf(this.#tables);
      const tables = () => draft;
      const tx: WriteTx = {
        devices: new MemoryDevices(tables, life),
        codes: new MemoryCodes(tables, life),
        changes: new MemoryChanges(tables, life),
        sessions: new MemorySessions(tables, life),
        runs: new MemoryRuns(tables, life),
        nextSeq: async () => {
          life.check();
          this.#seq += 1;
          return this.#seq;
        },
        part: async (inner) => {
          life.enter();
          const before = copyOf(draft);
          try {
            return await inner();
          } catch (error) {
            draft = before;
            throw error;
          } finally {
            life.leave();
          }
        },
      };
      try {
        const result = await work(tx);
        life.finish();
        this.#tables = draft;
        return result;
      } finally {
        life.end();
      }
    });
  }

  read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      this.#check();
      const life = new Life();
      const tables = () => this.#tables;
      try {
        return await work({
          devices: new MemoryDevices(tables, life),
          codes: new MemoryCodes(tables, life),
          changes: new MemoryChanges(tables, life),
          sessions: new MemorySessions(tables, life),
          runs: new MemoryRuns(tables, life),
        });
      } finally {
        life.end();
      }
    });
  }

  close(): Promise<void> {
    return this.#queue.run(async () => {
      this.#open = false;
    });
  }

  #check(): void {
    if (!this.#open) throw new Error('the store is closed');
  }
}
