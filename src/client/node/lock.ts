import { chmodSync, closeSync, openSync } from 'node:fs';
import { codeOf, EXIT, Failure } from '../../system/failure.ts';
import { shellWord } from '../../system/text.ts';

/** How long a command waits for another one that writes the same file; a write takes milliseconds. */
const WAIT_MS = 10_000;
const BUSY = 5;

/**
 * Does `work` while no other process does any under the same `file`. The lock is the system's own: it is given back
 * when the process ends, however it ends, and nothing is left to be cleared away.
 * @throws Failure 75 when another process has held it all the time, 77 or 78 where the file can't be used
 */
export function withFileLock<T>(file: string, work: () => T, waitMs = WAIT_MS): T {
  // Loaded on use: a command that only reads needs no database.
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  let held: InstanceType<typeof DatabaseSync> | null = null;
  try {
    makePrivate(file);
    held = new DatabaseSync(file, { timeout: waitMs });
    // SQLite's way of locking a file; nothing is ever stored in it.
    held.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    held?.close();
    throw unusable(file, error);
  }
  try {
    return work();
  } finally {
    held.close();
  }
}

function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
    chmodSync(file, 0o600);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

function unusable(file: string, error: unknown): Failure {
  const result = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : null;
  const isClosed = ['EACCES', 'EPERM'].includes(codeOf(error) ?? '');
  const isFull = codeOf(error) === 'ENOSPC';
  const exit = result === BUSY || isFull ? EXIT.later : isClosed ? EXIT.permission : EXIT.configuration;
  return new Failure(
    exit,
    {
      what: `can't take the lock ${file}`,
      why: result === BUSY ? 'another command has been writing for a long time' : String((error as Error).message),
      // What is not its own empty file holds nothing of worth.
      run: result !== null && result !== BUSY ? `rm ${shellWord(file)}` : `ls -l ${shellWord(file)}`,
    },
    { cause: error },
  );
}
