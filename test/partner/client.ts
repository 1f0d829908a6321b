// A protocol client of its own (PROTOCOL.md §2, §3): what a foreign implementation does, and what a hostile one might.
import { randomBytes } from 'node:crypto';
import {
  type ConnectParams,
  deviceBlock,
  type Identity,
  type LatchkeyBlock,
  type SignatureVersion,
} from './identity.ts';
import { type Answer, type Payload, Peer, within } from './peer.ts';
import { type Closed, openWebSocket, type Upgrade, type WebSocketConnection } from './websocket.ts';

export interface Challenge {
  readonly nonce: string;
  readonly ts: number;
  readonly capabilities?: readonly string[];
  /** A18: there when the client sent a nonce of its own. */
  readonly gateway?: { readonly key: string; readonly signature: string };
  readonly owner?: string;
}

export interface OpenOptions extends Upgrade {
  readonly origin?: string;
  /** Send a client nonce in the upgrade URL (A18): 32 random bytes, or these as base64url. */
  readonly lk?: true | string;
}

export interface ConnectOptions {
  /** Absent: no device block. */
  readonly identity?: Identity;
  readonly version?: SignatureVersion;
  readonly signedAt?: number;
  readonly nonce?: string;
  readonly latchkey?: LatchkeyBlock;
  readonly timeoutMs?: number;
  /** Changes the finished params, signature and all. */
  readonly tamper?: (params: Record<string, unknown>) => Record<string, unknown>;
}

/** What a plain operator client sends; tests spread it and replace what they are about. */
export function plainParams(more: Partial<ConnectParams> = {}): ConnectParams {
  return {
    minProtocol: 3,
    maxProtocol: 4,
    client: {
      id: 'cli',
      version: '2026.9.6',
      platform: 'linux',
      deviceFamily: 'Linux',
      mode: 'cli',
      instanceId: '00000000-0000-4000-8000-000000000000',
    },
    role: 'operator',
    scopes: ['operator.read'],
    caps: [],
    ...more,
  };
}

export class Partner extends Peer {
  readonly ws: WebSocketConnection;
  readonly closed: Promise<Closed>;
  /** The client nonce that went into the upgrade URL, if one did. */
  readonly lk: string | null;
  #challenge: Challenge | null = null;

  private constructor(ws: WebSocketConnection, lk: string | null) {
    super();
    this.ws = ws;
    this.lk = lk;
    this.closed = ws.closed;
    ws.onText = (text) => this.take(text);
  }

  /** Opens the socket and reads the challenge. @throws UpgradeRefused, or Error when no challenge comes. */
  static async open(options: OpenOptions): Promise<Partner> {
    const lk = options.lk === true ? randomBytes(32).toString('base64url') : (options.lk ?? null);
    const ws = await openWebSocket({
      ...options,
      ...(lk === null ? {} : { path: `/?lk=${lk}` }),
      headers: { ...options.headers, ...(options.origin === undefined ? {} : { Origin: options.origin }) },
    });
    const partner = new Partner(ws, lk);
    const first = await Promise.race([
      partner.event('connect.challenge'),
      partner.closed.then((c) => {
        throw new Error(`closed before the challenge: ${c.code} ${c.reason}`);
      }),
    ]);
    partner.#challenge = first.payload;
    return partner;
  }

  get challenge(): Challenge {
    if (this.#challenge === null) throw new Error('no challenge');
    return this.#challenge;
  }

  /** Sends `connect`, signed over this socket's nonce when an identity is given, and returns the answer to it. */
  connect(params: ConnectParams, options: ConnectOptions = {}): Promise<Answer> {
    return this.call('connect', this.signed(params, options), { timeoutMs: options.timeoutMs ?? 15_000 });
  }

  /** The params of a `connect` on this socket, with the device block where an identity is given. */
  signed(params: ConnectParams, options: ConnectOptions = {}): Record<string, unknown> {
    const { identity, version = 'v3', nonce = this.challenge.nonce, signedAt = this.challenge.ts } = options;
    const signing = {
      version,
      nonce,
      signedAt,
      ...(options.latchkey === undefined ? {} : { latchkey: options.latchkey }),
    };
    const whole = identity === undefined ? params : { ...params, device: deviceBlock(identity, params, signing) };
    return options.tamper === undefined ? { ...whole } : options.tamper({ ...whole });
  }

  /** The refusal and the close that followed it. @throws Error when it was no refusal. */
  async refusal(answer: Answer): Promise<{ code: string; detail: unknown; message: string; close: Closed }> {
    if (answer.ok) throw new Error(`connected, though a refusal was due: ${JSON.stringify(answer.payload.auth)}`);
    const close = await within(this.closed, 'close after a refusal', 5_000);
    return { code: answer.error.code, detail: answer.error.details?.code, message: answer.error.message, close };
  }

  protected override sendText(text: string): void {
    this.ws.sendText(text);
  }

  end(): void {
    this.ws.destroy();
  }
}

/** Opens, connects and returns both. The hello's payload is `hello`. @throws Error when refused. */
export async function connected(
  open: OpenOptions,
  params: ConnectParams,
  options: ConnectOptions = {},
): Promise<{ partner: Partner; hello: Payload }> {
  const partner = await Partner.open(open);
  const answer = await partner.connect(params, options);
  if (answer.ok) return { partner, hello: answer.payload };
  partner.end();
  throw new Error(
    `connect refused: ${answer.error.code} ${answer.error.message} ${JSON.stringify(answer.error.details)}`,
  );
}
