import type { CodeFact, Command, Connect, Outcome, Refusal, Room, Step } from '../core/authz/command.ts';
import {
  canGive,
  type Denial,
  decideKeyless,
  deciderOf,
  effective,
  type Facts,
  heldBy,
  holds,
  makeCode,
  mayCall,
  maySee,
  mayWrite,
  type Need,
  sees,
} from '../core/authz/decide.ts';
import type { CodeId, DeviceId, Giver, Principal, RequestId } from '../core/authz/principal.ts';
import { ADMIN, type Held, type Role, reported, type Scope } from '../core/authz/scope.ts';
import { blankDevice, type CodeState, type DeviceState } from '../core/authz/state.ts';
import { step } from '../core/authz/step.ts';
import type { End } from '../core/base/instant.ts';
import { err, ok, type Result } from '../core/base/result.ts';
import type { StoredChange, WriteTx } from '../store/store.ts';
import { type Decided, type Draft, Ledger, type LedgerWorld, type Listener } from './ledger.ts';

export type { Decided, Listener } from './ledger.ts';

/** What authority needs of the world, given by the composition root. */
export interface World extends LedgerWorld {
  /** A13: the shared secret's grant, read live. */
  secretScopes(): readonly Scope[];
  /** A15: requests that a socket waits at now; they are not evicted. */
  waitedAt(): ReadonlySet<RequestId>;
}

/** What a verified connect brings; the rest of `Connect` is looked up here, in the committing transaction. */
export type ConnectInput = Omit<Connect, 'kind' | 'at' | 'seq' | 'fresh' | 'secretScopes' | 'code' | 'room'> & {
  readonly device: DeviceId;
  readonly key: string;
  readonly code: CodeId | null;
};

/** Decisions that take away: they may use the room that the store keeps for them. */
const TAKES: readonly string[] = ['reject', 'narrow', 'revoke', 'remove'];

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

/** Who may do what, asked and decided: the principal comes first in every call. */
export class Authority {
  readonly #world: World;
  readonly #ledger: Ledger;

  private constructor(world: World, ledger: Ledger) {
    this.#world = world;
    this.#ledger = ledger;
  }

  static async open(world: World): Promise<Authority> {
    return new Authority(world, await Ledger.open(world));
  }

  close(): void {
    this.#ledger.close();
  }

  /** A20: writes what time has ended. The ledger's own timer does it too. */
  tick(): Promise<void> {
    return this.#ledger.tick();
  }

  listen(listener: Listener): () => void {
    return this.#ledger.listen(listener);
  }

  // ---- verdicts: no write, no wait ----------------------------------------------------------------------------------

  /** The aggregate as it stands; `null`: nothing is known of the key. */
  peek(device: DeviceId): DeviceState | null {
    return this.#ledger.peek(device);
  }

  devices(): readonly DeviceState[] {
    return this.#ledger.devices();
  }

  facts(principal: Principal): Facts {
    const self = principal.kind === 'device' ? this.#ledger.peek(principal.device) : null;
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

  /** Who may change a key of the configuration (config/apply.ts says which key is whose). */
  mayWrite(principal: Principal, writer: 'admin' | 'permanent' | 'owner'): boolean {
    return mayWrite(this.decider(principal), writer);
  }

  isAdmin(principal: Principal): boolean {
    return this.holds(principal, ADMIN);
  }

  /** A7: does a decider see this row of the device: its own, or one that it could decide? */
  sees(principal: Principal, state: DeviceState, role: Role, scopes: readonly Scope[]): boolean {
    return sees(principal, this.facts(principal), { device: state, role, scopes }, this.#world.now());
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

  /** A17: one recorded change; `null`: there is none of this id. */
  change(id: string): Promise<StoredChange | null> {
    return this.#world.store.read((tx) => tx.changes.find(id));
  }

  /** Newest first; of one device where it is given. */
  changes(limit: number, device?: DeviceId): Promise<readonly StoredChange[]> {
    return this.#world.store.read((tx) => tx.changes.list(limit, device));
  }

  keyless(c: Parameters<typeof decideKeyless>[0]): Result<null, Refusal> {
    return decideKeyless(c);
  }

  // ---- connecting ---------------------------------------------------------------------------------------------------

  /** A1–A8, A13–A15 for a verified key. A connect that changes nothing touches no store at all (A4, A6). */
  async connect(input: ConnectInput): Promise<Decided> {
    const { device, key } = input;
    if (input.code === null) {
      const state = this.#ledger.peek(device) ?? blankDevice(device, key);
      const now = step(state, this.#connectCommand(input, null, NO_ROOM, 0, PROVISIONAL));
      if (now.state === state && !now.effects.some((e) => e.kind.startsWith('store.'))) {
        return { reply: now.reply, state, before: state, changes: [], stored: true };
      }
    }
    try {
      return await this.#ledger.commit(async (tx, draft) => {
        const code = input.code === null ? null : await this.#codeFact(tx, draft, input.code);
        const room = await tx.devices.room(input.source, this.#world.now(), this.#world.waitedAt());
        return this.#ledger.apply(tx, draft, device, key, (seq, fresh) =>
          this.#connectCommand(input, code, room, seq, fresh),
        );
      });
    } catch (error) {
      return this.#connectUnstored(input, error);
    }
  }

  /** A4: a granted key connects on a full disk too; what it would have asked is left out, and that is said. */
  #connectUnstored(input: ConnectInput, error: unknown): Decided {
    const state = this.peek(input.device);
    if (state === null || state.roles[input.role].grant === null) throw error;
    const { reply } = step(state, this.#connectCommand({ ...input, code: null }, null, NO_ROOM, 0, PROVISIONAL));
    return {
      reply: reply.kind === 'connected' ? { ...reply, request: null } : reply,
      state,
      before: state,
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
    const self = this.#ledger.load(draft, maker.device);
    return heldBy({ kind: 'device', device: maker.device, role: 'operator', asked: null }, { self, secretScopes }, at);
  }

  /** `device.scopes.requestUpgrade` by a session of the device itself (A5). */
  upgrade(
    principal: Principal & { readonly kind: 'device' },
    ask: Pick<Connect, 'source' | 'label'> & { readonly scopes: readonly Scope[] },
  ): Promise<Decided> {
    return this.#ledger.commit((tx, draft) =>
      this.#ledger.apply(tx, draft, principal.device, '', (seq, fresh) => ({
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
    return this.#ledger.commit(async (tx, draft) => {
      const named = input.kind === 'approve' || input.kind === 'reject' ? await tx.devices.find(input.id) : null;
      const past = named === null && 'id' in input ? await tx.devices.past(input.id) : null;
      const subject = device ?? named?.device ?? NOBODY;
      return this.#ledger.apply(tx, draft, subject, key, (seq, fresh) =>
        this.#decision(draft, principal, input, past, seq, fresh),
      );
    }, TAKES.includes(input.kind));
  }

  /** `ensure`, and in the same commit the name. Whoever may declare a device may name it. */
  ensureNamed(
    principal: Principal,
    input: DecisionInput & { readonly kind: 'ensure' },
    name: string | null,
    device: DeviceId,
    key: string,
  ): Promise<Decided> {
    return this.#ledger.commit(async (tx, draft) => {
      const first = await this.#within(tx, draft, principal, input, device, key);
      if (name === null || first.reply.kind === 'refused') return first;
      const named = await this.#within(tx, draft, principal, { kind: 'rename', name }, device);
      // Neither is done where one may not be.
      if (named.reply.kind === 'refused') throw new Error('who declared the device may not name it');
      return { ...first, state: named.state };
    });
  }

  /** `remove`, and in the same commit whatever those devices gave, as far as the decider may (A7, A9). */
  async removeWithAll(
    principal: Principal,
    device: DeviceId,
  ): Promise<{ readonly decided: Decided; readonly removed: readonly DeviceId[]; readonly kept: readonly DeviceId[] }> {
    let removed: DeviceId[] = [];
    let kept: DeviceId[] = [];
    const decided = await this.#ledger.commit(async (tx, draft) => {
      // A commit that found the disk full is tried again.
      [removed, kept] = [[], []];
      const first = await this.#within(tx, draft, principal, { kind: 'remove' }, device);
      if (first.reply.kind === 'refused') return first;
      const known = new Set([device]);
      const queue = [...(await tx.devices.givenBy(device))];
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        if (known.has(next)) continue;
        known.add(next);
        const { reply } = await this.#within(tx, draft, principal, { kind: 'remove' }, next);
        if (reply.kind === 'refused') kept.push(next);
        else {
          removed.push(next);
          queue.push(...(await tx.devices.givenBy(next)));
        }
      }
      return first;
    }, true);
    return { decided, removed, kept };
  }

  /** One of several decisions of a commit, each judged by what those before it left. */
  #within(
    tx: WriteTx,
    draft: Draft,
    principal: Principal,
    input: DecisionInput,
    device: DeviceId,
    key = '',
  ): Promise<Step> {
    return this.#ledger.apply(tx, draft, device, key, (seq, fresh) =>
      this.#decision(draft, principal, input, null, seq, fresh),
    );
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
    const self = principal.kind === 'device' ? this.#ledger.load(draft, principal.device) : null;
    const decider = deciderOf(input.kind, principal, { self, secretScopes: this.#world.secretScopes() }, at);
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
    await this.#ledger.write(async (tx, load) => {
      const at = this.#world.now();
      // A7: judged by what stands in the committing transaction.
      const self = principal.kind === 'device' ? load(principal.device) : null;
      const held = heldBy(principal, { self, secretScopes: this.#world.secretScopes() }, at);
      const decider = { principal, held };
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

  /** A13, A14: what sessions of the old secret could still give by codes ends with it. */
  endSecretCodes(): Promise<void> {
    return this.#ledger.write((tx) => tx.codes.endBy('secret'));
  }

  /** Devices that hold something the device gave (A9). */
  givenBy(device: DeviceId): Promise<readonly DeviceId[]> {
    return this.#world.store.read((tx) => tx.devices.givenBy(device));
  }
}

const PROVISIONAL = 'provisional' as RequestId;
const NOBODY = '' as DeviceId;
/** Room as seen by a connect that is tried without the store: an ask always goes through the transaction. */
const NO_ROOM: Room = { fromSource: 0, total: 0, recent: 0, oldest: null, freeAt: 0 };
