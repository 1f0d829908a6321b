import { lstatSync, readFileSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { checkWritten } from '../system/access.ts';
import { codeOf, EXIT, Failure, isFailure } from '../system/failure.ts';
import { replaceFile, sweepUnfinished } from '../system/file.ts';
import { withFileLockHeld } from '../system/file-lock.ts';
import { escapeText, shellWord } from '../system/text.ts';
import { changedKeys, writtenBetween } from './apply.ts';
import type { EditRefused } from './edit.ts';
import { configOf, type LoadedConfig, type LoadOptions, refuseWeak } from './load.ts';
import { dotted, pointerOf } from './locate.ts';
import { weakConstants } from './weak.ts';

/** The file is not what the change was made for. */
export class ConfigConflict extends Error {
  override readonly name = 'ConfigConflict';
}

export interface Written {
  /** The configuration as it stands in the file now. */
  readonly loaded: LoadedConfig;
  /** The keys whose values changed: `gateway.port`. */
  readonly keys: readonly string[];
  /** The text changed, and was written. */
  readonly changed: boolean;
}

export interface WriteOptions extends LoadOptions {
  wait(delayMs: number): Promise<void>;
  /** A last word before it is written: throws for what can't be in force here. */
  readonly check?: (loaded: LoadedConfig) => Promise<void>;
  /** What is in force while the file can't be: what an edit takes out of it is a change all the same. */
  readonly lastGood?: unknown;
  /** Told each key that changes and who may change it; throws where whoever edits may not. */
  readonly permit?: (changes: ReturnType<typeof writtenBetween>) => void;
}

/** How often an edit is made anew on a file that somebody without our lock changed under it. */
const TRIES_MAX = 3;

/**
 * Changes the configuration's file: reads it, edits, checks the result, and replaces the file whole, 0600, or leaves it
 * as it is. Under a lock, so that of two who write at the same time nobody's edit is lost; an editor, which takes no
 * lock, is noticed until the moment of replacement. A link stays a link: what it leads to is replaced.
 * @param edit makes the new text of the old one; `null`: there is no file. May throw ConfigConflict
 * @throws ConfigConflict; Failure 78 naming file, line, key and why for a result that is refused, 77 or 75 where it can't
 * be written
 */
export async function writeConfig(options: WriteOptions, edit: (text: string | null) => string): Promise<Written> {
  const file = fileOf(options.path);
  return withFileLockHeld(`${file}.lock`, options.wait, async () => {
    sweepUnfinished(file);
    for (let tries = 1; ; tries += 1) {
      const before = readWhole(file);
      const after = edited(before, edit, options);
      const loaded = acceptable(after, options);
      const keys = keysBetween(before, loaded, options);
      if (after === before) return { loaded, keys, changed: false };
      // Before anything in it is looked up: that may run a program.
      options.permit?.(writtenBetween(parsedOf(before, options), loaded.parsed));
      // A secret that the gateway would refuse to start with is not written either.
      refuseWeak(loaded, weakConstants(loaded.parsed));
      await options.check?.(loaded);
      if (readWhole(file) !== before) {
        if (tries < TRIES_MAX) continue;
        throw new ConfigConflict(`${file} changes all the time`);
      }
      put(file, after);
      return { loaded, keys, changed: true };
    }
  });
}

/** What stands in the file is untouched: the line is that of a text which nobody can look up. */
function acceptable(after: string, options: LoadOptions): LoadedConfig {
  try {
    return configOf(after, options);
  } catch (error) {
    if (!isFailure(error)) throw error;
    const what = error.what.replace(/^.*?, line \d+(?:, column \d+)?: /, '');
    const why = `${error.why}; nothing was written`;
    throw new Failure(error.exitCode, { what, why, run: 'latchkey config schema' }, { cause: error });
  }
}

function edited(before: string | null, edit: (text: string | null) => string, options: LoadOptions): string {
  try {
    return edit(before);
  } catch (error) {
    const { name } = error as Error;
    if (name === 'EditRefused') throw refusedEdit(error as EditRefused, options.path);
    // What can't be read can't be edited: says where.
    if (name === 'SyntaxError' || name === 'TooDeep') configOf(before, options);
    if (name === 'SyntaxError' || name === 'TooDeep') {
      throw new Failure(EXIT.configuration, {
        what: 'the new configuration is refused',
        why: name === 'TooDeep' ? 'it is nested too deeply' : 'it is not JSON5',
        run: 'latchkey config schema',
      });
    }
    throw error;
  }
}

function refusedEdit({ path, why }: EditRefused, file: string): Failure {
  const key = path.length === 0 ? '' : `: ${escapeText(dotted(pointerOf(path)))}`;
  return new Failure(EXIT.configuration, {
    what: `${file}${key} can't be edited`,
    why,
    run: `\${EDITOR:-vi} ${shellWord(file)}`,
  });
}

/** The keys whose values the edit changed; all of them, where the file could not be read before. */
function keysBetween(before: string | null, loaded: LoadedConfig, options: WriteOptions): readonly string[] {
  return changedKeys(parsedOf(before, options), loaded.parsed);
}

/** What an edit is compared with: the file, or where it can't be in force, what is instead. */
function parsedOf(before: string | null, options: LoadOptions & Pick<WriteOptions, 'lastGood'>): unknown {
  try {
    return configOf(before, options).parsed;
  } catch {
    return options.lastGood ?? {};
  }
}

// ---- the file ---------------------------------------------------------------------------------------------------------

/** What is replaced: where a link leads. @throws Failure for a link to nothing, a file of another user, or no file */
function fileOf(path: string): string {
  const show = `ls -l ${shellWord(path)}`;
  let file = path;
  try {
    if (lstatSync(path).isSymbolicLink()) file = realpathSync(path);
    const stat = lstatSync(file);
    if (!stat.isFile()) {
      throw new Failure(EXIT.configuration, {
        what: `${path} can't be written`,
        why: 'it is no regular file',
        run: show,
      });
    }
    // Replacing it would make it ours without a word.
    if (process.getuid !== undefined && stat.uid !== process.getuid()) {
      throw new Failure(EXIT.permission, {
        what: `${path} can't be written`,
        why: `it belongs to uid ${stat.uid}`,
        run: show,
      });
    }
    // What others wrote in it would be taken over as its owner's own.
    if (process.getuid !== undefined) checkWritten(file, stat, process.getuid());
    return file;
  } catch (error) {
    const code = codeOf(error);
    if (code === null) throw error;
    if (code === 'ENOENT' && !isLink(path)) return path;
    const why = code === 'ENOENT' ? 'it is a link to a file that is not there' : code;
    throw new Failure(code === 'EACCES' ? EXIT.permission : EXIT.configuration, {
      what: `${path} can't be written`,
      why,
      run: show,
    });
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    // Not there at all.
    return false;
  }
}

/** @throws Failure for bytes that are no text: they would not survive an edit */
function readWhole(file: string): string | null {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw cannot(file, error, 'read');
  }
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes)) return text;
  throw new Failure(EXIT.configuration, {
    what: `${file} can't be edited`,
    why: 'it is not UTF-8',
    run: `file ${shellWord(file)}`,
  });
}

function put(file: string, text: string): void {
  try {
    replaceFile(file, text);
  } catch (error) {
    throw cannot(file, error, 'write');
  }
}

function cannot(file: string, error: unknown, verb: 'read' | 'write'): Failure {
  const code = codeOf(error);
  const isClosed = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  return new Failure(
    isFull ? EXIT.later : isClosed ? EXIT.permission : EXIT.configuration,
    {
      what: `can't ${verb} ${file}`,
      why: code ?? String(error),
      run: isFull ? `df -h ${shellWord(dirname(file))}` : `ls -ld ${shellWord(dirname(file))}`,
    },
    { cause: error },
  );
}
