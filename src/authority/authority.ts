import type { CodeFact, Command, Connect, Effect, Outcome, Refusal, Reply, Room, Step } from '../core/authz/command.ts';
import {
  canGive,
  decideKeyless,
  effective,
  type Denial,
  type Facts,
  heldBy,
  holds,
  makeCode,
  maySeeScopes,
  maySee,
  mayCall,
  type Need,
} from '../core/authz/decide.ts';
import type { CodeId, DeviceId, Giver, Principal, RequestId } from '../core/authz/principal.ts';
import { ADMIN, type Held, reported, type Role, type Scope } from '../core/authz/scope.ts';
import { step } from '../core/authz/step.ts';
import { blankDevice, type CodeState, type DeviceState, nextEnd } from '../core/authz/state.ts';
import type { End, Instant } from '../core/base/instant.ts';
import { err, ok, type Result } from '../core/base/result.ts';
import { StaleRevision, type Store, type WriteTx } from '../store/store.ts';
import { Committer } from './commit.ts';

/** What authority needs of the world, given by the composition root. */
export interface World {
  readonly store: Store;
  now(): Instant;
  /** A new request id, code or decision id: unguessable. */
  freshId(): string;
  /** A13: the shared secret's grant, read live. */
  secretScopes(): readonly Scope[];
  /** A15: requests that a socket waits at now; they are not evicted. */
  waitedAt(): ReadonlySet<RequestId>;
  /** Sets a timer that fires once; returns its cancellation. `delayMs` ≥ 0. */
  after(delayMs: number, run: () => void): () => void;
}

/** Told after the commit and before the command's reply, in the order of the effects (A8, A9). */
export type Listener = (
  effect: Extract<Effect, { readonly kind: `tell.${string}` }>,
  outcome: { readonly by: Principal | null },
) => void;

/** What a verified connect brings; the rest of `Connect` is looked up here, in the committing transaction. */
export type ConnectInput = Omit<Connect, 'kind' | 'at' | 'seq' | 'fresh' | 'secretScopes' | 'code' | 'room'> & {
  readonly device: DeviceId;
  readonly key: string;
  readonly code: CodeId | null;
};

export interface Decided {
  readonly reply: Reply;
  readonly state: DeviceState;
  /** Ids of the changes recorded (A17); empty when nothing changed. */
  readonly changes: readonly string[];
  /** False where the decision holds but what it would have asked could not be stored (A4). */
  readonly stored: boolean;
}

/** A decision about a device that exists; the rest of the command is added here. */
export type DecisionInput =
  | { readonly kind: 'approve'; readonly id: RequestId; readonly scopes: readonly Scope[] | null; readonly until: End }
  | { readonly kind: 'reject'; readonly id: RequestId }
  | { readonly kind: 'narrow'; readonly role: Role; readonly scopes: readonly Scope[] }
  | { readonly kind: 'rotate'; readonly role: Role; readonly scopes: readonly Scope[] | null }
  | { readonly kind: 'revoke'; readonly role: Role }
  | { readonly kind: 'remove' }
  | { readonly kind: 'ensure'; readonly role: Role; readonly scopes: readonly Held[] }
  | { readonly kind: 'rename'; readonly name: string | null };

/** Aggregates as the commands of one commit leave them, before the commit is known to stand. */
type Pending = Map<DeviceId, DeviceState>;

/** One command's work inside a commit. */
interface Draft {
  /** Its own saves. */
  readonly devices: Pending;
  /** Those of the commands before it in the same commit. */
  readonly pending: Pending;
  readonly told: Extract<Effect, { readonly kind: `tell.${string}` }>[];
  readonly changes: string[];
}

/** Load → step → save → effects. The only caller of `step`, and the one holder of the aggregates in memory. */
export class Authority {
  readonly #world: World;
  readonly #devices = new Map<DeviceId, DeviceState>();
  readonly #listeners = new Set<Listener>();
  readonly #committer: Committer<Pending>;
  #cancelTick: (() => void) | null = null;
  #wakeAt: Instant = 0;
  #closed = false;

  private constructor(world: World) {
    this.#world = world;
    this.#committer = new Committer<Pending>(
      world.store,
      () => new Map(),
      (pending) => {
        for (const [device, state] of pending) this.#devices.set(device, state);
      },
    );
  }

  /** Reads every aggregate once. Memory: about 2 kB a device. */
  static async open(world: World): Promise<Authority> {
    const authority = new Authority(world);
    const all = await world.store.read((tx) => tx.devices.list());
    for (const d of all) authority.#devices.set(d.device, d);
    await authority.tick();
    return authority;
  }

  close(): void {
    this.#closed = true;
    this.#cancelTick?.();
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // ---- verdicts: no write, no wait ----------------------------------------------------------------------------------

  /** The aggregate as it stands; `null`: nothing is known of the key. */
  peek(device: DeviceId): DeviceState | null {
    return this.#devices.get(device) ?? null;
  }

  devices(): readonly DeviceState[] {
    return [...this.#devices.values()];
  }

  facts(principal: Principal): Facts {
    const self = principal.kind === 'device' ? (this.#devices.get(principal.device) ?? null) : null;
    return { self, secretScopes: this.#world.secretScopes() };
  }

  mayCall(principal: Principal, need: Need): Result<null, Denial> {
    return mayCall(principal, this.facts(principal), need, this.#world.now());
  }

  maySee(principal: Principal, scope: Scope | 'none'): boolean {
    return maySee(principal, this.facts(principal), scope, this.#world.now());
  }

  holds(principal: Principal, scope: Scope): boolean {
    return holds(principal, this.facts(principal), scope, this.#world.now()) !== undefined;
  }

  decider(principal: Principal): { readonly principal: Principal; readonly held: readonly Held[] } {
    return { principal, held: heldBy(principal, this.facts(principal), this.#world.now()) };
  }

  /** A7: could this principal decide about an ask for `scopes`? */
  couldDecide(principal: Principal, role: Role, scopes: readonly Scope[]): boolean {
    return canGive(
      this.decider(principal),
      role,
      scopes.map((scope) => ({ scope, until: null })),
      'aside',
    );
  }

  isAdmin(principal: Principal): boolean {
    return this.holds(principal, ADMIN);
  }

  /** A7: does a decider see this row of the device: its own, or one that it could decide? */
  sees(principal: Principal, state: DeviceState, role: Role, scopes: readonly Scope[]): boolean {
    return maySeeScopes(this.decider(principal), state, role, scopes);
  }

  /** A1: what a session is told that it holds now. */
  reportedTo(principal: Principal): readonly Scope[] {
    const at = this.#world.now();
    const facts = this.facts(principal);
    if (principal.kind === 'device') {
      return facts.self === null ? [] : effective(facts.self.roles[principal.role], principal.asked, at);
    }
    if (principal.kind === 'secret') return reported(principal.asked, facts.secretScopes);
    return heldBy(principal, facts, at).map((h) => h.scope);
  }

  /** What became of a request that is no longer open. */
  past(id: RequestId): Promise<Outcome | null> {
    return this.#world.store.read((tx) => tx.devices.past(id));
  }

  keyless(c: Parameters<typeof decideKeyless>[0]): Result<null, Refusal> {
    return decideKeyless(c);
  }

  // ---- connecting ---------------------------------------------------------------------------------------------------

  /** A1–A8, A13–A15 for a verified key. A connect that changes nothing touches no store at all (A4, A6). */
  async connect(input: ConnectInput): Promise<Decided> {
    const { device, key } = input;
    if (input.code === null) {
      const state = this.#devices.get(device) ?? blankDevice(device, key);
      const now = step(state, this.#connectCommand(input, null, NO_ROOM, 0, PROVISIONAL));
      if (now.state === state && !now.effects.some((e) => e.kind.startsWith('store.'))) {
        return { reply: now.reply, state, changes: [], stored: true };
      }
    }
    try {
      return await this.#commit(null, async (tx, draft) => {
        const code = input.code === null ? null : await this.#codeFact(tx, draft, input.code);
        const room = await tx.devices.room(input.source, this.#world.now(), this.#world.waitedAt());
        return this.#apply(tx, draft, device, key, (seq, fresh) => this.#connectCommand(input, code, room, seq, fresh));
      });
    } catch (error) {
      return this.#connectUnstored(input, error);
    }
  }

  /** A4: a granted key connects on a full disk too; what it would have asked is left out, and that is said. */
  #connectUnstored(input: ConnectInput, error: unknown): Decided {
    const state = this.#devices.get(input.device);
    if (state === undefined || state.roles[input.role].grant === null) throw error;
    const { reply } = step(state, this.#connectCommand({ ...input, code: null }, null, NO_ROOM, 0, PROVISIONAL));
    return {
      reply: reply.kind === 'connected' ? { ...reply, request: null } : reply,
      state,
      changes: [],
      stored: false,
    };
  }

  #connectCommand(input: ConnectInput, code: CodeFact | null, room: Room, seq: number, fresh: RequestId): Connect {
    const { device: _device, key: _key, ...facts } = input;
    return {
      ...facts,
      kind: 'connect',
      at: this.#world.now(),
      seq,
      fresh,
      code,
      room,
      secretScopes: this.#world.secretScopes(),
    };
  }

  async #codeFact(tx: WriteTx, draft: Draft, id: CodeId): Promise<CodeFact | null> {
    const state = await tx.codes.load(id);
    return state === null ? null : { state, maker: this.#makerHolds(draft, state.maker) };
  }

  /** A14: what a code's maker holds now, whatever its session asked for then. */
  #makerHolds(draft: Draft, maker: Giver): readonly Held[] {
    const at = this.#world.now();
    const secretScopes = this.#world.secretScopes();
    if (maker.kind === 'owner') return heldBy({ kind: 'owner' }, { self: null, secretScopes }, at);
    if (maker.kind === 'secret') return heldBy({ kind: 'secret', asked: null }, { self: null, secretScopes }, at);
    if (maker.kind !== 'device') return [];
    const self = this.#load(draft, maker.device);
    return heldBy({ kind: 'device', device: maker.device, role: 'operator', asked: null }, { self, secretScopes }, at);
  }

  /** `device.scopes.requestUpgrade` by a session of the device itself (A5). */
  upgrade(
    principal: Principal & { readonly kind: 'device' },
    ask: Pick<Connect, 'source' | 'label'> & { readonly scopes: readonly Scope[] },
  ): Promise<Decided> {
    return this.#commit(principal, (tx, draft) =>
      this.#apply(tx, draft, principal.device, '', (seq, fresh) => ({
        kind: 'upgrade',
        at: this.#world.now(),
        seq,
        fresh,
        role: principal.role,
        ...ask,
      })),
    );
  }

  // ---- deciding -----------------------------------------------------------------------------------------------------

  /**
   * One decision. `device` is the one it is about; approve and reject find it by the id they name. `key` is needed
   * where the device may be unknown yet (ensure).
   */
  decide(principal: Principal, input: DecisionInput, device: DeviceId | null, key = ''): Promise<Decided> {
    return this.#commit(principal, async (tx, draft) => {
      const named = input.kind === 'approve' || input.kind === 'reject' ? await tx.devices.find(input.id) : null;
      const past = named === null && 'id' in input ? await tx.devices.past(input.id) : null;
      const subject = device ?? named?.device ?? NOBODY;
      return this.#apply(tx, draft, subject, key, (seq, fresh) =>
        this.#decision(draft, principal, input, past, seq, fresh),
      );
    });
  }

  #decision(
    draft: Draft,
    principal: Principal,
    input: DecisionInput,
    past: Outcome | null,
    seq: number,
    fresh: RequestId,
  ): Command {
    const at = this.#world.now();
    // A7: what the decider holds is computed here, in the transaction that commits the decision.
    const self = principal.kind === 'device' ? this.#load(draft, principal.device) : null;
    const decider = { principal, held: heldBy(principal, { self, secretScopes: this.#world.secretScopes() }, at) };
    const common = { at, seq, fresh, decider };
    if (input.kind === 'approve') return { ...common, ...input, past };
    if (input.kind === 'reject') return { ...common, ...input, past };
    return { ...common, ...input };
  }

  /** A14: makes a setup code. `id` is the hash of the code; the code itself never comes here. */
  async makeCode(
    principal: Principal,
    id: CodeId,
    role: Role,
    scopes: readonly Scope[],
  ): Promise<Result<CodeState, Refusal>> {
    let made: Result<CodeState, Refusal> = err({ code: 'not_found', retry: 'never' });
    await this.#committer.run(async (tx) => {
      const at = this.#world.now();
      const decider = this.decider(principal);
      const judged = makeCode({ at, seq: 0, decider, id, role, scopes });
      made = judged;
      if (!judged.ok) return;
      const code = { ...judged.value, made: await tx.nextSeq(), revision: 1 };
      await tx.codes.save(code, 0);
      await tx.codes.drop(at);
      made = ok(code);
    });
    return made;
  }

  /** Devices that hold something the device gave (A9). */
  givenBy(device: DeviceId): Promise<readonly DeviceId[]> {
    return this.#world.store.read((tx) => tx.devices.givenBy(device));
  }

  // ---- time ---------------------------------------------------------------------------------------------------------

  /** A20: writes what time has ended, and sleeps until the next end. */
  async tick(): Promise<void> {
    this.#cancelTick?.();
    this.#cancelTick = null;
    if (this.#closed) return;
    const now = this.#world.now();
    const due = [...this.#devices.values()].filter((d) => (nextEnd(d) ?? Number.POSITIVE_INFINITY) <= now);
    try {
      await Promise.all(due.map((d) => this.#end(d.device)));
    } catch {
      // A store that can't be written now is tried again: an end counts from its instant, written or not.
    }
    this.#wakeAt = Number.POSITIVE_INFINITY;
    this.#wakeFor(this.#world.now() + TICK_MAX_MS);
    for (const d of this.#devices.values()) this.#wakeFor(nextEnd(d));
  }

  #end(device: DeviceId): Promise<Decided> {
    return this.#commit(null, (tx, draft) =>
      this.#apply(tx, draft, device, '', (seq, fresh) => ({ kind: 'tick', at: this.#world.now(), seq, fresh })),
    );
  }

  #wakeFor(end: End): void {
    if (this.#closed || end === null || end >= this.#wakeAt) return;
    this.#wakeAt = end;
    this.#cancelTick?.();
    this.#cancelTick = this.#world.after(Math.max(end - this.#world.now() + 1, TICK_MIN_MS), () => void this.tick());
  }

  // ---- the one way to the store -------------------------------------------------------------------------------------

  async #commit(by: Principal | null, work: (tx: WriteTx, draft: Draft) => Promise<Step>): Promise<Decided> {
    const { result, draft } = await this.#committer.run(async (tx, pending) => {
      const draft: Draft = { devices: new Map(), pending, told: [], changes: [] };
      const result = await work(tx, draft);
      for (const [device, state] of draft.devices) pending.set(device, state);
      return { result, draft };
    });
    for (const effect of draft.told) for (const listener of this.#listeners) listener(effect, { by });
    for (const state of draft.devices.values()) this.#wakeFor(nextEnd(state));
    return { reply: result.reply, state: result.state, changes: draft.changes, stored: true };
  }

  /** What the commands of this commit have left of a device so far. */
  #load(draft: Draft, device: DeviceId): DeviceState | null {
    return draft.devices.get(device) ?? draft.pending.get(device) ?? this.#devices.get(device) ?? null;
  }

  async #apply(
    tx: WriteTx,
    draft: Draft,
    device: DeviceId,
    key: string,
    make: (seq: number, fresh: RequestId) => Command,
  ): Promise<Step> {
    const state = this.#load(draft, device) ?? blankDevice(device, key);
    const fresh = this.#world.freshId() as RequestId;
    const trial = step(state, make(0, fresh));
    if (trial.state === state) return trial;
    const result = step(state, make(await tx.nextSeq(), fresh));
    for (const effect of result.effects) await this.#carry(tx, draft, effect, result.state);
    await tx.devices.save(result.state, state.revision);
    draft.devices.set(device, result.state);
    return result;
  }

  async #carry(tx: WriteTx, draft: Draft, effect: Effect, state: DeviceState): Promise<void> {
    switch (effect.kind) {
      case 'store.change':
        draft.changes.push(await tx.changes.add(effect.change));
        return;
      case 'store.code.used': {
        const code = await tx.codes.load(effect.code);
        if (code === null) throw new StaleRevision('the setup code');
        return tx.codes.save({ ...code, usedBy: effect.device, revision: code.revision + 1 }, code.revision);
      }
      case 'store.codes.ended':
        return tx.codes.endBy(effect.maker);
      case 'store.evict':
        await this.#apply(tx, draft, effect.device, '', (seq, fresh) => ({
          kind: 'evict',
          at: this.#world.now(),
          seq,
          fresh,
          role: effect.role,
          id: effect.id,
        }));
        return;
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
}

const PROVISIONAL = 'provisional' as RequestId;
const NOBODY = '' as DeviceId;
/** Room as seen by a connect that is tried without the store: an ask always goes through the transaction. */
const NO_ROOM: Room = { fromSource: 0, total: 0, recent: 0, oldest: null, freeAt: 0 };
/** A timer never sleeps longer: a changed wall clock is noticed within this. */
const TICK_MAX_MS = 30_000;
/** A pause between attempts while the store refuses. */
const TICK_MIN_MS = 20;
