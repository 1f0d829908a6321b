import type { Authority, Decided } from '../../authority/authority.ts';
import type { Outcome, Refusal } from '../../core/authz/command.ts';
import type { DeviceId, Principal, RequestId } from '../../core/authz/principal.ts';
import type { Instant } from '../../core/base/instant.ts';
import type { ErrorCode } from '../../core/protocol/error.ts';
import type { MethodName } from '../../core/protocol/registry.ts';
import type { Conversations } from '../../runtime/runtime.ts';
import type { Trace } from '../../store/store.ts';
import type { Answer } from '../answer.ts';
import type { ChatEvents } from '../chat/events.ts';
import type { Keys } from '../connect.ts';
import type { Inspection } from '../inspect.ts';
import type { Leave } from '../leave.ts';
import type { Publisher } from '../publish.ts';
import type { LoopFacts } from '../pulse.ts';
import type { Session } from '../session.ts';
import type { Reach } from '../setup.ts';
import type { Turns } from '../turn.ts';
import type { ConfigDesk } from './config.ts';
import type { ModelDesk } from './models.ts';

/** One call, as a handler gets it: already allowed, its input already checked. */
export interface Context {
  readonly services: Services;
  readonly principal: Principal;
  /** `null` for calls from within the gateway (A12). */
  readonly session: Session | null;
  /** Says when the connection of the call is gone: nobody waits for its answer. */
  readonly left?: Leave | undefined;
  /** Another call of the same caller, decided as if it had come from outside: what is said to an agent may stand for one. */
  ask(method: MethodName, params: unknown): Promise<Answer>;
}

/** What handlers reach. They decide nothing: whoever may call was judged by dispatch, what may change is by authority. */
export interface Services {
  readonly authority: Authority;
  readonly publisher: Publisher;
  readonly keys: Keys;
  now(): Instant;
  freshId(): string;
  /** 16 unguessable bytes, base64url. */
  freshCode(): string;
  /** A17: refusals, connects and ends of sessions; what changed access is in the truth. */
  readonly trace: Pick<Trace, 'find' | 'list'>;
  lastSeen(device: DeviceId): { readonly at: Instant; readonly reason: string } | null;
  /** Resolves with how the request ended; `null` when it is still open after `timeoutMs`, or once `left` is aborted. */
  settled(id: RequestId, timeoutMs: number, left?: AbortSignal): Promise<Outcome | null>;
  facts(): GatewayFacts;
  /** A14: where a new device is to dial. */
  reach(): Reach;
  loop(): LoopFacts;
  /** A look at the gateway's own parts, or the last one where that is not long ago. */
  inspect(): Promise<Inspection>;
  /** The nonce is of a socket of this gateway that is open and has not said who it is. */
  isOwnChallenge(nonce: string): boolean;
  /** A line of the log, for what is recorded nowhere else. */
  note(event: string, fields: Record<string, unknown>): void;
  readonly config: ConfigDesk;
  readonly models: ModelDesk;
  readonly conversations: Conversations;
  readonly chat: Pick<ChatEvents, 'subscribe' | 'settled'>;
  /** For calls with large answers. */
  readonly turns: Turns;
  /** Replaces the generated secret and closes the sessions that the old one opened. Throws where it is configured. */
  rotateSecret(caller: Session | null): { readonly closedSessions: number };
}

export interface GatewayFacts {
  readonly version: string;
  readonly pid: number;
  readonly host: string;
  readonly platform: string;
  readonly stateDir: string;
  readonly addresses: readonly string[];
  readonly ownerSocket: string;
  readonly uptimeMs: number;
  readonly store: string;
  readonly authMode: 'token' | 'password';
  readonly configPath: string;
  /** The certificate that the port speaks with; `null` or absent: plain. `fingerprint`: hex SHA-256 of its DER. */
  readonly tls?: {
    readonly fingerprint: string;
    readonly notAfterMs: Instant;
    readonly from: 'file' | 'self-signed';
  } | null;
  /** The ids of the agents there are, the default one first; absent: `main` alone. */
  readonly agents?: readonly string[];
  /** What is in force and worth a word: one sentence each. */
  readonly warnings?: readonly string[];
}

/** A refusal by the rules, on its way to the caller. */
export class Denied extends Error {
  override readonly name = 'Denied';
  readonly refusal: Refusal;
  readonly subject: string;
  constructor(refusal: Refusal, subject: string) {
    super(refusal.code);
    this.refusal = refusal;
    this.subject = subject;
  }
}

/** What the schema can't say of the params. `text`: as in `invalid METHOD params: text`. */
export class WrongParams extends Error {
  override readonly name = 'WrongParams';
  /**
   * `config_invalid`: the params are in order, and what they would make of the configuration is not. `config_beyond`: it
   * would be, and is not the caller's to make. `secret_named`: the shared secret stands in a file, where it is changed.
   */
  readonly code: 'params_invalid' | 'config_invalid' | 'config_beyond' | 'secret_named';
  constructor(text: string, code: WrongParams['code'] = 'params_invalid') {
    super(text);
    this.code = code;
  }
}

/** Something of a conversation that can't be: one of error/chat.ts. `about` is said in its message. */
export class Declined extends Error {
  override readonly name = 'Declined';
  readonly code: ErrorCode;
  readonly about: string;
  constructor(code: ErrorCode, about = '') {
    super(about === '' ? code : `${code}: ${about}`);
    this.code = code;
    this.about = about;
  }
}

/** The refusal of a call that this one stood for: it is this one's too. */
export class Passed extends Error {
  override readonly name = 'Passed';
  readonly answer: Extract<Answer, { readonly ok: false }>;
  constructor(answer: Extract<Answer, { readonly ok: false }>) {
    super(answer.refused.error.message);
    this.answer = answer;
  }
}

/** No room for the answer now; the same call may come again soon. */
export class Busy extends Error {
  override readonly name = 'Busy';
}

/** What was decided, or the refusal thrown. `subject` names what the caller named: `requestId`, `deviceId`. */
export function decidedOr(decided: Decided, subject: string): Decided {
  if (decided.reply.kind === 'refused') throw new Denied(decided.reply.refusal, subject);
  return decided;
}
