import type { DeviceId, Giver } from '../core/authz/principal.ts';
import type { RunEnd, RunState } from '../core/conversation/run.ts';
import { agentOf, type SessionKey } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
import { answerOf } from './answer.ts';
import type { Bounds } from './bounds.ts';
import { conversationless, notAllowed } from './failed.ts';
import type { Lanes } from './lanes.ts';
import type { TalkOptions } from './options.ts';
import { recounted } from './purse.ts';
import { type Outcome, Turn } from './run.ts';
import { priceSaid } from './said-price.ts';
import type { Ending, Scribe } from './scribe.ts';
import { RUNS_AT_WORK_MAX, Seats } from './seats.ts';
import { Summarizer } from './summarizer.ts';
import type { Teller } from './teller.ts';

/** A disk that is full is asked again. */
const AGAIN_MS = 5_000;

interface Tools {
  readonly scribe: Scribe;
  readonly teller: Teller;
  readonly lanes: Lanes;
  /** Told when a run that was counted there is over. */
  readonly bounds: Bounds;
}

interface Playing {
  readonly turn: Turn;
  readonly done: Promise<void>;
  /** Its words are with the agent; before that it waits for a seat. */
  isBegun: boolean;
}

/** Runs that are open: those that wait, and those that run, until the end of each is on disk and told. */
export class Players {
  readonly #options: TalkOptions;
  readonly #tools: Tools;
  readonly #seats: Seats;
  readonly #open = new Map<RunId, RunState>();
  /** The same, by session, in the order in which they were accepted. */
  readonly #ofKey = new Map<SessionKey, Map<RunId, RunState>>();
  readonly #playing = new Map<RunId, Playing>();
  /** Ends of runs that never began, being stored. */
  readonly #dropping = new Map<RunId, Promise<void>>();
  readonly #ears = new Map<RunId, Set<(state: RunState | null) => void>>();
  #isEnding = false;
  #wake: () => void = () => {};
  readonly #woken = new Promise<void>((resolve) => {
    this.#wake = resolve;
  });

  constructor(options: TalkOptions, tools: Tools) {
    this.#options = options;
    this.#tools = tools;
    this.#seats = new Seats(options.atWorkMax ?? RUNS_AT_WORK_MAX);
  }

  /** It was accepted, is counted in the bounds, and will begin. */
  expect(run: RunState): void {
    this.#open.set(run.id, run);
    const own = this.#ofKey.get(run.key) ?? new Map<RunId, RunState>();
    this.#ofKey.set(run.key, own.set(run.id, run));
    // What is in its way waits for the owner from now on.
    if (run.giver.kind === 'owner') this.#seats.look(agentOf(run.key));
  }

  /** They don't wait any more, and keep their place. One that has ended meanwhile is open no more. */
  #entered(runs: readonly RunState[]): void {
    for (const run of runs) {
      if (!this.#open.has(run.id)) continue;
      this.#open.set(run.id, run);
      this.#ofKey.get(run.key)?.set(run.id, run);
    }
  }

  /** For a call of a model outside of a run: see `Seats.take`. */
  seat(agent: string, giver: Giver, signal: AbortSignal): Promise<() => void> {
    return this.#seats.take(agent, () => giver, signal);
  }

  /** Whose seat a run takes: the owner's where words of the owner are in it, or wait behind it. */
  #for({ key, id }: Turn): Giver | null {
    const own = this.open(key);
    return own.find(({ giver }) => giver.kind === 'owner')?.giver ?? this.#open.get(id)?.giver ?? null;
  }

  open(key: SessionKey): readonly RunState[] {
    return [...(this.#ofKey.get(key)?.values() ?? [])];
  }

  /** The run in which what was said in `run` is being answered; `null`: it is none that joined. */
  into(run: RunId): RunId | null {
    for (const { turn } of this.#playing.values()) if (turn.joined.includes(run)) return turn.id;
    return null;
  }

  atWork(device: DeviceId): readonly RunState[] {
    const begun = [...this.#playing.values()].filter(({ isBegun }) => isBegun);
    const runs = begun.flatMap(({ turn }) => [turn.id, ...turn.joined].flatMap((id) => this.#open.get(id) ?? []));
    return runs.filter(({ giver }) => giver.kind === 'device' && giver.device === device);
  }

  /** Told of the end of a run, once; of `null` when the gateway ends before. */
  hear(run: RunId): { readonly ended: Promise<RunState | null>; close(): void } {
    const ears = this.#ears.get(run) ?? new Set();
    this.#ears.set(run, ears);
    let ear: (state: RunState | null) => void = () => {};
    const ended = new Promise<RunState | null>((resolve) => {
      ear = resolve;
    });
    ears.add(ear);
    return {
      ended,
      close: () => {
        ears.delete(ear);
        if (ears.size === 0 && this.#ears.get(run) === ears) this.#ears.delete(run);
      },
    };
  }

  // ---- what a lane says ----------------------------------------------------------------------------------------------------

  start(key: SessionKey, id: RunId, joining: readonly RunId[]): void {
    const run = this.#open.get(id);
    // What waits when the gateway ends begins at its next start.
    if (this.#isEnding || run === undefined) return;
    const { scribe, teller, lanes } = this.#tools;
    const turn = new Turn(run, joining, {
      ...this.#options,
      scribe,
      teller,
      summarizer: new Summarizer(scribe),
      boundary: () => (this.#isEnding ? [] : this.#standing(lanes.boundary(key), notAllowed)),
      entered: (runs) => this.#entered(runs),
      leave: (joined, end) => this.#dropped(joined, end),
    });
    const done = this.#play(turn).catch((error) => this.#options.diary.error('a run was not ended', error));
    this.#playing.set(id, { turn, done, isBegun: false });
  }

  stop(run: RunId): void {
    this.#playing.get(run)?.turn.stop('aborted');
  }

  drop(run: RunId): void {
    this.#dropped(run, { kind: 'aborted' });
  }

  /** It ends by itself, without a turn of its own. */
  #dropped(run: RunId, end: RunEnd): void {
    const done = this.#close(run, end, null).finally(() => this.#dropping.delete(run));
    this.#dropping.set(run, done);
    // Told to whoever waits for it.
    done.catch((error) => this.#options.diary.error('an end was not stored', error));
  }

  /** Once those that were told to stop have, and those that were dropped are stored as ended. */
  async over(key: SessionKey, run: RunId | null, dropped: readonly RunId[]): Promise<void> {
    const playing = [...this.#playing.values()].filter(
      ({ turn }) => turn.key === key && (run === null || turn.id === run),
    );
    await Promise.all([...playing.map(({ done }) => done), ...dropped.map((id) => this.#dropping.get(id))]);
  }

  // ---- runs ------------------------------------------------------------------------------------------------------------------

  async #play(turn: Turn): Promise<void> {
    const { lanes } = this.#tools;
    // Later than whoever sent it is answered.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      const outcome = await this.#worked(turn);
      if (outcome !== null) await this.#finish(turn, outcome);
    } finally {
      this.#playing.delete(turn.id);
      if (!this.#isEnding) lanes.ended(turn.key);
    }
  }

  /** `null`: it has not begun, and has ended or the gateway does. One that is stopped while it waits for a seat does without. */
  async #worked(turn: Turn): Promise<Outcome | null> {
    const leave = await this.#seats.take(agentOf(turn.key), () => this.#for(turn), turn.stopped);
    try {
      if (this.#isEnding) return null;
      if (this.#begins(turn)) return await turn.walk();
    } finally {
      leave();
    }
    await Promise.allSettled([...turn.joined, turn.id].map((id) => this.#dropping.get(id)));
    return null;
  }

  /**
   * False: nobody whose words are in it may talk any more. Nothing is waited for between the verdict and the mark: whoever
   * takes a giver's leave finds each of its runs begun, and names it, or it does not begin.
   */
  #begins(turn: Turn): boolean {
    const playing = this.#playing.get(turn.id);
    const aborted: RunEnd = { kind: 'aborted' };
    const ids = this.#standing([...turn.joined, turn.id], turn.stopped.aborted ? () => aborted : notAllowed);
    const lead = ids.at(-1);
    const run = lead === undefined ? undefined : this.#open.get(lead);
    if (playing === undefined || run === undefined) return false;
    if (run.id !== turn.id) {
      this.#playing.delete(turn.id);
      this.#playing.set(run.id, playing);
      this.#tools.lanes.lead(turn.key, run.id);
    }
    turn.regroup(run, ids.slice(0, -1));
    playing.isBegun = true;
    return true;
  }

  /** A12: those whose givers may talk now. The others end by themselves, and what was said in them is nowhere said. */
  #standing(runs: readonly RunId[], endOf: (giver: Giver) => RunEnd): readonly RunId[] {
    return runs.filter((id) => {
      const run = this.#open.get(id);
      if (run === undefined) return false;
      if (this.#options.mayTalk(run.giver)) return true;
      this.#dropped(id, endOf(run.giver));
      return false;
    });
  }

  /** Stored, then told. */
  async #finish(turn: Turn, { end, rows, taken, context, text, stop }: Outcome): Promise<void> {
    const { id: run, key, joined } = turn;
    const { teller } = this.#tools;
    const leaf = { rows, taken, ...(context === undefined ? {} : { context }) };
    teller.hold(run);
    try {
      const written = await this.#stored({ run, joined, end, ...leaf });
      teller.stored(run);
      teller.session({ key, reason: 'run', session: written.session, rows: written.rows });
      for (const state of written.runs) this.#over(state, text, stop);
    } catch (error) {
      this.#options.diary.error('the end of a run', error);
      // It is found open at the next start, and ended there.
      if (this.#isEnding) return;
      for (const id of [...joined, run]) await this.#close(id, conversationless(), null);
    }
  }

  /** An end that is refused as it is counted is stored once more, counted anew: its words are worth more than its counts. */
  async #stored(ending: Ending): ReturnType<Scribe['end']> {
    const { scribe } = this.#tools;
    try {
      return await this.#kept(() => scribe.end(ending));
    } catch (error) {
      if (this.#isEnding) throw error;
      this.#options.diary.error('the end of a run is stored once more', error);
      return this.#kept(() => scribe.end({ ...ending, ...recounted(ending) }));
    }
  }

  /** The gateway died while it ran: what it was saying is written down, then its end is told. */
  async interrupted(run: RunState): Promise<void> {
    const { scribe, teller } = this.#tools;
    const price = await priceSaid(this.#options, run.id);
    const closed = await this.#kept(() => scribe.interrupt(run.id, price));
    if (closed === null) return;
    const { run: state, written } = closed;
    if (written !== null) teller.session({ key: state.key, reason: 'run', ...written });
    const answer = await answerOf(this.#options.store, run.id);
    this.#over(state, answer?.text ?? null, 'interrupted');
  }

  /** Ends what runs as interrupted, in at most `graceMs`. What waits stays open. */
  async end(graceMs: number): Promise<void> {
    this.#isEnding = true;
    this.#wake();
    for (const { turn } of this.#playing.values()) turn.stop('interrupted');
    const all = Promise.allSettled([
      ...[...this.#playing.values()].map(({ done }) => done),
      ...this.#dropping.values(),
    ]);
    let cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(graceMs, resolve);
    });
    await Promise.race([all, late]);
    cancel();
    for (const ears of this.#ears.values()) for (const ear of ears) ear(null);
  }

  async #close(id: RunId, end: RunEnd, text: string | null): Promise<void> {
    const state = await this.#kept(() => this.#tools.scribe.close(id, end));
    if (state !== null) this.#over(state, text, end.kind);
  }

  #over(state: RunState, text: string | null, stop: string): void {
    this.#forget(state.id);
    this.#tools.teller.run(state.id, state.key, { kind: 'end', state, text, stop });
    for (const ear of this.#ears.get(state.id) ?? []) ear(state);
  }

  #forget(id: RunId): void {
    const run = this.#open.get(id);
    // One that the gateway died with was never expected.
    if (run === undefined) return;
    this.#open.delete(id);
    const own = this.#ofKey.get(run.key);
    own?.delete(id);
    if (own?.size === 0) this.#ofKey.delete(run.key);
    this.#tools.bounds.close(run.giver);
  }

  /** Until the disk has room: an end that isn't stored is none. */
  async #kept<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const passes = error instanceof Error && error.name === 'StoreUnavailable';
        if (!passes || this.#isEnding) throw error;
        this.#options.diary.error('the end of a run is not stored yet', error);
        await Promise.race([this.#woken, new Promise<void>((r) => void this.#options.clock.after(AGAIN_MS, r))]);
      }
    }
  }
}
