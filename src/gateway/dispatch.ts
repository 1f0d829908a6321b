import { Compile, type Validator } from 'typebox/schema';
import type { Denial, Need } from '../core/authz/decide.ts';
import type { Principal } from '../core/authz/principal.ts';
import { type ErrorContext, type Refused, refuse } from '../core/protocol/error.ts';
import { type Method, rowName, type Twice } from '../core/protocol/method/method.ts';
import { lookup, METHODS, type MethodRow, rowFor } from '../core/protocol/registry.ts';
import { StaleRevision } from '../store/store.ts';
import type { Answer } from './answer.ts';
import { askedFor, deskOf } from './explain/story.ts';
import { Idempotency, whoOf } from './idempotency.ts';
import type { Leave } from './leave.ts';
import { Busy, type Context, Declined, Denied, Passed, type Services, WrongParams } from './method/handler.ts';
import { HANDLERS } from './method/handlers.ts';
import { wrongIn } from './read.ts';
import { WaitingCalls } from './room.ts';
import type { Session } from './session.ts';

/** Who calls, and how they are spoken to. */
export interface Caller {
  readonly principal: Principal;
  readonly session: Session | null;
  readonly protocol: 3 | 4;
  /** Characters of the frame that the call came in. */
  readonly size?: number;
  /** Says when its connection is gone. */
  readonly left?: Leave;
  /** It is part of a call that has its turn. */
  readonly hasTurn?: true;
}

/** When a call that there was no room for may come again. */
const BUSY_MS = 250;
/** Characters of a call that waits: its frame is kept as long as it does, and what it says is an id and a number. */
const WAITING_FRAME_MAX = 4_096;

type AnyHandler = (context: Context, input: unknown) => unknown;

/** Compiled on first use: most processes meet few methods. */
const validators = new Map<Method, Validator>();
function validatorOf(method: Method): Validator {
  const known = validators.get(method);
  if (known !== undefined) return known;
  const made = Compile(method.input) as unknown as Validator;
  validators.set(method, made);
  return made;
}

/**
 * The one way to a handler, for WebSocket, owner socket and callers in process alike: look up → decide → check the
 * params → handle → reply. What a handler throws becomes an answer; nothing thrown here reaches the socket.
 */
export class Dispatch {
  readonly #services: Services;
  readonly #idempotency = new Idempotency();
  readonly #waiting = new WaitingCalls();
  readonly #onError: (error: unknown, method: string) => void;

  constructor(services: Services, onError: (error: unknown, method: string) => void) {
    this.#services = services;
    this.#onError = onError;
  }

  async call(caller: Caller, name: string, params: unknown): Promise<Answer> {
    const rows = lookup(name);
    const context: ErrorContext = { protocol: caller.protocol, method: name };
    if (rows === undefined) return no(refuse('unknown_method', context));
    const { principal } = caller;
    const input = params ?? {};
    const self = principal.kind === 'device' ? { deviceId: principal.device, role: principal.role } : null;
    const method = rowFor(rows, typeof input === 'object' ? (input as Record<string, unknown>) : {}, self);
    const allowed = this.#services.authority.mayCall(principal, needOf(method));
    if (!allowed.ok) return { ok: false, refused: this.#denial(allowed.error, caller, context), denied: true };
    const validator = validatorOf(method);
    if (!validator.Check(input)) {
      return no(refuse('params_invalid', { ...context, text: wrongIn(validator, input) }));
    }
    const waits = method.waits === true;
    if (waits && (caller.size ?? 0) > WAITING_FRAME_MAX) {
      const text = `at root: a call that waits has at most ${WAITING_FRAME_MAX} characters`;
      return no(refuse('params_invalid', { ...context, text }));
    }
    const handle = () => this.#handle(method, caller, input, context);
    // What changes nothing can't come twice; and what it tells, which may be large, is kept nowhere.
    const isKept = method.acts === true && method.keepsKey !== true;
    return isKept ? this.#idempotency.once(principal, name, input, handle) : handle();
  }

  #denial(denied: Denial, { principal, session }: Caller, context: ErrorContext): Refused {
    switch (denied.code) {
      case 'role':
        return refuse('wrong_role', { ...context, role: denied.role });
      case 'missing_scope': {
        const asked = askedFor(deskOf({ services: this.#services, principal, session }), denied.scope);
        return refuse('missing_scope', { ...context, ...asked, scopes: [denied.scope] });
      }
      case 'component':
        return refuse('component', context);
    }
  }

  async #handle(method: Method, caller: Caller, input: unknown, context: ErrorContext): Promise<Answer> {
    const isLong = method.waits === true || method.final !== undefined;
    let leave = isLong ? this.#waiting.enter(JSON.stringify(whoOf(caller.principal))) : null;
    if (isLong && leave === null) return no(refuse('busy', { ...context, retryAfterMs: BUSY_MS }));
    try {
      const handler = HANDLERS[rowName(method) as MethodRow] as AnyHandler;
      const handed = this.#handed(method.inTurn === true ? { ...caller, hasTurn: true } : caller);
      const work = async () => handler(handed, input);
      const given = await (method.inTurn === true ? this.#inTurn(method, caller, context, work) : work());
      if (method.acts !== true) return this.#still(given, method, caller, context);
      if (method.final === undefined) return { ok: true, payload: given };
      const { first, final } = given as Twice<unknown, unknown>;
      const later = this.#later(final, method, caller, context).finally(leave);
      leave = null;
      return { ok: true, payload: first, final: later };
    } catch (error) {
      return this.#failed(error, context);
    } finally {
      leave?.();
    }
  }

  /** Made apart: what answers twice keeps it until then, and nothing of what it was asked with (threat 38). */
  #handed(caller: Caller): Context {
    const { principal, session, left } = caller;
    const ask: Context['ask'] = (name, params) => this.call(caller, name, params);
    return { services: this.#services, principal, session, left, ask };
  }

  /**
   * When it is the caller's turn (threat 36). The owner's own way waits for nobody (A11), nor does what the gateway asks
   * itself. A9: for whoever was narrowed, or went, while it waited nothing is read.
   */
  #inTurn<T>(method: Method, caller: Caller, context: ErrorContext, work: () => Promise<T>): Promise<T> {
    const { session, principal, left, hasTurn, size } = caller;
    if (session === null || principal.kind === 'owner' || hasTurn === true) return work();
    return this.#services.turns.take(
      session,
      async () => {
        if (left?.isOver === true) throw new Busy();
        const answer = this.#still(null, method, caller, context);
        if (!answer.ok) throw new Passed(answer);
        return work();
      },
      size,
    );
  }

  /** A9, A20: whoever was narrowed meanwhile is not told what came of it. It was no flood: when it asked, it might. */
  #still(payload: unknown, method: Method, caller: Caller, context: ErrorContext): Answer {
    const allowed = this.#services.authority.mayCall(caller.principal, needOf(method));
    if (allowed.ok) return { ok: true, payload };
    return { ok: false, refused: this.#denial(allowed.error, caller, context), denied: false };
  }

  async #later(final: Promise<unknown>, method: Method, caller: Caller, context: ErrorContext): Promise<Answer> {
    try {
      return this.#still(await final, method, caller, context);
    } catch (error) {
      return this.#failed(error, context);
    }
  }

  #failed(error: unknown, context: ErrorContext): Answer {
    if (error instanceof Denied) {
      const { refusal, subject } = error;
      const about: ErrorContext = {
        ...context,
        subject,
        ...(refusal.scopes ? { scopes: refusal.scopes } : {}),
        ...(refusal.outcome ? { outcome: refusal.outcome } : {}),
      };
      return { ok: false, refused: refuse(refusal.code, about), denied: refusal.code === 'beyond_decider' };
    }
    if (error instanceof Declined) return no(refuse(error.code, { ...context, text: error.about }));
    if (error instanceof Passed) return error.answer;
    if (error instanceof WrongParams) return no(refuse(error.code, { ...context, text: error.message }));
    if (error instanceof Busy) return no(refuse('busy', { ...context, retryAfterMs: BUSY_MS }));
    if (error instanceof StaleRevision) return no(refuse('conflict', { ...context, outcome: 'changed' }));
    this.#onError(error, context.method ?? '');
    // By name, not by class: drivers are chosen by the composition root.
    if (error instanceof Error && error.name === 'StoreUnavailable')
      return no(refuse('unavailable', { ...context, retryAfterMs: 1_000 }));
    return no(refuse('internal', context));
  }

  /** A12: each internal principal runs a no-op of its table; the first refusal, or `null`. */
  async selfTest(principals: readonly Principal[]): Promise<string | null> {
    for (const principal of principals) {
      const answer = await this.call({ principal, session: null, protocol: 4 }, 'health', {});
      if (!answer.ok) return `${JSON.stringify(principal)} may not call health: ${answer.refused.error.message}`;
    }
    return null;
  }
}

function no(refused: Refused): Answer {
  return { ok: false, refused, denied: false };
}

/** What the matrix prints, and what every call is judged by. */
export function needOf(method: Method): Need {
  return { method: method.name, role: method.role, scope: method.scope };
}

export const NEEDS: readonly Need[] = METHODS.map(needOf);
