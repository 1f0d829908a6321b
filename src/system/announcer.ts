import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Announced, Announcement } from './announce.ts';
import type { Clock } from './clock.ts';

/** A process that ended is begun anew after this long: long enough that somebody who keeps ending it costs nothing. */
const AGAIN_MS = 60_000;
/** How long goodbyes may take. */
const GOODBYE_MS = 1_000;

/** An announcement that lasts until it is closed. */
export interface Announcer {
  /** Says goodbye. Resolves when the announcing process is gone. */
  close(): Promise<void>;
}

/**
 * Announces by multicast DNS, in a process of its own. Failing is no failure of the gateway: it is told, and tried again.
 * @param told `as`: announced under this name; `null`: the process ended by itself
 */
export function announce(announcement: Announcement, clock: Clock, told: (as: string | null) => void): Announcer {
  let child: ChildProcess | null = null;
  let cancel = () => {};
  let isClosed = false;
  const begin = () => {
    const { fork } = process.getBuiltinModule('node:child_process');
    // Beside this file: when shipped, all of dist/ is.
    const isSource = import.meta.filename.endsWith('.ts');
    const file = join(import.meta.dirname, isSource ? 'announce.ts' : 'announce.cjs');
    child = fork(file, {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: [],
      // Nothing of the gateway's: a secret may stand in its environment.
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    child.on('message', (message) => told((message as Announced).announced));
    child.on('error', () => {});
    child.once('exit', () => {
      child = null;
      if (isClosed) return;
      told(null);
      cancel = clock.after(AGAIN_MS, begin);
    });
    child.send(announcement, () => {});
  };
  begin();
  return {
    async close() {
      isClosed = true;
      cancel();
      const leaving = child;
      if (leaving === null) return;
      const gone = new Promise<void>((done) => leaving.once('exit', () => done()));
      const cancelKill = clock.after(GOODBYE_MS, () => leaving.kill('SIGKILL'));
      if (leaving.connected) leaving.disconnect();
      await gone;
      cancelKill();
    },
  };
}
