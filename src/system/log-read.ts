import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { codeOf } from './failure.ts';

/** Loaded on use: it brings half a megabyte along, and few gateways are asked for their log. */
const promises = () => process.getBuiltinModule('node:fs/promises');

/** Which lines of a log file and of those that were rotated away from it (log-sink.ts). */
export interface LogQuery {
  /** From an earlier answer; absent: the newest lines. */
  readonly cursor?: number;
  /** Lines, at most. */
  readonly limit: number;
  /** Of lines, at most; no more than that is read of the files for one answer, but for what finds the place. */
  readonly maxBytes: number;
}

export interface LogAnswer {
  readonly file: string;
  readonly cursor: number;
  readonly size: number;
  readonly lines: readonly string[];
  readonly truncated: boolean;
  readonly reset: boolean;
  readonly skippedBytes: number;
}

/** How many rotated files are looked for: more than any sink keeps. */
const OLDER_MAX = 9;
/** A cursor is the file's mark and an offset in it: no file is so large (config/schema.ts), and both fit an integer. */
const OFFSETS = 2 ** 31;
const MARKS = 2 ** 22;
/** Of the first line, which never changes and begins with an instant. */
const MARK_BYTES = 256;

/** One file, held open: whatever it is renamed to meanwhile, it is read to its end. */
interface Part {
  readonly handle: FileHandle;
  /** Known by its first line, under whatever name; 0 until that is whole. */
  readonly mark: number;
  readonly inode: number;
  readonly size: number;
}

/**
 * Reads whole lines of `file`, oldest first, across its rotated predecessors: a line that is still being written is left
 * for the next answer. Asynchronous and bounded, so that a large log holds nobody up. Writes nothing.
 * @throws Error of the file system where the log is there and can't be read
 */
export async function readLog(file: string, query: LogQuery): Promise<LogAnswer> {
  const parts = new Parts(file);
  try {
    const { cursor } = query;
    const place = cursor === undefined ? null : await parts.find(cursor);
    const found = place === null ? await tail(parts, query) : await onward(parts, place, query);
    return { file, size: parts.size, reset: place === null && (cursor ?? 0) > 0, ...found };
  } finally {
    await parts.close();
  }
}

/** The files from the newest (0) on, opened when they are needed. */
class Parts {
  readonly #file: string;
  readonly #open: Part[] = [];
  #next = 0;
  #size = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** Bytes of the newest file, once one was asked for. */
  get size(): number {
    return this.#size;
  }

  /** The n-th newest in which a line is whole; `null`: there are fewer. */
  async at(index: number): Promise<Part | null> {
    while (this.#open.length <= index && this.#next <= OLDER_MAX) {
      const name = this.#next === 0 ? this.#file : this.#file.replace(/(\.jsonl)?$/, `.${this.#next}$1`);
      this.#next += 1;
      const part = await openPart(name);
      if (part === null) continue;
      if (this.#next === 1) this.#size = part.size;
      // Rotated while we looked: the same file under its next name.
      const isKnown = this.#open.some((p) => p.inode === part.inode);
      if (part.mark === 0 || isKnown) await part.handle.close();
      else this.#open.push(part);
    }
    return this.#open[index] ?? null;
  }

  /** Where a cursor stands; `null`: its file is gone. 0 is before the first line there is. */
  async find(cursor: number): Promise<{ readonly index: number; readonly offset: number } | null> {
    if (cursor === 0) {
      const oldest = await this.at(OLDER_MAX);
      return { index: oldest === null ? Math.max(0, this.#open.length - 1) : OLDER_MAX, offset: 0 };
    }
    const mark = Math.floor(cursor / OFFSETS);
    const offset = cursor % OFFSETS;
    for (let index = 0; ; index += 1) {
      const part = await this.at(index);
      if (part === null) return null;
      if (part.mark !== mark || offset > part.size) continue;
      return (await isLineStart(part, offset)) ? { index, offset } : null;
    }
  }

  async close(): Promise<void> {
    for (const { handle } of this.#open) await handle.close();
  }
}

async function openPart(name: string): Promise<Part | null> {
  let handle: FileHandle;
  try {
    handle = await promises().open(
      name,
      constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0),
    );
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
    throw error;
  }
  try {
    const about = await handle.stat();
    if (!about.isFile()) throw new Error(`${name} is no file`);
    const { size, ino: inode } = about;
    const head = await readAt(handle, 0, Math.min(size, MARK_BYTES));
    const end = head.indexOf(10);
    const isMarked = end >= 0 || head.length === MARK_BYTES;
    return { handle, size, inode, mark: isMarked ? markOf(head.subarray(0, end < 0 ? MARK_BYTES : end)) : 0 };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Never 0, which is no file's. */
function markOf(head: Buffer): number {
  return (createHash('sha256').update(head).digest().readUInt32BE(0) % (MARKS - 1)) + 1;
}

async function readAt(handle: FileHandle, from: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

async function isLineStart(part: Part, offset: number): Promise<boolean> {
  return offset === 0 || (await readAt(part.handle, offset - 1, 1))[0] === 10;
}

const cursorAt = (part: Part | null, offset: number): number => (part === null ? 0 : part.mark * OFFSETS + offset);

type Found = Pick<LogAnswer, 'lines' | 'cursor' | 'truncated' | 'skippedBytes'>;

/** What came since, oldest first, as much as fits: nothing between two answers is lost. */
async function onward(parts: Parts, place: { index: number; offset: number }, query: LogQuery): Promise<Found> {
  const lines: string[] = [];
  let { index, offset } = place;
  let bytes = 0;
  let skippedBytes = 0;
  let truncated = false;
  for (;;) {
    const part = await parts.at(index);
    if (part === null) break;
    const room = query.maxBytes - bytes;
    const chunk = await readAt(part.handle, offset, Math.min(room, part.size - offset));
    const taken = linesOf(chunk, query.limit - lines.length);
    lines.push(...taken.lines);
    offset += taken.bytes;
    bytes += taken.bytes;
    const isFull =
      lines.length >= query.limit || (taken.bytes === 0 && part.size - offset > room && room < query.maxBytes);
    if (isFull) {
      truncated = offset < part.size || index > 0;
      break;
    }
    if (taken.bytes === 0 && chunk.length === query.maxBytes) {
      // One line that no answer could hold.
      const past = await endOfLine(part, offset);
      if (past === null && index === 0) break;
      skippedBytes += (past ?? part.size) - offset;
      offset = past ?? part.size;
      continue;
    }
    if (taken.bytes > 0 && offset < part.size) continue;
    if (index === 0) break;
    // What a killed gateway left unfinished in an older file is never finished.
    skippedBytes += part.size - offset;
    index -= 1;
    offset = 0;
  }
  return { lines, cursor: cursorAt(await parts.at(index), offset), truncated, skippedBytes };
}

/** The newest lines, from as many files as it takes. */
async function tail(parts: Parts, query: LogQuery): Promise<Found> {
  let lines: string[] = [];
  let bytes = 0;
  let cursor = 0;
  let truncated = false;
  for (let index = 0; ; index += 1) {
    const part = await parts.at(index);
    if (part === null) break;
    const want = Math.min(part.size, query.maxBytes - bytes);
    const from = part.size - want;
    const chunk = await readAt(part.handle, from, want);
    const end = chunk.lastIndexOf(10) + 1;
    // Nothing but the middle of one long line: the next answer begins with it.
    const upTo = end === 0 && from > 0 ? await startOfLine(part, from) : from + end;
    if (index === 0) cursor = cursorAt(part, upTo);
    const begin = from === 0 || (await isLineStart(part, from)) ? 0 : chunk.indexOf(10) + 1;
    const whole = begin < end ? chunk.subarray(begin, end) : chunk.subarray(0, 0);
    const found = linesOf(whole, Number.POSITIVE_INFINITY).lines;
    lines = [...found, ...lines];
    bytes += want;
    truncated = from > 0 || lines.length > query.limit;
    if (truncated || bytes >= query.maxBytes) {
      truncated ||= (await parts.at(index + 1)) !== null;
      break;
    }
  }
  return { lines: lines.slice(-query.limit), cursor, truncated, skippedBytes: 0 };
}

/** Whole lines at the front, and the bytes that they take; a rest without an end of line is not looked at. */
function linesOf(chunk: Buffer, limit: number): { readonly lines: readonly string[]; readonly bytes: number } {
  const lines: string[] = [];
  let from = 0;
  while (lines.length < limit) {
    const end = chunk.indexOf(10, from);
    if (end < 0) break;
    if (end > from) lines.push(chunk.toString('utf8', from, end));
    from = end + 1;
  }
  return { lines, bytes: from };
}

const STEP = 64 * 1024;

/** The offset after the next end of line at or after `from`; `null`: it has not come yet. */
async function endOfLine(part: Part, from: number): Promise<number | null> {
  for (let at = from; at < part.size; at += STEP) {
    const chunk = await readAt(part.handle, at, Math.min(STEP, part.size - at));
    const end = chunk.indexOf(10);
    if (end >= 0) return at + end + 1;
  }
  return null;
}

/** The offset at which the line that holds `before` begins. */
async function startOfLine(part: Part, before: number): Promise<number> {
  for (let at = before; at > 0; ) {
    const from = Math.max(0, at - STEP);
    const end = (await readAt(part.handle, from, at - from)).lastIndexOf(10);
    if (end >= 0) return from + end + 1;
    at = from;
  }
  return 0;
}
