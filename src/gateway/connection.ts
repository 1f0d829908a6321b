import type { Authority } from '../authority/authority.ts';
import type { Outcome } from '../core/authz/command.ts';
import type { Principal, RequestId } from '../core/authz/principal.ts';
import type { Role } from '../core/authz/scope.ts';
import {
  type Action,
  type Bounds,
  type ConnectionState,
  type EndCode,
  type Input,
  opened,
  step,
} from '../core/connection/connection.ts';
import { protocolFor } from '../core/protocol/connect.ts';
import { type ErrorContext, type Refused, refusalOfOutcome, refuse } from '../core/protocol/error.ts';
import { errorFrame, okText } from '../core/protocol/frame.ts';
import {
  CALLS_IN_FLIGHT_MAX,
  MAX_PAYLOAD_BYTES,
  PREAUTH_MESSAGE_BYTES,
  UNAUTHORIZED_MAX,
} from '../core/protocol/limit.ts';
import { spelled } from '../core/protocol/spelled.ts';
import { type Answer, answerText } from './answer.ts';
import {
  type Challenge,
  type ConnectFacts,
  contextOf,
  type DoorRules,
  gather,
  judge,
  type Keys,
  type Verdict,
} from './connect.ts';
import type { Caller } from './dispatch.ts';
import { type Tracer, told } from './explain/tracer.ts';
import { Leave } from './leave.ts';
import type { Pipe, Receiver, TransportFacts } from './listen/pipe.ts';
import { readConnect, readFrame } from './read.ts';
import { type CallRoom, Share } from './room.ts';
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
  /** The payload of `hello-ok`, as JSON. */
  hello(session: Session, asked: Asked & { readonly verdict: LetIn }): string;
  call(caller: Caller, method: string, params: unknown): Promise<Answer>;
  refusalOf(
    facts: ConnectFacts,
    verdict: Extract<Verdict, { readonly kind: 'refused' }>,
    context: ErrorContext,
    decision: string | null,
  ): Refused & { readonly delayMs: number };
  readonly room: Pick<CallRoom, 'take' | 'give'>;
  /** After `hello-ok`: from now on it is sent events. */
  joined(connection: Connection, session: Session): void;
  left(connection: Connection): void;
  waits(connection: Connection, id: RequestId): void;
  readonly tracer: Tracer;
  /** A17: the id of the decision; `null` where it could not be noted. */
  traced(id: string, facts: ConnectFacts, verdict: Verdict): string | null;
  failed(error: unknown, where: string): void;
  after(delayMs: number, run: () => void): () => void;
  deadline(run: () => void): () => void;
}

/** A message's params on their way through the machine, and its length in characters. */
interface Carried {
  readonly params: unknown;
  readonly size: number;
}

const BOUNDS: Bounds = { callsMax: CALLS_IN_FLIGHT_MAX, refusedMax: UNAUTHORIZED_MAX };

type Waiting = Extract<Verdict, { readonly kind: 'waiting' }>;

/** What is known of the `connect` of this socket, for its answer. */
export interface Asked {
  readonly facts: ConnectFacts;
  readonly context: ErrorContext;
  readonly verdict: Verdict;
  /** A17: by which `latchkey why` explains the verdict; `null`: not noted. */
  readonly decision: string | null;
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
  /** Characters of what came before the connect was answered. */
  #early = 0;
  readonly #share: Share;
  readonly #left = new Leave();
  readonly #answers = new Map<string, Answer>();
  #state: ConnectionState;
  #session: Session | null = null;
  #asked: Asked | null = null;
  #refusal: Refused | null = null;
  #cancelTimer: (() => void) | null = null;

  constructor(gateway: House, pipe: Pipe, id: string) {
    this.#gateway = gateway;
    this.#pipe = pipe;
    this.#share = new Share(gateway.room);
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

  get transport(): TransportFacts {
    return this.#pipe.facts;
  }

  get session(): Session | null {
    return this.#session;
  }

  /** Of its challenge, as long as nobody has said who is there. */
  get nonce(): string | null {
    return this.#session === null ? (this.#challenge?.nonce ?? null) : null;
  }

  /** The request this socket waits at. */
  get waiting(): { readonly request: Waiting['request']; readonly facts: ConnectFacts } | null {
    const asked = this.#asked;
    if (this.#state.kind !== 'waiting-approval' || asked?.verdict.kind !== 'waiting') return null;
    return { request: asked.verdict.request, facts: asked.facts };
  }

  /** Calls in progress. */
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
        return this.#call(action.call.id, action.call.method, action.call.carried as Carried);
      case 'reply': {
        const answer = this.#answers.get(action.id);
        this.#answers.delete(action.id);
        const text = answer?.ok ? answerText(action.id, answer.payload) : null;
        if (text !== null) return this.#say(text);
        const refused = answer?.ok ? refuse('answer_too_large', this.#asked?.context ?? {}) : answer?.refused;
        if (refused) this.#send(errorFrame(action.id, this.#inWords(refused).error));
        return;
      }
      case 'refuse': {
        const context = { ...this.#asked?.context, ...(action.code === 'busy' ? { retryAfterMs: 250 } : {}) };
        const refused = action.code === 'verdict' ? this.#refusal : this.#noted(refuse(action.code, context));
        if (refused !== null) this.#send(errorFrame(action.id, this.#inWords(refused).error));
        return;
      }
      case 'raise-limit':
        return this.#pipe.allow(MAX_PAYLOAD_BYTES);
      case 'close': {
        const refused = action.cause === 'verdict' ? this.#refusal : refuse(action.cause, this.#asked?.context ?? {});
        const close = (refused && this.#inWords(refused).close) ?? { code: 1008, reason: refused?.error.message ?? '' };
        if (this.#session !== null) this.#gateway.tracer.ended(this.#session, action.cause);
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
        this.#asked = { facts, context, verdict, decision: gateway.traced(this.id, facts, verdict) };
        this.#answer(this.#asked);
      },
      (error: unknown) => {
        gateway.failed(error, 'connect');
        const full = error instanceof Error && error.name === 'StoreUnavailable';
        this.#refuse(refuse(full ? 'unavailable' : 'internal', { ...context, retryAfterMs: 1_000 }));
      },
    );
  }

  #answer({ facts, context, verdict, decision }: Asked): void {
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
        this.#unlessOver(verdict, facts.role);
        return;
      case 'unproven':
        return this.#refuse(refuse(verdict.failure, context), decision);
      case 'refused': {
        const refused = gateway.refusalOf(facts, verdict, context, decision);
        if (refused.delayMs === 0) return this.#refuse(refused, decision);
        // A16: a wrong secret is answered late, everything else at once.
        this.#cancelTimer?.();
        this.#cancelTimer = gateway.after(refused.delayMs, () => this.#refuse(refused, decision));
        return;
      }
    }
  }

  /** A8: what another ended in the very commit in which it was opened was told before this socket could hear of it. */
  #unlessOver({ request, state }: Waiting, role: Role): void {
    const { authority } = this.#gateway;
    if (authority.peek(state.device)?.roles[role].request?.id === request.id) return;
    authority.past(request.id).then(
      (outcome) => this.settle(outcome ?? 'expired'),
      (error: unknown) => this.#gateway.failed(error, 'connect'),
    );
  }

  /** `decision`: where the verdict was noted already. */
  #refuse(refused: Refused, decision?: string | null): void {
    this.#pipe.resume();
    this.#refusal = decision === undefined ? this.#noted(refused) : told(refused, decision);
    this.#feed({ kind: 'refused' });
  }

  /** A17: a connection that is turned away without a verdict of the rules is told an id too. */
  #noted(refused: Refused): Refused {
    if (this.#session !== null) return refused;
    const waited = this.#asked?.verdict.kind === 'waiting' ? this.#asked.verdict : null;
    const { facts = null } = this.#asked ?? {};
    return told(refused, this.#gateway.tracer.refused(this.id, this.#pipe.facts, facts, refused, waited));
  }

  #hello(id: string): void {
    const asked = this.#asked;
    if (this.#session === null || asked?.verdict.kind !== 'session') return;
    const { verdict } = asked;
    const session = { ...this.#session, listening: true };
    this.#session = session;
    this.#pipe.resume();
    this.#say(okText(id, this.#gateway.hello(session, { ...asked, verdict })));
    this.#gateway.joined(this, session);
  }

  #tellWaiting(): void {
    const { waiting } = this;
    if (waiting === null) return;
    const { request } = waiting;
    this.#pipe.resume();
    this.#gateway.waits(this, request.id);
    // A19: made with the `r` of the connection that opened it; whoever kept that can check it.
    const { code = null, s = null } = request.comparison ?? {};
    const shown = { code, s };
    const { id: requestId, scopes, expiresAt } = request;
    const payload = { requestId, ...shown, asked: scopes, held: [], expiresAt, decision: this.#asked?.decision };
    this.#send({ type: 'event', event: 'connect.waiting', payload });
  }

  // ---- calls --------------------------------------------------------------------------------------------------------

  #call(id: string, method: string, carried: Carried): void {
    // The second answer keeps the id, which stays taken, and nothing else of the frame: its room is given back.
    void this.#first(id, method, carried).then((answer) => answer && this.#answered(id, answer, false));
  }

  /** @returns the second answer, where there is one: not awaited here, where the frame is held */
  async #first(id: string, method: string, { params, size }: Carried): Promise<Answer | null> {
    const session = this.#session;
    if (session === null) return null;
    const { principal, protocol } = session;
    const give = this.#share.take(size, principal);
    const caller = { principal, session, protocol, size, left: this.#left };
    const busy = (): Answer => ({ ok: false, refused: refuse('busy', { protocol, retryAfterMs: 250 }), denied: false });
    const answer = give === null ? busy() : await this.#gateway.call(caller, method, params);
    give?.();
    const final = answer.ok ? (answer.final ?? null) : null;
    this.#answered(id, answer, final !== null);
    return final;
  }

  #answered(id: string, answer: Answer, more: boolean): void {
    this.#answers.set(id, answer);
    this.#feed({ kind: 'answered', id, refused: !answer.ok && answer.denied, more });
    this.#answers.delete(id);
  }

  /** A16: a client that brings a nonce of its own has the table of remedies; OpenClaw's are told in words. */
  #inWords(refused: Refused): Refused {
    const { door, lk } = this.#pipe.facts;
    return door === 'owner' || lk !== null ? refused : spelled(refused);
  }

  #send(frame: unknown): void {
    this.#say(JSON.stringify(frame));
  }

  #say(text: string): void {
    this.#pipe.send(text);
    if (this.#session !== null) this.#gateway.publisher.check(this.#session);
  }

  #leave(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#share.end();
    this.#left.end();
    this.#gateway.left(this);
    this.#session = null;
  }
}
