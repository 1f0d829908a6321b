import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { type Inspection, seldom } from '../gateway/inspect.ts';
import { checkStore } from '../store/sqlite/check.ts';
import type { Store } from '../store/store.ts';
import { systemClock as clock } from '../system/clock.ts';
import { readOwner } from '../system/lock.ts';
import { shellWord } from '../system/text.ts';
import type { House } from './house.ts';

/** A look at what this gateway stands on, at most every ten seconds anew. */
export function inspector(house: House, ownerSocket: () => string): () => Promise<Inspection> {
  const started = { wallMs: clock.now(), monotonicMs: clock.monotonicMs() };
  const look = async (): Promise<Inspection> => {
    const at = clock.now();
    const pages = checkStore(join(house.stateDir, 'state', 'latchkey.sqlite'));
    const { talk, problem } = await talkOf(house.store);
    const [newest] = await house.authority.changes(1);
    return {
      at,
      store: { ...pages, problem: pages.problem ?? problem },
      talk,
      room: roomOf(house.stateDir),
      place: placeOf(house.stateDir, ownerSocket()),
      clock: {
        movedMs: Math.round(at - started.wallMs - (clock.monotonicMs() - started.monotonicMs)),
        aheadMs: newest === undefined ? 0 : Math.max(0, newest.at - at),
      },
    };
  };
  return seldom(look, () => clock.monotonicMs());
}

/** Counts what was said. A row among it that can't be read is the store's problem, and no reason to see nothing else. */
async function talkOf(store: Store): Promise<{ readonly talk: Inspection['talk']; readonly problem: string | null }> {
  try {
    const talk = await store.read(async ({ sessions, runs }) => ({
      sessions: await sessions.count(),
      openRuns: (await runs.open()).length,
    }));
    return { talk, problem: null };
  } catch (error) {
    return { talk: null, problem: error instanceof Error ? error.message : String(error) };
  }
}

function roomOf(stateDir: string): Inspection['room'] {
  try {
    const { bavail, blocks, bsize } = statfsSync(stateDir);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch {
    // Some file systems don't say.
    return null;
  }
}

/** Somebody may have tidied up under a gateway that runs: it goes on, but new commands don't find it. */
function placeOf(stateDir: string, ownerSocket: string): string | null {
  const named = readOwner(stateDir);
  const file = join(stateDir, 'run', 'gateway.json');
  if (named === null) return `${shellWord(file)} is missing or can't be read`;
  if (named.pid !== process.pid) return `${shellWord(file)} names pid ${named.pid}, not this gateway (${process.pid})`;
  if (!existsSync(join(stateDir, 'run', 'gateway.lock')))
    return 'run/gateway.lock is gone: a second gateway could start';
  return process.platform !== 'win32' && !existsSync(ownerSocket) ? `${shellWord(ownerSocket)} is gone` : null;
}
