import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Inconsistent, type ReadTx } from '../store.ts';
import { byDevice, change, code, codeId, deviceId, fullDevice, grant, OWNER, requestId } from '../suite/sample.ts';
import { ANSWER, fullRun, runId, said, session, sessionId, talk } from '../suite/talk.ts';
import { openSqlite } from './open.ts';
import { makeScratch, type Scratch } from './scratch.ts';

let scratch: Scratch;
beforeEach(async () => {
  scratch = makeScratch();
  const store = await openSqlite(scratch.options);
  await store.write(async (tx) => {
    await tx.devices.save(fullDevice(1), 0);
    await tx.devices.close(requestId('done'), 'approved', 1);
    await tx.codes.save(code(1, { maker: byDevice(3) }), 0);
    await tx.changes.add(change(1, 1));
    await talk(tx, session(1), 3);
    await tx.sessions.append(sessionId(1), { ...said(4), run: runId('r'), body: ANSWER });
    await tx.sessions.save({ ...session(1), rows: 4, lastRun: runId('r'), revision: 3 }, 2);
    await tx.runs.save(fullRun('r', { kind: 'error', code: 'c', text: 't' }), 0);
  });
  await store.close();
});
afterEach(() => scratch.clear());

/** Changes rows past every check, as a hand with another tool would. */
function tamper(sql: string): void {
  const db = new DatabaseSync(scratch.file, { enableForeignKeyConstraints: false });
  db.exec('PRAGMA ignore_check_constraints = ON');
  db.exec(sql);
  db.close();
}

const load = (tx: ReadTx) => tx.devices.load(deviceId(1));
const list = (tx: ReadTx) => tx.devices.list();
const loadCode = (tx: ReadTx) => tx.codes.load(codeId(1));
const find = (tx: ReadTx) => tx.changes.find('ch_1');
const loadSession = (tx: ReadTx) => tx.sessions.load(session(1).key);
const loadRun = (tx: ReadTx) => tx.runs.load(runId('r'));
const rows = (tx: ReadTx) => tx.sessions.rows(sessionId(1), 1, 99);
const tail = (tx: ReadTx) => tx.sessions.tail(sessionId(1), 99);
const KEY = '"agent:main:place-1"';
const OPERATOR = `${deviceId(1)} operator`;

const cases: readonly (readonly [string, (tx: ReadTx) => Promise<unknown>, string, string])[] = [
  ["UPDATE device SET name = 'bare'", load, 'device.name', deviceId(1)],
  ["UPDATE device SET label = '[]'", load, 'device.label', deviceId(1)],
  ['UPDATE device SET revision = 0', load, 'device.revision', deviceId(1)],
  ["UPDATE role SET giver = NULL WHERE role = 'operator'", load, 'role.granted_at', OPERATOR],
  ["UPDATE role SET giver = NULL, granted_at = NULL WHERE role = 'operator'", load, 'role.giver_device', OPERATOR],
  [
    "UPDATE role SET giver = NULL, granted_at = NULL, giver_device = NULL WHERE role = 'operator'",
    load,
    'entry.role',
    `${OPERATOR} operator.admin`,
  ],
  ["UPDATE role SET gone = 3 WHERE role = 'operator'", load, 'role.gone', OPERATOR],
  ["UPDATE role SET decided = NULL WHERE role = 'node'", load, 'role.decided', `${deviceId(1)} node`],
  ["UPDATE role SET decided = NULL WHERE role = 'operator'", load, 'role.decided', OPERATOR],
  ["UPDATE role SET epoch = -1 WHERE role = 'operator'", load, 'role.epoch', OPERATOR],
  [`UPDATE role SET giver_device = '${deviceId(5)}' WHERE role = 'operator'`, load, 'role.giver_device', OPERATOR],
  ['UPDATE role SET giver = \'{"kind":"root"}\' WHERE role = \'operator\'', load, 'role.giver', OPERATOR],
  ["UPDATE role SET role = 'admin' WHERE role = 'operator'", load, 'role.role', `${deviceId(1)} admin`],
  ["DELETE FROM role WHERE role = 'operator'", load, 'entry.role', `${OPERATOR} operator.admin`],
  [
    `UPDATE entry SET giver_device = NULL WHERE scope = 'operator.admin'`,
    load,
    'entry.giver_device',
    `${OPERATOR} operator.admin`,
  ],
  ["UPDATE request SET scopes = '[1]'", load, 'request.scopes', 'q1'],
  ["UPDATE request SET label = '{}'", load, 'request.label', 'q1'],
  ["UPDATE request SET comparison = 'no'", load, 'request.comparison', 'q1'],
  ["UPDATE rejection SET giver = '{}' WHERE id = 'x1'", load, 'rejection.giver', 'x1'],
  ['DELETE FROM device', list, 'role.device', deviceId(1)],
  ['DELETE FROM device; DELETE FROM role', list, 'entry.device', deviceId(1)],
  ["UPDATE outcome SET outcome = 'won'", (tx) => tx.devices.past(requestId('done')), 'outcome.outcome', 'done'],
  ["UPDATE code SET role = 'root'", loadCode, 'code.role', codeId(1)],
  ['UPDATE code SET maker_device = NULL', loadCode, 'code.maker_device', codeId(1)],
  ["UPDATE code SET scopes = '{}'", loadCode, 'code.scopes', codeId(1)],
  ["UPDATE change SET what = 'hack'", find, 'change.what', 'ch_1'],
  ['UPDATE change SET scopes = \'[{"scope":1}]\'', find, 'change.scopes', 'ch_1'],
  ["UPDATE session SET key = 'bare'", (tx) => tx.sessions.list({ limit: 9 }), 'session.key', 'bare'],
  ["UPDATE session SET giver = '[]'", loadSession, 'session.giver', KEY],
  ['UPDATE session SET settings = \'{"queue":"jump"}\'', loadSession, 'session.settings', KEY],
  ['UPDATE session SET row_count = -1', loadSession, 'session.row_count', KEY],
  ['UPDATE session SET compacted = 5', loadSession, 'session.compacted', KEY],
  ['UPDATE session SET cache_read = -1', loadSession, 'session.cache_read', KEY],
  ['UPDATE session SET last_run = 1', loadSession, 'session.last_run', KEY],
  ['UPDATE session SET revision = 0', loadSession, 'session.revision', KEY],
  ["UPDATE conversation SET key = '1'", (tx) => tx.sessions.keyOf(sessionId(1)), 'conversation.key', 's1'],
  ['DELETE FROM transcript WHERE seq = 1', rows, 'transcript.seq', 's1 2'],
  ['DELETE FROM transcript WHERE seq = 1', tail, 'transcript.seq', 's1 2'],
  ['DELETE FROM transcript WHERE seq = 3', rows, 'transcript.seq', 's1 4'],
  ['DELETE FROM transcript WHERE seq = 3', (tx) => tx.sessions.tail(sessionId(1), 2), 'transcript.seq', 's1 4'],
  ["UPDATE transcript SET run = 'r' WHERE seq = 4", rows, 'transcript.run', 's1 4'],
  ["UPDATE transcript SET body = '[]' WHERE seq = 2", rows, 'transcript.body', 's1 2'],
  ['UPDATE transcript SET body = \'{"kind":"shout","text":""}\' WHERE seq = 2', tail, 'transcript.body', 's1 2'],
  ["UPDATE transcript SET body = json_remove(body, '$.text') WHERE seq = 2", rows, 'transcript.body', 's1 2'],
  ["UPDATE transcript SET body = json_set(body, '$.from.kind', 'x') WHERE seq = 2", rows, 'transcript.body', 's1 2'],
  ["UPDATE transcript SET body = json_set(body, '$.stop', 'x') WHERE seq = 4", rows, 'transcript.body', 's1 4'],
  ["UPDATE transcript SET body = json_set(body, '$.calls', 1) WHERE seq = 4", rows, 'transcript.body', 's1 4'],
  ["UPDATE transcript SET body = json_set(body, '$.usage.input', -1) WHERE seq = 4", rows, 'transcript.body', 's1 4'],
  ["UPDATE run SET key = 'bare'", loadRun, 'run.key', '"r"'],
  ["UPDATE run SET agent = 'other'", loadRun, 'run.agent', '"r"'],
  ["UPDATE run SET giver = '{}'", loadRun, 'run.giver', '"r"'],
  ["UPDATE run SET ask = json_remove(ask, '$.from')", loadRun, 'run.ask', '"r"'],
  ["UPDATE run SET ask = json_set(ask, '$.attachments[0].bytes', 0.5)", loadRun, 'run.ask', '"r"'],
  ["UPDATE run SET ask = json_set(ask, '$.mode', 'jump')", loadRun, 'run.ask', '"r"'],
  ['UPDATE run SET ending = \'{"kind":"won"}\'', loadRun, 'run.ending', '"r"'],
  ['UPDATE run SET ending = NULL', loadRun, 'run.ended_at', '"r"'],
  ['UPDATE run SET ended_at = NULL', (tx) => tx.runs.open(), 'run.ended_at', '"r"'],
  ['UPDATE run SET cost_micros = -1', loadRun, 'run.cost_micros', '"r"'],
  ['UPDATE run SET output = -1', loadRun, 'run.output', '"r"'],
  ['UPDATE run SET revision = 0', (tx) => tx.runs.list({ limit: 1 }), 'run.revision', '"r"'],
];

test.each(cases)('S27 %s: found when it is read, named by table, column and row', async (sql, read, cell, row) => {
  tamper(sql);
  const store = await openSqlite({ ...scratch.options, create: false });
  const error = await store.read(read).catch((e: unknown) => e);
  await store.close();
  if (!(error instanceof Inconsistent)) throw new Error(`read as ${JSON.stringify(error)}`);
  expect([`${error.table}.${error.column}`, error.row]).toEqual([cell, row]);
  expect(error.message).toContain(row);
});

test('S27 one device that can not be read takes no other with it', async () => {
  const before = await openSqlite({ ...scratch.options, create: false });
  await before.write((tx) =>
    tx.devices.save({ ...fullDevice(2), roles: { ...fullDevice(2).roles, node: fullDevice(2).roles.node } }, 0),
  );
  await before.close();
  tamper(`UPDATE device SET name = 'bare' WHERE id = '${deviceId(1)}'`);
  const store = await openSqlite({ ...scratch.options, create: false });
  expect(await store.read((tx) => tx.devices.load(deviceId(2)))).toStrictEqual(fullDevice(2));
  await store.close();
});

test('S27 the database itself refuses what can not be', async () => {
  const store = await openSqlite({ ...scratch.options, create: false });
  const impossible = [
    { gone: 4, decided: 4, grant: grant(OWNER) },
    { gone: 4, decided: null },
    { epoch: -1 },
    { grant: { ...grant(OWNER), at: 0.5 } },
  ];
  for (const role of impossible) {
    const full = fullDevice(1);
    const state = {
      ...full,
      roles: { ...full.roles, node: { ...full.roles.node, rejection: null, ...role } },
      revision: 10,
    };
    await expect(store.write((tx) => tx.devices.save(state, 9))).rejects.toThrow(/constraint|cannot store/);
  }
  expect(await store.read(load)).toStrictEqual(fullDevice(1));
  await store.close();
});
