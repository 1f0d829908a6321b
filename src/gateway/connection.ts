import type { Authority } from '../authority/authority.ts';
import type { Outcome } from '../core/authz/command.ts';
import type { Principal, RequestId } from '../core/authz/principal.ts';
import {
  type Action,
  type Bounds,
  type ConnectionState,
  type EndCode,
  type Input,
  opened,
  step,
} from '../core/connection/connection.ts';
import { type ConnectParams, protocolFor } from '../core/protocol/connect.ts';
import { type ErrorContext, type Refused, refusalOfOutcome, refuse } from '../core/protocol/error.ts';
import { errorFrame, okFrame } from '../core/protocol/frame.ts';
import {
  CALLS_IN_FLIGHT_MAX,
  MAX_PAYLOAD_BYTES,
  PREAUTH_MESSAGE_BYTES,
  UNAUTHORIZED_MAX,
} from '../core/protocol/limit.ts';
import type { Answer } from './answer.ts';
import {
  type Challenge,
  type ConnectFacts,
  type DoorRules,
  gather,
  judge,
  type Keys,
  type Verdict,
} from './connect.ts';
import type { Pipe, Receiver } from './listen/pipe.ts';
import { readConnect, readFrame } from './read.ts';
import type { Session } from './session.ts';
import type { LetIn } from './welcome.ts';

/** What a connection asks of the gateway round it. */
export interface House {
  readonly authority: Authority;
  readonly keys: Keys;
  readonly rules: DoorRules;
  readonly publisher: { check(session: Session): void };
  challenge(pipe: Pipe): Challenge;
  ownerSession(id: string, pipe: Pipe): Session;
  sessionOf(id: string, pipe: Pipe, facts: ConnectFacts, protocol: 3 | 4, principal: Principal): Session;
  hello(session: Session, facts: ConnectFacts, verdict: LetIn): Record<string, unknown>;
  call(
    caller: { readonly principal: Principal; readonly session: Session; readonly protocol: 3 | 4 },
    method: string,
    params: unknown,
  ): Promise<Answer>;
  refusalOf(
    facts: ConnectFacts,
    verdict: Extract<Verdict, { readonly kind: 'refused' }>,
    context: ErrorContext,
  ): Refused & { readonly delayMs: number };
  readonly room: { take(size: number): boolean; give(size: number): void };
  /** After `hello-ok`: from now on it is sent events. */
  joined(connection: Connection, session: Session): void;
  left(connection: Connection): void;
  waits(connection: Connection, id: RequestId): void;
  traced(id: string, facts: ConnectFacts, verdict: Verdict): void;
  failed(error: unknown, where: string): void;
  after(delayMs: number, run: () => void): () => void;
  deadline(run: () => void): () => void;
}

/** A message's params on their way through the machine, and its length in characters. */
interface Carried {
  readonly params: unknown;
  readonly size: number;
}

/** Beside one call of the largest size there is always room for many small ones. */
const SMALL_CALL = 1024 * 1024;
const BOUNDS: Bounds = { callsMax: CALLS_IN_FLIGHT_MAX, refusedMax: UNAUTHORIZED_MAX };

type Waiting = Extract<Verdict, { readonly kind: 'waiting' }>;

/** What is known of the `connect` of this socket, for its answer. */
interface Asked {
  readonly facts: ConnectFacts;
  readonly context: ErrorContext;
  readonly verdict: Verdict;
}

/**
 * The shell round core/connection: it parses, has the connect judged and the calls answered, and carries out the
 * machine's actions in order. What may happen when is decided there.
 */
export class Connection implements Receiver {
  readonly id: string;
  readonly #gateway: House;
  readonly #pipe: Pipe;
  readonly #challenge: Challenge | null;
  /** Characters of what came before the connect was answered, and of the calls that are being answered. */
  #early = 0;
  #pending = 0;
  readonly #answers = new Map<string, Answer>();
  #state: ConnectionState;
  #session: Session | null = null;
  #asked: Asked | null = null;
  #refusal: Refused | null = null;
  #cancelTimer: (() => void) | null = null;

  constructor(gateway: House, pipe: Pipe, id: string) {
    this.#gateway = gateway;
    this.#pipe = pipe;
    this.id = id;
    const { door } = pipe.facts;
    this.#state = opened(door);
    // A11: whoever could open the owner socket is the owner; there is no challenge on it.
    this.#challenge = door === 'owner' ? null : gateway.challenge(pipe);
    if (door === 'owner') {
      this.#session = gateway.ownerSession(id, pipe);
      pipe.allow(MAX_PAYLOAD_BYTES);
    } else this.#cancelTimer = gateway.deadline(() => this.#feed({ kind: 'deadline' }));
  }

  get session(): Session | null {
    return this.#session;
  }

  /** The request this socket waits at. */
  get waiting(): { readonly request: Waiting['request']; readonly facts: ConnectFacts } | null {
    const asked = this.#asked;
    if (this.#state.kind !== 'waiting-approval' || asked?.verdict.kind !== 'waiting') return null;
    return { request: asked.verdict.request, facts: asked.facts };
  }

  /** Calls that are being answered now. */
  get inFlight(): number {
    return this.#state.kind === 'connected' ? this.#state.calls.size : 0;
  }

  message(text: string): void {
    if (this.#state.kind === 'judging') {
      // What comes too early waits unread as far as the transport allows, and is bounded where it doesn't.
      this.#early += text.length;
      if (this.#early > PREAUTH_MESSAGE_BYTES) return this.#refuse(refuse('frame_invalid', {}));
    }
    const read = readFrame(text);
    if (!read.ok) {
      const message =
        read.error === 'not_json' ? ({ kind: 'not-json' } as const) : ({ kind: 'invalid', id: read.id } as const);
      return this.#feed({ kind: 'message', message });
    }
    const { id, method, params } = read.frame;
    const carried: Carried = { params, size: text.length };
    this.#feed({ kind: 'message', message: { kind: 'call', call: { id, method, carried } } });
  }

  closed(): void {
    this.#feed({ kind: 'gone' });
    this.#leave();
  }

  /** Ends the connection for something that happened elsewhere: a revoke, a new secret, shutdown. */
  end(code: EndCode): void {
    this.#feed({ kind: 'end', code });
  }

  /** A8: the request this socket waits at has ended. */
  settle(outcome: Outcome): void {
    const asked = this.#asked;
    if (this.waiting === null || asked === null) return;
    if (outcome === 'approved') return this.#judge(asked.facts, asked.context);
    this.#refuse(refuse(refusalOfOutcome(outcome), asked.context));
  }

  #feed(input: Input): void {
    const next = step(this.#state, input, BOUNDS);
    this.#state = next.state;
    for (const action of next.actions) this.#act(action);
  }

  #act(action: Action): void {
    switch (action.kind) {
      case 'judge':
        // Nothing more is read before the answer: a peer that talks on fills its own buffers.
        this.#pipe.pause();
        return this.#connect((action.call.carried as Carried).params);
      case 'hello':
        return this.#hello(action.id);
      case 'tell-waiting':
        return this.#tellWaiting();
      case 'call':
        void this.#call(action.call.id, action.call.method, action.call.carried as Carried);
        return;
      case 'reply': {
        const answer = this.#answers.get(action.id);
        this.#answers.delete(action.id);
        if (answer?.ok) this.#send(okFrame(action.id, answer.payload));
        else if (answer) this.#send(errorFrame(action.id, answer.refused.error));
        return;
      }
      case 'refuse': {
        const context = { ...this.#asked?.context, ...(action.code === 'busy' ? { retryAfterMs: 250 } : {}) };
        const refused = action.code === 'verdict' ? this.#refusal : refuse(action.code, context);
        if (refused !== null) this.#send(errorFrame(action.id, refused.error));
        return;
      }
      case 'raise-limit':
        return this.#pipe.allow(MAX_PAYLOAD_BYTES);
      case 'close': {
        const refused = action.cause === 'verdict' ? this.#refusal : refuse(action.cause, this.#asked?.context ?? {});
        const close = refused?.close ?? { code: 1008, reason: refused?.error.message ?? '' };
        this.#leave();
        return this.#pipe.close(close.code, close.reason);
      }
    }
  }

  // ---- connecting ---------------------------------------------------------------------------------------------------

  #connect(params: unknown): void {
    const { rules } = this.#gateway;
    const read = readConnect(params);
    if (!read.ok) return this.#refuse(refuse('connect_params', { text: read.text }));
    const protocol = protocolFor(read.params);
    if (protocol === null) {
      const { minProtocol: min, maxProtocol: max } = read.params;
      return this.#refuse(refuse('protocol_mismatch', { clientProtocols: { min, max } }));
    }
    const context = contextOf(read.params, protocol, rules.authMode);
    const facts = gather(read.params, this.#pipe.facts, this.#challenge, rules);
    if (typeof facts === 'string') return this.#refuse(refuse(facts, context));
    this.#judge(facts, context);
  }

  #judge(facts: ConnectFacts, context: ErrorContext): void {
    const gateway = this.#gateway;
    judge(facts, gateway.rules, gateway.keys, gateway.authority).then(
      (verdict) => {
        if (this.#state.kind === 'closing') return;
        this.#asked = { facts, context, verdict };
        gateway.traced(this.id, facts, verdict);
        this.#answer(facts, context, verdict);
      },
      (error: unknown) => {
        gateway.failed(error, 'connect');
        const full = error instanceof Error && error.name === 'StoreUnavailable';
        this.#refuse(refuse(full ? 'unavailable' : 'internal', { ...context, retryAfterMs: 1_000 }));
      },
    );
  }

  #answer(facts: ConnectFacts, context: ErrorContext, verdict: Verdict): void {
    const gateway = this.#gateway;
    switch (verdict.kind) {
      case 'session':
        this.#cancelTimer?.();
        this.#session = gateway.sessionOf(this.id, this.#pipe, facts, context.protocol ?? 4, verdict.principal);
        return this.#feed({ kind: 'let-in' });
      case 'waiting':
        // A8: what it waited for was approved and is gone again: it is answered, and may ask anew.
        if (this.#state.kind === 'waiting-approval') {
          return this.#refuse(refuse('pairing_required', { ...context, requestId: verdict.request.id }));
        }
        this.#cancelTimer?.();
        this.#feed({ kind: 'wait', request: verdict.request.id });
        return;
      case 'unproven':
        return this.#refuse(refuse(verdict.failure, context));
      case 'refused': {
        const refused = gateway.refusalOf(facts, verdict, context);
        if (refused.delayMs === 0) return this.#refuse(refused);
        // A16: a wrong secret is answered late, everything else at once.
        this.#cancelTimer?.();
        this.#cancelTimer = gateway.after(refused.delayMs, () => this.#refuse(refused));
        return;
      }
    }
  }

  #refuse(refused: Refused): void {
    this.#pipe.resume();
    this.#refusal = refused;
    this.#feed({ kind: 'refused' });
  }

  #hello(id: string): void {
    const verdict = this.#asked?.verdict;
    if (this.#session === null || this.#asked === null || verdict?.kind !== 'session') return;
    const session = { ...this.#session, listening: true };
    this.#session = session;
    this.#pipe.resume();
    this.#send(okFrame(id, this.#gateway.hello(session, this.#asked.facts, verdict as LetIn)));
    this.#gateway.joined(this, session);
  }

  #tellWaiting(): void {
    const { waiting } = this;
    if (waiting === null) return;
    const { request, facts } = waiting;
    this.#pipe.resume();
    this.#gateway.waits(this, request.id);
    // A19: the code belongs to the request. A socket that brought another `r` can't check it, and is shown none.
    const own = request.comparison !== null && request.comparison.r === facts.params.device?.latchkey?.r;
    const shown = own ? { code: request.comparison.code, s: request.comparison.s } : { code: null, s: null };
    const payload = { requestId: request.id, ...shown, asked: request.scopes, held: [], expiresAt: request.expiresAt };
    this.#send({ type: 'event', event: 'connect.waiting', payload });
  }

  // ---- calls --------------------------------------------------------------------------------------------------------

  async #call(id: string, method: string, { params, size }: Carried): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    const { principal, protocol } = session;
    // What waits for an answer is bounded in bytes too, for the connection and for all of them.
    const fits = this.#pending + size <= MAX_PAYLOAD_BYTES + SMALL_CALL && this.#gateway.room.take(size);
    const busy = (): Answer => ({ ok: false, refused: refuse('busy', { protocol, retryAfterMs: 250 }), denied: false });
    if (fits) this.#pending += size;
    const answer = fits ? await this.#gateway.call({ principal, session, protocol }, method, params) : busy();
    if (fits) {
      this.#pending -= size;
      this.#gateway.room.give(size);
    }
    this.#answers.set(id, answer);
    this.#feed({ kind: 'answered', id, refused: !answer.ok && answer.denied });
    this.#answers.delete(id);
  }

  #send(frame: unknown): void {
    this.#pipe.send(JSON.stringify(frame));
    if (this.#session !== null) this.#gateway.publisher.check(this.#session);
  }

  #leave(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#gateway.left(this);
    this.#session = null;
  }
}

function contextOf(params: ConnectParams, protocol: 3 | 4, authMode: 'token' | 'password'): ErrorContext {
  return {
    protocol,
    authMode,
    clientId: params.client.id,
    clientMode: params.client.mode,
    role: params.role ?? 'operator',
    ...(params.device ? { deviceId: params.device.id } : {}),
    asked: params.scopes ?? [],
  };
}
