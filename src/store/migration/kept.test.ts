import { afterEach, expect, test } from 'vitest';
import type { SessionId } from '../../core/conversation/session.ts';
import { Life } from '../life.ts';
import { Connection } from '../sqlite/connection.ts';
import { Session } from '../sqlite/session.ts';
import { SqliteSessions } from '../sqlite/sessions.ts';
import type { WriteTx } from '../store.ts';
import { NOON } from '../suite/sample.ts';
import { said, session, sessionId, sessionKey, talk } from '../suite/talk.ts';
import { createSchema } from './migrate.ts';
import { migrations } from './migrations.ts';

let connection: Connection;
afterEach(() => connection.close());

test('S24 S45 what was said before sizes were kept has them afterwards, and is its agent’s', async () => {
  connection = new Connection(':memory:', { synchronous: 'OFF' });
  const how = { migrations, backupsDir: '', now: () => NOON, programVersion: '0.1.0', migrate: true };
  createSchema(connection, how);
  const sessions = new SqliteSessions(new Session(connection, new Life()));
  await talk({ sessions } as unknown as WriteTx, session(1, { key: sessionKey('p', 'other') }), 3);
  await sessions.append(sessionId(1), said(4, { body: { kind: 'note', text: 'ü 🌍', label: null } }));
  const before = await sessions.conversation('s1' as SessionId);
  const bytes = await sessions.bytes('other');
  expect(bytes).toBeGreaterThan(100);
  // As it stood before.
  const [, , , kept] = migrations;
  connection.exec('DROP INDEX conversation_agent; DROP INDEX session_begun');
  for (const column of ['agent', 'bytes', 'dropped']) connection.exec(`ALTER TABLE conversation DROP COLUMN ${column}`);
  connection.exec(kept?.sql ?? '');
  expect(await sessions.conversation('s1' as SessionId)).toEqual(before);
  expect([await sessions.bytes('other'), await sessions.bytes('main')]).toEqual([bytes, 0]);
});
