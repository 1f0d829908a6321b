// The partner's connection with as little above it as a load needs: no list of what arrived, no timer for each call.
import { Partner, plainParams } from '../../test/partner/client.ts';
import { type ConnectParams, deviceBlock, type Identity } from '../../test/partner/identity.ts';
import { openWebSocket, type WebSocketConnection } from '../../test/partner/websocket.ts';
import type { Speech } from './load.ts';

interface Reply {
  readonly type: string;
  readonly id: string;
  readonly ok?: boolean;
  readonly error?: unknown;
}

interface Waiting {
  done(reply: Reply, bytes: number): void;
  fail(reason: Error): void;
}

/** How every event of this gateway begins. */
const EVENT = '{"type":"event"';

/** One socket and the calls in flight on it; events pass by, unless somebody hears them. */
export class Line {
  /** Told of events as they came. */
  onEvent: (text: string) => void = () => {};
  readonly #ws: WebSocketConnection;
  readonly #waiting = new Map<string, Waiting>();
  #next = 0;

  constructor(ws: WebSocketConnection) {
    this.#ws = ws;
    ws.onText = (text) => {
      if (text.startsWith(EVENT)) return this.onEvent(text);
      const reply: Reply = JSON.parse(text);
      if (reply.type !== 'res') return;
      this.#waiting.get(reply.id)?.done(reply, text.length);
      this.#waiting.delete(reply.id);
    };
    void ws.closed.then(({ code, reason }) => {
      for (const { fail } of this.#waiting.values()) fail(new Error(`closed: ${code} ${reason}`));
    });
  }

  /** Characters of the answer; all of them are ASCII here, so bytes. @throws Error when it is a refusal. */
  call(method: string, params: unknown): Promise<number> {
    this.#next += 1;
    const id = `b${this.#next}`;
    return new Promise((resolve, fail) => {
      const done = (reply: Reply, bytes: number) => {
        if (reply.ok === true) resolve(bytes);
        else fail(new Error(`${method}: ${JSON.stringify(reply.error)}`));
      };
      this.#waiting.set(id, { done, fail });
      this.#ws.sendText(JSON.stringify({ type: 'req', id, method, params }));
    });
  }

  end(): void {
    this.#ws.destroy();
  }
}

/** What a paired command-line device asks for. */
export function readParams(speech?: Speech, scopes?: readonly string[]): ConnectParams {
  return plainParams({
    ...(speech === undefined ? {} : { minProtocol: speech.protocol, maxProtocol: speech.protocol }),
    ...(speech?.auth === undefined ? {} : { auth: speech.auth }),
    ...(scopes === undefined ? {} : { scopes }),
  });
}

/** A `connect` signed over a nonce; of a limit the client's own, for there is no challenge. */
export function signedParams(identity: Identity, nonce: string, signedAt: number, speech?: Speech): ConnectParams {
  const params = readParams(speech);
  return { ...params, device: deviceBlock(identity, params, { version: 'v3', nonce, signedAt }) };
}

/** A socket that calls at once. */
export async function openBare(port: number): Promise<Line> {
  return new Line(await openWebSocket({ port }));
}

/** A socket ready for calls: connected by the device, or by the credentials alone. */
export async function openLine(
  port: number,
  identity: Identity | null,
  scopes?: readonly string[],
  speech?: Speech,
): Promise<Line> {
  const partner = await Partner.open({ port });
  const answer = await partner.connect(readParams(speech, scopes), identity === null ? {} : { identity });
  if (!answer.ok) throw new Error(`connect: ${answer.error.code} ${answer.error.message}`);
  return new Line(partner.ws);
}
