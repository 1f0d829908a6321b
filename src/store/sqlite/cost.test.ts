import { afterEach, beforeEach, expect, test } from 'vitest';
import { Life } from '../life.ts';
import { createSchema } from '../migration/migrate.ts';
import { migrations } from '../migration/migrations.ts';
import { NOON } from '../suite/sample.ts';
import { run, runId, said, session, sessionId, sessionKey } from '../suite/talk.ts';
import { Connection } from './connection.ts';
import { SqliteRuns } from './runs.ts';
import { Session } from './session.ts';
import { SqliteSessions } from './sessions.ts';

// What a question costs is what it returns, not what is stored: held by how the engine goes about each statement.

/** Notes every statement that is run. */
class Noting extends Connection {
  readonly noted = new Set<string>();

  override get<Row>(sql: string, ...values: Parameters<Connection['run']>[1][]): Row | undefined {
    this.noted.add(sql);
    return super.get<Row>(sql, ...values);
  }

  override all<Row>(sql: string, ...values: Parameters<Connection['run']>[1][]): Row[] {
    this.noted.add(sql);
    return super.all<Row>(sql, ...values);
  }

  override run(sql: string, ...values: Parameters<Connection['run']>[1][]): number {
    this.noted.add(sql);
    return super.run(sql, ...values);
  }
}

let connection: Noting;
let sessions: SqliteSessions;
let runs: SqliteRuns;
beforeEach(() => {
  connection = new Noting(':memory:', { synchronous: 'OFF' });
  const how = { migrations, backupsDir: '', now: () => NOON, programVersion: '0.1.0', migrate: true };
  createSchema(connection, how);
  const handle = new Session(connection, new Life());
  sessions = new SqliteSessions(handle);
  runs = new SqliteRuns(handle);
});
afterEach(() => connection.close());

/** The steps of every statement that `work` ran, as the engine plans them. */
async function stepsOf(work: () => Promise<unknown>): Promise<readonly string[]> {
  connection.noted.clear();
  await work();
  const statements = [...connection.noted];
  expect(statements.length).toBeGreaterThan(0);
  return statements.flatMap((sql) => {
    // Without values every `?` is NULL, which changes no plan.
    const steps = connection.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).map((row) => row.detail);
    return steps.map((step) => `${step} <- ${sql.replace(/\s+/g, ' ')}`);
  });
}

/**
 * Goes through a table, or sorts what it found. A walk along an index that nothing but its LIMIT ends is neither, nor is
 * one along the index that holds the open runs alone.
 */
function isWhole(step: string): boolean {
  if (/^USE TEMP B-TREE/.test(step)) return true;
  const isWalk = /USING INDEX run_open/.test(step) || (/LIMIT \?/.test(step) && !/WHERE/.test(step));
  return /^SCAN/.test(step) && !isWalk;
}

const id = sessionId(1);
const { key } = session(1);

test.each<readonly [string, () => Promise<unknown>]>([
  ['S38 rows', () => sessions.rows(id, 5, 9)],
  ['S38 tail', () => sessions.tail(id, 9)],
  ['S38 tail before', () => sessions.tail(id, 9, 50)],
  ['S37 append', () => sessions.save(session(1), 0).then(() => sessions.append(id, said(1)))],
  ['S31 load', () => sessions.load(key)],
  ['S34 keyOf', () => sessions.keyOf(id)],
  ['S32 save', () => sessions.save(session(1), 0)],
  [
    'S34 save as another',
    () => sessions.save(session(1), 0).then(() => sessions.save(session(2, { key, revision: 2 }), 1)),
  ],
  ['S33 list', () => sessions.list({ limit: 9 })],
  ['S33 list of a page', () => sessions.list({ limit: 9, before: session(1) })],
  ['S33 list of an agent', () => sessions.list({ limit: 9, agent: 'main' })],
  ['S33 list of an agent, of a page', () => sessions.list({ limit: 9, agent: 'main', before: session(1) })],
  ['S33 count of an agent', () => sessions.count('main')],
  ['S35 prune', () => sessions.prune(NOON, 9)],
  ['S45 conversation', () => sessions.conversation(id)],
  ['S45 bytes of an agent', () => sessions.bytes('main')],
  [
    'S46 cut',
    async () => {
      await sessions.save(session(1), 0);
      for (const seq of [1, 2]) await sessions.append(id, said(seq));
      await sessions.cut(id, 1);
      await sessions.rows(id, 1, 9);
    },
  ],
  [
    'S47 forget',
    async () => {
      await sessions.save(session(1), 0);
      await sessions.save(session(2, { key, revision: 2 }), 1);
      await sessions.forget(id);
    },
  ],
  ['S48 oldest', () => sessions.oldest({ agent: 'main', before: NOON, limit: 9 })],
  ['S48 oldest of a page', () => sessions.oldest({ agent: 'main', before: NOON, limit: 9, after: session(1) })],
  ['S48 resets', () => sessions.resets({ agent: 'main', limit: 9 })],
  ['S48 agents', () => sessions.agents()],
  ['S50 agents', () => runs.agents()],
  ['S39 run', () => runs.load(runId('r'))],
  ['S41 list', () => runs.list({ limit: 9 })],
  ['S41 list of a key', () => runs.list({ limit: 9, key: sessionKey('main') })],
  ['S41 open', () => runs.open()],
  ['S42 prune', () => runs.prune(NOON, 9)],
  ['S44 say', () => runs.save(run('r'), 0).then(() => runs.say(runId('r'), { model: 'm', text: 't' }))],
  ['S44 saying', () => runs.saying(runId('r'))],
  ['S44 said', () => runs.said(runId('r'))],
])('%s costs the same however much is stored', async (_name, work) => {
  expect((await stepsOf(work)).filter(isWhole)).toEqual([]);
});

test('S35 what is dropped leads to what hangs on it: every foreign key begins an index', () => {
  const names = (sql: string) => connection.all<{ name: string }>(sql).map((row) => row.name);
  const loose = names("SELECT name FROM sqlite_schema WHERE type = 'table'").flatMap((table) => {
    const first = names(`PRAGMA index_list(${table})`).map((index) => names(`PRAGMA index_info(${index})`)[0]);
    const keys = connection.all<{ from: string; seq: number }>(`PRAGMA foreign_key_list(${table})`);
    return keys.filter((k) => k.seq === 0 && !first.includes(k.from)).map((k) => `${table}.${k.from}`);
  });
  expect(loose).toEqual([]);
});

test('S43 what was spent is read from the index alone: not one ask is looked at', async () => {
  const steps = (await stepsOf(() => runs.spent('main', NOON))).filter((step) => step.startsWith('SEARCH run'));
  expect(steps).toHaveLength(2);
  for (const step of steps) expect(step).toContain('COVERING INDEX run_spent');
});

test('S49 S50 who began conversations and what a day took is read by an index', async () => {
  const begun = await stepsOf(() => sessions.begunSince(NOON));
  const used = await stepsOf(() => runs.used('main', NOON, null));
  const reads = ['COVERING INDEX session_begun', 'INDEX conversation_reset', 'USING PRIMARY KEY'];
  for (const [at, step] of begun.entries()) expect(step).toContain(reads[at]);
  for (const step of used) expect(step).toContain('COVERING INDEX run_spent');
  expect([begun.length, used.length]).toEqual([3, 2]);
});

test('S38 the check sees a statement that goes through a table', async () => {
  const all = () => Promise.resolve(connection.all('SELECT body FROM transcript WHERE said_at > ? ORDER BY seq', 1));
  expect((await stepsOf(all)).filter(isWhole)).toHaveLength(2);
});
