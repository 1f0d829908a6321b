import { isOver, type RunState } from '../core/conversation/run.ts';
import type { Clock } from '../system/clock.ts';
import type { Players } from './players.ts';

interface Sources {
  readonly clock: Clock;
  readonly hear: () => ReturnType<Players['hear']>;
  readonly load: () => Promise<RunState | null>;
}

/** A run once it has ended, or as it is after `timeoutMs`, once `left` is aborted, or where the gateway ends; `null`: none. */
export async function waited(
  { clock, hear, load }: Sources,
  timeoutMs: number,
  left?: AbortSignal,
): Promise<RunState | null> {
  // Heard before it is looked up: it may end in between.
  const ear = hear();
  try {
    const state = await load();
    if (state === null || isOver(state) || timeoutMs <= 0 || left?.aborted === true) return state;
    let cancel = () => {};
    const late = new Promise<null>((resolve) => {
      const stop = () => resolve(null);
      const timer = clock.after(timeoutMs, stop);
      left?.addEventListener('abort', stop, { once: true });
      cancel = () => {
        timer();
        left?.removeEventListener('abort', stop);
      };
    });
    const ended = await Promise.race([ear.ended, late]);
    cancel();
    return ended ?? (await load());
  } finally {
    ear.close();
  }
}
