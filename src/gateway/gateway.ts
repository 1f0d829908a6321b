import { hostname } from 'node:os';
import type { Authority } from '../authority/authority.ts';
import type { Outcome } from '../core/authz/command.ts';
import type { DeviceId, Principal, RequestId } from '../core/authz/principal.ts';
import type { Role } from '../core/authz/scope.ts';
import { type ErrorContext, type Refused, refuse } from '../core/protocol/error.ts';
import { EVENTS, type EventName } from '../core/protocol/event.ts';
import { helloText } from '../core/protocol/hello.ts';
import { MAX_BUFFERED_BYTES, TICK_MS } from '../core/protocol/limit.ts';
import { gatewayText } from '../core/protocol/signed.ts';
import type { Trace } from '../store/store.ts';
import type { Clock } from '../system/clock.ts';
import type { Answer } from './answer.ts';
import { ChatEvents } from './chat/events.ts';
import { type Challenge, type ConnectFacts, claimed, type DoorRules, type Keys, type Verdict } from './connect.ts';
import { type Asked, Connection, type House } from './connection.ts';
import type { Diary } from './diary.ts';
import { type Caller, Dispatch } from './dispatch.ts';
import { Tracer } from './explain/tracer.ts';
import type { GuessRules } from './guess.ts';
import type { Accept, Pipe } from './listen/pipe.ts';
import { presence } from './method/gateway.ts';
import type { GatewayFacts, Services } from './method/handler.ts';
import { healthOf } from './method/health.ts';
import { isPassing } from './presence.ts';
import { mayProveOwner, positionOf } from './proof.ts';
import { Publisher, type PublishOptions } from './publish.ts';
import { every, PULSE_MS, Pulse } from './pulse.ts';
import { Refusals } from './refusals.ts';
import { CallRoom } from './room.ts';
import { ownerSession, type Session } from './session.ts';
import { tidings } from './tidings.ts';
import { Turns } from './turn.ts';
import { Waiters } from './waiters.ts';
import { authOf, type LetIn } from './welcome.ts';

export interface GatewayOptions {
  readonly authority: Authority;
  readonly keys: Keys & { sign(text: string): string; newSalt(): { readonly s: string; readonly nonce: string } };
  /** Read at each use: an edit applies to the next decision. The same object as long as nothing changed. */
  rules(): Omit<DoorRules, 'tired' | 'wrongBeside'> & { readonly guesses: GuessRules };
  readonly trace: Trace;
  readonly clock: Clock;
  readonly diary: Diary;
  readonly version: string;
  readonly bootId: string;
  /** From an open socket to its `connect`, in milliseconds. */
  readonly handshakeMs: number;
  newId(): string;
  freshCode(): string;
  facts(): Omit<GatewayFacts, 'host' | 'platform' | 'uptimeMs' | 'pid'>;
  config: Services['config'];
  models: Services['models'];
  readonly conversations: Services['conversations'];
  reach: Services['reach'];
  inspect: Services['inspect'];
  /** Writes a new generated secret; throws `Denied` where the configuration names one. */
  newSecret(): void;
}

/** The in-process callers there are (A12). */
const INTERNAL: readonly Principal[] = [{ kind: 'internal', component: 'publisher' }];
const HEALTH_MS = 60_000;

/** Everything between the transports and the authority: sessions, events, waiting sockets, orderly shutdown. */
export class Gateway implements House {
  readonly authority: Authority;
  readonly keys: GatewayOptions['keys'];
  readonly publisher: Publisher;
  readonly room = new CallRoom();
  readonly tracer: Tracer;
  readonly #services: Services;
  readonly #dispatch: Dispatch;
  readonly #options: GatewayOptions;
  readonly #connections = new Set<Connection>();
  readonly #waiters = new Waiters();
  readonly #turns = new Turns(() => this.publisher.sessions());
  readonly #refusals: Refusals;
  readonly #chat: ChatEvents;
  readonly #startedMs: number;
  readonly #cancel: (() => void)[] = [];
  #stateVersion = { presence: 0, health: 0 };
  readonly #pulse: Pulse;
  readonly #host = hostname();
  #stopping = false;
  #presenceDue = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.authority = options.authority;
    this.keys = options.keys;
    this.#startedMs = options.clock.monotonicMs();
    this.#pulse = new Pulse(this.#startedMs);
    this.#refusals = new Refusals(options.clock, options.diary, () => options.rules().guesses);
    this.tracer = new Tracer({
      ...options,
      rules: () => this.rules,
      held: (principal) => this.authority.reportedTo(principal),
      isDevice: (id) => this.authority.peek(id as DeviceId) !== null,
    });
    this.publisher = new Publisher((principal, scope) => this.authority.maySee(principal, scope), MAX_BUFFERED_BYTES);
    const { conversations, clock, diary } = options;
    this.#chat = new ChatEvents({ conversations, clock, diary, publish: this.publish.bind(this) });
    this.#services = this.#forHandlers();
    this.#dispatch = new Dispatch(this.#services, (error, method) => options.diary.error(`call ${method}`, error));
    const stage = {
      authority: this.authority,
      diary: options.diary,
      now: () => options.clock.now(),
      publish: this.publish.bind(this),
      settle: (id: RequestId, outcome: Outcome) => {
        for (const connection of this.#waiters.settle(id, outcome)) connection.settle(outcome);
      },
      end: (device: DeviceId, role: Role) => this.#endSessions(device, role),
    };
    this.#cancel.push(this.authority.listen(tidings(stage)));
  }

  get rules(): DoorRules {
    return this.#refusals.guarded(this.#options.rules());
  }

  readonly accept: Accept = (pipe) => {
    const connection = new Connection(this, pipe, this.#options.newId());
    this.#connections.add(connection);
    return connection;
  };

  /** A12: ready only when each internal principal may do its work. Then tick, health and lag begin. */
  async start(): Promise<void> {
    const refused = await this.#dispatch.selfTest(INTERNAL);
    if (refused !== null) throw new Error(`start-up self-test: ${refused}`);
    const { clock } = this.#options;
    this.#cancel.push(
      every(clock, TICK_MS, () => this.publish('tick', { ts: clock.now() }, { dropIfSlow: true })),
      every(clock, HEALTH_MS, () => void this.#publishHealth()),
      every(clock, PULSE_MS, () => {
        this.#pulse.beat(clock.monotonicMs());
        this.#options.trace.flush();
      }),
    );
  }

  /** Says goodbye, lets calls in flight finish within `graceMs`, then closes every connection with 1012. */
  async stop(reason: string, graceMs: number): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.publish('shutdown', { reason, restartExpectedMs: null }, {});
    // Calls that wait for a person are told that it is still open: they ask again after the restart.
    this.#waiters.end();
    const endMs = this.#options.clock.monotonicMs() + graceMs;
    const busy = () => [...this.#connections].some((c) => c.inFlight > 0);
    while (busy() && this.#options.clock.monotonicMs() < endMs)
      await new Promise<void>((resolve) => this.after(20, resolve));
    for (const connection of [...this.#connections]) connection.end('stopping');
    for (const cancel of this.#cancel) cancel();
    this.#options.trace.flush();
  }

  // ---- for connections ----------------------------------------------------------------------------------------------

  after(delayMs: number, run: () => void): () => void {
    return this.#options.clock.after(delayMs, run);
  }

  deadline(run: () => void): () => void {
    return this.after(this.#options.handshakeMs, run);
  }

  /** PROTOCOL.md §3, §9: the first frame of a TCP connection. The nonce commits to `s` (A19). */
  challenge(pipe: Pipe): Challenge {
    const { s, nonce } = this.keys.newSalt();
    const { lk, host } = pipe.facts;
    const gateway =
      lk === null
        ? {}
        : {
            gateway: { key: this.keys.gatewayKey, signature: this.keys.sign(gatewayText(lk, nonce, host ?? '')) },
          };
    const { ownerProof } = this.keys;
    // A11: the gateway proves itself first.
    const isOffered =
      lk !== null && ownerProof !== null && mayProveOwner(pipe.facts, positionOf(pipe.facts, this.#options.rules()));
    const owner = isOffered ? { owner: ownerProof('gateway', lk, nonce) } : {};
    const payload = { nonce, ts: this.#options.clock.now(), capabilities: [], ...gateway, ...owner };
    pipe.send(JSON.stringify({ type: 'event', event: 'connect.challenge', payload }));
    return { nonce, s };
  }

  ownerSession(id: string, pipe: Pipe): Session {
    return ownerSession(id, pipe, this.#options.clock.now());
  }

  sessionOf(id: string, pipe: Pipe, facts: ConnectFacts, protocol: 3 | 4, principal: Principal): Session {
    return {
      id,
      pipe,
      principal,
      protocol,
      label: facts.label,
      source: facts.position.source,
      caps: facts.params.caps ?? [],
      instanceId: claimed(facts.params.client.instanceId),
      since: this.#options.clock.now(),
      listening: false,
    };
  }

  async call(caller: Caller, method: string, params: unknown): Promise<Answer> {
    if (this.#stopping)
      return {
        ok: false,
        refused: refuse('stopping', { protocol: caller.protocol, retryAfterMs: 1_000 }),
        denied: false,
      };
    return this.tracer.answered(caller, method, params, await this.#dispatch.call(caller, method, params));
  }

  hello(session: Session, asked: Asked & { readonly verdict: LetIn }): string {
    const { authority } = this;
    const f = this.#options.facts();
    const mayRead = authority.maySee(session.principal, EVENTS.presence);
    return helloText({
      protocol: session.protocol,
      ...f,
      connId: session.id,
      bootId: this.#options.bootId,
      auth: authOf(authority, session, asked),
      mayRead,
      isAdmin: authority.isAdmin(session.principal),
      presence: mayRead ? presence(this.#services) : [],
      health: this.#health(mayRead),
      stateVersion: this.#stateVersion,
      uptimeMs: this.#uptimeMs(),
    });
  }

  joined(_connection: Connection, session: Session): void {
    this.publisher.add(session);
    this.#presenceChanged(session);
  }

  left(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#waiters.leave(connection);
    const { session } = connection;
    if (session === null) return;
    const { principal } = session;
    this.publisher.remove(session.id);
    this.#chat.leave(session.id);
    if (principal.kind === 'device')
      this.#options.trace.seen(principal.device, this.#options.clock.now(), 'disconnect');
    this.#presenceChanged(session);
  }

  /** A8: on (device, role) the newest socket waits alone. */
  waits(connection: Connection, id: RequestId): void {
    for (const older of this.#waiters.wait(id, connection)) older.end('ask_elsewhere');
  }

  waitedAt(): ReadonlySet<RequestId> {
    return this.#waiters.ids();
  }

  refusalOf(
    facts: ConnectFacts,
    verdict: Extract<Verdict, { readonly kind: 'refused' }>,
    context: ErrorContext,
    decision: string | null,
  ): Refused & { readonly delayMs: number } {
    return this.#refusals.of(facts, verdict, context, decision);
  }

  #endSessions(device: DeviceId, role: Role): void {
    for (const c of [...this.#connections]) {
      const p = c.session?.principal;
      if (p?.kind === 'device' && p.device === device && p.role === role) c.end('grant_ended');
    }
  }

  /** A17: notes what was decided about a connect. */
  traced(id: string, facts: ConnectFacts, verdict: Verdict): string | null {
    if (verdict.kind === 'session' && verdict.state !== null) this.#refusals.forget(verdict.state.device);
    return this.tracer.connect(id, facts, verdict);
  }

  failed(error: unknown, where: string): void {
    this.#options.diary.error(where, error);
  }

  // ---- events -------------------------------------------------------------------------------------------------------

  publish(event: EventName, payload: unknown, options: Omit<PublishOptions, 'scope'>): void {
    this.publisher.publish(event, payload, { scope: EVENTS[event], ...options });
  }

  async #publishHealth(): Promise<void> {
    const answer = await this.#dispatch.call(
      { principal: { kind: 'internal', component: 'publisher' }, session: null, protocol: 4 },
      'health',
      {},
    );
    if (!answer.ok) return;
    this.#stateVersion = { ...this.#stateVersion, health: this.#stateVersion.health + 1 };
    const options = { dropIfSlow: true, stateVersion: this.#stateVersion };
    const mayRead = ({ principal }: Session) => this.authority.maySee(principal, EVENTS.presence);
    this.publish('health', answer.payload, { ...options, only: mayRead });
    // The publisher may read. Which agents there are, and what was said to them, is told nobody else who may not.
    this.publish('health', this.#health(false), { ...options, only: (session) => !mayRead(session) });
  }

  /** Presence is told once for all that came and went in one turn. */
  #presenceChanged(session: Session): void {
    if (isPassing(session) || this.#presenceDue || this.#stopping) return;
    this.#presenceDue = true;
    this.after(0, () => {
      this.#presenceDue = false;
      this.#stateVersion = { ...this.#stateVersion, presence: this.#stateVersion.presence + 1 };
      this.publish(
        'presence',
        { presence: presence(this.#services) },
        { dropIfSlow: true, stateVersion: this.#stateVersion },
      );
    });
  }

  // ---- for handlers -------------------------------------------------------------------------------------------------

  #uptimeMs(): number {
    return Math.round(this.#options.clock.monotonicMs() - this.#startedMs);
  }

  #health(mayRead: boolean): unknown {
    const agents = mayRead ? this.#options.facts().agents : undefined;
    return healthOf({ at: this.#options.clock.now(), durationMs: 0, loop: this.#pulse.facts, agents });
  }

  #forHandlers(): Services {
    const { authority, publisher, keys } = this;
    const { clock, trace, newId, freshCode, config, models, conversations, reach, inspect, diary } = this.#options;
    return {
      authority,
      publisher,
      keys,
      freshCode,
      config,
      models,
      conversations,
      chat: this.#chat,
      turns: this.#turns,
      note: (event, fields) => diary.info(event, fields),
      reach,
      inspect,
      isOwnChallenge: (nonce) => [...this.#connections].some((c) => c.nonce === nonce),
      freshId: newId,
      now: () => clock.now(),
      trace,
      lastSeen: (device) => trace.lastSeen(device),
      settled: (id, timeoutMs, left) => this.#waiters.outcome(id, (give) => this.after(timeoutMs, give), left),
      facts: () => ({
        ...this.#options.facts(),
        pid: process.pid,
        host: this.#host,
        platform: process.platform,
        uptimeMs: this.#uptimeMs(),
      }),
      loop: () => this.#pulse.facts,
      rotateSecret: (caller) => this.#rotateSecret(caller),
    };
  }

  #rotateSecret(caller: Session | null): { readonly closedSessions: number } {
    this.#options.newSecret();
    return this.secretChanged(caller);
  }

  /** A4, A9: pages whose origin is no longer on the list are closed; who comes anew is judged by the list anyway. */
  rulesChanged(): void {
    const rules = this.#options.rules();
    for (const c of [...this.#connections]) if (positionOf(c.transport, rules).origin === 'foreign') c.end('origin');
  }

  /** A13, D5.53: the old secret opens nothing any more; what it had opened is closed, the caller after its answer. */
  secretChanged(caller: Session | null): { readonly closedSessions: number } {
    const opened = [...this.#connections].filter((c) => c.session?.principal.kind === 'secret');
    for (const c of opened) {
      if (c.session?.id === caller?.id) this.after(100, () => c.end('secret_rotated'));
      else c.end('secret_rotated');
    }
    return { closedSessions: opened.length };
  }
}
