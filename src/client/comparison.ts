import { comparisonText } from '../core/protocol/signed.ts';
import { Distrust, type HandshakeCrypto } from './challenge.ts';

/**
 * What this device puts into the comparison code of one request (A19): that of the connection which opened it, kept as
 * long as the request, or nobody could check the code again. `nonce` is the commitment of the socket that was shown `r`
 * first: whoever saw `r` before may choose an `s` to it, so no other commitment counts.
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
    /** It is that of an earlier connection, which opened this very request. */
    readonly isEarlier: boolean;
    /** Which request it is about. */
    readonly requestId: string;
  },
  crypto: HandshakeCrypto,
): Promise<string | null> {
  const { code, s } = revealed;
  const { contribution, requestId } = about;
  const falseCode = (why: string) => new Distrust('false-code', why, { requestId });
  if (isNone(code) && isNone(s)) return null;
  if (typeof s !== 'string' || typeof code !== 'string') {
    throw falseCode('it shows a comparison code without what it is made of');
  }
  const commitment = base64url(await crypto.sha256(s));
  if (commitment !== contribution.nonce) {
    // Opened by a connection that is not known here: it may be honest, and can't be told from one that was chosen.
    if (!about.isEarlier) return null;
    throw falseCode('its part of the comparison code was chosen after it had seen ours');
  }
  const digest = await crypto.sha256(comparisonText(about.deviceKey, about.gatewayKey, contribution.r, s));
  const number = new DataView(digest.buffer, digest.byteOffset, digest.byteLength).getBigUint64(0) % 100_000_000n;
  const digits = number.toString().padStart(8, '0');
  const own = `${digits.slice(0, 4)} ${digits.slice(4)}`;
  if (own === code) return own;
  throw falseCode('it shows another comparison code than the one computed here');
}

const isNone = (value: unknown): boolean => value === null || value === undefined;
