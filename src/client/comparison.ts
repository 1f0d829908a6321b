import { comparisonText } from '../core/protocol/signed.ts';
import { Distrust, type HandshakeCrypto } from './challenge.ts';

/**
 * What this device puts into the comparison code of one request (A19). It stays the same as long as the request, over
 * reconnects and runs of the program, or nobody could check the code again. `nonce` is the commitment of the socket
 * that was shown `r` first: whoever saw `r` before may choose an `s` to it, so no other commitment counts.
 */
export interface Contribution {
  readonly r: string;
  readonly nonce: string;
}

/** What the gateway revealed with the request. */
export interface Revealed {
  readonly code: unknown;
  readonly s: unknown;
}

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

/**
 * The code as this side computes it, `1234 5678`; `null`: the request was opened by another connection, whose part is
 * not known here, so there is none to compare. @throws Distrust for one that was chosen afterwards, or isn't the same
 */
export async function comparisonCode(
  revealed: Revealed,
  about: {
    readonly deviceKey: string;
    readonly gatewayKey: string;
    readonly contribution: Contribution;
    /** This socket's. */
    readonly nonce: string;
  },
  crypto: HandshakeCrypto,
): Promise<string | null> {
  const { code, s } = revealed;
  const { contribution } = about;
  if (isNone(code) && isNone(s)) return null;
  if (typeof s !== 'string' || typeof code !== 'string') {
    throw new Distrust('false-code', 'it shows a comparison code without what it is made of');
  }
  const commitment = base64url(await crypto.sha256(s));
  if (commitment !== contribution.nonce) {
    // An earlier request ended unseen, and this one was opened by an `r` that had been shown before: it may be honest,
    // and can't be told from one that was chosen.
    if (commitment === about.nonce) return null;
    throw new Distrust('false-code', 'its part of the comparison code was chosen after it had seen ours');
  }
  const digest = await crypto.sha256(comparisonText(about.deviceKey, about.gatewayKey, contribution.r, s));
  const number = new DataView(digest.buffer, digest.byteOffset, digest.byteLength).getBigUint64(0) % 100_000_000n;
  const digits = number.toString().padStart(8, '0');
  const own = `${digits.slice(0, 4)} ${digits.slice(4)}`;
  if (own === code) return own;
  throw new Distrust('false-code', 'it shows another comparison code than the one computed here');
}

const isNone = (value: unknown): boolean => value === null || value === undefined;
