import type { RowBody, ToolCall, ToolResult } from '../core/conversation/row.ts';
import type { RunEnd, RunState } from '../core/conversation/run.ts';
import { agentOf, type SessionKey, type SessionState } from '../core/conversation/session.ts';
import type { Thinking } from '../core/conversation/thinking.ts';
import type { RunId } from '../core/lane/lane.ts';
import { FULL, KEPT, textMaxIn } from './compaction.ts';
import { bytesOf, contextTokens, messagesOf, reckoned, systemPrompt, WINDOW_UNKNOWN } from './context.ts';
import { agentless, broken, type Failed, filtered, modelFailed, modelless, stepless, timedOut } from './failed.ts';
import { FAILURES, isModelFailure } from './model/failure.ts';
import type { AssistantMessage, FinishReason, Message, Step } from './model/model.ts';
import { type Attempt, type RouteOptions, routed } from './model/route.ts';
import type { AgentFacts, TalkOptions, Thought } from './options.ts';
import { allowed, takenBy } from './purse.ts';
import { NOTHING_TAKEN, type Scribe, type Taken, together, type Written } from './scribe.ts';
import type { Summarizer } from './summarizer.ts';
import type { Teller } from './teller.ts';
import { askedOf, doneBy, Thoughts, wanted } from './thoughts.ts';
import { Transcript } from './transcript.ts';
import { workspaceFiles } from './workspace.ts';

/** A model that calls tools without end is ended. */
export const STEPS_MAX = 16;
/** Of the window: what the workspace's files may take. */
const FILES = 0.2;

export interface TurnParts extends TalkOptions {
  readonly scribe: Scribe;
  readonly teller: Teller;
  readonly summarizer: Summarizer;
  /** What joins the run between two of its steps. */
  readonly boundary: () => readonly RunId[];
  /** They are at work from now on. */
  readonly entered: (runs: readonly RunState[]) => void;
  /** What joined it has had its time: it ends, and this run goes on. */
  readonly leave: (run: RunId, end: Failed) => void;
}

/** How a run came to its end: what is still to be written down. */
export interface Outcome {
  readonly end: RunEnd;
  readonly rows: readonly RowBody[];
  readonly taken: Taken;
  readonly context?: number;
  /** The whole answer; `null`: none. */
  readonly text: string | null;
  readonly stop: string;
}

/** One run: what was said goes to the model, what it says is told and written down, until it has nothing more to do. */
export class Turn {
  readonly key: SessionKey;
  /** Runs whose words it took in: they end with it. */
  readonly joined: RunId[];
  readonly #stop = new AbortController();
  readonly #parts: TurnParts;
  readonly #transcript: Transcript;
  /** As this run's model wants it back. */
  readonly #said = new Map<number, AssistantMessage>();
  #run: RunState;
  #why: 'aborted' | 'interrupted' | 'timeout' = 'aborted';
  /** How long runs may work, from their start on. */
  readonly #deadlines: (() => void)[] = [];
  #taken: Taken = NOTHING_TAKEN;
  /** What the model says in this step. */
  #saying = '';
  #model = '';
  #thinking: Thinking | null = null;
  #answer: string | null = null;

  constructor(run: RunState, joining: readonly RunId[], parts: TurnParts) {
    this.key = run.key;
    this.joined = [...joining];
    this.#run = run;
    this.#parts = parts;
    this.#transcript = new Transcript(parts.store, run.key);
  }

  /** The model's connection is closed. `interrupted`: the gateway ends. `timeout`: it has had its time. */
  stop(why: 'aborted' | 'interrupted' | 'timeout'): void {
    if (this.#stop.signal.aborted) return;
    this.#why = why;
    this.#stop.abort();
  }

  get id(): RunId {
    return this.#run.id;
  }

  /** Before it begins: not all that were to be said in it are. @param run the one that it is now */
  regroup(run: RunState, joining: readonly RunId[]): void {
    this.#run = run;
    this.joined.splice(0, this.joined.length, ...joining);
  }

  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** Never throws. */
  async walk(): Promise<Outcome> {
    try {
      return await this.#walk();
    } catch (error) {
      return this.#failed(error);
    } finally {
      for (const cancel of this.#deadlines) cancel();
    }
  }

  /**
   * Each run has the time that was asked for with it, whatever it joins or is joined by: one that joined leaves by itself,
   * and nobody's time ends what somebody else asked for, unless that was collected into this run.
   */
  #begun(runs: readonly RunState[]): void {
    const { clock, leave } = this.#parts;
    for (const { id, ask } of runs) {
      const { timeoutMs } = ask;
      if (timeoutMs === undefined) continue;
      const passed = () => {
        if (id === this.id) return this.stop('timeout');
        const at = this.joined.indexOf(id);
        if (at < 0) return;
        this.joined.splice(at, 1);
        leave(id, timedOut(this.key, timeoutMs));
      };
      this.#deadlines.push(clock.after(timeoutMs, passed));
    }
  }

  async #walk(): Promise<Outcome> {
    const { scribe, teller, boundary } = this.#parts;
    const entered = await scribe.enter([...this.joined, this.id]);
    this.#run = entered.runs.at(-1) ?? this.#run;
    this.#parts.entered(entered.runs);
    teller.run(this.id, this.key, { kind: 'start', startedAt: this.#run.startedAt ?? this.#run.acceptedAt });
    this.#written('send', entered);
    this.#begun(entered.runs);
    for (let step = 1; step <= STEPS_MAX; step += 1) {
      if (this.#stop.signal.aborted) return this.#stopped();
      const joining = step === 1 ? [] : boundary();
      if (joining.length > 0) {
        // Before it is written down: whatever comes, they end with this run.
        this.joined.push(...joining);
        const more = await scribe.enter(joining);
        this.#parts.entered(more.runs);
        this.#written('send', more);
        this.#begun(more.runs);
      }
      const outcome = await this.#step();
      if (outcome !== null) return outcome;
    }
    return this.#outcome(stepless(this.key, STEPS_MAX), [], 'error');
  }

  /** `null`: it goes on. */
  async #step(): Promise<Outcome | null> {
    const agent = this.#parts.agents().find(({ id }) => id === agentOf(this.key));
    if (agent === undefined) {
      return this.#outcome(agentless(agentOf(this.key)), [], 'error');
    }
    const session = await this.#transcript.read();
    const name = this.#run.ask.model ?? session.settings.model ?? agent.model;
    const thought = await this.#parts.models.of(name, agent);
    if (thought === null) {
      return this.#outcome(modelless(name ?? ''), [], 'error');
    }
    const step = await this.#fitted(agent, session, thought);
    try {
      return await this.#call(step, agent, thought);
    } catch (error) {
      const isLong = isModelFailure(error) && error.kind === 'context' && !error.began;
      // The window is unknown, or is not what it is said to be: what was sent is known to be too much.
      const less = isLong ? narrowed(thought, reckoned(step.system, step.messages) / 2) : thought;
      if (!isLong || !(await this.#compact(agent, less))) throw error;
      const shorter = this.#stepOf(await this.#system(agent, less), agent, less);
      return this.#call(shorter, agent, thought);
    }
  }

  // ---- what the model is told --------------------------------------------------------------------------------------------

  /** Summed up first, where it is too long for the model. */
  async #fitted(agent: AgentFacts, session: SessionState, thought: Thought): Promise<Step> {
    const system = await this.#system(agent, thought);
    const step = this.#stepOf(system, agent, thought);
    const window = windowOf(thought);
    const { rows } = this.#transcript;
    const whole = reckoned(system, step.messages);
    if (contextTokens(rows, session.compacted, whole, textMaxIn(window)) <= window * FULL) return step;
    if (!(await this.#compact(agent, thought))) return step;
    return this.#stepOf(system, agent, thought);
  }

  async #system(agent: AgentFacts, thought: Thought): Promise<string> {
    const { clock, zone, diary } = this.#parts;
    const room = bytesOf(windowOf(thought) * FILES);
    const files = await workspaceFiles(agent.workspace, room, (path, why) =>
      diary.info('a file of the workspace is left out', { path, why }),
    );
    return systemPrompt({ agent, files, zone, at: clock.now() });
  }

  #stepOf(system: string, agent: AgentFacts, thought: Thought): Step {
    const { session } = this.#transcript;
    const messages: readonly Message[] = messagesOf(this.#transcript.rows, session.compacted, {
      said: this.#said,
      content: (sha256) => this.#parts.contents.get(session.id, sha256),
      input: thought.input,
      mark: this.#parts.mark,
      textMax: textMaxIn(windowOf(thought)),
    });
    this.#thinking = wanted([this.#run.ask.thinking, session.settings.thinking, agent.thinking]);
    return { system, messages, signal: this.#stop.signal, ...askedOf(this.#thinking) };
  }

  /** False: there is nothing to sum up. */
  async #compact(agent: AgentFacts, thought: Thought): Promise<boolean> {
    const { teller, summarizer } = this.#parts;
    const tell = (phase: 'start' | 'end') => teller.run(this.id, this.key, { kind: 'compaction', phase });
    const window = windowOf(thought);
    const written = await summarizer.summarize(this.#transcript, {
      keep: window * KEPT,
      window,
      run: this.id,
      signal: this.#stop.signal,
      route: this.#route(agent, thought),
      began: () => tell('start'),
    });
    if (written === undefined) return false;
    // Not of the step that follows: what it takes in is measured by its own.
    await this.#take();
    await this.#transcript.read();
    tell('end');
    if (written !== null) this.#written('compact', written);
    return true;
  }

  // ---- what it says ------------------------------------------------------------------------------------------------------

  async #call(step: Step, agent: AgentFacts, thought: Thought): Promise<Outcome | null> {
    const { teller } = this.#parts;
    this.#saying = '';
    this.#model = thought.candidates[0].model.name;
    teller.cut(this.id, this.key);
    const tell = (said: { text: string; delta: string }) =>
      teller.run(this.id, this.key, { kind: 'thinking', ...said });
    const thoughts = new Thoughts(this.#parts.clock, tell);
    let end: { readonly reason: FinishReason; readonly message: AssistantMessage } | null = null;
    for await (const part of routed(step, this.#route(agent, thought))) {
      if (step.signal.aborted && part.kind !== 'finish') break;
      if (part.kind === 'reasoning') thoughts.add(part.delta);
      else if (part.kind === 'finish') thoughts.end();
      else thoughts.flush();
      if (part.kind === 'text') {
        this.#saying += part.delta;
        teller.text(this.id, this.key, { model: this.#model, delta: part.delta });
      } else if (part.kind === 'model') {
        this.#model = part.model;
        const slash = part.model.indexOf('/');
        const [provider, model] = [part.model.slice(0, slash), part.model.slice(slash + 1)];
        const thinking = doneBy(part.model, thought, this.#thinking);
        teller.run(this.id, this.key, { kind: 'model', provider, model, thinking });
      } else if (part.kind === 'usage') {
        teller.run(this.id, this.key, { kind: 'usage', outputTokens: part.usage.output ?? 0 });
      } else if (part.kind === 'retry') {
        const { waitMs, failure } = part;
        teller.run(this.id, this.key, { kind: 'retry', why: FAILURES[failure.kind].what, waitMs });
      } else if (part.kind === 'finish') end = part;
    }
    if (end === null) return this.#stopped();
    if (end.reason === 'filter') {
      return this.#outcome(filtered(this.key), this.#partial(), 'error');
    }
    const calls = end.message.content.flatMap((part) => (part.kind === 'tool' ? part : []));
    return this.#spoken(end, calls);
  }

  async #spoken(
    { reason, message }: { readonly reason: FinishReason; readonly message: AssistantMessage },
    made: readonly Extract<AssistantMessage['content'][number], { kind: 'tool' }>[],
  ): Promise<Outcome | null> {
    const calls: readonly ToolCall[] = made.map(({ id, name, input, malformed }) => ({
      id,
      name,
      input: malformed ?? JSON.stringify(input) ?? 'null',
    }));
    const { usage } = this.#taken;
    const stop = calls.length > 0 ? 'tools' : reason === 'length' ? 'length' : 'stop';
    const text = this.#saying;
    if (text !== '') this.#answer = text;
    const row: RowBody = { kind: 'assistant', text, calls, model: this.#model, usage, stop };
    const context = usage.input + usage.cacheRead + usage.cacheWrite;
    if (calls.length === 0) return { ...this.#outcome({ kind: 'ok' }, [row], stop), context };
    const results = calls.map(
      ({ id, name }): ToolResult => ({ call: id, name, text: `There is no tool '${name}'.`, failed: true }),
    );
    const answers = results.map((result): RowBody => ({ kind: 'tool', ...result }));
    const { scribe, teller } = this.#parts;
    teller.hold(this.id);
    const written = await scribe.step(this.id, { rows: [row, ...answers], taken: this.#taken, context });
    teller.stored(this.id);
    for (const [at, call] of calls.entries()) {
      teller.run(this.id, this.key, { kind: 'tool', phase: 'start', call });
      const result = results[at];
      if (result !== undefined) teller.run(this.id, this.key, { kind: 'tool', phase: 'result', result });
    }
    const { run, rows } = written;
    this.#run = run;
    this.#taken = NOTHING_TAKEN;
    this.#saying = '';
    if (rows[0] !== undefined) this.#said.set(rows[0].seq, message);
    this.#written('run', written);
    return null;
  }

  #route(agent: AgentFacts, { candidates }: Thought): RouteOptions {
    const { clock, chance } = this.#parts;
    return {
      candidates,
      clock,
      chance,
      allow: (candidate) => allowed(this.#parts, agent, candidate),
      ended: async (attempt: Attempt) => {
        const taken = takenBy(attempt, this.#saying.length);
        this.#taken = together(this.#taken, taken);
        // One that ended well is written down with what it said.
        if (attempt.failure === null || attempt.spend.tokens === 0 || this.#saying !== '') return;
        await this.#take();
      },
    };
  }

  async #take(): Promise<void> {
    if (this.#taken === NOTHING_TAKEN) return;
    this.#run = await this.#parts.scribe.take(this.id, this.#taken);
    this.#taken = NOTHING_TAKEN;
  }

  // ---- how it ends -------------------------------------------------------------------------------------------------------

  #failed(error: unknown): Outcome {
    if (this.#stop.signal.aborted) return this.#stopped();
    if (isModelFailure(error)) return this.#outcome(modelFailed(this.key, error), this.#partial(), 'error');
    this.#parts.diary.error('a run failed', error);
    return this.#outcome(broken(), this.#partial(), 'error');
  }

  #stopped(): Outcome {
    const why = this.#why;
    const end = why === 'timeout' ? timedOut(this.key, this.#run.ask.timeoutMs ?? 0) : ({ kind: why } as const);
    return this.#outcome(end, this.#partial(), why);
  }

  /** What it had said when it ended before its end. */
  #partial(): readonly RowBody[] {
    if (this.#saying === '') return [];
    this.#answer = this.#saying;
    const { usage } = this.#taken;
    return [{ kind: 'assistant', text: this.#saying, calls: [], model: this.#model, usage, stop: 'partial' }];
  }

  #outcome(end: RunEnd, rows: readonly RowBody[], stop: string): Outcome {
    return { end, rows, taken: this.#taken, text: this.#answer, stop };
  }

  #written(reason: 'send' | 'run' | 'compact', { session, rows }: Written): void {
    this.#parts.teller.session({ key: this.key, reason, session, rows });
  }
}

/** The same with a window of at most so many tokens. */
function narrowed(thought: Thought, most: number): Thought {
  const [first, ...others] = thought.candidates;
  const contextWindow = Math.floor(Math.min(windowOf(thought), most));
  return { ...thought, candidates: [{ ...first, facts: { ...first.facts, contextWindow } }, ...others] };
}

export function windowOf({ candidates }: Thought): number {
  return candidates[0].facts.contextWindow ?? WINDOW_UNKNOWN;
}
