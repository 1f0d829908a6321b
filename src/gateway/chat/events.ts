import type { Instant } from '../../core/base/instant.ts';
import { agentOf, type SessionKey, type SessionState } from '../../core/conversation/session.ts';
import type { RunId } from '../../core/lane/lane.ts';
import type { EventName } from '../../core/protocol/event.ts';
import type { Conversations, RunEvent } from '../../runtime/runtime.ts';
import type { Clock } from '../../system/clock.ts';
import type { Diary } from '../diary.ts';
import type { PublishOptions } from '../publish.ts';
import type { Session } from '../session.ts';
import { failureText, INTERRUPTED } from './end.ts';
import { messagesOf } from './message.ts';
import { type SessionRow, sessionRowOf } from './row.ts';

/** `chat` says all that was said so far at most this often. */
const DELTA_MS = 150;
/** What was said last waits so much longer for what is said next: runs are told in one turn, and timers of their own are not. */
const LATE_MS = 60;

/** What the events need of the gateway round them. */
export interface Stage {
  readonly conversations: Conversations;
  publish(event: EventName, payload: unknown, options: Omit<PublishOptions, 'scope'>): void;
  readonly clock: Pick<Clock, 'now' | 'monotonicMs' | 'after'>;
  readonly diary: Pick<Diary, 'error'>;
}

type OfRun = Exclude<RunEvent, { readonly kind: 'session' }>;
type End = Extract<OfRun, { readonly kind: 'end' }>;
type Protocol = 3 | 4;

/** What a client says of itself that draws the tools which are called. */
const TOOL_EVENTS = 'tool-events';
const hearsTools = ({ caps }: Pick<Session, 'caps'>) => caps.includes(TOOL_EVENTS);

/** What was told of one run so far. `seq` counts its `agent` events in each protocol, from 1 without a gap. */
interface Told {
  readonly seq: Record<Protocol, number>;
  /** Those beside that only some clients are told, who count them too. */
  tools: number;
  startedAt: Instant | null;
  /** All that is said, and of it what the last `chat` delta held. */
  text: string;
  sent: string;
  sentMs: number | null;
  cancel: (() => void) | null;
}

/** Runs and sessions as events on the wire: PROTOCOL.md §6.1 and §6.2, in the order in which they happened. */
export class ChatEvents {
  readonly #stage: Stage;
  readonly #runs = new Map<RunId, Told>();
  readonly #subscribed = new Set<string>();
  readonly #queue: RunEvent[] = [];
  #pump: Promise<void> | null = null;

  constructor(stage: Stage) {
    this.#stage = stage;
    stage.conversations.subscribe((event) => {
      this.#queue.push(event);
      this.#pump ??= this.#drain();
    });
  }

  /** `sessions.subscribe`: it is told of sessions and their messages until it leaves. */
  subscribe(session: Session): void {
    this.#subscribed.add(session.id);
  }

  leave(id: string): void {
    this.#subscribed.delete(id);
  }

  /** Resolves once all that has happened until now is told: an answer that comes after it in the recordings waits. */
  async settled(): Promise<void> {
    await this.#pump;
  }

  async #drain(): Promise<void> {
    // The answer to the call that began it goes out first, as clients expect: they learn the run's id by it.
    await new Promise((resolve) => setImmediate(resolve));
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      try {
        await this.#tell(event);
      } catch (error) {
        this.#stage.diary.error('chat events', error);
      }
    }
    this.#pump = null;
  }

  /** A promise only where something has to be read: between two events of a run nothing else is told. */
  #tell(event: RunEvent): Promise<void> | void {
    switch (event.kind) {
      case 'session':
        return this.#session(event);
      case 'start':
        this.#start(event);
        return this.#phase(event, 'start');
      case 'model': {
        const { provider, model, thinking } = event;
        return this.#agent(event, 'lifecycle', { phase: 'model', provider, model, thinkingLevel: thinking }, [4]);
      }
      case 'thinking': {
        const { text, delta } = event;
        return this.#agent(event, 'thinking', { text, delta }, [3, 4], true);
      }
      case 'text':
        return this.#text(event);
      case 'tool':
        return this.#tool(event);
      case 'usage':
        return this.#agent(event, 'usage', { outputTokens: event.outputTokens }, [4]);
      case 'retry': {
        const { why, waitMs } = event;
        return this.#agent(event, 'run_status', { phase: 'retrying', why, waitMs }, [4]);
      }
      case 'compaction':
        return this.#agent(event, 'compaction', { phase: event.phase }, [4]);
      case 'end':
        this.#end(event);
        return this.#phase(event, 'end');
    }
  }

  // ---- one run ------------------------------------------------------------------------------------------------------

  #start(event: Extract<OfRun, { readonly kind: 'start' }>): void {
    const { startedAt } = event;
    const told: Told = { seq: { 3: 0, 4: 0 }, tools: 0, startedAt, text: '', sent: '', sentMs: null, cancel: null };
    this.#runs.set(event.run, told);
    this.#status(event, 'preparing_context');
    this.#agent(event, 'lifecycle', { phase: 'start', startedAt });
    this.#status(event, 'starting_model');
  }

  #status(event: OfRun, phase: string): void {
    const seq = (this.#runs.get(event.run)?.seq[4] ?? 0) + 1;
    this.#chat(event, { state: 'status', phase }, { only: 4, seq });
    this.#agent(event, 'run_status', { phase }, [4]);
  }

  #text(event: Extract<OfRun, { readonly kind: 'text' }>): void {
    const told = this.#runs.get(event.run);
    if (told === undefined) return;
    const { text, delta } = event;
    told.text = text;
    this.#agent(event, 'assistant', { text, delta }, [3, 4], true);
    const passed = told.sentMs === null ? DELTA_MS : this.#stage.clock.monotonicMs() - told.sentMs;
    if (passed >= DELTA_MS) return this.#delta(event, told);
    // What was said last must not wait for what is said next.
    told.cancel ??= this.#stage.clock.after(DELTA_MS + LATE_MS - passed, () => this.#delta(event, told));
  }

  #delta(event: OfRun, told: Told): void {
    told.cancel?.();
    told.cancel = null;
    if (this.#runs.get(event.run) !== told) return;
    const { text, sent } = told;
    const goesOn = text.startsWith(sent);
    const added = { deltaText: goesOn ? text.slice(sent.length) : text, ...(goesOn ? {} : { replace: true }) };
    told.sent = text;
    told.sentMs = this.#stage.clock.monotonicMs();
    const message = this.#said(text);
    this.#chat(event, { state: 'delta', message }, { v4: added, slow: true });
  }

  /** To whoever draws tools alone; v3 has no number on such a frame, and no body of what came of it. */
  #tool(event: Extract<OfRun, { readonly kind: 'tool' }>): void {
    const told = this.#runs.get(event.run);
    if (told === undefined) return;
    told.tools += 1;
    for (const protocol of [3, 4] as const) {
      const payload = { ...this.#place(event, protocol), stream: 'tool', data: toolOf(event, protocol), ts: event.at };
      const only = (s: Session) => s.protocol === protocol && hearsTools(s);
      const seq = told.seq[protocol] + told.tools;
      this.#stage.publish('agent', { ...payload, seq }, { only, isUnnumbered: protocol === 3 });
    }
  }

  #end(event: End): void {
    const told = this.#runs.get(event.run);
    told?.cancel?.();
    const { end, endedAt } = event.state;
    const isAborted = end?.kind === 'aborted';
    const failure = failureOf(event);
    if (told !== undefined) {
      const at = { endedAt: endedAt ?? event.at };
      const begun = told.startedAt === null ? {} : { startedAt: told.startedAt };
      if (failure !== null) this.#agent(event, 'lifecycle', { phase: 'error', error: failure, ...at });
      else {
        const stop = { stopReason: event.stop, aborted: isAborted };
        this.#agent(event, 'lifecycle', { phase: 'finishing', ...stop, ...at }, [4]);
        this.#agent(event, 'lifecycle', { phase: 'end', ...at, ...(isAborted ? { aborted: true } : {}) }, [3]);
        this.#agent(event, 'lifecycle', { phase: 'end', ...begun, ...at, ...stop }, [4]);
      }
    }
    // What joined another run is answered by that one.
    const text = end?.kind === 'joined' ? null : event.text;
    const message = text === null ? {} : { message: this.#said(text) };
    const v4 = failure === null ? { stopReason: event.stop } : {};
    if (failure !== null) this.#chat(event, { state: 'error', errorMessage: failure, ...message }, {});
    else this.#chat(event, { state: isAborted ? 'aborted' : 'final', ...message }, { v4 });
    this.#runs.delete(event.run);
  }

  #said(text: string) {
    return { role: 'assistant', content: [{ type: 'text', text }], timestamp: this.#stage.clock.now() };
  }

  #agent(
    event: OfRun,
    stream: string,
    data: unknown,
    protocols: readonly Protocol[] = [3, 4],
    dropIfSlow = false,
  ): void {
    const told = this.#runs.get(event.run);
    if (told === undefined) return;
    for (const protocol of protocols) {
      told.seq[protocol] += 1;
      const payload = { ...this.#place(event, protocol), stream, data, ts: event.at };
      this.#toBoth(event, 'agent', payload, { protocol, seq: told.seq[protocol], dropIfSlow });
    }
  }

  /** `seq`: as the `agent` event beside it has it. */
  #chat(
    event: OfRun,
    body: Readonly<Record<string, unknown>>,
    options: {
      readonly v4?: Readonly<Record<string, unknown>>;
      readonly only?: Protocol;
      readonly seq?: number;
      readonly slow?: boolean;
    },
  ): void {
    const told = this.#runs.get(event.run);
    for (const protocol of options.only === undefined ? ([3, 4] as const) : [options.only]) {
      const seq = options.seq ?? Math.max(1, told?.seq[protocol] ?? 1);
      const payload = { ...this.#place(event, protocol), ...body, ...(protocol === 4 ? options.v4 : {}) };
      this.#toBoth(event, 'chat', payload, { protocol, seq, dropIfSlow: options.slow === true });
    }
  }

  #place({ run: runId, key: sessionKey }: OfRun, protocol: Protocol) {
    return { runId, sessionKey, ...(protocol === 4 ? { agentId: agentOf(sessionKey) } : {}) };
  }

  /** To everybody of a protocol; who was told of tools too counts on from there. */
  #toBoth(
    event: OfRun,
    name: 'agent' | 'chat',
    payload: Readonly<Record<string, unknown>>,
    { protocol, seq, dropIfSlow }: { readonly protocol: Protocol; readonly seq: number; readonly dropIfSlow: boolean },
  ): void {
    const tools = this.#runs.get(event.run)?.tools ?? 0;
    const to = (only: (s: Session) => boolean, number: number) =>
      this.#stage.publish(name, { ...payload, seq: number }, { only, dropIfSlow });
    if (tools === 0) return to((s) => s.protocol === protocol, seq);
    to((s) => s.protocol === protocol && !hearsTools(s), seq);
    to((s) => s.protocol === protocol && hearsTools(s), seq + tools);
  }

  // ---- sessions -----------------------------------------------------------------------------------------------------

  async #session(event: Extract<RunEvent, { readonly kind: 'session' }>): Promise<void> {
    if (this.#subscribed.size === 0) return;
    const { key, session, reason } = event;
    const row = await this.#rowOf(session);
    for (const one of event.rows) {
      for (const message of messagesOf(one)) {
        const messageId = message.__openclaw.id;
        const place = { sessionKey: key, agentId: agentOf(key) };
        const payload = {
          ...place,
          message,
          messageId,
          messageSeq: one.seq,
          ...(row === null ? {} : { session: row }),
        };
        this.#toSubscribers('session.message', payload);
      }
    }
    this.#changed(key, { reason }, row);
  }

  async #phase(event: OfRun, phase: string): Promise<void> {
    if (this.#subscribed.size === 0) return;
    const { key, run: runId } = event;
    this.#changed(key, { phase, runId }, await this.#rowOf(await this.#stage.conversations.session(key)));
  }

  async #rowOf(session: SessionState | null) {
    const { conversations } = this.#stage;
    return session === null ? null : sessionRowOf(conversations, session, await conversations.agents());
  }

  #changed(key: SessionKey, what: Readonly<Record<string, unknown>>, row: SessionRow | null): void {
    const place = { sessionKey: key, agentId: agentOf(key) };
    const { key: _same, ...fields } = row ?? {};
    this.#toSubscribers('sessions.changed', {
      ...fields,
      ...place,
      ...what,
      ts: this.#stage.clock.now(),
      session: row,
    });
  }

  #toSubscribers(event: EventName, payload: unknown): void {
    this.#stage.publish(event, payload, { only: (s) => this.#subscribed.has(s.id) });
  }
}

/** Why a run ended otherwise than by itself or by somebody's wish. */
function failureOf({ state: { end } }: End): string | null {
  if (end?.kind === 'error') return failureText(end);
  return end?.kind === 'interrupted' ? INTERRUPTED : null;
}

/** `data` of a tool's event (PROTOCOL.md §6.1). */
function toolOf(event: Extract<OfRun, { readonly kind: 'tool' }>, protocol: Protocol) {
  if (event.phase === 'start') {
    const { id, name, input } = event.call;
    return { phase: 'start', name, toolCallId: id, args: argsOf(input) };
  }
  const { call, name, text, failed } = event.result;
  const result = { content: [{ type: 'text', text }], details: { status: failed ? 'failed' : 'completed' } };
  return { phase: 'result', name, toolCallId: call, isError: failed, ...(protocol === 4 ? { result } : {}) };
}

/** As the model wrote them where they are no JSON. */
function argsOf(input: string): unknown {
  try {
    return JSON.parse(input);
  } catch {
    return input;
  }
}
