import type { Store } from '../src/store/store.ts';
import { soon } from './talk.ts';

/** A process's way to the disk, which takes its time: once it is killed nothing of it gets there, and nothing comes back. */
export function wayTo(disk: Store): { readonly store: Store; kill(): void } {
  let isDead = false;
  let [asked, tail] = [0, Promise.resolve()];
  /** Others have theirs in between at times; nobody overtakes. */
  const turn = () => {
    asked += 1;
    if (asked % 3 === 0) tail = tail.then(soon);
    return tail;
  };
  const never = new Promise<never>(() => {});
  const alive = <T>(result: Promise<T>) =>
    result.then(
      (value) => (isDead ? never : value),
      (error) => (isDead ? never : Promise.reject(error)),
    );
  const store: Store = {
    describe: 'killed at times',
    read: (work) => (isDead ? never : alive(turn().then(() => (isDead ? never : disk.read(work))))),
    write: (work) => {
      if (isDead) return never;
      const written = () =>
        disk.write(async (tx) => {
          if (isDead) throw new Error('killed');
          const result = await work(tx);
          // In the middle of it, or before it was committed.
          if (isDead) throw new Error('killed');
          return result;
        });
      return alive(turn().then(() => (isDead ? never : written())));
    },
    close: () => disk.close(),
  };
  return {
    store,
    kill: () => {
      isDead = true;
    },
  };
}
