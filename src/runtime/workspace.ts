import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../system/failure.ts';

/** What an agent is told of itself, in this order. */
const FILES = ['AGENTS.md', 'SOUL.md', 'MEMORY.md'] as const;
/** Of one file, in bytes. */
const FILE_MAX = 24 * 1024;
const LINKED = 'it has another name too, which may stand outside of the workspace';

export interface WorkspaceFile {
  readonly name: string;
  readonly text: string;
  /** It is longer: this is its beginning. */
  readonly isCut: boolean;
}

/**
 * The files of a workspace that a model is told. What is there but must not be read is left out: a link may lead anywhere,
 * and what it leads to would go to the provider.
 *
 * @param roomBytes of all of them
 * @param refused told of each that is left out
 */
export async function workspaceFiles(
  directory: string,
  roomBytes: number,
  refused: (path: string, why: string) => void,
): Promise<readonly WorkspaceFile[]> {
  const files: WorkspaceFile[] = [];
  let room = roomBytes;
  for (const name of FILES) {
    if (room <= 0) break;
    const path = join(directory, name);
    const file = await read(path, Math.min(FILE_MAX, Math.floor(room)), (why) => refused(path, why));
    if (file === null || file.text.trim() === '') continue;
    files.push({ name, ...file });
    room -= Buffer.byteLength(file.text);
  }
  return files;
}

async function read(path: string, maxBytes: number, refused: (why: string) => void) {
  // What was checked is what is read; a pipe doesn't hold it up.
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, flags);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ELOOP' || code === 'EMLINK') refused('it is a symbolic link');
    else if (code !== 'ENOENT' && code !== 'ENOTDIR') refused(code ?? 'it cannot be opened');
    return null;
  }
  try {
    const stat = await file.stat();
    const why = stat.isFile() ? (stat.nlink > 1 ? LINKED : null) : 'it is not a regular file';
    if (why !== null) {
      refused(why);
      return null;
    }
    const bytes = Buffer.alloc(Math.min(maxBytes, stat.size));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    const text = new TextDecoder('utf-8').decode(bytes.subarray(0, bytesRead), { stream: true });
    return { text, isCut: stat.size > maxBytes };
  } catch (error) {
    refused(codeOf(error) ?? 'it cannot be read');
    return null;
  } finally {
    await file.close();
  }
}
