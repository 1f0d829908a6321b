import { join } from 'node:path';
import { decodeBase64url, deviceIdOf, KEY_BYTES, SigningKey } from '../../system/crypto.ts';
import { EXIT, Failure } from '../../system/failure.ts';
import { readPrivateFile, replaceFile, sweepUnfinished } from '../../system/file.ts';
import { withFileLock } from '../../system/file-lock.ts';
import { ensurePrivateDirectory } from '../../system/state-dir.ts';
import { shellWord } from '../../system/text.ts';
import type { Signer } from '../handshake.ts';

/**
 * This host as a client: `identity/device.json`, 0600, one for each state directory. Field names are OpenClaw's, so
 * that an import is a copy. A file that can't be used is never made anew in passing: a new key would be a new device,
 * and the old one's grant would stay behind. A copy of another host's file is that device: the key is the device (A3).
 *
 * A18: the key itself signs for gateways alone that prove their own. To one that proves nothing this host is another
 * device, and another one at each address: Ed25519 from HKDF-SHA256 of the key's seed, without salt, with the info
 * `latchkey-foreign-1|scheme://host:port`. What is signed there names neither gateway nor host, and opens nothing that
 * knows another key. So an OpenClaw gateway sees a new device, also where an imported key is known to it.
 */
export interface DeviceIdentity extends Signer {
  sign(text: string): string;
  /** This host at a gateway that proves no key. @param address `Address.key`: scheme, host and port, a path if any */
  forAddress(address: string): Signer;
}

export function deviceIdentityPath(stateDir: string): string {
  return join(stateDir, 'identity', 'device.json');
}

/** What is locked while a file of `identity/` that belongs to this host as a client is written. */
export function clientLockPath(stateDir: string): string {
  return join(stateDir, 'identity', 'client.lock');
}

/** The identity as it is; `null`: there is none yet. Writes nothing. @throws Failure 78 when it can't be used */
export function readDeviceIdentity(stateDir: string): DeviceIdentity | null {
  const text = readPrivateFile(deviceIdentityPath(stateDir));
  return text === null ? null : parse(stateDir, text);
}

/**
 * The identity, made on first use; on disk before it is returned, and one even when two commands make it at once.
 * @param now ms since 1970 @throws Failure 78 when it can't be used, 75 or 77 when it can't be written
 */
export function openDeviceIdentity(stateDir: string, now: () => number): DeviceIdentity {
  const found = readDeviceIdentity(stateDir);
  if (found !== null) return found;
  ensurePrivateDirectory(join(stateDir, 'identity'));
  return withFileLock(clientLockPath(stateDir), () => {
    const other = readDeviceIdentity(stateDir);
    if (other !== null) return other;
    sweepUnfinished(deviceIdentityPath(stateDir));
    const text = make(now());
    replaceFile(deviceIdentityPath(stateDir), text);
    return parse(stateDir, text);
  });
}

function make(createdAtMs: number): string {
  const { generateKeyPairSync } = process.getBuiltinModule('node:crypto');
  const { publicKey, privateKey } = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const raw = rawOf(privateKey);
  if (raw === null) throw new Error('a key that was just made is none');
  const deviceId = deviceIdOf(raw.publicKey);
  const file = { version: 1, deviceId, publicKeyPem: publicKey, privateKeyPem: privateKey, createdAtMs };
  return `${JSON.stringify(file, null, 2)}\n`;
}

function parse(stateDir: string, text: string): DeviceIdentity {
  const torn = (why: string) => unusable(stateDir, why);
  if (text.trim() === '') throw torn('it is empty');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's words would quote the file, and the file is secret.
    throw torn('it is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw torn('it holds no object');
  const { version, deviceId, privateKeyPem } = value as Record<string, unknown>;
  if (version !== 1) throw torn('this release reads version 1 of it only');
  const raw = typeof privateKeyPem === 'string' ? rawOf(privateKeyPem) : null;
  if (raw === null) throw torn("'privateKeyPem' is no Ed25519 key");
  if (deviceId !== deviceIdOf(raw.publicKey)) throw torn("'deviceId' does not belong to the key in it");
  return { ...signerOf(raw.seed), forAddress: (address) => signerOf(foreignSeed(raw.seed, address)) };
}

function signerOf(seed: Uint8Array) {
  const key = new SigningKey(seed);
  const id = deviceIdOf(Buffer.from(key.publicKey, 'base64url'));
  return { id, publicKey: key.publicKey, sign: (text: string) => key.sign(text) };
}

function foreignSeed(seed: Uint8Array, address: string): Uint8Array {
  const { hkdfSync } = process.getBuiltinModule('node:crypto');
  return new Uint8Array(hkdfSync('sha256', seed, '', `latchkey-foreign-1|${address}`, KEY_BYTES));
}

function rawOf(pem: string): { readonly seed: Buffer; readonly publicKey: Buffer } | null {
  const { createPrivateKey } = process.getBuiltinModule('node:crypto');
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== 'ed25519') return null;
    const { d = '', x = '' } = key.export({ format: 'jwk' });
    const [seed, publicKey] = [decodeBase64url(d, KEY_BYTES), decodeBase64url(x, KEY_BYTES)];
    return seed === null || publicKey === null ? null : { seed, publicKey };
  } catch {
    // Not a key in this OpenSSL's opinion.
    return null;
  }
}

function unusable(stateDir: string, why: string): Failure {
  const path = deviceIdentityPath(stateDir);
  const file = shellWord(path);
  return new Failure(EXIT.configuration, {
    what: `${path} can't be used`,
    why: `${why}; it is left as it is, because a new key would be a new device`,
    run: `cp -p BACKUP/identity/device.json ${file}   (to ask anew as a new device: mv ${file} ${shellWord(`${path}.broken`)})`,
  });
}
