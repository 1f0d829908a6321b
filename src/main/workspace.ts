import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { codeOf } from '../system/failure.ts';

/** What a state directory holds of one agent. @param id of an agent of the configuration: a name, no path */
export function agentDir(stateDir: string, id: string): string {
  return join(stateDir, 'agents', id);
}

/** Where an agent is told who it is: the directory that its owner named, else the one of its own. */
export function workspaceOf(
  stateDir: string,
  { id, workspace }: { readonly id: string; readonly workspace: string | null },
): string {
  return workspace ?? join(agentDir(stateDir, id), 'workspace');
}

/** Makes a directory and those above it, for its owner alone; one that is there stays as it is. */
export function makeWorkspace(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/**
 * Whether what stands at `path` may go when `directory` is deleted: by what both are called, or by where they really are, over
 * links and other spellings. Where that can't be found out it may.
 */
export function isPerhapsWithin(path: string, directory: string): boolean {
  if (isWithin(path, directory)) return true;
  const [real, within] = [placeOf(path), placeOf(directory)];
  return real === null || within === null || isWithin(real, within);
}

function isWithin(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** Where it really is, or would be made. `null`: nobody can say, as with a link to nothing. */
function placeOf(path: string): string | null {
  try {
    // The system's own answer: it also knows names in the case in which they were made.
    return realpathSync.native(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || path === dirname(path) || isThere(path)) return null;
  }
  const above = placeOf(dirname(path));
  return above === null ? null : join(above, basename(path));
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ENOENT';
  }
}
