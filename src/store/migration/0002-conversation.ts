import type { Migration } from './migration.ts';

/**
 * Sessions, their conversations and transcripts, runs. Session keys and the ids of runs come from clients, so they are
 * JSON text like everything else that was written elsewhere. The rows of a transcript lie in the order in which they
 * came, whosever they are; `(session, seq)` leads to them.
 */
export const conversation: Migration = {
  version: 2,
  name: 'conversation',
  sha256: 'e9a4d362285eaafabcd229baebec59a09c6ab92b5c1158f06b6a5b2ef11cbc3f',
  sql: `
CREATE TABLE session (
  key TEXT NOT NULL PRIMARY KEY CHECK (json_type(key) = 'text'),
  id TEXT NOT NULL UNIQUE CHECK (id <> ''),
  agent TEXT NOT NULL,
  giver TEXT NOT NULL CHECK (json_type(giver) = 'object'),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  settings TEXT NOT NULL CHECK (json_type(settings) = 'object'),
  row_count INTEGER NOT NULL CHECK (row_count >= 0),
  compacted INTEGER NOT NULL CHECK (compacted BETWEEN 0 AND row_count),
  input INTEGER NOT NULL CHECK (input >= 0),
  output INTEGER NOT NULL CHECK (output >= 0),
  cache_read INTEGER NOT NULL CHECK (cache_read >= 0),
  cache_write INTEGER NOT NULL CHECK (cache_write >= 0),
  context INTEGER NOT NULL CHECK (context >= 0),
  last_run TEXT CHECK (json_type(last_run) = 'text'),
  revision INTEGER NOT NULL CHECK (revision > 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_updated ON session (updated_at, id);
CREATE INDEX session_agent ON session (agent, updated_at, id);

CREATE TABLE conversation (
  id TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
  key TEXT NOT NULL REFERENCES session ON DELETE CASCADE,
  reset_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_key ON conversation (key);
CREATE INDEX conversation_reset ON conversation (reset_at, id) WHERE reset_at IS NOT NULL;

CREATE TABLE transcript (
  n INTEGER PRIMARY KEY,
  session TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
  seq INTEGER NOT NULL CHECK (seq > 0),
  said_at INTEGER NOT NULL,
  run TEXT CHECK (json_type(run) = 'text'),
  body TEXT NOT NULL CHECK (json_type(body) = 'object'),
  UNIQUE (session, seq)
) STRICT;

CREATE TABLE run (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE CHECK (json_type(id) = 'text'),
  key TEXT NOT NULL CHECK (json_type(key) = 'text'),
  session TEXT NOT NULL,
  agent TEXT NOT NULL,
  giver TEXT NOT NULL CHECK (json_type(giver) = 'object'),
  ask TEXT NOT NULL CHECK (json_type(ask) = 'object'),
  fingerprint TEXT NOT NULL,
  accepted_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  ending TEXT CHECK (json_type(ending) = 'object'),
  input INTEGER NOT NULL CHECK (input >= 0),
  output INTEGER NOT NULL CHECK (output >= 0),
  cache_read INTEGER NOT NULL CHECK (cache_read >= 0),
  cache_write INTEGER NOT NULL CHECK (cache_write >= 0),
  cost_micros INTEGER CHECK (cost_micros >= 0),
  revision INTEGER NOT NULL CHECK (revision > 0),
  CHECK ((ending IS NULL) = (ended_at IS NULL))
) STRICT;
CREATE INDEX run_key ON run (key, n);
CREATE INDEX run_open ON run (n) WHERE ended_at IS NULL;
CREATE INDEX run_ended ON run (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX run_spent ON run (agent, ended_at, input, output, cache_read, cache_write, cost_micros);
`,
};
