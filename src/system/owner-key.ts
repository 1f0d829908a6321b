import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeBase64url } from './crypto.ts';
import { readPrivateFile, replaceFile } from './file.ts';
import { randomBytes } from './random.ts';

/** A11: where the owner socket can't be reached, whoever can read this file is the owner. */
const NAME = 'owner.key';
const BYTES = 32;

/** Makes the key of this start, 0600; the one before opens nothing from now on. */
export function makeOwnerKey(stateDir: string): Buffer {
  const key = randomBytes(BYTES);
  replaceFile(join(stateDir, 'run', NAME), `${key.toString('base64url')}\n`);
  return key;
}

/** The key of the gateway that runs; `null`: none, or not one. @throws Failure 77 or 78 for a file that isn't private */
export function readOwnerKey(stateDir: string): Buffer | null {
  const text = readPrivateFile(join(stateDir, 'run', NAME));
  return text === null ? null : decodeBase64url(text.trim(), BYTES);
}

export function removeOwnerKey(stateDir: string): void {
  rmSync(join(stateDir, 'run', NAME), { force: true });
}
