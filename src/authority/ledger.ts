import type { Command, Effect, Reply, Step } from '../core/authz/command.ts';
import type { DeviceId, RequestId } from '../core/authz/principal.ts';
import { blankDevice, type DeviceState, nextEnd } from '../core/authz/state.ts';
import { step } from '../core/authz/step.ts';
import type { End, Instant } from '../core/base/instant.ts';
import { isForgettable, StaleRevision, type Store, type StoredChange, type WriteTx } from '../store/store.ts';
import { Committer } from './commit.ts';

/** What the ledger needs of the world. */
export interface LedgerWorld {
  readonly store: Store;
  now(): Instant;
  /** A new, unguessable id. */
  freshId(): string;
  /** Sets a timer that fires once; returns its cancellation. `delayMs` ≥ 0. */
  after(delayMs: number, run: () => void): () => void;
}

/** What is told of a change, after its commit. */
export type Tidings =
  | Extract<Effect, { readonly kind: `tell.${string}` }>
  /** A17: what was recorded, under its id; before what comes of it. */
  | { readonly kind: 'tell.change'; readonly change: StoredChange };

/** Told after the commit and before the command's reply, in the order of the effects (A8, A9). */
export type Listener = (tidings: Tidings) => void;

export interface Decided {
  readonly reply: Reply;
  readonly state: DeviceState;
  /** As it stood in the committing transaction, before the decision. */
  readonly before: DeviceState;
  /** Ids of the changes recorded (A17); empty when nothing changed. */
  readonly changes: readonly string[];
  /** False where the decision holds but what it would have asked could not be stored (A4). */
  readonly stored: boolean;
}

/** Aggregates as the commands of one commit leave them, before the commit is known to stand. */
type Pending = Map<DeviceId, DeviceState>;

/** One command's work inside a commit. */
export interface Draft {
  /** Its own saves. */
  readonly devices: Pending;
  /** Those of the commands before it in the same commit. */
  readonly pending: Pending;
  readonly told: Tidings[];
  readonly changes: string[];
  /** What the first command of the work was judged by. */
  before: DeviceState | null;
}

/** A timer never sleeps longer: a changed wall clock is noticed within this. */
const SLEEP_MAX_MS = 30_000;
/** A pause between attempts while the store refuses. */
const SLEEP_MIN_MS = 20;

/**
 * The aggregates in memory and the one way by which they change: load → step → save → effects, committed in groups.
 * What is stored comes before what is told; what is told comes before the reply.
 */
export class Ledger {
  readonly #world: LedgerWorld;
  readonly #devices = new Map<DeviceId, DeviceState>();
  readonly #listeners = new Set<Listener>();
  readonly #committer: Committer<Pending>;
  #cancelSleep: (() => void) | null = null;
  #wakeAt: Instant = 0;
  #closed = false;

  private constructor(world: LedgerWorld) {
    this.#world = world;
    this.#committer = new Committer<Pending>(
      world.store,
      () => new Map(),
      (pending) => {
        for (const state of pending.values()) this.#keep(state);
      },
    );
  }

  /** Reads every aggregate once. Memory: about 2 kB a device. */
  static async open(world: LedgerWorld): Promise<Ledger> {
    const ledger = new Ledger(world);
    for (const state of await world.store.read((tx) => tx.devices.list())) ledger.#keep(state);
    await ledger.tick();
    return ledger;
  }

  close(): void {
    this.#closed = true;
    this.#cancelSleep?.();
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The aggregate as it stands; `null`: nothing is known of the key. */
  peek(device: DeviceId): DeviceState | null {
    return this.#devices.get(device) ?? null;
  }

  devices(): readonly DeviceState[] {
    return [...this.#devices.values()];
  }

  /** A key of which nothing is left to know is forgotten, as the store forgets it. */
  #keep(state: DeviceState): void {
    if (isForgettable(state)) this.#devices.delete(state.device);
    else this.#devices.set(state.device, state);
  }

  /** What the commands of this commit have left of a device so far. */
  load(draft: Draft, device: DeviceId): DeviceState | null {
    return draft.devices.get(device) ?? draft.pending.get(device) ?? this.peek(device);
  }

  /** Runs `work` in the next commit. `urgent`: takes authority away, so it may use the room kept for that (A17). */
  async commit(work: (tx: WriteTx, draft: Draft) => Promise<Step>, urgent = false): Promise<Decided> {
    const { result, draft } = await this.#committer.run(async (tx, pending) => {
      const draft: Draft = { devices: new Map(), pending, told: [], changes: [], before: null };
      const result = await work(tx, draft);
      for (const [device, state] of draft.devices) pending.set(device, state);
      return { result, draft };
    }, urgent);
    for (const tidings of draft.told) for (const listener of this.#listeners) listener(tidings);
    for (const state of draft.devices.values()) this.#wakeFor(nextEnd(state));
    const { reply, state } = result;
    return { reply, state, before: draft.before ?? state, changes: draft.changes, stored: true };
  }

  /** Work of a commit that is no step of a device: the making of a code. */
  write<T>(work: (tx: WriteTx, load: (device: DeviceId) => DeviceState | null) => Promise<T>): Promise<T> {
    return this.#committer.run((tx, pending) => work(tx, (device) => pending.get(device) ?? this.peek(device)));
  }

  /** One step, saved by compare-and-set, its effects carried out or kept to be told. */
  async apply(
    tx: WriteTx,
    draft: Draft,
    device: DeviceId,
    key: string,
    make: (seq: number, fresh: RequestId) => Command,
  ): Promise<Step> {
    const state = this.load(draft, device) ?? blankDevice(device, key);
    draft.before ??= state;
    const fresh = this.#world.freshId() as RequestId;
    const trial = step(state, make(0, fresh));
    if (trial.state === state) return trial;
    // The order number is taken only for what changes something.
    const result = step(state, make(await tx.nextSeq(), fresh));
    for (const effect of result.effects) await this.#carry(tx, draft, effect, result.state);
    await tx.devices.save(result.state, state.revision);
    if (isForgettable(result.state)) await tx.devices.drop(device, result.state.revision);
    draft.devices.set(device, result.state);
    return result;
  }

  async #carry(tx: WriteTx, draft: Draft, effect: Effect, state: DeviceState): Promise<void> {
    switch (effect.kind) {
      case 'store.change': {
        const id = await tx.changes.add(effect.change);
        draft.changes.push(id);
        draft.told.push({ kind: 'tell.change', change: { ...effect.change, id } });
        return;
      }
      case 'store.code.used': {
        const code = await tx.codes.load(effect.code);
        if (code === null) throw new StaleRevision('the setup code');
        return tx.codes.save({ ...code, usedBy: effect.device, revision: code.revision + 1 }, code.revision);
      }
      case 'store.codes.ended':
        return tx.codes.endBy(effect.maker);
      case 'store.evict': {
        const { role, id } = effect;
        await this.apply(tx, draft, effect.device, '', (seq, fresh) => ({
          kind: 'evict',
          at: this.#world.now(),
          seq,
          fresh,
          role,
          id,
        }));
        return;
      }
      case 'tell.request.opened':
        if (state.roles[effect.role].grant === null) await tx.devices.countAsk(effect.request.openedAt);
        break;
      case 'tell.request.closed':
        await tx.devices.close(effect.request.id, effect.outcome, this.#world.now());
        break;
      case 'tell.grant':
        break;
    }
    draft.told.push(effect);
  }

  // ---- time ---------------------------------------------------------------------------------------------------------

  /** A20: writes what time has ended, and sleeps until the next end. */
  async tick(): Promise<void> {
    this.#cancelSleep?.();
    this.#cancelSleep = null;
    if (this.#closed) return;
    const now = this.#world.now();
    const due = this.devices().filter((d) => (nextEnd(d) ?? Number.POSITIVE_INFINITY) <= now);
    try {
      await Promise.all(due.map((d) => this.#end(d.device)));
    } catch {
      // A store that can't be written now is tried again: an end counts from its instant, written or not.
    }
    this.#wakeAt = Number.POSITIVE_INFINITY;
    this.#wakeFor(this.#world.now() + SLEEP_MAX_MS);
    for (const d of this.#devices.values()) this.#wakeFor(nextEnd(d));
  }

  #end(device: DeviceId): Promise<Decided> {
    return this.commit(
      (tx, draft) =>
        this.apply(tx, draft, device, '', (seq, fresh) => ({ kind: 'tick', at: this.#world.now(), seq, fresh })),
      true,
    );
  }

  #wakeFor(end: End): void {
    if (this.#closed || end === null || end >= this.#wakeAt) return;
    this.#wakeAt = end;
    this.#cancelSleep?.();
    // An end far ahead may be one by a clock that was set back meanwhile: no end behind it waits for that.
    const delayMs = Math.min(Math.max(end - this.#world.now() + 1, SLEEP_MIN_MS), SLEEP_MAX_MS);
    this.#cancelSleep = this.#world.after(delayMs, () => void this.tick());
  }
}
