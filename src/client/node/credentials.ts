import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, Failure } from '../../system/failure.ts';
import { readPrivateFile, replaceFile, sweepUnfinished } from '../../system/file.ts';
import { withFileLock } from '../../system/file-lock.ts';
import { ensurePrivateDirectory } from '../../system/state-dir.ts';
import { shellWord } from '../../system/text.ts';
import { clientLockPath } from './identity.ts';

/**
 * What this host remembers of gateways: `identity/credentials.json`, 0600, one for each state directory. Two kinds of
 * things stand in it, and they are lost differently:
 *
 * - Device tokens and open asks are caches (A10): a key with a grant needs none of them. One that is missing, old, or
 *   of another device's key is left out, and the next hello gives the right one.
 * - Pins (A18): which key a gateway at a URL proved, and which certificate. They are why a changed key is noticed.
 *
 * So a file that is not there means first use, for every gateway. One that is there and can't be read (emptied, garbage,
 * of another release) might hold a pin: to go on without it would drop that pin unseen. It is then left alone, nothing
 * is written to it, and a connect is refused with the command that puts it aside; unless the connect brings a pin of
 * its own (a setup code), which goes on, remembers nothing and says so. A command on the gateway's own host never needs
 * this file. A file of another host holds true pins and another device's tokens: the former count, the latter don't.
 */
export interface GatewayRecord {
  /** A18: base64url of the key that it proved; `null`: it proved none (another gateway), or it has not let us in yet. */
  readonly gatewayKey: string | null;
  /** Lower-case hex SHA-256 of its certificate, where no authority vouches for it. */
  readonly tlsFingerprint: string | null;
  /** A10: as its last hello gave it, with whose it is: of a gateway without a key this host's id at that address. */
  readonly deviceToken: { readonly deviceId: string; readonly role: string; readonly token: string } | null;
  /** A19: what the comparison code of an open request is made of; ends with the request. */
  readonly asking: Asking | null;
  /** When the pin was made, ms since 1970; `null`: there is none. */
  readonly pinnedAtMs: number | null;
}

export interface Asking {
  readonly deviceId: string;
  /** What is kept here speaks for this request, and for no other. */
  readonly requestId: string;
  /** The gateway that was asked, pinned or not. */
  readonly gatewayKey: string;
  readonly r: string;
  /** The nonce of the socket that was first shown `r`: only a code made of that commitment is shown. */
  readonly nonce: string;
  readonly expiresAtMs: number;
}

interface File {
  readonly version: 1;
  readonly gateways: Readonly<Record<string, GatewayRecord>>;
}

export const NO_RECORD: GatewayRecord = {
  gatewayKey: null,
  tlsFingerprint: null,
  deviceToken: null,
  asking: null,
  pinnedAtMs: null,
};

export function credentialsPath(stateDir: string): string {
  return join(stateDir, 'identity', 'credentials.json');
}

/** What is remembered of the gateway at `url` (as `Address.key` writes it). Writes nothing. @throws Failure 78 */
export function readRecord(stateDir: string, url: string): GatewayRecord {
  return recordOf(read(stateDir), url);
}

/**
 * Changes what is remembered of one gateway; on disk before it returns. Other entries stay as they are, whoever writes
 * at the same time. A change that changes nothing writes nothing (A6). @throws Failure 78, 75 or 77
 */
export function changeRecord(
  stateDir: string,
  url: string,
  change: (record: GatewayRecord) => GatewayRecord,
): GatewayRecord {
  const before = readRecord(stateDir, url);
  if (same(change(before), before)) return before;
  ensurePrivateDirectory(join(stateDir, 'identity'));
  return withFileLock(clientLockPath(stateDir), () => {
    const file = read(stateDir);
    const record = change(recordOf(file, url));
    const gateways = { ...file.gateways, [url]: record };
    if (same(record, NO_RECORD)) delete gateways[url];
    sweepUnfinished(credentialsPath(stateDir));
    replaceFile(credentialsPath(stateDir), `${JSON.stringify({ ...file, gateways }, null, 2)}\n`);
    return record;
  });
}

const same = (a: GatewayRecord, b: GatewayRecord): boolean => JSON.stringify(whole(a)) === JSON.stringify(whole(b));

/** In one order, so that two are compared by what they say. */
const whole = (r: GatewayRecord): GatewayRecord => ({
  gatewayKey: r.gatewayKey,
  tlsFingerprint: r.tlsFingerprint,
  deviceToken: r.deviceToken,
  asking: r.asking,
  pinnedAtMs: r.pinnedAtMs,
});

const recordOf = (file: File, url: string): GatewayRecord =>
  Object.hasOwn(file.gateways, url) ? whole({ ...NO_RECORD, ...file.gateways[url] }) : NO_RECORD;

function read(stateDir: string): File {
  const text = readPrivateFile(credentialsPath(stateDir));
  if (text === null) return { version: 1, gateways: {} };
  const torn = (why: string) => unusable(stateDir, why);
  if (text.trim() === '') throw torn('it is empty');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's words would quote the file, and the file is secret.
    throw torn('it is not JSON');
  }
  const { version, gateways } = isRecord(value) ? value : {};
  if (version !== 1) throw torn('it is not of a kind that this release reads');
  if (!isRecord(gateways) || !Object.values(gateways).every(isGateway)) throw torn('an entry in it is no gateway');
  return value as unknown as File;
}

type Json = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
/** `null` or absent, or as `is` says. */
const isNone = (value: unknown): boolean => value === null || value === undefined;

function isGateway(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { gatewayKey, tlsFingerprint, deviceToken: token, asking, pinnedAtMs } = value;
  return (
    (isNone(gatewayKey) || (isText(gatewayKey) && /^[A-Za-z0-9_-]{43}$/.test(gatewayKey))) &&
    (isNone(tlsFingerprint) || (isText(tlsFingerprint) && /^[0-9a-f]{64}$/.test(tlsFingerprint))) &&
    (isNone(token) || (isRecord(token) && [token.deviceId, token.role, token.token].every(isText))) &&
    (isNone(asking) || isAsking(asking)) &&
    (isNone(pinnedAtMs) || typeof pinnedAtMs === 'number')
  );
}

function isAsking(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { deviceId, requestId, gatewayKey, r, nonce, expiresAtMs } = value;
  return [deviceId, requestId, gatewayKey, r, nonce].every(isText) && typeof expiresAtMs === 'number';
}

function unusable(stateDir: string, why: string): Failure {
  const path = credentialsPath(stateDir);
  return new Failure(EXIT.configuration, {
    what: `${path} can't be used`,
    why: `${why}; it is left as it is, because it may say which gateways' keys are known`,
    run: `mv ${shellWord(path)} ${shellWord(aside(path))}   (your grants stay: the next connect is a first one again)`,
  });
}

/** A name that nothing stands at: what was put aside before is not overwritten. */
function aside(path: string): string {
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? `${path}.broken` : `${path}.broken-${n}`;
    if (!existsSync(name)) return name;
  }
}
