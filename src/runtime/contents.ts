import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Attachment } from '../core/conversation/row.ts';
import type { SessionId } from '../core/conversation/session.ts';
import { ATTACHMENT_MAX, IMAGES, isTextType } from '../core/protocol/attachment.ts';
import { sha256Hex } from '../system/crypto.ts';
import { replaceFile } from '../system/file.ts';
import type { Enclosure } from './runtime.ts';

/** What came with messages, beside their rows, by conversation and SHA-256. */
export interface Contents {
  /** On disk when it returns. */
  put(session: SessionId, sha256: string, base64: string): void;
  /** Base64; `null`: it is gone. */
  get(session: SessionId, sha256: string): string | null;
  /** What is kept of a conversation takes so many on disk; 0: nothing is. */
  bytes(session: SessionId): number;
  /** Conversations of which something is kept. */
  sessions(): readonly SessionId[];
  drop(session: SessionId): void;
}

const NAME = /^[A-Za-z0-9-]{1,64}$/;

/** A directory for each conversation, a file for each content; the directory is made with the first one. */
export function contentsAt(directory: string): Contents {
  const placeOf = (session: SessionId) => {
    if (!NAME.test(session)) throw new Error('the id of a conversation names no directory');
    return join(directory, session);
  };
  return {
    put(session, sha256, base64) {
      const place = placeOf(session);
      const file = join(place, sha256);
      if (existsSync(file)) return;
      mkdirSync(place, { recursive: true, mode: 0o700 });
      replaceFile(file, base64);
    },
    get(session, sha256) {
      try {
        return readFileSync(join(placeOf(session), sha256), 'utf8');
      } catch {
        // Taken away by hand: the model is told that it is gone.
        return null;
      }
    },
    bytes(session) {
      const place = placeOf(session);
      if (!existsSync(place)) return 0;
      const sizes = readdirSync(place).map((name) => statSync(join(place, name), { throwIfNoEntry: false })?.size ?? 0);
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    sessions() {
      if (!existsSync(directory)) return [];
      return readdirSync(directory).filter((name) => NAME.test(name)) as SessionId[];
    },
    drop: (session) => rmSync(placeOf(session), { recursive: true, force: true }),
  };
}

/** Contents that end with the process. */
export function contentsInMemory(): Contents {
  const kept = new Map<SessionId, Map<string, string>>();
  return {
    put(session, sha256, base64) {
      const own = kept.get(session) ?? new Map<string, string>();
      kept.set(session, own.set(sha256, base64));
    },
    get: (session, sha256) => kept.get(session)?.get(sha256) ?? null,
    bytes: (session) => [...(kept.get(session)?.values() ?? [])].reduce((sum, one) => sum + one.length, 0),
    sessions: () => [...kept.keys()],
    drop: (session) => void kept.delete(session),
  };
}

const NAME_MAX = 200;
/** Of characters. A type is stored and told with its message, so the bound on a message's text can't be passed in it. */
const TYPE_MAX = 128;

export type Enclosed =
  | { readonly ok: true; readonly attachments: readonly (Attachment & { readonly base64: string })[] }
  | { readonly ok: false; readonly code: 'too_large' | 'bad_attachment'; readonly text: string };

/** What came with a message, looked at: its types, its sizes, what it hashes to. */
export function enclosed(enclosures: readonly Enclosure[]): Enclosed {
  const { count, imageBytes, textBytes, totalBytes } = ATTACHMENT_MAX;
  const large = (text: string) => ({ ok: false, code: 'too_large', text }) as const;
  const bad = (text: string) => ({ ok: false, code: 'bad_attachment', text }) as const;
  if (enclosures.length > count) return large(`${enclosures.length} attachments; at most ${count}`);
  const attachments: (Attachment & { readonly base64: string })[] = [];
  let total = 0;
  for (const [at, { name, mediaType, base64 }] of enclosures.entries()) {
    const which = `attachment ${at + 1}`;
    if (mediaType.length > TYPE_MAX) return bad(`the type of ${which} is longer than ${TYPE_MAX} characters`);
    const type = mediaType.toLowerCase().split(';')[0]?.trim() ?? '';
    const isImage = IMAGES.includes(type);
    if (!isImage && !isTextType(type)) return bad(`${which} is neither an image nor a text file`);
    const max = isImage ? imageBytes : textBytes;
    // Before it is decoded: the work is bounded whatever somebody sends.
    if (base64.length > Math.ceil(max / 3) * 4) return large(`${which} is larger than ${max} bytes`);
    const bytes = Buffer.from(base64, 'base64');
    if (bytes.toString('base64') !== base64) return bad(`${which} is not base64`);
    if (bytes.length > max) return large(`${which} is larger than ${max} bytes`);
    total += bytes.length;
    if (total > totalBytes) return large(`the attachments are larger than ${totalBytes} bytes`);
    if (!isImage && !isText(bytes)) return bad(`${which} is no text in UTF-8`);
    const sha256 = sha256Hex(bytes);
    attachments.push({ name: name.slice(0, NAME_MAX), mediaType: type, bytes: bytes.length, sha256, base64 });
  }
  return { ok: true, attachments };
}

function isText(bytes: Buffer): boolean {
  try {
    return !new TextDecoder('utf-8', { fatal: true }).decode(bytes).includes('\0');
  } catch {
    return false;
  }
}
