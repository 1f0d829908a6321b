import type { EventFrame } from '../core/protocol/frame.ts';
import { gatewayText } from '../core/protocol/signed.ts';
import { type Client, type ConnectionLost, NoAnswer } from './client.ts';

/** Cryptography as the handshake needs it, of Node or of a browser. */
export interface HandshakeCrypto {
  /** SHA-256 of the UTF-8 of `text`: 32 bytes. */
  sha256(text: string): Uint8Array | Promise<Uint8Array>;
  /** Ed25519; false for anything that isn't canonical. `key`, `signature`: unpadded base64url. */
  verify(key: string, text: string, signature: string): boolean | Promise<boolean>;
}

/** What a gateway says first (PROTOCOL.md §3, §9). */
export interface Challenge {
  readonly nonce: string;
  /** Its clock, ms since 1970. */
  readonly ts: number | null;
  /** A18; `null`: it proves nothing, so it is another gateway than Latchkey. */
  readonly gateway: { readonly key: string; readonly signature: string } | null;
  /** A11: base64url HMAC with this start's owner key; `null`: no owner proof is taken on this connection. */
  readonly owner: string | null;
}

/** The gateway is not what it was, or not what it says; nothing was sent to it. Trying again does not help. */
export class Distrust extends Error {
  override readonly name = 'Distrust';
  /**
   * `foreign`: it speaks another protocol. `no-proof`: its key is known and it proves none. `changed-key`: it proves
   * another than the known one. `false-proof`: its proof is none, or was made for another connection. `false-code`: the
   * comparison code it shows is not made as A19 says. `no-code`: it shows none, and nothing else says who it is.
   */
  readonly kind: 'foreign' | 'no-proof' | 'changed-key' | 'false-proof' | 'false-code' | 'no-code';
  /** base64url of the keys, where it is about keys. */
  readonly pinned: string | null;
  readonly offered: string | null;
  /** The request that it names, where it is about a code. */
  readonly requestId: string | null;
  constructor(
    kind: Distrust['kind'],
    message: string,
    about: { pinned?: string | null; offered?: string; requestId?: string } = {},
  ) {
    super(message);
    this.kind = kind;
    this.pinned = about.pinned ?? null;
    this.offered = about.offered ?? null;
    this.requestId = about.requestId ?? null;
  }
}

/** Waits for the challenge. @throws Distrust, ConnectionLost, NoAnswer */
export function challengeOf(
  client: Client,
  after: (delayMs: number, run: () => void) => () => void,
  timeoutMs: number,
): Promise<Challenge> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      cancel();
      client.onEvent = () => {};
      client.onClosed = () => {};
      settle();
    };
    const cancel = after(timeoutMs, () => done(() => reject(new NoAnswer('connect.challenge', timeoutMs))));
    client.onClosed = (lost: ConnectionLost) => done(() => reject(lost));
    client.onEvent = (event) =>
      done(() => {
        const challenge = read(event);
        if (challenge !== null) resolve(challenge);
        else reject(new Distrust('foreign', 'its first message is no connect.challenge'));
      });
  });
}

function read({ event, payload }: EventFrame): Challenge | null {
  if (event !== 'connect.challenge' || typeof payload !== 'object' || payload === null) return null;
  const { nonce, ts, gateway, owner } = payload as Record<string, unknown>;
  // It goes back in a signed text: what delimits those can't be in it.
  if (typeof nonce !== 'string' || !/^[\w.:+/=-]{16,256}$/.test(nonce)) return null;
  return {
    nonce,
    ts: Number.isSafeInteger(ts) ? (ts as number) : null,
    gateway: proofOf(gateway),
    owner: typeof owner === 'string' ? owner : null,
  };
}

/** A proof that is there and torn is a wrong one, not none. */
function proofOf(gateway: unknown): Challenge['gateway'] {
  if (gateway === undefined || gateway === null) return null;
  const { key, signature } = gateway as Record<string, unknown>;
  return { key: typeof key === 'string' ? key : '', signature: typeof signature === 'string' ? signature : '' };
}

/**
 * A18: the key that the gateway proved, over this connection's nonces and the Host that was dialed; `null`: it proves
 * none, and none is pinned. @throws Distrust
 */
export async function provenKey(
  challenge: Challenge,
  asked: { readonly lk: string; readonly host: string; readonly pin: string | null },
  crypto: HandshakeCrypto,
): Promise<string | null> {
  const { gateway, nonce } = challenge;
  const { pin } = asked;
  if (gateway === null) {
    if (pin === null) return null;
    throw new Distrust('no-proof', 'it does not prove the key that is known of it', { pinned: pin });
  }
  if (!(await crypto.verify(gateway.key, gatewayText(asked.lk, nonce, asked.host), gateway.signature))) {
    throw new Distrust('false-proof', 'its proof was not made for this connection: somebody may stand between', {
      pinned: pin,
    });
  }
  if (pin === null || gateway.key === pin) return gateway.key;
  throw new Distrust('changed-key', 'its key is another than the one that is known', {
    pinned: pin,
    offered: gateway.key,
  });
}
