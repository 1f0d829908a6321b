import type { Authority, Decided } from '../../authority/authority.ts';
import type { Outcome, Refusal } from '../../core/authz/command.ts';
import type { DeviceId, Principal, RequestId } from '../../core/authz/principal.ts';
import type { Instant } from '../../core/base/instant.ts';
import type { MethodOutput } from '../../core/protocol/registry.ts';
import type { Keys } from '../connect.ts';
import type { Publisher } from '../publish.ts';
import type { LoopFacts } from '../pulse.ts';
import type { Session } from '../session.ts';

/** One call, as a handler gets it: already allowed, its input already checked. */
export interface Context {
  readonly services: Services;
  readonly principal: Principal;
  /** `null` for calls from within the gateway (A12). */
  readonly session: Session | null;
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
  lastSeen(device: DeviceId): { readonly at: Instant; readonly reason: string } | null;
  /** Resolves with how the request ended; `null` when it is still open after `timeoutMs`. */
  settled(id: RequestId, timeoutMs: number): Promise<Outcome | null>;
  facts(): GatewayFacts;
  loop(): LoopFacts;
  /** The configuration as people may see it: every secret replaced. */
  config(): MethodOutput<'config.get'>;
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
}

/** What was decided, or the refusal thrown. `subject` names what the caller named: `requestId`, `deviceId`. */
export function decidedOr(decided: Decided, subject: string): Decided {
  if (decided.reply.kind === 'refused') throw new Denied(decided.reply.refusal, subject);
  return decided;
}
