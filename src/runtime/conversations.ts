import type { DeviceId, Giver } from '../core/authz/principal.ts';
import type { Row } from '../core/conversation/row.ts';
import type { RunState } from '../core/conversation/run.ts';
import { agentOf, type SessionId, type SessionKey, type SessionState } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
import { answerOf } from './answer.ts';
import { type Content, known, lookAt } from './asking.ts';
import { booksOf } from './books.ts';
import { Bounds, dayOf, isBounded } from './bounds.ts';
import { compacted } from './compact.ts';
import { Keeper } from './keeper.ts';
import { Lanes } from './lanes.ts';
import type { AgentFacts, TalkOptions } from './options.ts';
import { Players } from './players.ts';
import { rosterOf, thinkerOf } from './roster.ts';
import {
  type Accepted,
  type Agent,
  type Books,
  type RefusedSend,
  type RunEvent,
  type Send,
  type Talk,
  TEXT_MAX,
  TextTooLarge,
  TooManySessions,
} from './runtime.ts';
import { type Acceptance, type Asked, Scribe, type SettingsChange } from './scribe.ts';
import { Teller } from './teller.ts';
import { waited } from './wait.ts';

export function openConversations(options: TalkOptions): Talk {
  return new StoredConversations(options);
}

class StoredConversations implements Talk {
  readonly #options: TalkOptions;
  readonly #scribe: Scribe;
  readonly #teller: Teller;
  readonly #lanes: Lanes;
  readonly #players: Players;
  readonly #bounds = new Bounds();
  readonly #keeper: Keeper;
  readonly books: Books;
  /** Commands that are being answered. */
  readonly #commands = new Map<RunId, Promise<unknown>>();
  /** Conversations whose contents are stored before they are. */
  readonly #fresh = new Set<SessionId>();
  readonly #ending = new AbortController();
  #phase: 'closed' | 'open' | 'stopping' = 'closed';

  constructor(options: TalkOptions) {
    this.#options = options;
    this.#scribe = new Scribe(options.store, options.clock);
    this.#teller = new Teller({
      clock: options.clock,
      diary: options.diary,
      keep: (pieces) => this.#scribe.say(pieces),
    });
    this.#lanes = new Lanes({
      start: (key, run, joining) => this.#players.start(key, run, joining),
      stop: (_, run) => this.#players.stop(run),
      drop: (_, run) => this.#players.drop(run),
    });
    this.#players = new Players(options, {
      scribe: this.#scribe,
      teller: this.#teller,
      lanes: this.#lanes,
      bounds: this.#bounds,
    });
    this.#keeper = new Keeper(options, {
      quiet: (key, work) => this.#quiet(key, work),
      gone: (key) => this.#teller.session({ key, reason: 'delete', session: null, rows: [] }),
      isFresh: (id) => this.#fresh.has(id),
    });
    this.books = booksOf(options, this.#keeper);
  }

  // ---- the life of it ------------------------------------------------------------------------------------------------------

  async start(): Promise<void> {
    const { store, diary, clock } = this.#options;
    const now = clock.now();
    // What was begun before this process counts as well.
    for (const giver of await store.read((tx) => tx.sessions.begunSince(dayOf(now)))) this.#bounds.rebegin(giver, now);
    const open = await store.read((tx) => tx.runs.open());
    for (const run of open.filter(({ startedAt }) => startedAt !== null)) {
      // It stays open, and is ended at the next start.
      await this.#players.interrupted(run).catch((error) => diary.error('a run stays without its end', error));
    }
    const waiting = open.filter(({ startedAt }) => startedAt === null);
    this.#phase = 'open';
    for (const [key, own] of Map.groupBy(waiting, (run) => run.key)) {
      // One lane that can't go on is no reason for which the others don't.
      await this.#resume(key, own).catch((error) => diary.error('a session that waited does not go on', error));
    }
  }

  async #resume(key: SessionKey, runs: readonly RunState[]): Promise<void> {
    for (const run of runs) {
      this.#bounds.reopen(run.giver);
      this.#players.expect(run);
    }
    const session = await this.session(key);
    this.#lanes.restore(
      key,
      runs.map((run) => ({ run: run.id, mode: this.#modeOf(run, session) })),
    );
  }

  async stop(graceMs: number): Promise<void> {
    this.#phase = 'stopping';
    this.#ending.abort();
    await this.#players.end(graceMs);
    this.#teller.end();
  }

  prune(): Promise<void> {
    return this.#keeper.prune();
  }

  /** In its turn nothing is accepted there; `false`: a run of it is open. */
  #quiet(key: SessionKey, work: () => Promise<boolean>): Promise<boolean> {
    return this.#lanes.inTurn(key, async () => this.#players.open(key).length === 0 && (await work()));
  }

  subscribe(listener: (event: RunEvent) => void): () => void {
    return this.#teller.subscribe(listener);
  }

  // ---- messages ------------------------------------------------------------------------------------------------------------

  async send(send: Send): Promise<Accepted | RefusedSend> {
    const looked = lookAt(send);
    if (!looked.ok) return looked.refused;
    const { asked, contents } = looked;
    const { key } = send;
    const earlier = (await this.#earlier(asked)) ?? this.#refusal(key);
    if (earlier !== null) return earlier;
    const { model } = send;
    if (model !== undefined && (await this.#options.models.of(model)) === null) return { code: 'unknown_model', model };
    return this.#lanes.inTurn(key, async () => {
      const refusal = this.#refusal(key);
      if (refusal !== null) return refusal;
      // Somebody may have sent the same meanwhile: that is known by the store alone.
      if (!this.#lanes.hasRoom(key) || !this.#bounds.open(asked.giver)) {
        return (await this.#earlier(asked)) ?? { code: 'lane_full' };
      }
      let isOpen = false;
      try {
        const accepted = await this.#within(asked, () => this.#accept(asked, contents));
        if (accepted === null) return { code: 'too_many_sessions' };
        if (accepted.kind === 'known') return known(accepted.run, asked);
        const { run, session } = accepted;
        isOpen = true;
        this.#players.expect(run);
        this.#created(accepted);
        this.#lanes.accept(key, run.id, this.#modeOf(run, session));
        return { run, again: false };
      } finally {
        if (!isOpen) this.#bounds.close(asked.giver);
      }
    });
  }

  /**
   * `null`: it would begin a conversation, and there is no room for one more of its giver today.
   * @param isReset it begins one also where there is a session
   */
  async #within<T extends { readonly created?: boolean }>(
    { key, giver }: Pick<Asked, 'key' | 'giver'>,
    work: () => Promise<T>,
    isReset = false,
  ): Promise<T | null> {
    if (!isBounded(giver) || (!isReset && (await this.session(key)) !== null)) return work();
    // Counted before it is there: many may be under way.
    if (!this.#bounds.begin(giver, this.#options.clock.now())) return null;
    let isBegun = false;
    try {
      const accepted = await work();
      isBegun = accepted.created === true;
      return accepted;
    } finally {
      if (!isBegun) this.#bounds.unbegin(giver);
    }
  }

  async command(send: Send, answer: () => Promise<string>): Promise<Accepted | RefusedSend> {
    const looked = lookAt(send);
    if (!looked.ok) return looked.refused;
    const { asked } = looked;
    for (;;) {
      const other = this.#commands.get(send.id);
      if (other === undefined) break;
      // What became of it is told to whoever sent it first.
      await other.catch(() => {});
    }
    const work = this.#answered(asked, answer);
    this.#commands.set(send.id, work);
    try {
      return await work;
    } finally {
      this.#commands.delete(send.id);
    }
  }

  async #answered(asked: Asked, answer: () => Promise<string>): Promise<Accepted | RefusedSend> {
    const earlier = (await this.#earlier(asked)) ?? this.#refusal(asked.key);
    if (earlier !== null) return earlier;
    let text = '';
    const written = await this.#within(asked, async () => {
      text = await answer();
      return this.#scribe.command(asked, text, this.#freshId());
    });
    if (written === null) return { code: 'too_many_sessions' };
    if (written.kind === 'known') return known(written.run, asked);
    const { run, session, rows = [] } = written;
    this.#created(written);
    this.#teller.session({ key: asked.key, reason: 'run', session, rows });
    this.#teller.run(run.id, asked.key, { kind: 'end', state: run, text, stop: 'stop' });
    return { run, again: false };
  }

  async #earlier(asked: Asked): Promise<Accepted | RefusedSend | null> {
    const run = await this.#options.store.read((tx) => tx.runs.load(asked.id));
    return run === null ? null : known(run, asked);
  }

  #refusal(key: SessionKey): RefusedSend | null {
    if (this.#phase === 'closed') return { code: 'not_running' };
    if (this.#phase === 'stopping') return { code: 'stopping' };
    return this.#agent(key) === null ? { code: 'unknown_agent', agent: agentOf(key) } : null;
  }

  /** What comes with it is on disk before it is. */
  async #accept(asked: Asked, enclosed: readonly Content[]): Promise<Acceptance> {
    const { contents } = this.#options;
    const id = (enclosed.length === 0 ? null : await this.session(asked.key))?.id ?? this.#freshId();
    this.#fresh.add(id);
    try {
      for (const { sha256, base64 } of enclosed) contents.put(id, sha256, base64);
      return await this.#scribe.accept(asked, id);
    } finally {
      this.#fresh.delete(id);
    }
  }

  #created({ session, created, kind }: Extract<Acceptance, { kind: 'new' }>): void {
    if (kind === 'new' && created) this.#teller.session({ key: session.key, reason: 'created', session, rows: [] });
  }

  // ---- runs ----------------------------------------------------------------------------------------------------------------

  wait(run: RunId, timeoutMs: number, left?: AbortSignal): Promise<RunState | null> {
    const load = () => this.#options.store.read((tx) => tx.runs.load(run));
    return waited({ clock: this.#options.clock, hear: () => this.#players.hear(run), load }, timeoutMs, left);
  }

  answer(run: RunId): Promise<{ readonly text: string; readonly model: string } | null> {
    return answerOf(this.#options.store, run);
  }

  async abort(key: SessionKey, run: RunId | null): Promise<readonly RunId[]> {
    // What was said in it is in another run by now.
    const meant = run === null ? null : (this.#players.into(run) ?? run);
    const ended = this.#lanes.abort(key, meant);
    await this.#players.over(key, meant, ended);
    return ended;
  }

  open(key: SessionKey): readonly RunState[] {
    return this.#players.open(key);
  }

  atWork(device: DeviceId): readonly RunState[] {
    return this.#players.atWork(device);
  }

  // ---- sessions --------------------------------------------------------------------------------------------------------------

  session(key: SessionKey): Promise<SessionState | null> {
    return this.#options.store.read((tx) => tx.sessions.load(key));
  }

  sessions(filter: { readonly agent?: string; readonly limit: number }): Promise<readonly SessionState[]> {
    return this.#options.store.read((tx) => tx.sessions.list(filter));
  }

  tail(key: SessionKey, limit: number, before?: number): Promise<readonly Row[]> {
    return this.#options.store.read(async (tx) => {
      const session = await tx.sessions.load(key);
      return session === null ? [] : tx.sessions.tail(session.id, limit, before);
    });
  }

  reset(key: SessionKey, giver: Giver): Promise<SessionState> {
    const work = async () => {
      await this.abort(key, null);
      const session = await this.#scribe.reset(key, giver, this.#freshId());
      this.#teller.session({ key, reason: 'reset', session, rows: [] });
      return { session, created: true };
    };
    return this.#lanes.inTurn(key, async () => {
      const begun = await this.#within({ key, giver }, work, true);
      if (begun === null) throw new TooManySessions();
      return begun.session;
    });
  }

  async patch(key: SessionKey, giver: Giver, settings: SettingsChange): ReturnType<Talk['patch']> {
    const { model } = settings;
    if (model != null && (await this.#options.models.of(model)) === null) return { code: 'unknown_model', model };
    return this.#lanes.inTurn(key, async () => {
      const work = () => this.#scribe.patch(key, giver, this.#freshId(), settings);
      const patched = await this.#within({ key, giver }, work);
      if (patched === null) return { code: 'too_many_sessions' };
      const { session, created } = patched;
      this.#teller.session({ key, reason: created ? 'created' : 'patch', session, rows: [] });
      return session;
    });
  }

  delete(key: SessionKey): Promise<boolean> {
    return this.#lanes.inTurn(key, async () => {
      await this.abort(key, null);
      const wasThere = await this.#scribe.drop(key);
      if (wasThere) this.#teller.session({ key, reason: 'delete', session: null, rows: [] });
      return wasThere;
    });
  }

  async compact(key: SessionKey, giver: Giver, stillMay: () => boolean): ReturnType<Talk['compact']> {
    if (this.#phase !== 'open') return { code: this.#phase === 'closed' ? 'not_running' : 'stopping' };
    const agent = this.#agent(key);
    const session = await this.session(key);
    if (agent === null || session === null) return false;
    const { signal } = this.#ending;
    const seat = await this.#players.seat(agent.id, giver, signal);
    if (!stillMay()) {
      seat();
      return { code: 'not_allowed' };
    }
    const work = compacted(this.#options, this.#scribe, { agent, session, signal });
    const written = await work.finally(seat);
    if (written !== null) this.#teller.session({ key, reason: 'compact', ...written });
    return written !== null;
  }

  async inject(key: SessionKey, giver: Giver, text: string, label: string | null): Promise<Row> {
    if (Buffer.byteLength(text) > TEXT_MAX) throw new TextTooLarge(`the message is larger than ${TEXT_MAX} bytes`);
    const body = { kind: 'note', text, label } as const;
    return this.#lanes.inTurn(key, async () => {
      const work = () => this.#scribe.inject(key, giver, this.#freshId(), body);
      const injected = await this.#within({ key, giver }, work);
      if (injected === null) throw new TooManySessions();
      const { row, rows, session, created } = injected;
      if (created) this.#teller.session({ key, reason: 'created', session, rows: [] });
      this.#teller.session({ key, reason: 'inject', session, rows });
      return row;
    });
  }

  // ---- agents ----------------------------------------------------------------------------------------------------------------

  agents(): Promise<readonly Agent[]> {
    return rosterOf(this.#options);
  }

  thinker(model: string): ReturnType<Talk['thinker']> {
    return thinkerOf(this.#options, model);
  }

  #agent(key: SessionKey): AgentFacts | null {
    return this.#options.agents().find(({ id }) => id === agentOf(key)) ?? null;
  }

  #modeOf({ ask, key }: RunState, session: SessionState | null) {
    return ask.mode ?? session?.settings.queue ?? this.#agent(key)?.queue ?? 'followup';
  }

  #freshId(): SessionId {
    return this.#options.newId() as SessionId;
  }
}
