import type { Row, RowBody } from '../src/core/conversation/row.ts';
import { type SessionKey, sessionKey } from '../src/core/conversation/session.ts';
import type { RunId } from '../src/core/lane/lane.ts';
import { type Contents, contentsInMemory } from '../src/runtime/contents.ts';
import { openConversations } from '../src/runtime/conversations.ts';
import { RETENTION } from '../src/runtime/keeper.ts';
import { type FailureKind, ModelFailure } from '../src/runtime/model/failure.ts';
import type { AssistantMessage, Model, ModelFacts, Part, Step, ToolCall, Usage } from '../src/runtime/model/model.ts';
import type { Candidate } from '../src/runtime/model/route.ts';
import type { AgentFacts, TalkOptions } from '../src/runtime/options.ts';
import type { Retention, RunEvent, Send, Talk } from '../src/runtime/runtime.ts';
import { openMemory } from '../src/store/memory/memory.ts';
import type { Store } from '../src/store/store.ts';
import { ScriptedClock } from '../src/system/clock.ts';
import { sha256Hex } from '../src/system/crypto.ts';

/** For tests: conversations over a store in memory, with a model that says what it is told to. */

export const MAIN = sessionKey('main', 'main') as SessionKey;

export interface Said {
  readonly text?: string;
  readonly call?: string;
  readonly fail?: FailureKind;
  /** What it thought first; signed, so that it wants it back. */
  readonly thought?: string;
  readonly usage?: Usage | null;
  /** Once it has said its text, it waits until it is let go or stopped. */
  readonly hold?: Promise<void>;
}
export type Saying = string | Said;

export const FEW: Usage = { input: 12, output: 5, cacheRead: 4, cacheWrite: 1, reasoning: 0 };

export class ScriptedModel implements Model {
  readonly name = 'lab/one';
  /** Everything that it was asked. */
  readonly steps: Step[] = [];
  /** Steps that are under way. */
  open = 0;
  /** Those of them that wait to be let go. */
  holding = 0;
  readonly #say: (step: Step, nth: number) => Saying;

  constructor(say: (step: Step, nth: number) => Saying = () => 'fine') {
    this.#say = say;
  }

  async *step(step: Step): AsyncGenerator<Part> {
    this.steps.push(step);
    this.open += 1;
    try {
      yield* this.#parts(step, this.#say(step, this.steps.length));
    } finally {
      this.open -= 1;
    }
  }

  async *#parts(step: Step, saying: Saying): AsyncGenerator<Part> {
    const {
      text = '',
      call,
      fail,
      thought,
      usage = FEW,
      hold,
    } = typeof saying === 'string' ? ({ text: saying } as Said) : saying;
    const check = () => {
      if (step.signal.aborted) throw new ModelFailure('aborted', { model: this.name, why: 'stopped' });
    };
    for (const delta of text.match(/\S+\s*/g) ?? []) {
      await soon();
      check();
      yield { kind: 'text', delta };
    }
    if (hold !== undefined) {
      const stopped = new Promise<void>((resolve) => step.signal.addEventListener('abort', () => resolve()));
      this.holding += 1;
      if (!step.signal.aborted) await Promise.race([hold, stopped]);
      this.holding -= 1;
      check();
    }
    if (fail !== undefined) throw new ModelFailure(fail, { model: this.name, why: 'played' });
    const calls: readonly ToolCall[] =
      call === undefined ? [] : [{ kind: 'tool', id: `call_${this.steps.length}`, name: call, input: { a: 1 } }];
    yield* calls;
    if (usage !== null) yield { kind: 'usage', usage };
    const words = text === '' ? [] : [{ kind: 'text' as const, text }];
    const keep = { by: 'offline' as const, data: { signature: 'sig' } };
    const thoughts = thought === undefined ? [] : [{ kind: 'reasoning' as const, text: thought, keep }];
    const message: AssistantMessage = { role: 'assistant', content: [...thoughts, ...words, ...calls] };
    yield { kind: 'finish', reason: calls.length > 0 ? 'tool' : 'stop', message };
  }
}

/** Turn of the event loop after turn, until it is so: files are looked at in between. */
export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Closed until it is let. */
export function gate(): { readonly open: Promise<void>; let(): void } {
  let pass = () => {};
  const open = new Promise<void>((resolve) => {
    pass = resolve;
  });
  return { open, let: () => pass() };
}

export const soon = () => new Promise<void>((resolve) => setImmediate(resolve));

export interface StageOptions {
  readonly model?: Model;
  readonly facts?: Partial<ModelFacts>;
  readonly store?: Store;
  readonly clock?: ScriptedClock;
  readonly contents?: Contents;
  readonly agent?: Partial<AgentFacts>;
  /** False: as a command has them, that runs without a gateway. */
  readonly isStarted?: boolean;
  readonly atWorkMax?: number;
  /** What is judged, where it is not what stands in the sources. */
  readonly open?: typeof openConversations;
  /** What is kept, otherwise than by default; read with each pass. */
  readonly retention?: Partial<Retention>;
  readonly zone?: string;
  /** Absent: everybody may. */
  readonly mayTalk?: TalkOptions['mayTalk'];
}

export type Note = Readonly<Record<string, unknown>>;

export interface Stage {
  readonly talk: Talk;
  readonly store: Store;
  readonly clock: ScriptedClock;
  readonly contents: Contents;
  readonly events: RunEvent[];
  readonly errors: unknown[];
  /** Lines of the log. */
  readonly notes: readonly Note[];
  send(id: string, text: string, more?: Partial<Send>): ReturnType<Talk['send']>;
  /** Of a run that ends. */
  ended(id: string): Promise<NonNullable<Awaited<ReturnType<Talk['wait']>>>>;
  rows(key?: SessionKey): Promise<readonly Row[]>;
  bodies(key?: SessionKey): Promise<readonly RowBody[]>;
  /** What is told of one run. */
  of(id: string): readonly Extract<RunEvent, { readonly run: RunId }>[];
}

export async function stage(given: StageOptions = {}): Promise<Stage> {
  const { model = new ScriptedModel(), facts = {}, agent = {} } = given;
  const { store = openMemory(), clock = new ScriptedClock(), contents = contentsInMemory() } = given;
  const candidate: Candidate = { model, facts: { contextWindow: null, price: null, ...facts } };
  const main: AgentFacts = {
    id: 'main',
    name: 'Main',
    workspace: '/nowhere/at/all',
    model: null,
    queue: 'followup',
    thinking: null,
    bound: { tokensPerDay: null, usdPerDay: null },
    ...agent,
  };
  let ids = 0;
  const errors: unknown[] = [];
  const notes: Note[] = [];
  const options: TalkOptions = {
    store,
    clock,
    newId: () => `id-${clock.monotonicMs()}-${++ids}-${Math.trunc(clock.now())}`,
    chance: () => 0.5,
    agents: () => [main],
    models: {
      of: async (name) =>
        name === null || name === model.name ? { candidates: [candidate], input: facts.input ?? null } : null,
    },
    contents,
    diary: {
      info: (event, fields) => void notes.push({ event, ...fields }),
      error: (_, error) => void errors.push(error),
    },
    mayTalk: given.mayTalk ?? (() => true),
    mark: (place) => sha256Hex(`a key of this test ${place}`).slice(0, 16),
    zone: given.zone ?? 'Europe/Berlin',
    retention: () => ({ ...RETENTION, ...given.retention }),
    ...(given.atWorkMax === undefined ? {} : { atWorkMax: given.atWorkMax }),
  };
  const talk = (given.open ?? openConversations)(options);
  const events: RunEvent[] = [];
  talk.subscribe((event) => void events.push(event));
  if (given.isStarted !== false) await talk.start();
  const rows = (key = MAIN) => talk.tail(key, 100_000);
  return {
    talk,
    store,
    clock,
    contents,
    events,
    errors,
    notes,
    send: (id, text, more = {}) =>
      talk.send({
        id: id as RunId,
        key: MAIN,
        giver: { kind: 'owner' },
        from: { kind: 'person', name: 'Ada' },
        text,
        ...more,
      }),
    async ended(id) {
      const state = await talk.wait(id as RunId, 3_600_000);
      if (state === null || state.end === null) throw new Error(`${id} did not end`);
      return state;
    },
    rows,
    bodies: async (key) => (await rows(key)).map(({ body }) => body),
    of: (id) => events.flatMap((event) => ('run' in event && event.run === id ? event : [])),
  };
}
