import type { Outcome, Room } from '../../core/authz/command.ts';
import type { DeviceId, RequestId } from '../../core/authz/principal.ts';
import { ROLES, type Role } from '../../core/authz/scope.ts';
import type { DeviceState, Grant, Rejection, Request, RoleState } from '../../core/authz/state.ts';
import type { Instant } from '../../core/base/instant.ts';
import { deviceBehind } from '../giver.ts';
import { OUTCOME_MS, OUTCOMES_MAX } from '../limit.ts';
import { type OpenAsk, RECENT_MS, roomOf } from '../room.ts';
import { type DeviceReader, type DeviceWriter, isForgettable, StaleRevision } from '../store.ts';
import { oneOf, wrong } from './decode.ts';
import { type DeviceRow, deviceOf, type EntryRow, isBlank, ROLE_ROWS, type RoleRow } from './devicerows.ts';
import type { Session } from './session.ts';

const OUTCOMES: readonly Outcome[] = ['approved', 'rejected', 'superseded', 'expired', 'replaced', 'ended'];

export class SqliteDeviceReader implements DeviceReader {
  protected readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  async load(device: DeviceId): Promise<DeviceState | null> {
    const row = this.session.get<DeviceRow>('SELECT id, key, name, label, revision FROM device WHERE id = ?', device);
    if (row === undefined) return null;
    const roles = this.session.all<RoleRow>(`${ROLE_ROWS} WHERE r.device = ?`, device);
    const entries = this.session.all<EntryRow>('SELECT * FROM entry WHERE device = ? ORDER BY role, scope', device);
    return deviceOf(row, roles, entries);
  }

  async list(): Promise<readonly DeviceState[]> {
    const rows = this.session.all<DeviceRow>('SELECT id, key, name, label, revision FROM device ORDER BY id');
    const roles = byDevice(this.session.all<RoleRow>(`${ROLE_ROWS} ORDER BY r.device, r.role`));
    const entries = byDevice(this.session.all<EntryRow>('SELECT * FROM entry ORDER BY device, role, scope'));
    const states = rows.map((row) => deviceOf(row, take(roles, row.id), take(entries, row.id)));
    for (const [table, left] of [['role', roles] as const, ['entry', entries] as const]) {
      for (const device of left.keys()) throw wrong({ table, column: 'device', row: device }, 'no such device');
    }
    return states;
  }

  async find(id: RequestId): Promise<{ readonly device: DeviceId; readonly role: Role } | null> {
    const row = this.session.get<{ device: DeviceId; role: string }>(
      'SELECT device, role FROM request WHERE id = ?1 UNION ALL SELECT device, role FROM rejection WHERE id = ?1',
      id,
    );
    if (row === undefined) return null;
    return { device: row.device, role: oneOf({ table: 'request', column: 'role', row: id }, row.role, ROLES) };
  }

  async past(id: RequestId): Promise<Outcome | null> {
    const row = this.session.get<{ outcome: string }>('SELECT outcome FROM outcome WHERE id = ?', id);
    return row === undefined ? null : oneOf({ table: 'outcome', column: 'outcome', row: id }, row.outcome, OUTCOMES);
  }

  async room(source: string, at: Instant, waitedAt: ReadonlySet<RequestId>): Promise<Room> {
    const open = this.session.all<OpenAsk>(
      `SELECT q.device, q.role, q.id, q.source, q.opened_at AS openedAt, q.expires_at AS expiresAt
       FROM request q JOIN role r ON r.device = q.device AND r.role = q.role
       WHERE r.giver IS NULL AND q.expires_at > ?`,
      at,
    );
    const total = this.session.get<{ total: number }>(
      'SELECT coalesce(sum(count), 0) AS total FROM ask WHERE asked_at > ? AND asked_at <= ?',
      at - RECENT_MS,
      at,
    );
    const each = () =>
      this.session.all<{ at: Instant; count: number }>(
        'SELECT asked_at AS at, count FROM ask WHERE asked_at > ? AND asked_at <= ? ORDER BY asked_at',
        at - RECENT_MS,
        at,
      );
    return roomOf(open, { total: total?.total ?? 0, each }, source, at, waitedAt);
  }

  async due(at: Instant): Promise<readonly DeviceId[]> {
    const rows = this.session.all<{ device: DeviceId }>(
      `SELECT device FROM request WHERE expires_at <= ?1
       UNION SELECT device FROM rejection WHERE until <= ?1
       UNION SELECT device FROM entry WHERE until <= ?1
       ORDER BY device`,
      at,
    );
    return rows.map((row) => row.device);
  }

  async nextEnd(): Promise<Instant | null> {
    const row = this.session.get<{ first: number | null }>(
      `SELECT min(e) AS first FROM (
         SELECT min(expires_at) AS e FROM request
         UNION ALL SELECT min(until) FROM rejection
         UNION ALL SELECT min(until) FROM entry WHERE until IS NOT NULL)`,
    );
    return row?.first ?? null;
  }

  async givenBy(maker: DeviceId): Promise<readonly DeviceId[]> {
    const rows = this.session.all<{ device: DeviceId }>(
      'SELECT device FROM role WHERE giver_device = ?1 UNION SELECT device FROM entry WHERE giver_device = ?1 ORDER BY device',
      maker,
    );
    return rows.map((row) => row.device);
  }
}

function byDevice<Row extends { readonly device: string }>(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.device);
    if (group === undefined) groups.set(row.device, [row]);
    else group.push(row);
  }
  return groups;
}

function take<Row>(groups: Map<string, Row[]>, device: string): readonly Row[] {
  const group = groups.get(device) ?? [];
  groups.delete(device);
  return group;
}

function json(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

export class SqliteDevices extends SqliteDeviceReader implements DeviceWriter {
  async save(state: DeviceState, expected: number): Promise<void> {
    const { device, revision } = state;
    if (revision <= expected)
      throw new RangeError(`device ${device}: revision ${revision} does not follow ${expected}`);
    const values = [state.key, json(state.name), json(state.label), revision, device] as const;
    const saved =
      expected === 0
        ? this.session.run(
            'INSERT INTO device (key, name, label, revision, id) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
            ...values,
          )
        : this.session.run(
            'UPDATE device SET key = ?, name = ?, label = ?, revision = ? WHERE id = ? AND revision = ?',
            ...values,
            expected,
          );
    if (saved !== 1) throw new StaleRevision(`device ${device}`);
    // What hangs on a role goes with it and is written anew: few rows, and no half of an older state can stay.
    if (expected !== 0) this.session.run('DELETE FROM role WHERE device = ?', device);
    for (const role of ROLES) if (!isBlank(role, state)) this.#insert(device, role, state.roles[role]);
  }

  #insert(device: DeviceId, role: Role, r: RoleState): void {
    this.session.run(
      `INSERT INTO role (device, role, giver, giver_device, granted_at, decided, gone, epoch)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      device,
      role,
      json(r.grant?.by ?? null),
      r.grant === null ? null : deviceBehind(r.grant.by),
      r.grant?.at ?? null,
      r.decided,
      r.gone,
      r.epoch,
    );
    if (r.grant !== null) this.#insertEntries(device, role, r.grant);
    if (r.request !== null) this.#insertRequest(device, role, r.request);
    if (r.rejection !== null) this.#insertRejection(device, role, r.rejection);
  }

  #insertEntries(device: DeviceId, role: Role, grant: Grant): void {
    for (const { scope, until, by, at } of grant.entries) {
      this.session.run(
        'INSERT INTO entry (device, role, scope, until, giver, giver_device, given_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
        device,
        role,
        scope,
        until,
        json(by),
        deviceBehind(by),
        at,
      );
    }
  }

  #insertRequest(device: DeviceId, role: Role, q: Request): void {
    this.session.run(
      `INSERT INTO request (id, device, role, scopes, opened_at, expires_at, source, with_secret, label, comparison)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      q.id,
      device,
      role,
      json(q.scopes),
      q.openedAt,
      q.expiresAt,
      q.source,
      q.withSecret ? 1 : 0,
      json(q.label),
      json(q.comparison),
    );
  }

  #insertRejection(device: DeviceId, role: Role, x: Rejection): void {
    this.session.run(
      `INSERT INTO rejection (id, device, role, scopes, rejected_at, until, giver, label)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      x.id,
      device,
      role,
      json(x.scopes),
      x.at,
      x.until,
      json(x.by),
      json(x.label),
    );
  }

  async drop(device: DeviceId, expected: number): Promise<void> {
    const state = await this.load(device);
    if (state === null || state.revision !== expected) throw new StaleRevision(`device ${device}`);
    if (!isForgettable(state)) throw new RangeError(`device ${device}: there is something to remember`);
    this.session.run('DELETE FROM device WHERE id = ?', device);
    this.session.run("DELETE FROM change WHERE device = ? AND what = 'ask'", device);
  }

  async close(id: RequestId, outcome: Outcome, at: Instant): Promise<void> {
    this.session.run('DELETE FROM outcome WHERE id = ?', id);
    this.session.run('INSERT INTO outcome (id, outcome, closed_at) VALUES (?, ?, ?)', id, outcome, at);
    this.session.run(
      'DELETE FROM outcome WHERE closed_at <= ? OR n <= (SELECT max(n) FROM outcome) - ?',
      at - OUTCOME_MS,
      OUTCOMES_MAX,
    );
  }

  async countAsk(at: Instant): Promise<void> {
    this.session.run('DELETE FROM ask WHERE asked_at <= ?', at - RECENT_MS);
    this.session.run('INSERT INTO ask (asked_at, count) VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1', at);
  }
}
