import type { Migration } from './migration.ts';

/**
 * What is kept and how much it is: whose a conversation is, how large its rows are, which of them were taken away, and
 * which sessions were begun since when.
 */
export const kept: Migration = {
  version: 4,
  name: 'kept',
  sha256: '199c354fadbde531626c7cb710d72555dbfe3d6d312d8865b747511ee317bc5b',
  sql: `
ALTER TABLE conversation ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE conversation ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0);
ALTER TABLE conversation ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0 CHECK (dropped >= 0);
UPDATE conversation SET
  agent = (SELECT session.agent FROM session WHERE session.key = conversation.key),
  bytes = (SELECT coalesce(sum(length(CAST(body AS BLOB))), 0) FROM transcript WHERE transcript.session = conversation.id);
CREATE INDEX conversation_agent ON conversation (agent, reset_at, id);
CREATE INDEX session_begun ON session (created_at, giver);
`,
};
