import { ownerText } from '../../core/protocol/signed.ts';
import type { Address } from '../address.ts';
import { challengeOf, Distrust, type HandshakeCrypto, provenKey } from '../challenge.ts';
import { type After, Client } from '../client.ts';
import { openWebSocket } from './websocket.ts';

export interface OwnerProofOptions {
  /** The port of this state directory's own gateway, on loopback. */
  readonly address: Address;
  /** The certificate of the gateway's own, as lower-case hex SHA-256; `null`: it speaks in clear. */
  readonly tlsFingerprint: string | null;
  /** A18: the public key in `identity/gateway.json`, base64url. */
  readonly gatewayKey: string;
  /** base64url HMAC-SHA256 with `run/owner.key`. */
  hmac(text: string): string;
  /** Constant time in the contents. */
  same(a: string, b: string): boolean;
  readonly crypto: HandshakeCrypto;
  /** 32 unguessable bytes in base64url. */
  readonly lk: string;
  readonly version: string;
  readonly platform: string;
  readonly timeoutMs: number;
  readonly after: After;
}

/**
 * A11: a session of the owner where the owner socket can't be reached. The gateway proves first that it is this state
 * directory's and knows the key of this start; the key itself is never sent. Its proof covers the Host, so nobody
 * between the two can hand it on.
 * @throws DialFailed, Distrust, RemoteError, ConnectionLost, NoAnswer
 */
export async function openOwnerProof(options: OwnerProofOptions): Promise<Client> {
  const { address, lk, after, timeoutMs, version, platform } = options;
  const { tlsFingerprint } = options;
  const client = new Client(
    await openWebSocket({ address, lk, tlsFingerprint, insecure: false, timeoutMs, after }),
    after,
  );
  try {
    const challenge = await challengeOf(client, after, timeoutMs);
    await provenKey(challenge, { lk, host: address.host, pin: options.gatewayKey }, options.crypto);
    const { nonce, owner } = challenge;
    if (owner === null || !options.same(owner, options.hmac(ownerText('gateway', lk, nonce)))) {
      throw new Distrust('no-proof', 'it does not prove the owner key of this state directory');
    }
    const params = {
      minProtocol: 4,
      maxProtocol: 4,
      client: { id: 'cli', mode: 'cli', version, platform },
      role: 'operator',
      auth: { ownerProof: options.hmac(ownerText('client', lk, nonce)) },
    };
    await client.request('connect', params, timeoutMs);
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}
