import { parseAddress } from '../client/address.ts';
import type { Client } from '../client/client.ts';
import { openOwnerProof } from '../client/node/owner-proof.ts';
import { decodeBase64url, equalSecrets, hmacSha256, sha256, verifyEd25519 } from '../system/crypto.ts';
import { readGatewayIdentity } from '../system/identity.ts';
import { readOwnerKey } from '../system/owner-key.ts';
import { newNonce } from '../system/random.ts';
import { type Context, tell } from './context.ts';
import type { RunRecord } from './running.ts';

/**
 * A11: the way to a running gateway whose owner socket can't be reached. `null`: there is no key, or no gateway that
 * proves to be this state directory's.
 * @throws Failure 77 or 78 for a key or an identity that isn't private
 */
export async function proveOwner(context: Context, run: RunRecord): Promise<Client | null> {
  const { path: stateDir } = context.state;
  const key = readOwnerKey(stateDir);
  const identity = readGatewayIdentity(stateDir);
  const scheme = run.tlsFingerprint === null ? 'ws' : 'wss';
  const address = parseAddress(`${scheme}://127.0.0.1:${run.port}`);
  if (key === null || identity === null || run.port === null || !address.ok) return null;
  tell(context, `owner proof at ${address.value.url}`);
  try {
    return await openOwnerProof({
      address: address.value,
      tlsFingerprint: run.tlsFingerprint,
      gatewayKey: identity.signingKey.publicKey,
      hmac: (text) => hmacSha256(key, text).toString('base64url'),
      same: equalSecrets,
      crypto: { sha256, verify },
      lk: newNonce(),
      version: context.host.version,
      platform: process.platform,
      timeoutMs: context.timeoutMs,
      after: context.host.clock.after,
    });
  } catch (error) {
    tell(context, `no owner proof: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

function verify(key: string, text: string, signature: string): boolean {
  const raw = decodeBase64url(key, 32);
  const bytes = decodeBase64url(signature, 64);
  return raw !== null && bytes !== null && verifyEd25519(raw, text, bytes);
}
