import { userName } from '../system/access.ts';

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the other side cut the connection',
  EPIPE: 'the other side has gone',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host could not be looked up',
  ETIMEDOUT: 'no answer came in time',
  EHOSTUNREACH: 'no way leads to that host',
  ENETUNREACH: 'no way leads to that network',
  ENOENT: 'there is no such file or directory',
  ENOTDIR: 'something on the way there is no directory',
  EISDIR: 'it is a directory',
  ELOOP: 'its symbolic links lead in a circle',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: "this user's share of the disk is full",
  EMFILE: 'this process has too many files open',
};

/** As the system names it, alone or in Node's words about it: `connect ECONNREFUSED 127.0.0.1:1`. */
const CODE =
  /(?<!\()(?:\b(?:connect|getaddrinfo|read|write) )?\b(E[A-Z]{3,}(?:_[A-Z]+)?)\b(?: [\w.:[\]-]+$)?(?:: [a-z -]+(?=,|$))?/g;

/** The same text with what the system said in words, its own name for it in brackets. */
export function inWords(text: string): string {
  return text.replace(CODE, (said: string, code: string) => {
    const words = code === 'EACCES' || code === 'EPERM' ? `permission denied for user ${self()}` : WORDS[code];
    return words === undefined ? said : `${words} (${code})`;
  });
}

function self(): string {
  const uid = process.geteuid?.();
  return uid === undefined ? 'of this command' : userName(uid);
}
