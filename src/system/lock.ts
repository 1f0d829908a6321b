import { chmodSync, closeSync, existsSync, openSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { codeOf, EXIT, Failure } from './failure.ts';
import { replaceFile, sweepUnfinished } from './file.ts';
import { networkFileSystem } from './filesystem.ts';
import { processStart } from './process.ts';
import { ensurePrivateDirectory } from './state-dir.ts';
import { shellWord } from './text.ts';

/** What `run/gateway.json` says of the holder. */
export interface OwnerData {
  readonly pid: number;
  /** When the process started, as the system writes it: tells it from a later one with the same pid. `null`: unknown. */
  readonly started: string | null;
  /** For people: `latchkey gateway`, `latchkey devices approve`. */
  readonly program: string;
  /** Holds the lock for one transaction only: others wait for it. */
  readonly brief: boolean;
  /** The port it listens on; `null` before it does, and for a command. */
  readonly port: number | null;
  /** Where it listens on that port: address literals, wildcards as such; none before it does, and for a command. */
  readonly addresses: readonly string[];
  /** A11: the path of its owner socket; `null` where there is none. */
  readonly socket: string | null;
  /** Of the certificate that its port speaks with, lower-case hex SHA-256; `null`: none, it speaks in clear. */
  readonly tlsFingerprint: string | null;
  /** Higher at each take of the lock. */
  readonly fence: number;
  /** The last holder that was not brief, where it ended without giving the lock back: killed, or with its host. */
  readonly died?: Omit<OwnerData, 'died'>;
}

export interface Lock {
  readonly owner: OwnerData;
  /** Says in `run/gateway.json` where the holder can be reached. */
  describe(place: Partial<Pick<OwnerData, 'port' | 'addresses' | 'socket' | 'tlsFingerprint'>>): void;
  /** Gives the lock back; a second call does nothing. */
  release(): void;
}

export interface LockOptions {
  readonly program: string;
  /** True for a command that gives it back after one transaction. */
  readonly brief?: boolean;
  /** How long to wait for a holder that is brief, or can't be told. One that stays is reported at once. */
  readonly waitMs?: number;
}

/** `owner`: who holds it instead; `null` when that can't be told. */
export type LockResult =
  | { readonly ok: true; readonly lock: Lock }
  | { readonly ok: false; readonly owner: OwnerData | null };

const LOCK = 'gateway.lock';
const DATA = 'gateway.json';
const POLL_MS = 25;
const BUSY = 5;
const FULL = 13;

/**
 * Takes the one lock of a state directory (DESIGN §6). The system gives it back when the process ends, however it ends.
 * It lies on `run/gateway.lock`: within this process nobody else may open that file, since closing it would give the
 * lock back.
 * @throws Failure 78 on a network file system, where a lock may not hold; 77 or 78 where the files can't be written
 */
export async function takeLock(stateDir: string, options: LockOptions): Promise<LockResult> {
  const run = join(stateDir, 'run');
  refuseNetwork(stateDir);
  ensurePrivateDirectory(run);
  const endMs = performance.now() + (options.waitMs ?? 0);
  for (;;) {
    const database = tryLock(join(run, LOCK));
    if (database !== null) return { ok: true, lock: hold(database, run, options) };
    const owner = readOwner(stateDir);
    const leftMs = endMs - performance.now();
    if (leftMs <= 0 || owner?.brief === false) return { ok: false, owner };
    await new Promise((resolve) => setTimeout(resolve, Math.min(POLL_MS, leftMs)));
  }
}

/** Who holds the lock by `run/gateway.json`, if that process is alive; it may still be about to start or to end. */
export function readOwner(stateDir: string): OwnerData | null {
  const data = recordIn(join(stateDir, 'run', DATA));
  if (data === null) return null;
  const started = processStart(data.pid);
  return started === undefined || (data.started !== null && started !== null && started !== data.started) ? null : data;
}

function recordIn(file: string): OwnerData | null {
  try {
    const data: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isOwnerData(data) ? data : null;
  } catch {
    // None yet, or none any more.
    return null;
  }
}

/** Whoever holds the lock finds no record there, unless who held it before could not take it away. */
function diedIn(file: string): OwnerData['died'] {
  const record = recordIn(file);
  if (record === null) return undefined;
  const { died, ...last } = record;
  // One that was brief carried on what it had found itself.
  return last.brief ? died : last;
}

function isOwnerData(data: unknown): data is OwnerData {
  if (typeof data !== 'object' || data === null) return false;
  const { pid, started, program, brief, port, addresses, socket, tlsFingerprint, fence } = data as Record<
    string,
    unknown
  >;
  return (
    Number.isSafeInteger(pid) &&
    Number.isSafeInteger(fence) &&
    typeof program === 'string' &&
    typeof brief === 'boolean' &&
    (port === null || Number.isSafeInteger(port)) &&
    Array.isArray(addresses) &&
    addresses.every((address) => typeof address === 'string') &&
    (socket === null || typeof socket === 'string') &&
    (tlsFingerprint === null || typeof tlsFingerprint === 'string') &&
    (started === null || typeof started === 'string')
  );
}

/** `null`: somebody else holds it. */
function tryLock(file: string): DatabaseSync | null {
  let database: DatabaseSync | null = null;
  try {
    if (!existsSync(file)) makePrivate(file);
    database = new DatabaseSync(file, { timeout: 0 });
    // The lock stays when the transaction ends: it holds the fencing number, which has to be committed.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    if (resultOf(error) === BUSY) return null;
    throw unusable(file, error);
  }
}

/** An existing one is never opened here: closing it would give back a lock that this process holds. */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
    chmodSync(file, 0o600);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

function hold(database: DatabaseSync, run: string, { program, brief = false }: LockOptions): Lock {
  const file = join(run, DATA);
  let data: OwnerData;
  const write = () => replaceFile(file, `${JSON.stringify(data, null, 2)}\n`);
  try {
    const row = database.prepare('PRAGMA user_version').get();
    const fence = Number(row?.user_version ?? 0) + 1;
    database.exec(`PRAGMA user_version = ${fence}; COMMIT`);
    const started = processStart(process.pid) ?? null;
    const place = { port: null, addresses: [], socket: null, tlsFingerprint: null };
    const died = diedIn(file);
    data = { pid: process.pid, started, program, brief, ...place, fence, ...(died === undefined ? {} : { died }) };
    sweepUnfinished(file);
    write();
  } catch (error) {
    database.close();
    throw unusable(join(run, LOCK), error);
  }
  let isHeld = true;
  return {
    get owner() {
      return data;
    },
    describe(place) {
      if (!isHeld) throw new Error('the lock was given back');
      data = { ...data, ...place };
      write();
    },
    release() {
      if (!isHeld) return;
      isHeld = false;
      // Before the lock is free: afterwards it could be the next holder's. What a command found is not its to wipe.
      if (brief && data.died !== undefined) putBack(file, data.died);
      else rmSync(file, { force: true });
      database.close();
    },
  };
}

function putBack(file: string, died: NonNullable<OwnerData['died']>): void {
  try {
    replaceFile(file, `${JSON.stringify(died, null, 2)}\n`);
  } catch {
    // It is for people alone, and the lock is given back whatever the disk says.
    rmSync(file, { force: true });
  }
}

function resultOf(error: unknown): number | null {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : null;
}

function unusable(file: string, error: unknown): Failure {
  // 8: SQLite's word for a file, or its directory, that may not be written.
  const isReadOnly = resultOf(error) === 8 || codeOf(error) === 'EROFS';
  const isClosed = isReadOnly || ['EACCES', 'EPERM'].includes(codeOf(error) ?? '');
  // 11, 26: a torn file. It holds no truth, and nobody holds it, or it would have been busy.
  const isTorn = [11, 26].includes(resultOf(error) ?? 0);
  const isFull = resultOf(error) === FULL || codeOf(error) === 'ENOSPC';
  return new Failure(
    isClosed ? EXIT.permission : isFull ? EXIT.later : EXIT.configuration,
    {
      what: `can't take the lock ${file}`,
      why: isReadOnly
        ? 'it, or the directory that it is in, is read-only'
        : error instanceof Error
          ? error.message
          : String(error),
      run: isReadOnly
        ? `chmod u+rwx ${shellWord(dirname(file))}`
        : isTorn
          ? `rm ${shellWord(file)}`
          : isFull
            ? `df -h ${shellWord(file)}`
            : `ls -l ${shellWord(file)}`,
    },
    { cause: error },
  );
}

function refuseNetwork(stateDir: string): void {
  let name: string | null;
  try {
    name = networkFileSystem(statfsSync(stateDir).type, stateDir);
  } catch (error) {
    throw unusable(stateDir, error);
  }
  if (name === null) return;
  throw new Failure(EXIT.configuration, {
    what: `refusing to use ${stateDir}`,
    why: `it lies on a network file system (${name}), where two gateways could run on it at once`,
    run: 'latchkey --state-dir /a/local/directory gateway run',
  });
}
