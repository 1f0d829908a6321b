import { enterStateDir } from '../system/state-dir.ts';
import type { Host } from './context.ts';

/**
 * A11: before anything in a state directory is read, root becomes its owner, and anybody else is refused: what stands in
 * its configuration may name programs to run. False: there is no such directory.
 * @throws Failure 77 or 78 with the command that mends it
 */
export async function enter(host: Host, stateDir: string): Promise<boolean> {
  // As its owner this process may not be able to read the program any more.
  if (process.getuid?.() === 0) await host.loadAll(stateDir);
  return enterStateDir(stateDir);
}
