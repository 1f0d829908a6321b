import {
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { StoreUnavailable } from '../store.ts';
import { quoted } from './failure.ts';

/** `LKEY`, at byte 68 of the header: whose file it is. */
export const APPLICATION_ID = 0x4c_4b_45_59;
const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
/** What SQLite keeps beside a database. */
export const BESIDE = ['-wal', '-shm', '-journal'] as const;

/**
 * Looks at a database file before SQLite does, which would take an empty file for a new database.
 * Returns false when there is none. @throws StoreUnavailable for anything but a database of this program
 */
export function inspect(file: string, backupsDir: string): boolean {
  const stat = statSync(file, { throwIfNoEntry: false });
  const mend = restoreCommand(file, backupsDir);
  if (stat === undefined) {
    // Without its database the log can't be read, and beside a new one it would be read wrongly.
    const log = statSync(`${file}-wal`, { throwIfNoEntry: false });
    if (log === undefined || log.size === 0) return false;
    throw new StoreUnavailable(`${file} is missing, but ${file}-wal is there: the database was moved or deleted`, mend);
  }
  if (!stat.isFile()) throw new StoreUnavailable(`${file} is not a regular file`, `ls -ld ${quoted(file)}`);
  if (stat.size === 0) throw new StoreUnavailable(`${file} is empty: it is not a database`, mend);
  const header = readHeader(file);
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new StoreUnavailable(`${file} is damaged or not a SQLite database`, mend);
  }
  const application = header.readUInt32BE(68);
  if (application !== APPLICATION_ID) {
    const id = application.toString(16).padStart(8, '0');
    throw new StoreUnavailable(`${file} is a SQLite database of another program (application_id 0x${id})`, mend);
  }
  return true;
}

function readHeader(file: string): Buffer {
  try {
    const opened = openSync(file, 'r');
    try {
      const header = Buffer.alloc(HEADER_BYTES);
      return header.subarray(0, readSync(opened, header, 0, HEADER_BYTES, 0));
    } finally {
      closeSync(opened);
    }
  } catch (error) {
    throw new StoreUnavailable(`${file} can't be read: ${String(error)}`, `ls -l ${quoted(file)}`, { cause: error });
  }
}

/** Nobody but the owner reads the truth, whatever the umask was: SQLite gives `-wal` and `-shm` the database's mode. */
export function keepPrivate(file: string): void {
  for (const path of [file, ...BESIDE.map((end) => file + end)]) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && (stat.mode & 0o077) !== 0) chmodSync(path, 0o600);
  }
}

/** An empty file, 0600, for SQLite to fill. @throws when there is one */
export function makePrivate(file: string): void {
  closeSync(openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600));
  chmodSync(file, 0o600);
}

/** Content and name are on disk when this returns. */
export function sync(file: string): void {
  for (const path of process.platform === 'win32' ? [file] : [file, dirname(file)]) {
    const opened = openSync(path, path === file && process.platform === 'win32' ? 'r+' : 'r');
    try {
      fsyncSync(opened);
    } finally {
      closeSync(opened);
    }
  }
}

/** Gives a finished file its name. */
export function settle(fresh: string, file: string): void {
  renameSync(fresh, file);
  sync(file);
}

export function removeDatabase(file: string): void {
  for (const path of [file, ...BESIDE.map((end) => file + end)]) rmSync(path, { force: true });
}

const BACKUP = /^latchkey-(\d+)-(\d{8}T\d{9}Z)(?:-\d+)?\.sqlite$/;

/** The name of the `nth` copy made of schema `version` at an instant: `latchkey-1-20261121T044512345Z.sqlite`. */
export function backupName(version: number, isoTime: string, nth = 1): string {
  return `latchkey-${version}-${isoTime.replace(/[-:.]/g, '')}${nth === 1 ? '' : `-${nth}`}.sqlite`;
}

/** The newest backup; `null`: there is none. */
export function newestBackup(backupsDir: string): string | null {
  let names: string[];
  try {
    names = readdirSync(backupsDir);
  } catch {
    return null;
  }
  const newest = names
    .flatMap((name) => {
      const taken = BACKUP.exec(name)?.[2];
      return taken === undefined ? [] : [{ name, taken }];
    })
    .sort((a, b) => (a.taken < b.taken ? 1 : -1))[0];
  return newest === undefined ? null : join(backupsDir, newest.name);
}

/**
 * One shell line that puts a database aside with its log, so that no older log is applied to a newer file, and the
 * newest backup in its place where there is one.
 */
export function restoreCommand(file: string, backupsDir: string): string {
  const backup = newestBackup(backupsDir);
  const aside = `for e in '' ${BESIDE.join(' ')}; do [ ! -e ${quoted(file)}$e ] || mv ${quoted(file)}$e ${quoted(`${file}.damaged`)}$e; done`;
  return backup === null ? aside : `${aside}; cp -p ${quoted(backup)} ${quoted(file)}`;
}
