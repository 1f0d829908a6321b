import type { CodeId, DeviceId } from '../../core/authz/principal.ts';
import { ROLES } from '../../core/authz/scope.ts';
import type { CodeState } from '../../core/authz/state.ts';
import type { Instant } from '../../core/base/instant.ts';
import { deviceBehind } from '../giver.ts';
import { type CodeReader, type CodeWriter, StaleRevision } from '../store.ts';
import { giverOf, integer, oneOf, scopesOf } from './decode.ts';
import type { Session } from './session.ts';

interface CodeRow {
  readonly id: CodeId;
  readonly role: string;
  readonly scopes: string;
  readonly maker: string;
  readonly maker_device: string | null;
  readonly made: number;
  readonly made_at: number;
  readonly expires_at: number;
  readonly used_by: DeviceId | null;
  readonly ended: number;
  readonly revision: number;
}

export class SqliteCodeReader implements CodeReader {
  protected readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  async load(id: CodeId): Promise<CodeState | null> {
    const row = this.session.get<CodeRow>('SELECT * FROM code WHERE id = ?', id);
    if (row === undefined) return null;
    const cell = (column: string) => ({ table: 'code', column, row: id });
    return {
      id,
      role: oneOf(cell('role'), row.role, ROLES),
      scopes: scopesOf(cell('scopes'), row.scopes),
      maker: giverOf(cell('maker'), row.maker, row.maker_device),
      made: integer(cell('made'), row.made, 1),
      madeAt: integer(cell('made_at'), row.made_at),
      expiresAt: integer(cell('expires_at'), row.expires_at),
      usedBy: row.used_by,
      ended: row.ended === 1,
      revision: integer(cell('revision'), row.revision, 1),
    };
  }
}

export class SqliteCodes extends SqliteCodeReader implements CodeWriter {
  async save(code: CodeState, expected: number): Promise<void> {
    if (code.revision <= expected) {
      throw new RangeError(`code ${code.id}: revision ${code.revision} does not follow ${expected}`);
    }
    const values = [
      code.role,
      JSON.stringify(code.scopes),
      JSON.stringify(code.maker),
      deviceBehind(code.maker),
      code.made,
      code.madeAt,
      code.expiresAt,
      code.usedBy,
      code.ended ? 1 : 0,
      code.revision,
      code.id,
    ] as const;
    const saved =
      expected === 0
        ? this.session.run(
            `INSERT INTO code (role, scopes, maker, maker_device, made, made_at, expires_at, used_by, ended, revision, id)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
            ...values,
          )
        : this.session.run(
            `UPDATE code SET role = ?, scopes = ?, maker = ?, maker_device = ?, made = ?, made_at = ?, expires_at = ?,
               used_by = ?, ended = ?, revision = ? WHERE id = ? AND revision = ?`,
            ...values,
            expected,
          );
    if (saved !== 1) throw new StaleRevision(`code ${code.id}`);
  }

  async endBy(maker: DeviceId | 'secret'): Promise<void> {
    if (maker === 'secret') {
      this.session.run(
        `UPDATE code SET ended = 1, revision = revision + 1
         WHERE json_extract(maker, '$.kind') = 'secret' AND used_by IS NULL AND ended = 0`,
      );
      return;
    }
    this.session.run(
      `UPDATE code SET ended = 1, revision = revision + 1
       WHERE maker_device = ? AND used_by IS NULL AND ended = 0`,
      maker,
    );
  }

  async drop(at: Instant): Promise<void> {
    this.session.run('DELETE FROM code WHERE expires_at <= ?', at);
  }
}
