import type { CodeId, DeviceId } from '../core/authz/principal.ts';
import { ownerText } from '../core/protocol/signed.ts';
import type { GatewayOptions } from '../gateway/gateway.ts';
import {
  comparisonCode,
  decodeBase64url,
  deviceIdOf,
  deviceToken,
  equalSecrets,
  hmacSha256,
  KEY_BYTES,
  SIGNATURE_BYTES,
  sha256,
  sha256Hex,
  verifyEd25519,
} from '../system/crypto.ts';
import type { GatewayIdentity } from '../system/identity.ts';
import { newNonce } from '../system/random.ts';

const RECENT_MAX = 1_024;

/** Answers of a pure question, the last so many. */
class Recent<T> {
  readonly #answers = new Map<string, T>();

  of(question: string, ask: () => T): T {
    const known = this.#answers.get(question);
    if (known !== undefined) return known;
    const answer = ask();
    this.#answers.set(question, answer);
    if (this.#answers.size > RECENT_MAX) this.#answers.delete(this.#answers.keys().next().value ?? '');
    return answer;
  }
}

/** The gateway's cryptography, from its identity and, where there is a door to prove it at, this start's owner key (A11). */
export function keysOf(identity: GatewayIdentity, ownerKey: Buffer | null): GatewayOptions['keys'] {
  const { signingKey, tokenKey } = identity;
  // Asked with every connect; the same devices come again and again.
  const tokens = new Recent<string>();
  const ids = new Recent<DeviceId | null>();
  const raws = new Recent<Buffer | null>();
  const rawOf = (key: string) => raws.of(key, () => decodeBase64url(key, KEY_BYTES));
  return {
    gatewayKey: signingKey.publicKey,
    sign: (text) => signingKey.sign(text),
    newSalt() {
      const s = newNonce();
      return { s, nonce: sha256(s).toString('base64url') };
    },
    verify(key, text, signature) {
      const raw = rawOf(key);
      const bytes = decodeBase64url(signature, SIGNATURE_BYTES);
      return raw !== null && bytes !== null && verifyEd25519(raw, text, bytes);
    },
    deviceId: (key) =>
      ids.of(key, () => {
        const raw = rawOf(key);
        return raw === null ? null : (deviceIdOf(raw) as DeviceId);
      }),
    codeId: (code) => sha256Hex(code) as CodeId,
    same: equalSecrets,
    deviceToken: (device, role, epoch) =>
      tokens.of(`${device} ${role} ${epoch}`, () => deviceToken(tokenKey, device, role, epoch)),
    ownerProof:
      ownerKey === null
        ? null
        : (side, lk, nonce) => hmacSha256(ownerKey, ownerText(side, lk, nonce)).toString('base64url'),
    comparison: (deviceKey, r, s) => comparisonCode({ deviceKey, gatewayKey: signingKey.publicKey, r, s }),
  };
}
