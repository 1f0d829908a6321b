import { afterEach, beforeEach, describe } from 'vitest';
import type { Store } from './store.ts';
import { changeRules } from './suite/change.ts';
import { codeRules } from './suite/code.ts';
import { deviceRules } from './suite/device.ts';
import { endRules } from './suite/end.ts';
import { keptRules } from './suite/kept.ts';
import { roomRules } from './suite/room.ts';
import { runRules } from './suite/run.ts';
import { sessionRules } from './suite/session.ts';
import { sumRules } from './suite/sum.ts';
import { transactionRules } from './suite/transaction.ts';
import { transcriptRules } from './suite/transcript.ts';

/** One driver under test. */
export interface Subject {
  /** A store with nothing in it. */
  open(): Promise<Store>;
  /** Opens anew what the store held when it was closed; `null` for a driver that keeps nothing. */
  readonly reopen: (() => Promise<Store>) | null;
  /** Removes what the store left on the machine. */
  clear(): Promise<void>;
}

/** The store of the running test. */
export interface Held {
  readonly store: Store;
  /** Closes the store and opens it anew, where it keeps what it holds. */
  reopen(): Promise<void>;
}

/** Holds a driver to S1–S21 and S31–S52 (README.md). `make` is called for each rule. */
export function registerStoreContract(name: string, make: () => Subject): void {
  describe(`rule S (store contract): ${name}`, () => {
    let subject: Subject;
    let store: Store;
    const held: Held = {
      get store() {
        return store;
      },
      async reopen() {
        // A driver that keeps nothing has nothing to open anew.
        if (subject.reopen === null) return;
        await store.close();
        store = await subject.reopen();
      },
    };
    beforeEach(async () => {
      subject = make();
      store = await subject.open();
    });
    afterEach(async () => {
      await store.close();
      await subject.clear();
    });
    transactionRules(held);
    deviceRules(held);
    roomRules(held);
    endRules(held);
    codeRules(held);
    changeRules(held);
    sessionRules(held);
    transcriptRules(held);
    runRules(held);
    keptRules(held);
    sumRules(held);
  });
}
