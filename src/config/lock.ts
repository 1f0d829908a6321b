import { chmodSync, closeSync, openSync } from 'node:fs';
import { codeOf, EXIT, Failure } from '../system/failure.ts';
import { shellWord } from '../system/text.ts';

const WAIT_MS = 10_000;
const POLL_MS = 20;
const BUSY = 5;

/**
 * Does `work` while nobody else who asks for the same lock file does, in this process or another one. The system gives
 * the lock back when the process ends, however it ends. Nothing is ever stored in the file.
 * @param wait a pause of so many milliseconds
 * @throws Failure 75 when somebody held it all the time, 77 or 78 where the file can't be used
 */
export async function withLock<T>(
  file: string,
  wait: (delayMs: number) => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  // Loaded on use: who only reads needs no database.
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  let held: InstanceType<typeof DatabaseSync> | null = null;
  try {
    makePrivate(file);
    for (let waitedMs = 0; held === null; waitedMs += POLL_MS) {
      held = tryLock(() => new DatabaseSync(file, { timeout: 0 }));
      if (held !== null) break;
      if (waitedMs >= WAIT_MS) throw busy(file);
      await wait(POLL_MS);
    }
  } catch (error) {
    throw (error as Error).name === 'Failure' ? error : unusable(file, error);
  }
  try {
    return await work();
  } finally {
    held.close();
  }
}

interface Database {
  exec(sql: string): void;
  close(): void;
}

/** `null`: somebody else holds it. */
function tryLock<D extends Database>(open: () => D): D | null {
  const database = open();
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
  const exit =
    code === 'ENOSPC' ? EXIT.later : code === 'EACCES' || code === 'EPERM' ? EXIT.permission : EXIT.configuration;
  return new Failure(
    exit,
    {
      what: `can't take the lock ${file}`,
      why: (resultOf(error) === null ? code : null) ?? (error as Error).message,
      run: resultOf(error) === null ? `ls -l ${shellWord(file)}` : `rm ${shellWord(file)}`,
    },
    { cause: error },
  );
}
