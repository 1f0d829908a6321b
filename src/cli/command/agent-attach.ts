import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { ATTACHMENT_MAX } from '../../core/protocol/attachment.ts';
import { codeOf, EXIT, Failure } from '../../system/failure.ts';
import { shellWord } from '../../system/text.ts';

/** As `chat.send` takes it. `content`: base64. */
export interface Attachment {
  readonly type: 'image' | 'file';
  readonly fileName: string;
  readonly mimeType: string;
  readonly content: string;
}

/** With what an image begins, in hexadecimal; of WebP what stands between is its length. */
const IMAGES: readonly (readonly [string, RegExp])[] = [
  ['image/png', /^89504e470d0a1a0a/],
  ['image/jpeg', /^ffd8ff/],
  ['image/gif', /^474946383[79]61/],
  ['image/webp', /^52494646.{8}57454250/],
];

/** Of texts only the name says more; another one is plain. */
const TEXTS: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.csv': 'text/csv',
  '.htm': 'text/html',
  '.html': 'text/html',
  '.js': 'application/javascript',
  '.json': 'application/json',
  '.jsonl': 'application/x-ndjson',
  '.md': 'text/markdown',
  '.ndjson': 'application/x-ndjson',
  '.sh': 'application/x-sh',
  '.toml': 'application/toml',
  '.xml': 'application/xml',
  '.yaml': 'application/yaml',
  '.yml': 'application/yaml',
};

/** Longer ones are cut, from their beginning: what they end with says what they are. */
const NAME_MAX = 200;
const STEP_BYTES = 1024 * 1024;

/**
 * The files that go with a message, as the gateway takes them: whatever it would refuse is refused here, by its name,
 * before anything is sent.
 * @throws Failure 2
 */
export function attachmentsOf(files: readonly string[]): readonly Attachment[] {
  const { count, totalBytes } = ATTACHMENT_MAX;
  if (files.length > count) throw unfit(files[count] ?? '', `${files.length} files are too many: at most ${count}`);
  let total = 0;
  return files.map((file) => {
    const bytes = contentOf(file);
    total += bytes.length;
    if (total > totalBytes) throw unfit(file, `with it the files are larger than ${totalBytes} bytes`);
    const mimeType = typeOf(file, bytes);
    const type = mimeType.startsWith('image/') ? 'image' : 'file';
    return { type, fileName: basename(file).slice(-NAME_MAX), mimeType, content: bytes.toString('base64') };
  });
}

/** @throws Failure 2 where it can't be read, or is larger than anything that is taken */
function contentOf(file: string): Buffer {
  const { imageBytes } = ATTACHMENT_MAX;
  let descriptor: number | null = null;
  try {
    // Never waits: one that others write to may have no end.
    const { O_RDONLY, O_NONBLOCK = 0 } = process.getBuiltinModule('node:fs').constants;
    descriptor = openSync(file, O_RDONLY | O_NONBLOCK);
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw unfit(file, stat.isDirectory() ? 'it is a directory' : 'it is no regular file');
    if (stat.size > imageBytes)
      throw unfit(file, `it has ${stat.size} bytes: no file may have more than ${imageBytes}`);
    const bytes = bytesOf(descriptor, imageBytes);
    if (bytes.length > imageBytes) throw unfit(file, `it has more than ${imageBytes} bytes: no file may`);
    return bytes;
  } catch (error) {
    const code = codeOf(error);
    throw code === null ? error : unfit(file, code);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** Little more than `most`, whatever size it says it has: one that is made as it is read may have no end. */
function bytesOf(descriptor: number, most: number): Buffer {
  const parts: Buffer[] = [];
  for (let left = most; left >= 0; ) {
    const part = Buffer.alloc(STEP_BYTES);
    const count = readSync(descriptor, part);
    if (count === 0) break;
    parts.push(part.subarray(0, count));
    left -= count;
  }
  return Buffer.concat(parts);
}

/** By what is in it; its name says which kind of text it is. @throws Failure 2 */
function typeOf(file: string, bytes: Buffer): string {
  const head = bytes.subarray(0, 16).toString('hex');
  const image = IMAGES.find(([, begins]) => begins.test(head));
  const { textBytes, imageBytes } = ATTACHMENT_MAX;
  const [max, kind] = image === undefined ? [textBytes, 'a text'] : [imageBytes, 'an image'];
  if (image === undefined && !isText(bytes))
    throw unfit(file, 'it is neither PNG, JPEG, GIF or WebP nor text in UTF-8');
  if (bytes.length > max) throw unfit(file, `it has ${bytes.length} bytes: ${kind} may have ${max}`);
  return image?.[0] ?? TEXTS[extname(file).toLowerCase()] ?? 'text/plain';
}

function isText(bytes: Buffer): boolean {
  try {
    return !new TextDecoder('utf-8', { fatal: true }).decode(bytes).includes('\0');
  } catch {
    return false;
  }
}

function unfit(file: string, why: string): Failure {
  return new Failure(EXIT.usage, {
    what: `${file} can't go with the message; nothing was sent`,
    why,
    run: `ls -l ${shellWord(file)}`,
  });
}
