import type { Change, Outcome, Room } from '../../core/authz/command.ts';
import type { CodeId, DeviceId, RequestId } from '../../core/authz/principal.ts';
import { ROLES, type Role } from '../../core/authz/scope.ts';
import { type CodeState, type DeviceState, nextEnd } from '../../core/authz/state.ts';
import { earlier, type Instant, isLive } from '../../core/base/instant.ts';
import { parseChangeId, stored } from '../changeid.ts';
import { deviceBehind } from '../giver.ts';
import type { Life } from '../life.ts';
import { OUTCOME_MS, OUTCOMES_MAX } from '../limit.ts';
import { type OpenAsk, RECENT_MS, roomOf } from '../room.ts';
import {
  type ChangeWriter,
  type CodeWriter,
  type DeviceWriter,
  isForgettable,
  StaleRevision,
  type StoredChange,
} from '../store.ts';
import { frozen, type Tables } from './tables.ts';

/** The tables of the running transaction: another copy after a part was undone. */
export type Current = () => Tables;

/** S10, the same for every noun. */
export function check(what: string, have: number, expected: number, next: number): void {
  if (next <= expected) throw new RangeError(`${what}: revision ${next} does not follow ${expected}`);
  if (have !== expected) throw new StaleRevision(what);
}

function byId(a: DeviceState, b: DeviceState): number {
  return a.device < b.device ? -1 : 1;
}

export class MemoryDevices implements DeviceWriter {
  readonly #tables: Current;
  readonly #life: Life;

  constructor(tables: Current, life: Life) {
    this.#tables = tables;
    this.#life = life;
  }

  get #t(): Tables {
    this.#life.check();
    return this.#tables();
  }

  #sorted(): DeviceState[] {
    return [...this.#t.devices.values()].sort(byId);
  }

  async load(device: DeviceId): Promise<DeviceState | null> {
    return this.#t.devices.get(device) ?? null;
  }

  async list(): Promise<readonly DeviceState[]> {
    return this.#sorted();
  }

  async find(id: RequestId): Promise<{ readonly device: DeviceId; readonly role: Role } | null> {
    for (const { device, roles } of this.#t.devices.values()) {
      for (const role of ROLES) {
        if (roles[role].request?.id === id || roles[role].rejection?.id === id) return { device, role };
      }
    }
    return null;
  }

  async past(id: RequestId): Promise<Outcome | null> {
    return this.#t.outcomes.get(id)?.outcome ?? null;
  }

  async room(source: string, at: Instant, waitedAt: ReadonlySet<RequestId>): Promise<Room> {
    const open: OpenAsk[] = [];
    for (const { device, roles } of this.#t.devices.values()) {
      for (const role of ROLES) {
        const { grant, request } = roles[role];
        if (grant === null && request !== null && isLive(request.expiresAt, at))
          open.push({ ...request, device, role });
      }
    }
    const asks = [...this.#t.asks]
      .filter(([asked]) => asked > at - RECENT_MS && asked <= at)
      .sort(([a], [b]) => a - b)
      .map(([asked, count]) => ({ at: asked, count }));
    const total = asks.reduce((sum, a) => sum + a.count, 0);
    return roomOf(open, { total, each: () => asks }, source, at, waitedAt);
  }

  async due(at: Instant): Promise<readonly DeviceId[]> {
    return this.#sorted()
      .filter((d) => !isLive(nextEnd(d), at))
      .map((d) => d.device);
  }

  async nextEnd(): Promise<Instant | null> {
    return this.#sorted().map(nextEnd).reduce(earlier, null);
  }

  async givenBy(maker: DeviceId): Promise<readonly DeviceId[]> {
    const gave = (d: DeviceState) =>
      ROLES.some((role) => {
        const { grant } = d.roles[role];
        return grant !== null && [grant, ...grant.entries].some(({ by }) => deviceBehind(by) === maker);
      });
    return this.#sorted()
      .filter(gave)
      .map((d) => d.device);
  }

  async save(state: DeviceState, expected: number): Promise<void> {
    const { devices } = this.#t;
    check(`device ${state.device}`, devices.get(state.device)?.revision ?? 0, expected, state.revision);
    devices.set(state.device, frozen(state));
  }

  async drop(device: DeviceId, expected: number): Promise<void> {
    const { devices, changes } = this.#t;
    const state = devices.get(device);
    if (state === undefined || state.revision !== expected) throw new StaleRevision(`device ${device}`);
    if (!isForgettable(state)) throw new RangeError(`device ${device}: there is something to remember`);
    devices.delete(device);
    for (const [id, change] of changes) if (change.device === device && change.what === 'ask') changes.delete(id);
  }

  async close(id: RequestId, outcome: Outcome, at: Instant): Promise<void> {
    const { outcomes } = this.#t;
    outcomes.delete(id);
    outcomes.set(id, { outcome, at });
    let over = outcomes.size - OUTCOMES_MAX;
    for (const [old, { at: closed }] of outcomes) {
      if (over > 0 || closed <= at - OUTCOME_MS) outcomes.delete(old);
      over -= 1;
    }
  }

  async countAsk(at: Instant): Promise<void> {
    const { asks } = this.#t;
    for (const old of asks.keys()) if (old <= at - RECENT_MS) asks.delete(old);
    asks.set(at, (asks.get(at) ?? 0) + 1);
  }
}

export class MemoryCodes implements CodeWriter {
  readonly #tables: Current;
  readonly #life: Life;

  constructor(tables: Current, life: Life) {
    this.#tables = tables;
    this.#life = life;
  }

  get #codes(): Map<CodeId, CodeState> {
    this.#life.check();
    return this.#tables().codes;
  }

  async load(id: CodeId): Promise<CodeState | null> {
    return this.#codes.get(id) ?? null;
  }

  async save(code: CodeState, expected: number): Promise<void> {
    const codes = this.#codes;
    check(`code ${code.id}`, codes.get(code.id)?.revision ?? 0, expected, code.revision);
    codes.set(code.id, frozen(code));
  }

  async endBy(maker: DeviceId | 'secret'): Promise<void> {
    const codes = this.#codes;
    for (const code of codes.values()) {
      const made = maker === 'secret' ? code.maker.kind === 'secret' : deviceBehind(code.maker) === maker;
      if (code.usedBy !== null || code.ended || !made) continue;
      codes.set(code.id, frozen({ ...code, ended: true, revision: code.revision + 1 }));
    }
  }

  async drop(at: Instant): Promise<void> {
    const codes = this.#codes;
    for (const code of codes.values()) if (!isLive(code.expiresAt, at)) codes.delete(code.id);
  }
}

export class MemoryChanges implements ChangeWriter {
  readonly #tables: Current;
  readonly #life: Life;

  constructor(tables: Current, life: Life) {
    this.#tables = tables;
    this.#life = life;
  }

  get #changes(): Map<string, StoredChange> {
    this.#life.check();
    return this.#tables().changes;
  }

  async find(id: string): Promise<StoredChange | null> {
    return this.#changes.get(id) ?? null;
  }

  async list(limit: number, device?: DeviceId): Promise<readonly StoredChange[]> {
    const all = [...this.#changes.values()].filter((c) => device === undefined || c.device === device);
    // Recorded in rising order within a number; numbers may be recorded in any order.
    return all
      .reverse()
      .sort((a, b) => b.seq - a.seq)
      .slice(0, Math.max(0, limit));
  }

  async add(change: Change): Promise<string> {
    const changes = this.#changes;
    const taken = [...changes.values()].filter((c) => c.seq === change.seq).map((c) => parseChangeId(c.id)?.nth ?? 0);
    const row = frozen(stored(change, Math.max(0, ...taken) + 1));
    changes.set(row.id, row);
    return row.id;
  }
}
