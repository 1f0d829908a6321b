import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { codeOf, EXIT, Failure } from './failure.ts';
import { newId } from './random.ts';
import { shellWord } from './text.ts';

/**
 * Replaces a file whole or not at all, 0600, and returns once content and name are on disk. What stands there before
 * stays when this throws.
 */
export function replaceFile(path: string, content: string): void {
  const fresh = `${path}.${newId()}.new`;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
  const file = openSync(fresh, flags, 0o600);
  try {
    try {
      // Also under a umask that takes the owner's bits away.
      fchmodSync(file, 0o600);
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

/** Removes what a `replaceFile` that was killed left beside `path`. For whoever alone writes it: others' may be at work. */
export function sweepUnfinished(path: string): void {
  const directory = dirname(path);
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    // What is wrong with the directory is told to whoever writes there.
    return;
  }
  const left = names.filter((name) => name.startsWith(`${basename(path)}.`) && name.endsWith('.new'));
  for (const name of left) rmSync(join(directory, name), { force: true });
}

/** What was renamed or linked in it is on disk when it returns. */
export function syncDirectory(path: string): void {
  // Windows can't open a directory; a rename is durable there by itself.
  if (process.platform === 'win32') return;
  const directory = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/**
 * The text of a file that only its owner may read; `null` when there is none. What was checked is what is read: the
 * checks are made on the open file.
 * @throws Failure 78 for a link, another owner, or a mode that lets others in
 */
export function readPrivateFile(path: string): string | null {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return null;
    if (code === 'ELOOP') throw refused(path, 'it is a symbolic link', `ls -l ${shellWord(path)}`);
    if (code === 'EACCES' || code === 'EPERM') {
      throw new Failure(EXIT.permission, {
        what: `can't read ${path}`,
        why: 'the file belongs to another user',
        run: `ls -l ${shellWord(path)}`,
      });
    }
    throw error;
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw refused(path, 'it is not a regular file', `ls -l ${shellWord(path)}`);
    if (process.getuid !== undefined) {
      if (stat.uid !== process.getuid()) {
        throw refused(path, `it belongs to uid ${stat.uid}`, `chown ${process.getuid()} ${shellWord(path)}`);
      }
      if ((stat.mode & 0o077) !== 0) {
        const mode = (stat.mode & 0o777).toString(8);
        throw refused(path, `others may read or write it (mode ${mode})`, `chmod 600 ${shellWord(path)}`);
      }
    }
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

function refused(path: string, why: string, run: string): Failure {
  return new Failure(EXIT.configuration, { what: `refusing to use ${path}`, why, run });
}
