import type { Giver } from '../core/authz/principal.ts';
import type { Instant } from '../core/base/instant.ts';
import type { Row, RowBody } from '../core/conversation/row.ts';
import { isOver, type RunAsk, type RunEnd, type RunState } from '../core/conversation/run.ts';
import {
  added,
  agentOf,
  NO_USAGE,
  plus,
  type SessionId,
  type SessionKey,
  type SessionSettings,
  type SessionState,
  type Usage,
} from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
import type { Store, WriteTx } from '../store/store.ts';
import type { Clock } from '../system/clock.ts';
import type { Price } from './model/model.ts';
import { Page, pageOf } from './page.ts';
import { microsOf } from './said-price.ts';

/** What was taken since it was last written down. */
export interface Taken {
  readonly usage: Usage;
  /** In millionths of a dollar; `null`: the price isn't known. */
  readonly costMicros: number | null;
}

export const NOTHING_TAKEN: Taken = { usage: NO_USAGE, costMicros: 0 };

export function together(a: Taken, b: Taken): Taken {
  const costMicros = a.costMicros === null || b.costMicros === null ? null : added(a.costMicros, b.costMicros);
  return { usage: plus(a.usage, b.usage), costMicros };
}

export interface Asked {
  readonly id: RunId;
  readonly key: SessionKey;
  readonly giver: Giver;
  readonly ask: RunAsk;
  readonly fingerprint: string;
}

/** What was written, as it is now. */
export interface Written {
  readonly session: SessionState;
  readonly rows: readonly Row[];
}

/** What a step or an end adds. */
export interface Leaf {
  readonly rows: readonly RowBody[];
  readonly taken: Taken;
  /** What the call of the model took in, in tokens; absent: as it was. */
  readonly context?: number;
}

/** Runs that end as one, the one that ran last. */
export interface Ending extends Leaf {
  readonly run: RunId;
  /** Those whose words it took in. */
  readonly joined: readonly RunId[];
  readonly end: RunEnd;
}

/** What a run says, and is about to be told. */
export interface Piece {
  readonly run: RunId;
  /** `provider/model`: who says it. */
  readonly model: string;
  readonly text: string;
}

export type Acceptance =
  | { readonly kind: 'new'; readonly run: RunState; readonly session: SessionState; readonly created: boolean }
  | { readonly kind: 'known'; readonly run: RunState; readonly created?: false };

/**
 * Writes conversations and runs down: each of its calls is one transaction, which loads what it changes. Transactions are
 * serial, so a transcript has one writer at a time and its rows no gap.
 */
export class Scribe {
  readonly #store: Store;
  readonly #clock: Clock;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** @param fresh the id of the conversation where none has begun yet */
  accept({ id, key, giver, ask, fingerprint }: Asked, fresh: SessionId): Promise<Acceptance> {
    return this.#store.write(async (tx) => {
      const known = await tx.runs.load(id);
      if (known !== null) return { kind: 'known', run: known };
      const at = this.#clock.now();
      const { session, created } = await sessionFor(tx, { key, giver, fresh, at });
      const run = runOf({ id, key, giver, ask, fingerprint }, session.id, at);
      await tx.runs.save(run, 0);
      return { kind: 'new', run, session, created };
    });
  }

  /** A message that was answered without a run of its own: both of it in one row. */
  command(asked: Asked, answer: string, fresh: SessionId): Promise<Acceptance & { readonly rows?: readonly Row[] }> {
    return this.#store.write(async (tx) => {
      const known = await tx.runs.load(asked.id);
      if (known !== null) return { kind: 'known', run: known };
      const at = this.#clock.now();
      const { session, created } = await sessionFor(tx, { key: asked.key, giver: asked.giver, fresh, at });
      const begun = runOf(asked, session.id, at);
      const run: RunState = { ...begun, startedAt: at, endedAt: at, end: { kind: 'ok' } };
      await tx.runs.save(run, 0);
      const page = new Page(tx, session, at);
      const { text, from } = asked.ask;
      await page.add(asked.id, { kind: 'command', text, from, answer });
      return { kind: 'new', run, session: await page.save({}), created, rows: page.rows };
    });
  }

  /** Writes down what was said in runs that begin, or that join one. */
  enter(runs: readonly RunId[]): Promise<Written & { readonly runs: readonly RunState[] }> {
    return this.#store.write(async (tx) => {
      const at = this.#clock.now();
      const page = await pageOf(tx, await loaded(tx, runs.at(-1)), at);
      const entered: RunState[] = [];
      for (const id of runs) entered.push(await enter(tx, page, id));
      return { session: await page.save({ lastRun: runs.at(-1) ?? null }), rows: page.rows, runs: entered };
    });
  }

  /** What runs are saying, before it is told. What one that has ended would say is left out. */
  say(pieces: readonly Piece[]): Promise<void> {
    return this.#store.write(async (tx) => {
      for (const { run, ...more } of pieces) await tx.runs.say(run, more);
    });
  }

  /** A step has ended, and the run goes on. */
  step(run: RunId, leaf: Leaf): Promise<Written & { readonly run: RunState }> {
    return this.#store.write(async (tx) => {
      const at = this.#clock.now();
      const state = await loaded(tx, run);
      const page = await pageOf(tx, state, at);
      for (const body of leaf.rows) await page.add(run, body);
      await tx.runs.said(run);
      const next = await saveRun(tx, state, taking(state, leaf.taken));
      return { session: await page.save(leafOf(page.session, leaf)), rows: page.rows, run: next };
    });
  }

  /** What was taken by a call that came to nothing. */
  take(run: RunId, taken: Taken): Promise<RunState> {
    return this.#store.write(async (tx) => {
      const state = await loaded(tx, run);
      return saveRun(tx, state, taking(state, taken));
    });
  }

  /** The end of a run and of those that joined it; what had not been written down of what was said in them is. */
  end({ run, joined, end, ...leaf }: Ending): Promise<Written & { readonly runs: readonly RunState[] }> {
    return this.#store.write(async (tx) => {
      const at = this.#clock.now();
      const page = await pageOf(tx, await loaded(tx, run), at);
      for (const id of [...joined, run]) await enter(tx, page, id);
      for (const body of leaf.rows) await page.add(run, body);
      const runs: RunState[] = [];
      for (const id of joined) {
        const state = await loaded(tx, id);
        if (isOver(state)) continue;
        runs.push(await saveRun(tx, state, { endedAt: at, end: { kind: 'joined', into: run } }));
      }
      const state = await loaded(tx, run);
      if (isOver(state)) throw new Error('a run ends once');
      runs.push(await saveRun(tx, state, { ...taking(state, leaf.taken), endedAt: at, end }));
      return { session: await page.save({ ...leafOf(page.session, leaf), lastRun: run }), rows: page.rows, runs };
    });
  }

  /** A run that never began, or of which nothing more will come: its end alone. `null`: it had ended. */
  close(run: RunId, end: RunEnd): Promise<RunState | null> {
    return this.#store.write(async (tx) => {
      const state = await loaded(tx, run);
      return isOver(state) ? null : saveRun(tx, state, { endedAt: this.#clock.now(), end });
    });
  }

  /**
   * The end of a run with which the gateway died: what it was saying becomes its last row. What that took is not known, and
   * is reckoned as of a call that was stopped. `null`: it had ended.
   * @param price of the model that was saying it; `null`: unknown
   */
  interrupt(
    run: RunId,
    price: Price | null,
  ): Promise<{ readonly run: RunState; readonly written: Written | null } | null> {
    return this.#store.write(async (tx) => {
      const at = this.#clock.now();
      const state = await loaded(tx, run);
      if (isOver(state)) return null;
      const end = { endedAt: at, end: { kind: 'interrupted' } } as const;
      const saying = await tx.runs.saying(run);
      const session = await tx.sessions.load(state.key);
      if (saying === null || saying.text === '' || session?.id !== state.session) {
        return { run: await saveRun(tx, state, end), written: null };
      }
      const { model, text } = saying;
      const usage = { ...NO_USAGE, input: session.context, output: Math.ceil(text.length / 4) };
      const taken: Taken = { usage, costMicros: microsOf(usage, price) };
      const page = new Page(tx, session, at);
      await page.add(run, { kind: 'assistant', text, calls: [], model, usage, stop: 'partial' });
      const next = await saveRun(tx, state, { ...taking(state, taken), ...end });
      return {
        run: next,
        written: { session: await page.save(leafOf(session, { rows: [], taken })), rows: page.rows },
      };
    });
  }

  /** `null`: what it sums up is summed up already, or the conversation is over. */
  summarize(session: SessionState, body: Extract<RowBody, { kind: 'summary' }>, run: RunId | null) {
    return this.#store.write(async (tx): Promise<Written | null> => {
      const now = await tx.sessions.load(session.key);
      if (now === null || now.id !== session.id || now.compacted >= body.through) return null;
      const page = new Page(tx, now, this.#clock.now());
      await page.add(run, body);
      return { session: await page.save({ compacted: body.through, context: 0 }), rows: page.rows };
    });
  }

  /** What was taken outside of a run, kept as one that has ended: the day's bound counts it. */
  spend(id: RunId, session: SessionState, taken: Taken, text: string): Promise<void> {
    return this.#store.write(async (tx) => {
      const at = this.#clock.now();
      const ask: RunAsk = { text, from: { kind: 'gateway', name: null }, attachments: [] };
      const run = runOf({ id, key: session.key, giver: session.giver, ask, fingerprint: '' }, session.id, at);
      const { usage, costMicros } = taken;
      await tx.runs.save({ ...run, startedAt: at, endedAt: at, end: { kind: 'ok' }, usage, costMicros }, 0);
    });
  }

  /** Another conversation under the key. */
  reset(key: SessionKey, giver: Giver, fresh: SessionId): Promise<SessionState> {
    return this.#store.write(async (tx) => {
      const at = this.#clock.now();
      const old = await tx.sessions.load(key);
      if (old === null) return (await sessionFor(tx, { key, giver, fresh, at })).session;
      const next: SessionState = {
        ...begun(key, giver, fresh, at),
        settings: old.settings,
        revision: old.revision + 1,
      };
      await tx.sessions.save(next, old.revision);
      return next;
    });
  }

  patch(
    key: SessionKey,
    giver: Giver,
    fresh: SessionId,
    change: SettingsChange,
  ): Promise<{ readonly session: SessionState; readonly created: boolean }> {
    return this.#store.write(async (tx) => {
      const at = this.#clock.now();
      const { session, created } = await sessionFor(tx, { key, giver, fresh, at });
      const merged = Object.entries({ ...session.settings, ...change }).filter(([, value]) => value != null);
      const settings = Object.fromEntries(merged) as SessionSettings;
      return { session: await new Page(tx, session, at).save({ settings }), created };
    });
  }

  inject(
    key: SessionKey,
    giver: Giver,
    fresh: SessionId,
    body: RowBody,
  ): Promise<Written & { readonly row: Row; readonly created: boolean }> {
    return this.#store.write(async (tx) => {
      const at = this.#clock.now();
      const { session, created } = await sessionFor(tx, { key, giver, fresh, at });
      const page = new Page(tx, session, at);
      const row = await page.add(null, body);
      return { row, rows: page.rows, session: await page.save({}), created };
    });
  }

  /** False: there was none. */
  drop(key: SessionKey): Promise<boolean> {
    return this.#store.write(async (tx) => {
      const session = await tx.sessions.load(key);
      if (session === null) return false;
      await tx.sessions.drop(key, session.revision);
      return true;
    });
  }
}

export type SettingsChange = { readonly [K in keyof SessionSettings]: SessionSettings[K] | null };

async function loaded(tx: WriteTx, id: RunId | undefined): Promise<RunState> {
  const run = id === undefined ? null : await tx.runs.load(id);
  if (run === null) throw new Error('a run that was accepted is gone');
  return run;
}

async function saveRun(tx: WriteTx, run: RunState, change: Partial<RunState>): Promise<RunState> {
  const next = { ...run, ...change, revision: run.revision + 1 };
  await tx.runs.save(next, run.revision);
  return next;
}

/** Once, however often it is tried. */
async function enter(tx: WriteTx, page: Page, id: RunId): Promise<RunState> {
  const run = await loaded(tx, id);
  if (run.startedAt !== null) return run;
  const { text, from, attachments } = run.ask;
  const row = await page.add(id, { kind: 'user', text, from, attachments });
  return saveRun(tx, run, { startedAt: row.at });
}

async function sessionFor(
  tx: WriteTx,
  { key, giver, fresh, at }: { key: SessionKey; giver: Giver; fresh: SessionId; at: Instant },
): Promise<{ readonly session: SessionState; readonly created: boolean }> {
  const there = await tx.sessions.load(key);
  if (there !== null) return { session: there, created: false };
  const session = begun(key, giver, fresh, at);
  await tx.sessions.save(session, 0);
  return { session, created: true };
}

function begun(key: SessionKey, giver: Giver, id: SessionId, at: Instant): SessionState {
  return {
    key,
    id,
    agent: agentOf(key),
    giver,
    createdAt: at,
    updatedAt: at,
    settings: {},
    rows: 0,
    compacted: 0,
    usage: NO_USAGE,
    context: 0,
    lastRun: null,
    revision: 1,
  };
}

function runOf({ id, key, giver, ask, fingerprint }: Asked, session: SessionId, at: Instant): RunState {
  return {
    id,
    key,
    session,
    giver,
    ask,
    fingerprint,
    acceptedAt: at,
    startedAt: null,
    endedAt: null,
    end: null,
    usage: NO_USAGE,
    costMicros: 0,
    revision: 1,
  };
}

function taking(run: RunState, taken: Taken): Pick<RunState, 'usage' | 'costMicros'> {
  return together(run, taken);
}

function leafOf(session: SessionState, { taken, context }: Leaf): Partial<SessionState> {
  return { usage: plus(session.usage, taken.usage), ...(context === undefined ? {} : { context }) };
}
