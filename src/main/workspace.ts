import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

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
