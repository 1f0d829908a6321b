import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { syncDirectory } from './file.ts';
import { newId } from './random.ts';

/** A file that is written piece by piece and stands under its name once it is whole, 0600; before that, nothing does. */
export class StreamFile {
  readonly #path: string;
  readonly #fresh: string;
  readonly #replaces: boolean;
  readonly #file: number;
  #bytes = 0;

  /** @param replaces what stands there may go. @throws Error with a code of the file system */
  constructor(path: string, { replaces }: { readonly replaces: boolean }) {
    this.#path = path;
    this.#fresh = `${path}.${newId()}.new`;
    this.#replaces = replaces;
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
    this.#file = openSync(this.#fresh, flags, 0o600);
    // Also under a umask that takes the owner's bits away.
    fchmodSync(this.#file, 0o600);
  }

  /** Written so far. */
  get bytes(): number {
    return this.#bytes;
  }

  write(content: string | Buffer): void {
    let rest = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
    this.#bytes += rest.length;
    while (rest.length > 0) rest = rest.subarray(writeSync(this.#file, rest));
  }

  /** Content and name are on disk when it returns. @throws Error `EEXIST` where something stands there by now */
  finish(): void {
    try {
      fsyncSync(this.#file);
      closeSync(this.#file);
      // A link is refused where the name is taken, also since it was last looked at; a rename would replace what it is.
      if (this.#replaces) renameSync(this.#fresh, this.#path);
      else linkSync(this.#fresh, this.#path);
    } finally {
      rmSync(this.#fresh, { force: true });
    }
    syncDirectory(dirname(this.#path));
  }

  /** Nothing of it is left. */
  discard(): void {
    try {
      closeSync(this.#file);
    } catch {
      // It was closed before.
    }
    rmSync(this.#fresh, { force: true });
  }
}
