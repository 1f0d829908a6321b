import type { Migration } from './migration.ts';

/**
 * What a run is saying: pieces of an answer that is no row of its transcript yet, in the order in which they were said.
 * They are told once they stand here, and go when the answer becomes a row, or the run ends. They are appended: an answer
 * that grows is not written again with each of its pieces.
 */
export const saying: Migration = {
  version: 3,
  name: 'saying',
  sha256: 'ac01726a9a3f0bb2cd2f07b50220725e3cb3e04a2929c86443e5a83c8589874f',
  sql: `
CREATE TABLE saying (
  run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  n INTEGER NOT NULL CHECK (n > 0),
  model TEXT NOT NULL CHECK (json_type(model) = 'text'),
  text TEXT NOT NULL CHECK (json_type(text) = 'text'),
  PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;
`,
};
