import type { Instant } from '../core/base/instant.ts';

/** What a look at the gateway's own parts found. */
export interface Inspection {
  readonly at: Instant;
  readonly store: {
    readonly sizeBytes: number;
    /** In the store's words; `null`: nothing was found. */
    readonly problem: string | null;
    readonly isWhole: boolean;
  };
  /** How many there are in it; `openRuns` wait or run. `null`: they can't be counted, which is the store's problem. */
  readonly talk: { readonly sessions: number; readonly openRuns: number } | null;
  /** On the disk of the state directory; `null`: it can't be told. */
  readonly room: { readonly freeBytes: number; readonly totalBytes: number } | null;
  /** What of `run/` no longer says what it should, so that commands would not find this gateway; `null`: nothing. */
  readonly place: string | null;
  readonly clock: {
    /** By how much the wall clock moved against the monotonic one since the start. */
    readonly movedMs: number;
    /** By how much the newest record lies ahead of now; 0: it doesn't. */
    readonly aheadMs: number;
  };
}

/** A look at everything costs; who asks again within this time gets the last answer. */
export const INSPECT_EVERY_MS = 10_000;

/** Makes `look` cheap enough to be asked by anybody who may read. */
export function seldom(look: () => Promise<Inspection>, monotonicMs: () => number): () => Promise<Inspection> {
  let last: { readonly fromMs: number; readonly answer: Promise<Inspection> } | null = null;
  return () => {
    const nowMs = monotonicMs();
    if (last === null || nowMs - last.fromMs >= INSPECT_EVERY_MS) {
      const answer = look();
      last = { fromMs: nowMs, answer };
      // A look that failed is no answer to the next who asks.
      answer.catch(() => {
        last = null;
      });
    }
    return last.answer;
  };
}
