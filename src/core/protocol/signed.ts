/** The texts that are signed, hashed or authenticated (PROTOCOL.md §3.2, §9): one place, so that no two sides differ. */

interface Signed {
  readonly deviceId: string;
  /** Exactly as in `connect.params`, as are mode and role. */
  readonly clientId: string;
  readonly clientMode: string;
  readonly role: string;
  /** In the order of the request; none asked: an empty list. */
  readonly scopes: readonly string[];
  /** Milliseconds; recorded, never judged (A3). */
  readonly signedAt: number;
  /** See `signedToken`. */
  readonly token: string;
  /** This socket's challenge. */
  readonly nonce: string;
}

/** A18: what a Latchkey client adds, so that its signature opens nothing at another gateway or under another name. */
export interface LatchkeyProof {
  /** base64url of the gateway's raw key. */
  readonly gatewayKey: string;
  /** The `Host` that was dialed, with its port. */
  readonly host: string;
  /** A19: the device's contribution to the comparison code, base64url. */
  readonly r: string;
}

export type SignedFields =
  | (Signed & { readonly version: 'v2' })
  | (Signed & {
      readonly version: 'v3';
      readonly platform: string | undefined;
      readonly deviceFamily: string | undefined;
    })
  | (Signed & { readonly version: 'lk1'; readonly latchkey: LatchkeyProof });

/** Trimmed, A–Z made small, nothing else: other alphabets stay as they are. */
export function asciiLower(text: string | undefined): string {
  return (text ?? '').trim().replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** The text that a device signs. A v1 text, without a nonce, is not made here: it is refused (A3). */
export function signedText(fields: SignedFields): string {
  const { version, deviceId, clientId, clientMode, role, scopes, signedAt, token, nonce } = fields;
  const head = [version, deviceId, clientId, clientMode, role, scopes.join(','), String(signedAt), token, nonce];
  switch (fields.version) {
    case 'v2':
      return head.join('|');
    case 'v3':
      return [...head, asciiLower(fields.platform), asciiLower(fields.deviceFamily)].join('|');
    case 'lk1':
      return [...head, fields.latchkey.gatewayKey, fields.latchkey.host, fields.latchkey.r].join('|');
  }
}

/** The credential that the signature covers; a password is never signed. */
export function signedToken(
  auth:
    | {
        readonly token?: string | undefined;
        readonly deviceToken?: string | undefined;
        readonly bootstrapToken?: string | undefined;
      }
    | undefined,
): string {
  return auth?.token ?? auth?.deviceToken ?? auth?.bootstrapToken ?? '';
}

/** A18: what the gateway signs in its challenge. `lk`: the client's nonce, `host`: the `Host` that it dialed. */
export function gatewayText(lk: string, nonce: string, host: string): string {
  return ['latchkey-gw-1', lk, nonce, host].join('|');
}

/** A11: what the owner key authenticates: the gateway's text first, then the client's. */
export function ownerText(side: 'gateway' | 'client', lk: string, nonce: string): string {
  return [side === 'gateway' ? 'latchkey-owner-g' : 'latchkey-owner-c', lk, nonce].join('|');
}

/** A19: the comparison code is made of the SHA-256 of this text. */
export function comparisonText(deviceKey: string, gatewayKey: string, r: string, s: string): string {
  return ['latchkey-code-1', deviceKey, gatewayKey, r, s].join('|');
}

/** A10: a device token is the HMAC of this text. */
export function deviceTokenText(deviceId: string, role: string, epoch: number): string {
  return ['latchkey-token-1', deviceId, role, String(epoch)].join('|');
}
