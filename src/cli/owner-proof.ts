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
  if (key === null || identity === null || run.port === null) return null;
  const proving = { context, run, key, gatewayKey: identity.signingKey.publicKey };
  for (const literal of loopbackOf(run.addresses)) {
    const client = await proveAt(literal, proving);
    if (client !== null) return client;
  }
  return null;
}

/**
 * The addresses of this host alone at which the gateway says that it listens: at any other one, whoever listens there is
 * somebody else.
 */
function loopbackOf(addresses: readonly string[]): readonly string[] {
  const literals: Readonly<Record<string, string>> = {
    '127.0.0.1': '127.0.0.1',
    '0.0.0.0': '127.0.0.1',
    '::1': '[::1]',
    '::': '[::1]',
  };
  return [...new Set(addresses.flatMap((address) => literals[address] ?? []))];
}

interface Proving {
  readonly context: Context;
  readonly run: RunRecord;
  readonly key: Buffer;
  readonly gatewayKey: string;
}

async function proveAt(literal: string, { context, run, key, gatewayKey }: Proving): Promise<Client | null> {
  const address = parseAddress(`${run.tlsFingerprint === null ? 'ws' : 'wss'}://${literal}:${run.port}`);
  if (!address.ok) return null;
  tell(context, `owner proof at ${address.value.url}`);
  try {
    return await openOwnerProof({
      address: address.value,
      tlsFingerprint: run.tlsFingerprint,
      gatewayKey,
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
