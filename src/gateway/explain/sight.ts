import type { Authority } from '../../authority/authority.ts';
import type { DeviceId, Principal } from '../../core/authz/principal.ts';
import { ADMIN, ROLES, type Role, type Scope } from '../../core/authz/scope.ts';
import { blankDevice } from '../../core/authz/state.ts';
import type { StoredChange, StoredTrace, TraceFilter } from '../../store/store.ts';

const NOBODY = blankDevice('' as DeviceId, '');

/**
 * A7: what one caller may be told about: the rows of its own device, those that it could decide, and for the owner and
 * admins all. The verdict is core/authz's; here stands only which row it is asked of.
 */
export class Sight {
  readonly #authority: Authority;
  readonly #principal: Principal;
  readonly #conn: string | null;

  /** @param conn the caller's own connection */
  constructor(authority: Authority, principal: Principal, conn: string | null) {
    this.#authority = authority;
    this.#principal = principal;
    this.#conn = conn;
  }

  /** Rows that are about no device are for who holds everything. */
  get all(): boolean {
    return this.#authority.sees(this.#principal, NOBODY, 'operator', [ADMIN]);
  }

  /** May decide about somebody: for all others only rows of their own come into question. */
  get decides(): boolean {
    return this.#authority.sees(this.#principal, NOBODY, 'operator', []);
  }

  /** The rows of the trace among which there can be one that it sees; looked through without the others. */
  get among(): TraceFilter {
    if (this.decides) return {};
    return this.#principal.kind === 'device' ? { device: this.#principal.device } : { conn: this.#conn ?? '' };
  }

  isOwn(device: DeviceId | null): boolean {
    return device !== null && this.#principal.kind === 'device' && this.#principal.device === device;
  }

  isOwnConn(conns: readonly string[]): boolean {
    return this.#conn !== null && conns.includes(this.#conn);
  }

  /** A row about `scopes` of a device in `role` (`null`: in none of its own): with them, all that the device holds. */
  device(device: DeviceId | null, role: Role | null, scopes: readonly Scope[]): boolean {
    if (device === null) return this.all;
    if (this.isOwn(device)) return true;
    const state = this.#authority.peek(device) ?? blankDevice(device, '');
    const held = ROLES.flatMap((r) => {
      const { grant } = state.roles[r];
      return grant === null ? [] : [{ role: r, scopes: grant.entries.map((e) => e.scope) }];
    });
    const rows = [{ role: role ?? ('operator' as const), scopes }, ...held];
    return rows.every((row) => this.#authority.sees(this.#principal, state, row.role, row.scopes));
  }

  change(change: StoredChange): boolean {
    const scopes = change.scopes.map((held) => held.scope);
    return this.device(change.device, change.role, scopes);
  }

  trace(row: StoredTrace): boolean {
    if (this.isOwn(row.device) || this.isOwnConn(row.conns)) return true;
    const role = ROLES.find((r) => r === row.role) ?? 'operator';
    return this.device(row.device, role, namesIn(row.facts.asked));
  }
}

export function namesIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
}
