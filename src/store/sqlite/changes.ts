import type { Change } from '../../core/authz/command.ts';
import type { DeviceId, RequestId } from '../../core/authz/principal.ts';
import { ROLES } from '../../core/authz/scope.ts';
import { changeId, parseChangeId } from '../changeid.ts';
import type { ChangeReader, ChangeWriter, StoredChange } from '../store.ts';
import { giverAlone, heldOf, integer, oneOf } from './decode.ts';
import type { Session } from './session.ts';

/** Every kind of change, once: a kind that is missing here does not compile. */
const KINDS: Readonly<Record<Change['what'], true>> = {
  approve: true,
  reject: true,
  narrow: true,
  rotate: true,
  revoke: true,
  remove: true,
  ensure: true,
  rename: true,
  pair: true,
  redeem: true,
  expire: true,
  ask: true,
};
const WHAT = Object.keys(KINDS) as Change['what'][];

interface ChangeRow {
  readonly seq: number;
  readonly nth: number;
  readonly what: string;
  readonly device: DeviceId;
  readonly role: string | null;
  readonly giver: string | null;
  readonly changed_at: number;
  readonly request: RequestId | null;
  readonly scopes: string;
}

export class SqliteChangeReader implements ChangeReader {
  protected readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  async find(id: string): Promise<StoredChange | null> {
    const key = parseChangeId(id);
    if (key === null) return null;
    const row = this.session.get<ChangeRow>('SELECT * FROM change WHERE seq = ? AND nth = ?', key.seq, key.nth);
    return row === undefined ? null : changeOf(row);
  }

  async list(limit: number, device?: DeviceId): Promise<readonly StoredChange[]> {
    const most = Math.max(0, limit);
    const rows =
      device === undefined
        ? this.session.all<ChangeRow>('SELECT * FROM change ORDER BY seq DESC, nth DESC LIMIT ?', most)
        : this.session.all<ChangeRow>(
            'SELECT * FROM change WHERE device = ? ORDER BY seq DESC, nth DESC LIMIT ?',
            device,
            most,
          );
    return rows.map(changeOf);
  }
}

function changeOf(row: ChangeRow): StoredChange {
  const id = changeId(row.seq, row.nth);
  const cell = (column: string) => ({ table: 'change', column, row: id });
  return {
    id,
    what: oneOf(cell('what'), row.what, WHAT),
    device: row.device,
    role: row.role === null ? null : oneOf(cell('role'), row.role, ROLES),
    by: row.giver === null ? null : giverAlone(cell('giver'), row.giver),
    at: integer(cell('changed_at'), row.changed_at),
    seq: integer(cell('seq'), row.seq, 1),
    request: row.request,
    scopes: heldOf(cell('scopes'), row.scopes),
  };
}

export class SqliteChanges extends SqliteChangeReader implements ChangeWriter {
  async add(change: Change): Promise<string> {
    const row = this.session.get<{ nth: number }>(
      'SELECT coalesce(max(nth), 0) + 1 AS nth FROM change WHERE seq = ?',
      change.seq,
    );
    const nth = row?.nth ?? 1;
    this.session.run(
      `INSERT INTO change (seq, nth, what, device, role, giver, changed_at, request, scopes)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      change.seq,
      nth,
      change.what,
      change.device,
      change.role,
      change.by === null ? null : JSON.stringify(change.by),
      change.at,
      change.request,
      JSON.stringify(change.scopes),
    );
    return changeId(change.seq, nth);
  }
}
