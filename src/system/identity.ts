import { join } from 'node:path';
import { decodeBase64url, KEY_BYTES, SigningKey } from './crypto.ts';
import { EXIT, Failure } from './failure.ts';
import { readPrivateFile, replaceFile, sweepUnfinished } from './file.ts';
import { newSecret, randomBytes } from './random.ts';
import { shellWord } from './text.ts';

/** What a gateway is: `identity/gateway.json`, 0600. */
export interface GatewayIdentity {
  readonly signingKey: SigningKey;
  /** A10: 32 bytes from which device tokens are derived. */
  readonly tokenKey: Buffer;
  /** The shared secret made here because the configuration names none; `null`: it never had to be. */
  readonly secret: string | null;
}

/** Keys as base64url of 32 bytes; `key` is the seed of the Ed25519 key. */
interface IdentityFile {
  readonly version: 1;
  readonly key: string;
  readonly tokenKey: string;
  readonly secret: string | null;
}

export function identityPath(stateDir: string): string {
  return join(stateDir, 'identity', 'gateway.json');
}

export interface OpenIdentity {
  /** A store is there already: an identity that is missing beside it was lost, and is not made anew. */
  readonly storeExists: boolean;
  /** The configuration names no secret: one is made if there is none. */
  readonly needsSecret: boolean;
}

/**
 * The gateway's identity, made on the first start.
 * @throws Failure 78 when it is missing beside a store, torn, not private, or can't be written
 */
export function openGatewayIdentity(stateDir: string, options: OpenIdentity): GatewayIdentity {
  // Half of a change that was killed holds the keys too.
  sweepUnfinished(identityPath(stateDir));
  const found = readFile(stateDir);
  if (found === null && options.storeExists) {
    throw new Failure(EXIT.configuration, {
      what: `${identityPath(stateDir)} is missing`,
      why: 'there is a store beside it: a new key would make every paired device doubt this gateway',
      run: wayBack(stateDir),
    });
  }
  const file = found ?? newIdentity();
  const whole = options.needsSecret && file.secret === null ? { ...file, secret: newSecret() } : file;
  if (whole !== found) write(stateDir, whole);
  return identityOf(whole);
}

/** The identity as it is; `null` when there is none. Writes nothing. @throws Failure 78 when it is torn or not private */
export function readGatewayIdentity(stateDir: string): GatewayIdentity | null {
  const file = readFile(stateDir);
  return file === null ? null : identityOf(file);
}

/** Puts a new generated secret in the old one's place, on disk before it returns. @throws Failure 78 without an identity */
export function rotateSecret(stateDir: string): string {
  const file = readFile(stateDir);
  if (file === null) throw torn(stateDir, 'it is missing');
  const secret = newSecret();
  write(stateDir, { ...file, secret });
  return secret;
}

function newIdentity(): IdentityFile {
  const fresh = () => randomBytes(KEY_BYTES).toString('base64url');
  return { version: 1, key: fresh(), tokenKey: fresh(), secret: null };
}

function identityOf(file: IdentityFile): GatewayIdentity {
  return {
    signingKey: new SigningKey(Buffer.from(file.key, 'base64url')),
    tokenKey: Buffer.from(file.tokenKey, 'base64url'),
    secret: file.secret,
  };
}

function readFile(stateDir: string): IdentityFile | null {
  const text = readPrivateFile(identityPath(stateDir));
  if (text === null) return null;
  if (text.trim() === '') throw torn(stateDir, 'it is empty');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's words would quote the file, and the file is secret.
    throw torn(stateDir, 'it is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw torn(stateDir, 'it holds no object');
  const { version, key, tokenKey, secret = null } = value as Record<string, unknown>;
  if (version !== 1) throw torn(stateDir, 'this release reads version 1 of it only');
  if (typeof key !== 'string' || decodeBase64url(key, KEY_BYTES) === null) throw torn(stateDir, "'key' is no key");
  if (typeof tokenKey !== 'string' || decodeBase64url(tokenKey, KEY_BYTES) === null) {
    throw torn(stateDir, "'tokenKey' is no key");
  }
  if (secret !== null && (typeof secret !== 'string' || secret === '')) throw torn(stateDir, "'secret' is no text");
  return { version, key, tokenKey, secret };
}

function torn(stateDir: string, why: string): Failure {
  return new Failure(EXIT.configuration, {
    what: `${identityPath(stateDir)} can't be used`,
    why,
    run: wayBack(stateDir),
  });
}

/** Keys can't be made again: the file comes from a copy, or everything begins anew. */
function wayBack(stateDir: string): string {
  const path = shellWord(identityPath(stateDir));
  return `cp -p BACKUP/identity/gateway.json ${path}   (to begin anew instead: mv ${shellWord(stateDir)} ${shellWord(`${stateDir}.old`)})`;
}

function write(stateDir: string, file: IdentityFile): void {
  replaceFile(identityPath(stateDir), `${JSON.stringify(file, null, 2)}\n`);
}
