/** One step of the schema. Once released it never changes: what it left behind is in people's files. */
export interface Migration {
  /** 1, 2, 3 … without a gap. */
  readonly version: number;
  readonly name: string;
  /** Run in one transaction, foreign keys checked at its end. */
  readonly sql: string;
  /** Lower-case hex SHA-256 of `sql`; a test holds them together, so that starting needs no hash. */
  readonly sha256: string;
}

/** The record that a migration was applied. This table never changes, so that every version can read it. */
export interface Receipt {
  readonly version: number;
  readonly name: string;
  readonly sha256: string;
  readonly applied_at: number;
  /** The version of the program that applied it. */
  readonly program: string;
}

export const RECEIPT_TABLE = `
CREATE TABLE receipt (
  version INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  applied_at INTEGER NOT NULL,
  program TEXT NOT NULL
) STRICT`;
