import { randomBytes as fill, randomUUID } from 'node:crypto';

/** `count` unguessable bytes. */
export function randomBytes(count: number): Buffer {
  return fill(count);
}

/** An unguessable id: UUID v4, as OpenClaw's request ids are. Never begins with `-`, so it can stand in an argument list. */
export function newId(): string {
  return randomUUID();
}

const NONCE_BYTES = 32;
/** Asked for with every connection: fetched from the system for many at once. No byte is given out twice. */
let pool = Buffer.alloc(0);

/** A18, A19: 32 unguessable bytes as 43 characters of base64url. */
export function newNonce(): string {
  if (pool.length < NONCE_BYTES) pool = fill(NONCE_BYTES * 128);
  const nonce = pool.toString('base64url', 0, NONCE_BYTES);
  pool = pool.subarray(NONCE_BYTES);
  return nonce;
}

/**
 * A new shared secret: 192 bits in hex. Not base64url: a 43-character secret could be taken for an old device token
 * (A13).
 */
export function newSecret(): string {
  return fill(24).toString('hex');
}
