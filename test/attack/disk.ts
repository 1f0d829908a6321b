// A disk without room: a file system of 3 MiB. Mounting one needs root on Linux.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { newStateDir, removeStateDir } from '../gateway.ts';
import { isLinux } from '../process.ts';

const SIZE = '3m';
const mounted: string[] = [];

function mount(path: string, as: number): void {
  const options = `size=${SIZE},mode=0700,uid=${as},gid=${as}`;
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]);
  if (done.status !== 0) throw new Error(`mount: ${done.stderr}`);
  mounted.push(path);
}

/** Why this can't be tried here; `null`: it can. */
export function obstacle(): string | null {
  if (!isLinux) return 'only Linux is known to have tmpfs';
  if (process.getuid?.() !== 0) return 'mounting needs root';
  const place = newStateDir();
  try {
    mount(place, 0);
    spawnSync('umount', [mounted.pop() ?? '']);
    return null;
  } catch (error) {
    return String(error);
  } finally {
    removeStateDir(place);
  }
}

/** A state directory on a file system of its own, of 3 MiB; gone with `unmountAll`. */
export function smallStateDir(as: number): string {
  const stateDir = newStateDir({}, as);
  const config = readFileSync(join(stateDir, 'latchkey.json'));
  mount(stateDir, as);
  writeFileSync(join(stateDir, 'latchkey.json'), config, { mode: 0o600 });
  spawnSync('chown', [`${as}:${as}`, join(stateDir, 'latchkey.json')]);
  return stateDir;
}

/** Takes all the room that is left. */
export function fill(stateDir: string): void {
  const file = openSync(join(stateDir, 'filler'), 'a');
  try {
    for (;;) writeSync(file, Buffer.alloc(4096, 7));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

export const free = (stateDir: string): void => rmSync(join(stateDir, 'filler'));

export function unmountAll(): void {
  for (const path of mounted.splice(0)) {
    spawnSync('umount', ['-l', path]);
    removeStateDir(path);
  }
}
