import { CAP_WAIT } from '../core/protocol/capability.ts';
import type { EventFrame } from '../core/protocol/frame.ts';
import { signedText, signedToken } from '../core/protocol/signed.ts';
import { type Challenge, challengeOf, Distrust, type HandshakeCrypto, provenKey } from './challenge.ts';
import { type After, type Client, NoAnswer } from './client.ts';
import { type Contribution, comparisonCode } from './comparison.ts';
import { type Hello, idOf, objectOf, readHello, textsOf } from './hello.ts';

/**
 * From the challenge to `hello-ok`, on the client's side. Platform-free.
 *
 * A18: this host's device key signs for gateways alone that proved a key of their own, and names that key and the host
 * that was dialed in what it signs. OpenClaw's v2 text names neither, so whoever makes us dial them could hand it on to a
 * gateway that knows our key, and be us there. So it is signed by another key, which is of that one address only
 * (`foreignDevice`): whatever is signed there opens nothing anywhere else.
 *
 * A gateway that nobody trusts yet is also nobody's reason to keep much: what it can make grow here is bounded.
 */

/** A key of this device. */
export interface Signer {
  /** Lower-case hex SHA-256 of the raw key. */
  readonly id: string;
  /** base64url of the 32 raw bytes. */
  readonly publicKey: string;
  /** Ed25519 over the UTF-8 of `text`, base64url. */
  sign(text: string): string | Promise<string>;
}

/** Credentials that somebody gave for this very gateway. */
export interface Given {
  readonly token?: string;
  readonly password?: string;
  /** A14: of a setup code. */
  readonly bootstrapToken?: string;
}

export interface HandshakeOptions {
  /** The `Host` that was dialed, with its port. */
  readonly host: string;
  /** The nonce that went along with the upgrade: 32 bytes in base64url. */
  readonly lk: string;
  /** A18: the key that is known of this gateway; with one nothing is sent before it is proven. */
  readonly pin: string | null;
  /** This host's, for gateways that prove who they are. */
  readonly device: Signer;
  /** Its key for this very address: for a gateway that proves nothing. */
  foreignDevice(): Signer | Promise<Signer>;
  readonly client: {
    readonly id: string;
    readonly mode: string;
    readonly version: string;
    readonly platform: string;
    readonly deviceFamily?: string;
    readonly displayName?: string;
  };
  readonly role: 'operator' | 'node';
  /** What is asked; `null`: the grant, whatever it is. */
  readonly scopes: readonly string[] | null;
  /**
   * What is asked of another gateway than Latchkey: always the same, since the first ask is what OpenClaw 2.19 pairs,
   * and a later one outside it finds the door shut.
   */
  readonly foreignScopes: readonly string[];
  readonly given: Given;
  /**
   * A10: cached of an earlier hello, and whose it is: it goes to nobody but the gateway that proves `gatewayKey`, and
   * beside no other key than that of `deviceId`.
   */
  readonly cached: { readonly token: string; readonly gatewayKey: string | null; readonly deviceId: string } | null;
  /**
   * A19: `device`'s part of the code of this very request, where an earlier connection opened it. Each connection brings a
   * part of its own, since the request of the one before may have ended unseen.
   */
  readonly earlier: ((gatewayKey: string, requestId: string) => Contribution | null) | null;
  readonly crypto: HandshakeCrypto;
  readonly after: After;
  now(): number;
  /** 32 unguessable bytes in base64url. */
  newNonce(): string;
  /** How long the gateway may be silent, in milliseconds: first until its challenge, then until its answer. */
  readonly silenceMs: number;
  /**
   * A8: it asks a person, and the socket waits. What comes back is how long to wait at most, in milliseconds. Called
   * again only where request or code are others than before, and a few times in all.
   */
  onWaiting(waiting: Waiting): number;
}

/** A8, A19: an ask that a person has not answered yet. */
export interface Waiting {
  readonly requestId: string;
  /** `1234 5678`, computed here; `null`: none can be compared, which only a gateway whose key was known before may say. */
  readonly code: string | null;
  readonly asked: readonly string[];
  readonly held: readonly string[];
  /** By this side's clock, ms since 1970. */
  readonly expiresAtMs: number;
  readonly gatewayKey: string;
  /** To be kept as long as the request, where there is a code. */
  readonly contribution: Contribution;
}

/** Nobody answered the ask in the time that was given; it is still open. */
export class StillWaiting extends Error {
  override readonly name = 'StillWaiting';
  readonly waiting: Waiting;
  constructor(waiting: Waiting) {
    super('nobody has answered yet');
    this.waiting = waiting;
  }
}

/** Connected. */
export interface Session {
  readonly client: Client;
  readonly hello: Hello;
  /** A18: proven on this connection; `null`: another gateway than Latchkey. */
  readonly gatewayKey: string | null;
  /** The key that was shown to it: `device`'s, or `foreignDevice`'s. */
  readonly deviceId: string;
  /** Hands events on from now, first those that came since the hello: none is lost in between. */
  listen(onEvent: (event: EventFrame) => void): void;
}

/**
 * From the challenge to `hello-ok`. The client is closed where this throws.
 * @throws Distrust, StillWaiting, RemoteError for a refusal, ConnectionLost, NoAnswer
 */
export async function handshake(client: Client, options: HandshakeOptions): Promise<Session> {
  try {
    const challenge = await challengeOf(client, options.after, options.silenceMs);
    const key = await provenKey(challenge, options, options.crypto);
    const contribution = key === null ? null : { r: options.newNonce(), nonce: challenge.nonce };
    const device = key === null ? await options.foreignDevice() : options.device;
    const params = await connectParams(challenge, { key, device, contribution }, options);
    const early: EventFrame[] = [];
    const answer = await connect(client, params, options, { challenge, key, device, contribution, early });
    const hello = readHello(answer);
    if (hello === null) throw new Distrust('foreign', 'its answer to connect is no hello');
    client.allow(hello.maxPayloadBytes);
    const listen = (onEvent: (event: EventFrame) => void) => {
      client.onEvent = onEvent;
      for (const event of early.splice(0)) onEvent(event);
    };
    return { client, hello, gatewayKey: key, deviceId: device.id, listen };
  } catch (error) {
    client.close();
    throw error;
  }
}

/** Who asks whom. */
interface Parties {
  /** What the gateway proved. */
  readonly key: string | null;
  readonly device: Signer;
  readonly contribution: Contribution | null;
}

async function connectParams(
  challenge: Challenge,
  { key, device, contribution }: Parties,
  o: HandshakeOptions,
): Promise<Record<string, unknown>> {
  const auth = authOf(key, device, o);
  const scopes = key === null ? o.foreignScopes : o.scopes;
  // 9.6 refuses a clock that differs from its own; Latchkey judges none.
  const signedAt = key === null ? (challenge.ts ?? o.now()) : o.now();
  const signed = {
    deviceId: device.id,
    clientId: o.client.id,
    clientMode: o.client.mode,
    role: o.role,
    scopes: scopes ?? [],
    signedAt,
    token: signedToken(auth),
    nonce: challenge.nonce,
  };
  const latchkey = key === null || contribution === null ? null : { gatewayKey: key, host: o.host, r: contribution.r };
  const text = signedText(latchkey === null ? { version: 'v2', ...signed } : { version: 'lk1', ...signed, latchkey });
  return {
    minProtocol: 3,
    maxProtocol: 4,
    client: o.client,
    role: o.role,
    ...(scopes === null ? {} : { scopes }),
    caps: key === null ? [] : [CAP_WAIT],
    ...(Object.keys(auth).length === 0 ? {} : { auth }),
    device: {
      id: device.id,
      publicKey: device.publicKey,
      signature: await device.sign(text),
      signedAt,
      nonce: challenge.nonce,
      ...(latchkey === null ? {} : { latchkey }),
    },
  };
}

/** What was given counts before what is cached; what is cached goes to the gateway that gave it alone. */
function authOf(
  key: string | null,
  device: Signer,
  { given, cached }: HandshakeOptions,
): Given & { deviceToken?: string } {
  if (Object.values(given).some((value) => value !== undefined)) return given;
  if (cached === null || cached.gatewayKey !== key || cached.deviceId !== device.id) return {};
  // OpenClaw 2.19 knows no other field for it.
  return key === null ? { token: cached.token } : { deviceToken: cached.token };
}

interface Asked extends Parties {
  readonly challenge: Challenge;
  /** Events that nobody listens for yet. */
  readonly early: EventFrame[];
}

/** Of events that nobody listens for yet: a gateway sends none before its hello, and few until somebody does. */
const EARLY = { events: 64, chars: 512 * 1024 };
/** It says once that it waits; a few times more is no harm. */
const WAITINGS_MAX = 5;
/** No request lives longer than a week. */
const WAIT_MAX_MS = 8 * 24 * 3_600_000;

/** Sends `connect` and waits for its answer: as long as a silent gateway may take, or as long as a person may. */
async function connect(client: Client, params: unknown, o: HandshakeOptions, asked: Asked): Promise<unknown> {
  let cancel = () => {};
  let isOver = false;
  let checked: Promise<void> = Promise.resolve();
  let waitings = 0;
  let shown: Waiting | null = null;
  const answer = client.request('connect', params, null);
  const late = new Promise<never>((_, reject) => {
    cancel = o.after(o.silenceMs, () => reject(new NoAnswer('connect', o.silenceMs)));
    // After its hello, and before anybody listens, nobody waits for the rejection: then the connection ends.
    const flooded = (what: string) => {
      reject(new Distrust('foreign', what));
      client.close(what);
    };
    const isFull = bounded(EARLY);
    client.onEvent = (event, size) => {
      if (event.event !== 'connect.waiting') {
        if (isFull(size)) flooded('it sends events without end that nobody has asked for');
        else asked.early.push(event);
        return;
      }
      waitings += 1;
      if (waitings > WAITINGS_MAX) return flooded('it says again and again that it waits for somebody');
      if (waitings === 1) cancel();
      checked = waitingOf(event.payload, o, asked).then((waiting) => {
        if (isOver || (shown?.requestId === waiting.requestId && shown.code === waiting.code)) return;
        shown = waiting;
        cancel();
        const waitMs = o.onWaiting(waiting);
        cancel = o.after(Math.max(0, waitMs), () => reject(new StillWaiting(waiting)));
      });
      checked.catch(reject);
    };
  });
  try {
    const payload = await Promise.race([answer, late]);
    // An answer counts only once the code that was shown before it is known to be right.
    await checked;
    return payload;
  } finally {
    isOver = true;
    cancel();
    answer.catch(() => {});
    late.catch(() => {});
  }
}

/** Whether one more, of so many characters, is too many or too much. */
function bounded({ events, chars }: typeof EARLY): (size: number) => boolean {
  const left = { events, chars };
  return (size) => {
    left.events -= 1;
    left.chars -= size;
    return left.events < 0 || left.chars < 0;
  };
}

async function waitingOf(payload: unknown, o: HandshakeOptions, asked: Asked): Promise<Waiting> {
  const { key, device, challenge } = asked;
  const told = objectOf(payload);
  const requestId = idOf(told.requestId);
  if (key === null || asked.contribution === null || requestId === null) {
    throw new Distrust('foreign', 'it lets wait who did not say that it can');
  }
  const { code, s } = told;
  const earlier = o.earlier?.(key, requestId) ?? null;
  const contribution = earlier ?? asked.contribution;
  const about = { deviceKey: device.publicKey, gatewayKey: key, contribution, isEarlier: earlier !== null, requestId };
  const own = await comparisonCode({ code, s }, about, o.crypto);
  // A19: of a gateway that is met for the first time only the code says who it is. Whoever stands between would leave it
  // out, and have a person approve their own request.
  if (own === null && o.pin === null) {
    throw new Distrust('no-code', 'it shows no comparison code that can be trusted for the request', { requestId });
  }
  const expiresAt = typeof told.expiresAt === 'number' ? told.expiresAt : 0;
  // Its clock may differ from ours: what counts is how long it is from now.
  const leftMs = expiresAt - (challenge.ts ?? o.now());
  return {
    requestId,
    code: own,
    asked: textsOf(told.asked),
    held: textsOf(told.held),
    expiresAtMs: o.now() + Math.min(Math.max(0, leftMs), WAIT_MAX_MS),
    gatewayKey: key,
    contribution,
  };
}
