import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { READ } from '../../core/protocol/method/scope.ts';
import { systemClock } from '../../system/clock.ts';
import { comparisonCode, decodeBase64url, SigningKey, sha256, verifyEd25519 } from '../../system/crypto.ts';
import { newNonce, randomBytes } from '../../system/random.ts';
import { parseAddress } from '../address.ts';
import { Client } from '../client.ts';
import { type HandshakeOptions, handshake, type Session, type Signer } from '../handshake.ts';
import { nodeCrypto } from './crypto.ts';
import { openWebSocket } from './websocket.ts';

// For tests: a gateway that says what it is told to say, the truth by default.

type Json = Readonly<Record<string, unknown>>;
// biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever a client sent
type Sent = any;

/** One socket of the scripted gateway. */
export interface Visit {
  readonly lk: string | null;
  readonly host: string;
  /** Its part of the comparison code, and the commitment that went out. */
  readonly s: string;
  readonly nonce: string;
  /** What came, in order. */
  readonly sent: Sent[];
  send(frame: Json): void;
  event(event: string, payload: unknown): void;
  answer(payload: unknown): void;
  refuse(error: Json, close?: number): void;
  close(code: number, reason?: string): void;
}

/** How it behaves; what is left out is as an honest gateway does it. */
export interface Script {
  /** Its payload; nothing: none is sent. */
  challenge?(visit: Visit): unknown;
  connect?(visit: Visit, params: Sent): void;
  call?(visit: Visit, method: string, params: Sent): void;
  /** Answers the upgrade itself instead: status and headers. */
  upgrade?: readonly [number, Readonly<Record<string, string>>];
}

export class ScriptedGateway {
  readonly key = new SigningKey(randomBytes(32));
  readonly visits: Visit[] = [];
  script: Script = {};
  /** The most sockets that were open at the same time. */
  mostOpen = 0;
  port = 0;
  readonly #server: Server;
  readonly #wss = new WebSocketServer({ noServer: true });
  readonly #sockets = new Set<WebSocket>();

  /** @param pem certificate and key in one text: it then speaks TLS */
  constructor(pem?: string) {
    this.#server = pem === undefined ? createServer() : createSecureServer({ key: pem, cert: pem });
    this.#server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => {});
      const { upgrade } = this.script;
      if (upgrade !== undefined) {
        const headers = Object.entries(upgrade[1]).map(([name, value]) => `${name}: ${value}\r\n`);
        socket.end(`HTTP/1.1 ${upgrade[0]} No\r\n${headers.join('')}Content-Length: 0\r\n\r\n`);
        return;
      }
      this.#wss.handleUpgrade(request, socket, head, (ws) => {
        const lk = new URL(request.url ?? '/', 'http://x').searchParams.get('lk');
        this.#visited(ws, lk, request.headers.host ?? '');
      });
    });
  }

  async listen(port = 0, host = '127.0.0.1'): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(port, host, done));
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** Cuts every socket. */
  cut(): void {
    for (const ws of this.#sockets) ws.terminate();
  }

  async end(): Promise<void> {
    this.cut();
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  /** A18: the proof over this visit's nonces. */
  proof({ lk, nonce, host }: Visit, key = this.key): Json {
    return { key: key.publicKey, signature: key.sign(`latchkey-gw-1|${lk}|${nonce}|${host}`) };
  }

  /** A19 */
  waiting(visit: Visit, params: Sent, more: Json = {}): Json {
    const { r } = params.device.latchkey;
    const about = { deviceKey: params.device.publicKey, gatewayKey: this.key.publicKey, r, s: visit.s };
    const expiresAt = 1_700_000_600_000;
    return {
      requestId: 'req-1',
      code: comparisonCode(about),
      s: visit.s,
      asked: params.scopes,
      held: [],
      expiresAt,
      ...more,
    };
  }

  /** Whether the device block is signed as A18 says, for this gateway. */
  isSigned(visit: Visit, params: Sent): boolean {
    const { client, device, role, scopes, auth } = params;
    const token = auth?.token ?? auth?.deviceToken ?? auth?.bootstrapToken ?? '';
    const head = [device.id, client.id, client.mode, role, scopes.join(','), device.signedAt, token, visit.nonce];
    const { latchkey } = device;
    const text =
      latchkey === undefined ? ['v2', ...head] : ['lk1', ...head, this.key.publicKey, visit.host, latchkey.r];
    const raw = decodeBase64url(device.publicKey, 32);
    return raw !== null && verifyEd25519(raw, text.join('|'), Buffer.from(device.signature, 'base64url'));
  }

  hello(more: Json = {}): Json {
    return {
      type: 'hello-ok',
      protocol: 4,
      server: { version: '1', connId: 'c' },
      auth: { method: 'device', role: 'operator', scopes: [READ], ...more },
      policy: { maxPayload: 26_214_400, tickIntervalMs: 30_000 },
    };
  }

  #visited(ws: WebSocket, lk: string | null, host: string): void {
    this.#sockets.add(ws);
    this.mostOpen = Math.max(this.mostOpen, this.#sockets.size);
    ws.on('error', () => {});
    ws.once('close', () => this.#sockets.delete(ws));
    const s = newNonce();
    let connectId = '';
    const send = (frame: Json) => ws.send(JSON.stringify(frame));
    const visit: Visit = {
      lk,
      host,
      s,
      nonce: sha256(s).toString('base64url'),
      sent: [],
      send,
      event: (event, payload) => send({ type: 'event', event, payload }),
      answer: (payload) => send({ type: 'res', id: connectId, ok: true, payload }),
      refuse(error, close = 1008) {
        send({ type: 'res', id: connectId, ok: false, error });
        ws.close(close);
      },
      close: (code, reason) => ws.close(code, reason),
    };
    this.visits.push(visit);
    ws.on('message', (data) => {
      const frame = JSON.parse(String(data));
      visit.sent.push(frame);
      if (frame.method === 'connect') {
        connectId = frame.id;
        const connect = this.script.connect ?? ((v: Visit) => v.answer(this.hello()));
        connect(visit, frame.params);
        return;
      }
      const answered = (payload: unknown) => send({ type: 'res', id: frame.id, ok: true, payload });
      if (this.script.call === undefined) answered({ method: frame.method });
      else this.script.call({ ...visit, answer: answered }, frame.method, frame.params);
    });
    const honest = (v: Visit) => ({ nonce: v.nonce, ts: 1_700_000_000_000, capabilities: [], gateway: this.proof(v) });
    const challenge = (this.script.challenge ?? honest)(visit);
    if (challenge != null) visit.event('connect.challenge', challenge);
  }
}

/** A key of a device. */
export function scriptedSigner(): Signer {
  const key = new SigningKey(randomBytes(32));
  const id = sha256(Buffer.from(key.publicKey, 'base64url')).toString('hex');
  return { id, publicKey: key.publicKey, sign: (text: string) => key.sign(text) };
}

/**
 * One connect, with the gateway's own key pinned unless told otherwise.
 * @param toldLk what arrives there as the client's nonce, where it is another than the client believes
 */
export async function connectTo(
  gateway: ScriptedGateway,
  more: Partial<HandshakeOptions> = {},
  toldLk?: string,
): Promise<Session> {
  const after = (ms: number, run: () => void) => systemClock.after(ms, run);
  const address = parseAddress(`ws://127.0.0.1:${gateway.port}`);
  if (!address.ok) throw new Error(address.error);
  const lk = newNonce();
  const transport = await openWebSocket({
    address: address.value,
    lk: toldLk ?? lk,
    tlsFingerprint: null,
    insecure: false,
    timeoutMs: 5_000,
    after,
  });
  return handshake(new Client(transport, after), {
    host: address.value.host,
    lk,
    pin: gateway.key.publicKey,
    device: scriptedSigner(),
    foreignDevice: scriptedSigner,
    client: { id: 'cli', mode: 'cli', version: '1', platform: 'linux' },
    role: 'operator',
    scopes: [READ],
    foreignScopes: [READ],
    given: {},
    cached: null,
    earlier: null,
    crypto: nodeCrypto,
    after,
    now: () => 1_700_000_000_000,
    newNonce,
    silenceMs: 5_000,
    onWaiting: () => 5_000,
    ...more,
  });
}
