import { chmodSync, closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf, EXIT, Failure } from './failure.ts';
import { shellWord } from './text.ts';

/** How long a command waits for another one that writes the same file; a write takes milliseconds. */
const WAIT_MS = 10_000;
const POLL_MS = 20;
const BUSY = 5;

/**
 * Does `work` while nobody else who asks for the same lock file does, in this process or another one. The lock is the
 * system's own: it is given back when the process ends, however it ends, and nothing is left to be cleared away.
 * @throws Failure 75 when somebody held it all the time, 77 or 78 where the file can't be used
 */
export function withFileLock<T>(file: string, work: () => T): T {
  const held = usable(file, () => {
    const found = tryLock(file, WAIT_MS);
    if (found === null) throw busy(file);
    return found;
  });
  try {
    return work();
  } finally {
    held.close();
  }
}

/** The same for work that takes turns with other work of this process. @param wait a pause of so many milliseconds */
export async function withFileLockHeld<T>(
  file: string,
  wait: (delayMs: number) => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  let held: Held | null = null;
  for (let waitedMs = 0; held === null; waitedMs += POLL_MS) {
    held = usable(file, () => tryLock(file, 0));
    if (held !== null) break;
    if (waitedMs >= WAIT_MS) throw busy(file);
    await wait(POLL_MS);
  }
  try {
    return await work();
  } finally {
    held.close();
  }
}

interface Held {
  close(): void;
}

/** `null`: somebody else held it all the time. SQLite's way of locking a file; nothing is ever stored in it. */
function tryLock(file: string, timeoutMs: number): Held | null {
  // Loaded on use: who only reads needs no database.
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  makePrivate(file);
  const database = new DatabaseSync(file, { timeout: timeoutMs });
  try {
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    if (resultOf(error) === BUSY) return null;
    throw error;
  }
}

/** An existing one is not opened: closing it would give back a lock that this process holds. */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
    chmodSync(file, 0o600);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

function usable<T>(file: string, take: () => T): T {
  try {
    return take();
  } catch (error) {
    throw (error as Error).name === 'Failure' ? error : unusable(file, error);
  }
}

function resultOf(error: unknown): number | null {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : null;
}

function busy(file: string): Failure {
  return new Failure(EXIT.later, {
    what: `can't take the lock ${file}`,
    why: 'another command has been writing for a long time',
    run: `ls -l ${shellWord(file)}`,
  });
}

function unusable(file: string, error: unknown): Failure {
  const code = codeOf(error);
  // 8: SQLite's word for a file, or its directory, that may not be written.
  const isReadOnly = resultOf(error) === 8 || code === 'EROFS';
  const isClosed = isReadOnly || code === 'EACCES' || code === 'EPERM';
  const exit = code === 'ENOSPC' ? EXIT.later : isClosed ? EXIT.permission : EXIT.configuration;
  const isOfDatabase = resultOf(error) !== null;
  return new Failure(
    exit,
    {
      what: `can't take the lock ${file}`,
      why: isReadOnly
        ? 'it, or the directory that it is in, is read-only'
        : isOfDatabase
          ? (error as Error).message
          : (code ?? (error as Error).message),
      // What is not its own empty file holds nothing of worth.
      run: isReadOnly
        ? `chmod u+rwx ${shellWord(dirname(file))}`
        : isOfDatabase
          ? `rm ${shellWord(file)}`
          : `ls -ld ${shellWord(dirname(file))}`,
    },
    { cause: error },
  );
}
