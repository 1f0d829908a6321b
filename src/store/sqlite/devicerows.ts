import type { DeviceId, RequestId } from '../../core/authz/principal.ts';
import { ROLES, type Role } from '../../core/authz/scope.ts';
import {
  blankDevice,
  type DeviceState,
  type Grant,
  type GrantEntry,
  type Rejection,
  type Request,
  type RoleState,
  withRole,
} from '../../core/authz/state.ts';
import {
  comparisonOf,
  giverAlone,
  giverOf,
  integer,
  integerOrNull,
  labelOf,
  nameOf,
  oneOf,
  scopesOf,
  wrong,
} from './decode.ts';

export interface DeviceRow {
  readonly id: string;
  readonly key: string;
  readonly name: string | null;
  readonly label: string | null;
  readonly revision: number;
}

/** A row of `role` with the rows of `request` (q_…) and `rejection` (x_…) that belong to it. */
export interface RoleRow {
  readonly device: string;
  readonly role: string;
  readonly giver: string | null;
  readonly giver_device: string | null;
  readonly granted_at: number | null;
  readonly decided: number | null;
  readonly gone: number | null;
  readonly epoch: number;
  readonly q_id: string | null;
  readonly q_scopes: string;
  readonly q_opened_at: number;
  readonly q_expires_at: number;
  readonly q_source: string;
  readonly q_with_secret: number;
  readonly q_label: string;
  readonly q_comparison: string | null;
  readonly x_id: string | null;
  readonly x_scopes: string;
  readonly x_rejected_at: number;
  readonly x_until: number;
  readonly x_giver: string;
  readonly x_label: string;
}

export interface EntryRow {
  readonly device: string;
  readonly role: string;
  readonly scope: string;
  readonly until: number | null;
  readonly giver: string;
  readonly giver_device: string | null;
  readonly given_at: number;
}

export const ROLE_ROWS = `
  SELECT r.device, r.role, r.giver, r.giver_device, r.granted_at, r.decided, r.gone, r.epoch,
    q.id AS q_id, q.scopes AS q_scopes, q.opened_at AS q_opened_at, q.expires_at AS q_expires_at,
    q.source AS q_source, q.with_secret AS q_with_secret, q.label AS q_label, q.comparison AS q_comparison,
    x.id AS x_id, x.scopes AS x_scopes, x.rejected_at AS x_rejected_at, x.until AS x_until, x.giver AS x_giver,
    x.label AS x_label
  FROM role r
    LEFT JOIN request q ON q.device = r.device AND q.role = r.role
    LEFT JOIN rejection x ON x.device = r.device AND x.role = r.role`;

/**
 * The aggregate that the rows of one device mean.
 * @throws Inconsistent where they can't mean any
 */
export function deviceOf(row: DeviceRow, roles: readonly RoleRow[], entries: readonly EntryRow[]): DeviceState {
  const cell = (column: string) => ({ table: 'device', column, row: row.id });
  let state: DeviceState = {
    ...blankDevice(row.id as DeviceId, row.key),
    name: nameOf(cell('name'), row.name),
    label: row.label === null ? null : labelOf(cell('label'), row.label),
    revision: integer(cell('revision'), row.revision, 1),
  };
  const granted = new Set<string>();
  for (const r of roles) {
    const role = oneOf({ table: 'role', column: 'role', row: `${r.device} ${r.role}` }, r.role, ROLES);
    state = withRole(
      state,
      role,
      roleOf(
        r,
        entries.filter((e) => e.role === role),
      ),
    );
    if (r.giver !== null) granted.add(role);
  }
  const loose = entries.find((e) => !granted.has(e.role));
  if (loose !== undefined) {
    const at = { table: 'entry', column: 'role', row: `${loose.device} ${loose.role} ${loose.scope}` };
    throw wrong(at, 'a scope without a grant');
  }
  return state;
}

function roleOf(r: RoleRow, entries: readonly EntryRow[]): RoleState {
  const row = `${r.device} ${r.role}`;
  const cell = (column: string) => ({ table: 'role', column, row });
  const decided = integerOrNull(cell('decided'), r.decided, 1);
  const gone = integerOrNull(cell('gone'), r.gone, 1);
  // A9: what ended the grant was a no, and what brings it back takes the mark away.
  if (gone !== null && r.giver !== null) throw wrong(cell('gone'), 'is set beside a grant');
  if (gone !== null && decided === null) throw wrong(cell('decided'), 'is empty beside gone');
  return {
    grant: grantOf(r, entries),
    request: requestOf(r),
    rejection: rejectionOf(r),
    decided,
    gone,
    epoch: integer(cell('epoch'), r.epoch, 0),
  };
}

function grantOf(r: RoleRow, entries: readonly EntryRow[]): Grant | null {
  const cell = (column: string) => ({ table: 'role', column, row: `${r.device} ${r.role}` });
  if (r.giver === null) {
    if (r.granted_at !== null) throw wrong(cell('granted_at'), 'is set without a giver');
    if (r.giver_device !== null) throw wrong(cell('giver_device'), 'is set without a giver');
    return null;
  }
  return {
    by: giverOf(cell('giver'), r.giver, r.giver_device),
    at: integer(cell('granted_at'), r.granted_at),
    entries: entries.map((e): GrantEntry => {
      const of = (column: string) => ({ table: 'entry', column, row: `${e.device} ${e.role} ${e.scope}` });
      return {
        scope: e.scope,
        until: integerOrNull(of('until'), e.until),
        by: giverOf(of('giver'), e.giver, e.giver_device),
        at: integer(of('given_at'), e.given_at),
      };
    }),
  };
}

function requestOf(r: RoleRow): Request | null {
  if (r.q_id === null) return null;
  const cell = (column: string) => ({ table: 'request', column, row: r.q_id ?? '' });
  return {
    id: r.q_id as RequestId,
    scopes: scopesOf(cell('scopes'), r.q_scopes),
    openedAt: integer(cell('opened_at'), r.q_opened_at),
    expiresAt: integer(cell('expires_at'), r.q_expires_at),
    source: r.q_source,
    withSecret: r.q_with_secret === 1,
    label: labelOf(cell('label'), r.q_label),
    comparison: comparisonOf(cell('comparison'), r.q_comparison),
  };
}

function rejectionOf(r: RoleRow): Rejection | null {
  if (r.x_id === null) return null;
  const cell = (column: string) => ({ table: 'rejection', column, row: r.x_id ?? '' });
  // A13, A14: a no leaves its mark, by which neither the secret nor an older code gets past it.
  if (r.decided === null) {
    throw wrong({ table: 'role', column: 'decided', row: `${r.device} ${r.role}` }, 'is empty beside a rejection');
  }
  return {
    id: r.x_id as RequestId,
    scopes: scopesOf(cell('scopes'), r.x_scopes),
    at: integer(cell('rejected_at'), r.x_rejected_at),
    until: integer(cell('until'), r.x_until),
    by: giverAlone(cell('giver'), r.x_giver),
    label: labelOf(cell('label'), r.x_label),
  };
}

/** A role of which nothing is to be stored. */
export function isBlank(role: Role, state: DeviceState): boolean {
  const r = state.roles[role];
  return (
    r.grant === null &&
    r.request === null &&
    r.rejection === null &&
    r.decided === null &&
    r.gone === null &&
    r.epoch === 0
  );
}
