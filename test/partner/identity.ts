// Device identities and signed texts as PROTOCOL.md §3.2 and §9 describe them, written from that text alone: nothing
// here may come from src/client or src/core, or a mistake in those would agree with itself.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** Ed25519 key pair. `id`: hex SHA-256 of the 32 raw key bytes; `publicKey`: base64url of those bytes, unpadded. */
export interface Identity {
  readonly id: string;
  readonly publicKey: string;
  readonly privateKey: KeyObject;
}

/** `lk1` is Latchkey's own text (A18), the others are OpenClaw's. */
export type SignatureVersion = 'v1' | 'v2' | 'v3' | 'lk1';

/** What `connect.params` holds, as far as it is signed. Tests may put anything else beside it. */
export interface ConnectParams {
  readonly [name: string]: unknown;
  readonly client?: {
    readonly [name: string]: unknown;
    readonly id: string;
    readonly mode: string;
    readonly version: string;
    readonly platform: string;
    readonly deviceFamily?: string;
  };
  readonly role?: string;
  readonly scopes?: readonly string[];
  readonly auth?: { readonly [name: string]: unknown };
}

/** A18: what a Latchkey client adds to its signed text. `r`: its contribution to the comparison code (A19). */
export interface LatchkeyBlock {
  readonly gatewayKey: string;
  readonly host: string;
  readonly r: string;
}

export interface DeviceBlock {
  readonly id: string;
  readonly publicKey: string;
  readonly signature: string;
  readonly signedAt: number;
  readonly nonce?: string;
  readonly latchkey?: LatchkeyBlock;
}

const SEED_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

function fromPrivate(privateKey: KeyObject): Identity {
  const raw = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(12);
  return {
    id: createHash('sha256').update(raw).digest('hex'),
    publicKey: raw.toString('base64url'),
    privateKey,
  };
}

export function newIdentity(): Identity {
  return fromPrivate(generateKeyPairSync('ed25519').privateKey);
}

/** @param pkcs8 PKCS8 DER in base64, as the worked example prints it. */
export function identityFrom(pkcs8: string): Identity {
  return fromPrivate(createPrivateKey({ key: Buffer.from(pkcs8, 'base64'), format: 'der', type: 'pkcs8' }));
}

/** The same identity for the same name, in every run. */
export function namedIdentity(name: string): Identity {
  const seed = createHash('sha256').update(`latchkey test identity ${name}`).digest();
  return identityFrom(Buffer.concat([SEED_PREFIX, seed]).toString('base64'));
}

/** The credential that goes into the signed text; a password never does. */
export function signedToken(auth: ConnectParams['auth']): string {
  for (const name of ['token', 'deviceToken', 'bootstrapToken']) {
    if (typeof auth?.[name] === 'string') return auth[name];
  }
  return '';
}

function label(text: string | undefined): string {
  return (text ?? '').trim().replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

export interface Signing {
  readonly version: SignatureVersion;
  readonly nonce: string;
  readonly signedAt: number;
  readonly latchkey?: LatchkeyBlock;
}

/** The exact text that is signed. */
export function signedText(deviceId: string, params: ConnectParams, s: Signing): string {
  const fields = [
    s.version,
    deviceId,
    params.client?.id ?? '',
    params.client?.mode ?? '',
    params.role ?? 'operator',
    (params.scopes ?? []).join(','),
    String(s.signedAt),
    signedToken(params.auth),
  ];
  if (s.version !== 'v1') fields.push(s.nonce);
  if (s.version === 'v3') fields.push(label(params.client?.platform), label(params.client?.deviceFamily));
  if (s.version === 'lk1') fields.push(s.latchkey?.gatewayKey ?? '', s.latchkey?.host ?? '', s.latchkey?.r ?? '');
  return fields.join('|');
}

/** base64url, unpadded. */
export function signature(identity: Identity, text: string): string {
  return sign(null, Buffer.from(text, 'utf8'), identity.privateKey).toString('base64url');
}

/** `connect.params.device`. */
export function deviceBlock(identity: Identity, params: ConnectParams, s: Signing): DeviceBlock {
  return {
    id: identity.id,
    publicKey: identity.publicKey,
    signature: signature(identity, signedText(identity.id, params, s)),
    signedAt: s.signedAt,
    ...(s.version === 'v1' ? {} : { nonce: s.nonce }),
    ...(s.latchkey === undefined ? {} : { latchkey: s.latchkey }),
  };
}
