import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';

/** What precedes the 32 raw bytes in DER: a public key (SPKI) and a private one (PKCS #8). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/**
 * The points of small order in every encoding, y coordinate without the sign bit. Anybody can sign for such a "key":
 * with one, a proof of the key proves nothing.
 */
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

function isSmallOrder(raw: Uint8Array): boolean {
  const y = Buffer.from(raw);
  y[31] = (y[31] ?? 0) & 0x7f;
  return SMALL_ORDER.has(y.toString('hex'));
}

/** Importing a key costs half a verification (measured: 7.8k against 11.4k a second). */
const KEYS_MAX = 1_000;
const keys = new Map<string, KeyObject>();

/** `null`: these bytes are no key that proves anything. */
function keyObject(raw: Uint8Array): KeyObject | null {
  const name = Buffer.from(raw).toString('latin1');
  const known = keys.get(name);
  if (known !== undefined) {
    // Last used, last dropped.
    keys.delete(name);
    keys.set(name, known);
    return known;
  }
  if (raw.length !== KEY_BYTES || isSmallOrder(raw)) return null;
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
  } catch {
    // Not a key in this OpenSSL's opinion: nothing that it signs counts.
    return null;
  }
  keys.set(name, key);
  if (keys.size > KEYS_MAX) {
    const oldest = keys.keys().next().value;
    if (oldest !== undefined) keys.delete(oldest);
  }
  return key;
}

/**
 * A3: whether `signature` (64 bytes) over the UTF-8 of `text` was made by the raw Ed25519 key (32 bytes). False for
 * lengths that are wrong, S beyond the group's order, and keys of small order.
 */
export function verifyEd25519(rawKey: Uint8Array, text: string, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const key = keyObject(rawKey);
  return key !== null && verify(null, Buffer.from(text, 'utf8'), key, signature);
}

/** An Ed25519 key pair, made from its 32-byte seed. */
export class SigningKey {
  /** 32 raw bytes as base64url. */
  readonly publicKey: string;
  readonly #key: KeyObject;

  /** @throws Error when `seed` is not 32 bytes. */
  constructor(seed: Uint8Array) {
    if (seed.length !== KEY_BYTES) throw new Error(`an Ed25519 seed has ${KEY_BYTES} bytes, not ${seed.length}`);
    this.#key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(this.#key).export({ type: 'spki', format: 'der' });
    this.publicKey = spki.subarray(SPKI_PREFIX.length).toString('base64url');
  }

  /** The signature over the UTF-8 of `text` as base64url, 86 characters. */
  sign(text: string): string {
    return sign(null, Buffer.from(text, 'utf8'), this.#key).toString('base64url');
  }
}

export function sha256(data: string | Uint8Array): Buffer {
  return hash('sha256', data, 'buffer');
}

export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex');
}

export function hmacSha256(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** Whether two secrets are equal, in a time that tells neither where they differ nor how long they are. */
export function equalSecrets(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

/** The bytes of unpadded base64url; `null` for any other spelling, so that one value has one text (A3). */
export function decodeBase64url(text: string, bytes?: number): Buffer | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null;
  const decoded = Buffer.from(text, 'base64url');
  if (bytes !== undefined && decoded.length !== bytes) return null;
  return decoded.toString('base64url') === text ? decoded : null;
}

/** A device's id: lower-case hex SHA-256 of its raw key. */
export function deviceIdOf(rawKey: Uint8Array): string {
  return sha256Hex(rawKey);
}

/** A10: one value until the epoch rises. 43 characters of base64url. */
export function deviceToken(tokenKey: Uint8Array, device: string, role: string, epoch: number): string {
  return hmacSha256(tokenKey, `latchkey-token-1|${device}|${role}|${epoch}`).toString('base64url');
}

/**
 * A19: the eight digits that both sides show, as `1234 5678`: the first eight bytes, big-endian, of SHA-256 over
 * `latchkey-code-1|device key|gateway key|r|s` (each as base64url text), modulo 10^8.
 */
export function comparisonCode(parts: {
  readonly deviceKey: string;
  readonly gatewayKey: string;
  readonly r: string;
  readonly s: string;
}): string {
  const digest = sha256(['latchkey-code-1', parts.deviceKey, parts.gatewayKey, parts.r, parts.s].join('|'));
  const digits = (digest.readBigUInt64BE(0) % 100_000_000n).toString().padStart(8, '0');
  return `${digits.slice(0, 4)} ${digits.slice(4)}`;
}
