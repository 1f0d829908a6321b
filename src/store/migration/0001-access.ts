import type { Migration } from './migration.ts';

/**
 * Devices with what they hold and ask, setup codes, changes. What people or clients wrote is kept as JSON text: exact
 * with NUL and halves of surrogate pairs, on every database. `…_device` names the device behind a giver, for `givenBy`.
 */
export const access: Migration = {
  version: 1,
  name: 'access',
  sha256: '4859c126ce682d0e1a71ba0b20dcde20aa56c159f0405607b396665131b5f49e',
  sql: `
CREATE TABLE counter (
  name TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
  id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
  key TEXT NOT NULL,
  name TEXT CHECK (json_valid(name)),
  label TEXT CHECK (json_valid(label)),
  revision INTEGER NOT NULL CHECK (revision > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE role (
  device TEXT NOT NULL REFERENCES device ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('operator', 'node')),
  giver TEXT CHECK (json_valid(giver)),
  giver_device TEXT,
  granted_at INTEGER,
  decided INTEGER CHECK (decided > 0),
  gone INTEGER CHECK (gone > 0),
  epoch INTEGER NOT NULL CHECK (epoch >= 0),
  PRIMARY KEY (device, role),
  CHECK ((giver IS NULL) = (granted_at IS NULL)),
  CHECK (giver IS NOT NULL OR giver_device IS NULL),
  CHECK (gone IS NULL OR (giver IS NULL AND decided IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX role_giver ON role (giver_device) WHERE giver_device IS NOT NULL;

CREATE TABLE entry (
  device TEXT NOT NULL,
  role TEXT NOT NULL,
  scope TEXT NOT NULL CHECK (scope <> ''),
  until INTEGER,
  giver TEXT NOT NULL CHECK (json_valid(giver)),
  giver_device TEXT,
  given_at INTEGER NOT NULL,
  PRIMARY KEY (device, role, scope),
  FOREIGN KEY (device, role) REFERENCES role ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_until ON entry (until) WHERE until IS NOT NULL;
CREATE INDEX entry_giver ON entry (giver_device) WHERE giver_device IS NOT NULL;

CREATE TABLE request (
  id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
  device TEXT NOT NULL,
  role TEXT NOT NULL,
  scopes TEXT NOT NULL CHECK (json_type(scopes) = 'array'),
  opened_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  source TEXT NOT NULL,
  with_secret INTEGER NOT NULL CHECK (with_secret IN (0, 1)),
  label TEXT NOT NULL CHECK (json_type(label) = 'object'),
  comparison TEXT CHECK (json_type(comparison) = 'object'),
  UNIQUE (device, role),
  FOREIGN KEY (device, role) REFERENCES role ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX request_end ON request (expires_at);

CREATE TABLE rejection (
  id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
  device TEXT NOT NULL,
  role TEXT NOT NULL,
  scopes TEXT NOT NULL CHECK (json_type(scopes) = 'array'),
  rejected_at INTEGER NOT NULL,
  until INTEGER NOT NULL,
  giver TEXT NOT NULL CHECK (json_valid(giver)),
  label TEXT NOT NULL CHECK (json_type(label) = 'object'),
  UNIQUE (device, role),
  FOREIGN KEY (device, role) REFERENCES role ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX rejection_end ON rejection (until);

CREATE TABLE outcome (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  outcome TEXT NOT NULL CHECK (outcome IN ('approved', 'rejected', 'superseded', 'expired', 'replaced', 'ended')),
  closed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX outcome_at ON outcome (closed_at);

CREATE TABLE ask (
  asked_at INTEGER NOT NULL PRIMARY KEY,
  count INTEGER NOT NULL CHECK (count > 0)
) STRICT;

CREATE TABLE code (
  id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
  role TEXT NOT NULL CHECK (role IN ('operator', 'node')),
  scopes TEXT NOT NULL CHECK (json_type(scopes) = 'array'),
  maker TEXT NOT NULL CHECK (json_valid(maker)),
  maker_device TEXT,
  made INTEGER NOT NULL CHECK (made > 0),
  made_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_by TEXT,
  ended INTEGER NOT NULL CHECK (ended IN (0, 1)),
  revision INTEGER NOT NULL CHECK (revision > 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX code_maker ON code (maker_device) WHERE maker_device IS NOT NULL;
CREATE INDEX code_end ON code (expires_at);

CREATE TABLE change (
  seq INTEGER NOT NULL CHECK (seq > 0),
  nth INTEGER NOT NULL CHECK (nth > 0),
  what TEXT NOT NULL,
  device TEXT NOT NULL,
  role TEXT CHECK (role IN ('operator', 'node')),
  giver TEXT CHECK (json_valid(giver)),
  changed_at INTEGER NOT NULL,
  request TEXT,
  scopes TEXT NOT NULL CHECK (json_type(scopes) = 'array'),
  PRIMARY KEY (seq, nth)
) STRICT, WITHOUT ROWID;
CREATE INDEX change_device ON change (device, seq, nth);
`,
};
