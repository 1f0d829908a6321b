import { closeSync, fchmodSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { type Instant, MINUTE_MS } from '../../core/base/instant.ts';

const RESERVE_BYTES = 1024 * 1024;
/** Written at once; what the process makes of it stays in its memory for long. */
const BLOCK_BYTES = 64 * 1024;

/**
 * Room on the disk that is kept for taking authority away: a file that is given up when such a write finds the disk
 * full, and laid by again when there is room.
 */
export class Reserve {
  readonly #file: string;
  readonly #now: () => Instant;
  #isMissing = true;
  #triedAt: Instant | null = null;

  constructor(file: string, now: () => Instant) {
    this.#file = file;
    this.#now = now;
  }

  /** Lays the reserve by if it is missing; tried once a minute. A full disk is no error. */
  keep(): void {
    if (!this.#isMissing) return;
    const at = this.#now();
    // A clock that was set back is no reason to wait.
    if (this.#triedAt !== null && at >= this.#triedAt && at < this.#triedAt + MINUTE_MS) return;
    this.#triedAt = at;
    try {
      if (statSync(this.#file, { throwIfNoEntry: false })?.size !== RESERVE_BYTES) this.#write();
      this.#isMissing = false;
    } catch {
      rmSync(this.#file, { force: true });
    }
  }

  /** Gives the room to whoever writes next. */
  giveUp(): void {
    rmSync(this.#file, { force: true });
    this.#isMissing = true;
    this.#triedAt = this.#now();
  }

  #write(): void {
    const file = openSync(this.#file, 'w', 0o600);
    try {
      fchmodSync(file, 0o600);
      const words = new Uint32Array(BLOCK_BYTES / 4);
      const block = new Uint8Array(words.buffer);
      for (let written = 0, word = SEED; written < RESERVE_BYTES; written += BLOCK_BYTES) {
        word = noise(words, word);
        for (let done = 0; done < BLOCK_BYTES; ) done += writeSync(file, block, done);
      }
    } finally {
      closeSync(file);
    }
  }
}

const SEED = 0x9e3779b9;

/** Fills `words` with what no file system can store in less room. Returns what the next ones go on from. */
function noise(words: Uint32Array, from: number): number {
  let word = from;
  for (let i = 0; i < words.length; i += 1) {
    // Marsaglia's xorshift32.
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    words[i] = word;
  }
  return word;
}
