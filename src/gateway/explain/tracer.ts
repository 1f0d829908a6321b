import { REFUSALS } from '../../core/authz/command.ts';
import type { Principal } from '../../core/authz/principal.ts';
import { isKnown } from '../../core/authz/scope.ts';
import type { CloseCause } from '../../core/connection/connection.ts';
import type { Refused } from '../../core/protocol/error.ts';
import type { Trace, TraceEntry } from '../../store/store.ts';
import type { Clock } from '../../system/clock.ts';
import { claimText } from '../../system/text.ts';
import type { Answer } from '../answer.ts';
import type { ConnectFacts, Verdict } from '../connect.ts';
import type { Caller } from '../dispatch.ts';
import type { TransportFacts } from '../listen/pipe.ts';
import { type Position, type PositionRules, positionOf } from '../proof.ts';
import { deviceOf, roleOf, type Session } from '../session.ts';

export interface TracerOptions {
  readonly trace: Trace;
  readonly clock: Pick<Clock, 'now'>;
  newId(): string;
  rules(): PositionRules;
  /** A1: what a principal holds now. */
  held(principal: Principal): readonly string[];
  /** A key of which something is known. */
  isDevice(id: string): boolean;
}

type Waiting = Extract<Verdict, { readonly kind: 'waiting' }>;

/** Refusals of calls that are about access; the others say nothing of who may do what. */
const ABOUT_ACCESS: ReadonlySet<string> = new Set([...REFUSALS, 'wrong_role', 'component']);
/** Asking why is no decision. */
const UNTRACED = 'decision.explain';
/** Names kept of one ask; a node's may be many and long. */
const NAMES_MAX = 16;
const NAME_MAX = 64;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A17: notes what was decided about connects and calls, and hands back the id by which `why` explains it. */
export class Tracer {
  readonly #options: TracerOptions;

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  /** A verdict on a `connect`. @returns the decision's id; `null` where there was no room to note it */
  connect(conn: string, facts: ConnectFacts, verdict: Verdict): string | null {
    const { trace, clock } = this.#options;
    const device = verdict.kind === 'unproven' ? null : (verdict.state?.device ?? null);
    if (verdict.kind === 'session' && device !== null) trace.seen(device, clock.now(), 'connect');
    return trace.note({
      id: `d_${conn}`,
      conn,
      at: clock.now(),
      device,
      role: facts.role,
      source: facts.position.source,
      about: '',
      proven: verdict.kind === 'session',
      ...outcomeOf(verdict),
      facts: { ...askedOf(facts, verdict), ...foundOf(verdict) },
    });
  }

  /** A connection that is turned away for anything else: before any rule was asked, or after it `waited`. */
  refused(
    conn: string,
    transport: TransportFacts,
    facts: ConnectFacts | null,
    refused: Refused,
    waited: Waiting | null,
  ): string | null {
    const { trace, clock, rules } = this.#options;
    // That the gateway stops is no decision about it.
    if (refused.error.details?.refusal === 'stopping') return null;
    const position = facts?.position ?? positionOf(transport, rules());
    return trace.note({
      id: `d_${conn}`,
      conn,
      at: clock.now(),
      kind: 'refused',
      code: String(refused.error.details?.refusal),
      // A key that was not proven is nobody's.
      device: waited?.state.device ?? null,
      role: facts?.role ?? 'operator',
      source: position.source,
      about: '',
      request: waited?.request.id ?? null,
      proven: false,
      facts: {
        ...(facts === null ? placeOf(position) : askedOf(facts, waited)),
        // Which part of a message was wrong, in this side's words.
        said: claimText(refused.error.message),
      },
    });
  }

  /** A call as it was answered: where it was refused for want of access, with the decision's id. */
  answered(caller: Caller, method: string, params: unknown, answer: Answer): Answer {
    const { session, principal } = caller;
    if (answer.ok || session === null || method === UNTRACED) return answer;
    const { details = {} } = answer.refused.error;
    const code = String(details.refusal);
    if (!ABOUT_ACCESS.has(code)) return answer;
    const missing = scopesIn(details);
    const { trace, clock, newId, held } = this.#options;
    const id = trace.note({
      id: `d_${newId()}`,
      conn: session.id,
      at: clock.now(),
      kind: 'denied',
      code,
      device: deviceOf(principal),
      role: roleOf(principal),
      source: session.source,
      about: `${method} ${missing.join(' ')}`,
      request: null,
      proven: true,
      facts: {
        ...sessionOf(session),
        method,
        named: this.#namedIn(params),
        held: held(principal),
        missing,
        ...(typeof details.outcome === 'string' ? { became: details.outcome } : {}),
      },
    });
    return { ...answer, refused: told(answer.refused, id) };
  }

  /** Which device or request the caller named: where it is one, or has the form of one. Anything else may be a secret. */
  #namedIn(params: unknown): string | null {
    if (typeof params !== 'object' || params === null) return null;
    const { requestId, deviceId } = params as Record<string, unknown>;
    const named = requestId ?? deviceId;
    if (typeof named !== 'string') return null;
    return UUID.test(named) || this.#options.isDevice(named) ? named : null;
  }

  /** A session that this side ended; that the gateway stopped is no decision about it. */
  ended(session: Session, code: CloseCause): void {
    const { trace, clock, newId } = this.#options;
    if (code === 'stopping' || code === 'verdict') return;
    trace.note({
      id: `d_${newId()}`,
      conn: session.id,
      at: clock.now(),
      kind: 'ended',
      code,
      device: deviceOf(session.principal),
      role: roleOf(session.principal),
      source: session.source,
      about: '',
      request: null,
      proven: true,
      facts: sessionOf(session),
    });
  }
}

/** The refusal, with the id by which `latchkey why` explains it. */
export function told(refused: Refused, decision: string | null): Refused {
  if (decision === null) return refused;
  return { ...refused, error: { ...refused.error, details: { ...refused.error.details, decision } } };
}

function outcomeOf(verdict: Verdict): Pick<TraceEntry, 'kind' | 'code' | 'request'> {
  switch (verdict.kind) {
    case 'session':
      return {
        kind: 'connected',
        code: null,
        request: verdict.reply?.request?.id ?? verdict.reply?.rejection ?? null,
      };
    case 'waiting':
      return { kind: 'waiting', code: null, request: verdict.request.id };
    case 'unproven':
      return { kind: 'refused', code: verdict.failure, request: null };
    case 'refused': {
      const { code, request, rejection } = verdict.refusal;
      return { kind: 'refused', code, request: request?.id ?? rejection ?? null };
    }
  }
}

/** What came with the connect, and what the socket says of it. */
function askedOf(facts: ConnectFacts, verdict: Verdict | null): Record<string, unknown> {
  const { asked, unknown, position, label, params } = facts;
  const key = params.device === undefined ? 'none' : verdict === null || !isProven(verdict) ? 'not proven' : 'proven';
  return {
    label,
    asked: asked === null ? null : few(asked),
    // How many, not which: what is no scope's name may be anything that somebody pasted.
    ...(unknown.length === 0 ? {} : { unknown: unknown.length }),
    key,
    ...placeOf(position),
  };
}

function placeOf({ origin, direct, remote }: Position): Record<string, unknown> {
  return { origin, direct, remote };
}

function isProven(verdict: Verdict): boolean {
  return verdict.kind !== 'unproven' && verdict.state !== null;
}

/** What the rules found. */
function foundOf(verdict: Verdict): Record<string, unknown> {
  if (verdict.kind !== 'session') return {};
  const { reply, method, ignored, stored } = verdict;
  return {
    by: reply?.by ?? (method === 'owner' ? 'owner' : 'secret'),
    ...(reply === null ? {} : { held: reply.held }),
    ...(reply === null || reply.missing.length === 0 ? {} : { missing: reply.missing }),
    ...(reply?.rejection == null ? {} : { rejected: true }),
    ...(ignored.length === 0 ? {} : { ignored }),
    ...(stored ? {} : { notStored: true }),
  };
}

function sessionOf({ label, principal }: Session): Record<string, unknown> {
  return { label, remote: label.remote, principal: principal.kind };
}

function few(names: readonly string[]): readonly string[] {
  if (names.length <= NAMES_MAX && names.every((name) => name.length <= NAME_MAX)) return names;
  const short = names.slice(0, NAMES_MAX).map((name) => name.slice(0, NAME_MAX));
  return names.length > NAMES_MAX ? [...short, `… ${names.length - NAMES_MAX} more`] : short;
}

function scopesIn(details: Readonly<Record<string, unknown>>): readonly string[] {
  const scopes = details.requiredScopes ?? details.scopes;
  return Array.isArray(scopes) ? few(scopes.filter((s) => typeof s === 'string' && isKnown('operator', s))) : [];
}
