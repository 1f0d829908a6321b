import { decodeBase64url, KEY_BYTES, SIGNATURE_BYTES, sha256, verifyEd25519 } from '../../system/crypto.ts';
import type { HandshakeCrypto } from '../challenge.ts';

/** The handshake's cryptography by Node's own. */
export const nodeCrypto: HandshakeCrypto = {
  sha256,
  verify(key, text, signature) {
    const raw = decodeBase64url(key, KEY_BYTES);
    const bytes = decodeBase64url(signature, SIGNATURE_BYTES);
    return raw !== null && bytes !== null && verifyEd25519(raw, text, bytes);
  },
};
