import { StoreUnavailable } from '../store.ts';

/** Primary result codes of SQLite (sqlite.org/rescode.html) that speak of the disk or the file, not of the statement. */
const DISK: Readonly<Record<number, string>> = {
  5: 'another process holds the database',
  6: 'another process holds the database',
  7: 'there is no memory left',
  8: 'the file or its disk is read-only',
  10: 'the disk failed',
  11: 'the file is damaged',
  13: 'the disk is full',
  14: 'the file can not be opened',
  26: 'the file is not a SQLite database',
};

const BUSY = 5;
const LOCKED = 6;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const NOTADB = 26;

/** SQLite's primary result code; `null` for any other error. */
export function resultOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null;
  return error.errcode & 0xff;
}

/** The disk is full; a quota that is used up shows as a failing write. */
export function isOutOfRoom(error: unknown): boolean {
  const result = resultOf(error);
  return result === FULL || result === IOERR;
}

export function isBusy(error: unknown): boolean {
  const result = resultOf(error);
  return result === BUSY || result === LOCKED;
}

export function isDamage(error: unknown): boolean {
  const result = resultOf(error);
  return result === CORRUPT || result === NOTADB;
}

/** A word for a POSIX shell. */
export function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/** The error of a statement as StoreUnavailable where it is the disk's, else as it is. */
export function asUnavailable(error: unknown, file: string): unknown {
  const result = resultOf(error);
  const why = result === null ? undefined : DISK[result];
  if (why === undefined || !(error instanceof Error)) return error;
  const remedy =
    result === FULL
      ? `df -h ${quoted(file)}`
      : isDamage(error)
        ? `sqlite3 ${quoted(file)} 'PRAGMA integrity_check'`
        : isBusy(error)
          ? `fuser -v ${quoted(file)}`
          : `ls -l ${quoted(file)}`;
  return new StoreUnavailable(`${file}: ${why} (${error.message})`, remedy, { cause: error });
}
