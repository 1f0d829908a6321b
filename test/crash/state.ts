// What a state directory holds, as a value that can be compared: every row of the truth, the gateway's identity, the
// configuration, and which files there are.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { codeFindings, findings } from '../../src/core/authz/invariant.ts';
import { openSqlite } from '../../src/store/sqlite/open.ts';
import { TruthReader } from '../scenario/state.ts';

/** Table or file → its rows or lines. */
export type State = Readonly<Record<string, readonly string[]>>;

const FRESH = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{64}\b|\b[0-9a-f]{48}\b/g;
/** The lock, the logs and the trace are written all the time; SQLite's own files come and go. */
const PASSING = /^(run|logs)\/|^state\/trace\.sqlite|-(wal|shm|journal)$/;

/** Everything that has to be as before or as after. Ids, codes and secrets made since `before` are alike. */
export function stateOf(stateDir: string, before?: State): State {
  const reader = new TruthReader(stateDir);
  const tables = reader.tables();
  reader.close();
  const state: State = {
    ...tables,
    identity: readFileSync(join(stateDir, 'identity', 'gateway.json'), 'utf8').split('\n'),
    configuration: readFileSync(join(stateDir, 'latchkey.json'), 'utf8').split('\n'),
  };
  if (before === undefined) return state;
  const known = new Set(JSON.stringify(before).match(FRESH));
  const named = (row: string) => row.replace(FRESH, (id) => (known.has(id) ? id : '(fresh)'));
  return Object.fromEntries(Object.entries(state).map(([name, rows]) => [name, rows.map(named).sort()]));
}

/** Sorted as `stateOf` sorts beside a `before`. */
export function plainly(state: State): State {
  return Object.fromEntries(Object.entries(state).map(([name, rows]) => [name, [...rows].sort()]));
}

/** Rows that only one of them has. */
export function differences(a: State, b: State): readonly string[] {
  const lines = (state: State) => Object.entries(state).flatMap(([name, rows]) => rows.map((row) => `${name} ${row}`));
  const [left, right] = [lines(a), lines(b)];
  return [
    ...left.filter((line) => !right.includes(line)).map((line) => `- ${line}`),
    ...right.filter((line) => !left.includes(line)).map((line) => `+ ${line}`),
  ];
}

/** Every file that is kept, as a path. */
export function kept(stateDir: string): readonly string[] {
  return readdirSync(stateDir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(stateDir, join(entry.parentPath, entry.name)))
    .filter((path) => !PASSING.test(path))
    .sort();
}

/** Transcripts in which a row is missing (S37). */
const GAPS = 'SELECT session, max(seq) AS last, count(*) AS rows FROM transcript GROUP BY session HAVING last <> rows';
/** Sessions that say another number of rows than they have. */
const COUNTS = `SELECT key, row_count FROM session s
  WHERE row_count <> (SELECT count(*) FROM transcript t WHERE t.session = s.id)`;

/** What SQLite and the core's own predicates find wrong with the truth; looked at in a copy. */
export async function faults(stateDir: string, at: number): Promise<readonly string[]> {
  const home = mkdtempSync(join(tmpdir(), 'lk-'));
  try {
    cpSync(join(stateDir, 'state'), join(home, 'state'), { recursive: true });
    const file = join(home, 'state', 'latchkey.sqlite');
    const store = await openSqlite({ file, backupsDir: home, now: () => at, programVersion: '0.1.0', migrate: false });
    const devices = await store.read((tx) => tx.devices.list());
    const db = new DatabaseSync(file);
    const seq = Number(db.prepare("SELECT value FROM counter WHERE name = 'seq'").get()?.value ?? 0);
    const ids = db.prepare('SELECT id FROM code').all();
    const damage = [
      ...db.prepare('PRAGMA integrity_check').all(),
      ...db.prepare('PRAGMA foreign_key_check').all(),
      ...db.prepare(GAPS).all(),
      ...db.prepare(COUNTS).all(),
    ];
    db.close();
    const codes = await store.read((tx) => Promise.all(ids.map(({ id }) => tx.codes.load(id as never))));
    await store.close();
    return [
      ...damage.map((row) => JSON.stringify(row)).filter((text) => text !== '{"integrity_check":"ok"}'),
      ...devices.flatMap((device) => findings(device, at, seq).map((f) => `${f.code} ${f.text}`)),
      ...codes.flatMap((code) => (code === null ? [] : codeFindings(code, seq).map((f) => `${f.code} ${f.text}`))),
    ];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
