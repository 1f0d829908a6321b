// A composition root for tests: the program as it is, on a store and a file system that end the process with SIGKILL
// before or after the N-th write, and on a wall clock that a test sets. What it wraps are Node's own modules, before the
// program loads them; the program has no switch for any of it.
//
//   node root.ts PLAN ARGS…      PLAN: see `Plan`, as JSON; ARGS as of `latchkey`
//
// Talks over IPC (see `Order`); the names of writes go to descriptor 4, where they outlive the process.
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { basename, join } from 'node:path';
import sqlite, { type DatabaseSync, type StatementSync } from 'node:sqlite';

/** What this process is to do to itself. */
export interface Plan {
  /** Ends it at this write, counted from 1 since `arm`; 0: never. */
  readonly at: number;
  /** `torn`: half of what is to be written is written. */
  readonly when: 'before' | 'after' | 'torn';
  /** Counts from the start on, without `arm`. */
  readonly armed?: boolean;
  /** The wall clock stands still here, ms since 1970. */
  readonly wall?: number;
  /** The clock is the test's: it is off by `offsetMs` (0), and `turn` sets it. */
  readonly scripted?: boolean;
  readonly offsetMs?: number;
  /** Breaks the durability that a test is about to see. */
  readonly mutant?: 'synchronous off' | 'commit late';
}

/** Orders of the test; each is answered with `Report`. */
export type Order =
  | { readonly order: 'arm' }
  /** The wall clock is so many ms off from now on. */
  | { readonly order: 'turn'; readonly offsetMs: number }
  /** Timers set since the last `look`, and what every database connection says of its durability. */
  | { readonly order: 'look' };

export interface Report {
  readonly timers: number;
  readonly busyMs: number;
  readonly connections: readonly { readonly file: string; readonly synchronous: number }[];
}

const NAMES_FD = 4;
/** Expendable by design (A17), and written whenever it happens to be time: not counted. */
const PASSING = /(^|\/)(trace\.sqlite[^/]*|logs\/[^/]*)$/;

const plan = JSON.parse(process.argv[2] ?? '{}') as Plan;
const args = process.argv.slice(3);
const real = { ...fs };
let isArmed = plan.armed === true;
let count = 0;

function end(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('still alive');
}

/** One write: counted, named, and perhaps the last. `half`: does a part of it. */
function write<T>(name: string, path: string, work: () => T, half?: () => void): T {
  if (!isArmed || PASSING.test(path)) return work();
  count += 1;
  real.writeSync(NAMES_FD, `${name} ${basename(path).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID')}\n`);
  if (count !== plan.at) return work();
  if (plan.when === 'before') end();
  if (plan.when === 'torn') {
    half?.();
    end();
  }
  const done = work();
  real.writeSync(NAMES_FD, 'done\n');
  if (done instanceof Promise) return done.then(end) as T;
  return end();
}

// ---- the store ------------------------------------------------------------------------------------------------------

const connections = new Set<DatabaseSync>();
const fileOf = new WeakMap<object, string>();
const READS = /^\s*(SELECT|PRAGMA\s+\w+\s*$|PRAGMA (quick_check|foreign_key_check|integrity_check))/i;
const firstWords = (sql: string) => sql.trim().split(/\s+/).slice(0, 3).join(' ');

function durability(sql: string, file: string): string {
  const isTruth = /latchkey\.sqlite/.test(file);
  return plan.mutant === 'synchronous off' && isTruth ? sql.replace(/synchronous = FULL/g, 'synchronous = OFF') : sql;
}

const { DatabaseSync: Database, StatementSync: Statement } = sqlite;
const { exec, prepare, close } = Database.prototype;
const { run } = Statement.prototype;

Database.prototype.exec = function (this: DatabaseSync, sql) {
  connections.add(this);
  const file = this.location() ?? '';
  const work = () => exec.call(this, durability(sql, file));
  return READS.test(sql) ? work() : write(firstWords(sql), file, work);
};
Database.prototype.prepare = function (...given) {
  connections.add(this);
  const statement = prepare.apply(this, given);
  fileOf.set(statement, this.location() ?? '');
  return statement;
};
Database.prototype.close = function () {
  connections.delete(this);
  // The last connection's end moves the log into the database.
  return write('close', this.location() ?? '', () => close.call(this));
};
Statement.prototype.run = function (this: StatementSync, ...values: never[]) {
  const work = () => (run as (...v: never[]) => ReturnType<typeof run>).apply(this, values);
  if (plan.mutant === 'commit late' && isArmed && this.sourceSQL === 'COMMIT') {
    // What a store does that answers before it has committed.
    setTimeout(work, 50);
    return { changes: 0, lastInsertRowid: 0 };
  }
  return READS.test(this.sourceSQL) ? work() : write(firstWords(this.sourceSQL), fileOf.get(this) ?? '', work);
} as typeof run;

// ---- the file system ------------------------------------------------------------------------------------------------

const pathOf = new Map<number, string>();
const placeOf = (target: unknown) => (typeof target === 'number' ? (pathOf.get(target) ?? '') : String(target));
const WRITING = fs.constants.O_WRONLY | fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC;
const isWriting = (flags: unknown) =>
  typeof flags === 'number' ? (flags & WRITING) !== 0 : typeof flags === 'string' && /[wax+]/.test(flags);

type Call = (...given: unknown[]) => unknown;
const table = fs as unknown as Record<string, Call>;
const done = real as unknown as Record<string, Call>;

/** Half of the content, for calls that have one. */
function half(name: string, [target, content]: readonly unknown[]): void {
  if (!/^(write|append)/.test(name)) return;
  // Node writes a whole file by way of `writeSync`.
  isArmed = false;
  const bytes = Buffer.from(content as string);
  const half = bytes.subarray(0, bytes.length >> 1);
  done[name.startsWith('append') ? 'appendFileSync' : 'writeFileSync']?.(target, half);
}

for (const name of [
  ...['writeFileSync', 'appendFileSync', 'writeSync', 'renameSync', 'fsyncSync', 'fdatasyncSync', 'unlinkSync'],
  ...['rmSync', 'rmdirSync', 'mkdirSync', 'chmodSync', 'fchmodSync', 'chownSync', 'truncateSync', 'ftruncateSync'],
  ...['linkSync', 'symlinkSync', 'copyFileSync', 'cpSync', 'writeFile', 'appendFile', 'rename', 'unlink', 'rm'],
]) {
  table[name] = (...given) => {
    const path = placeOf(given[0]);
    // Descriptors that were never opened here are terminals and pipes.
    if (path === '') return done[name]?.(...given);
    return write(
      name,
      path,
      () => done[name]?.(...given),
      () => half(name, given),
    );
  };
}
table.openSync = (...given) => {
  const open = () => {
    const fd = done.openSync?.(...given) as number;
    pathOf.set(fd, String(given[0]));
    return fd;
  };
  return isWriting(given[1] ?? 'r') ? write('openSync', String(given[0]), open) : open();
};
table.closeSync = (fd) => {
  pathOf.delete(fd as number);
  return done.closeSync?.(fd);
};
for (const name of ['writeFile', 'appendFile', 'rename', 'unlink', 'rm', 'open'] as const) {
  const promises = fs.promises as unknown as Record<string, Call>;
  const whole = promises[name];
  promises[name] = (...given) => write(`promises.${name}`, placeOf(given[0]), () => whole?.(...given));
}
syncBuiltinESMExports();

// ---- the clock ------------------------------------------------------------------------------------------------------

const systemNow = Date.now.bind(Date);
let offsetMs = plan.offsetMs ?? 0;
if (plan.wall !== undefined) Date.now = () => plan.wall ?? 0;
if (plan.scripted) Date.now = () => systemNow() + offsetMs;

let timers = 0;
const { setTimeout: set } = globalThis;
globalThis.setTimeout = ((...given: Parameters<typeof set>) => {
  timers += 1;
  return set(...given);
}) as typeof set;

// ---- the test -------------------------------------------------------------------------------------------------------

function look(): Report {
  const { user, system } = process.cpuUsage();
  const report: Report = {
    timers,
    busyMs: (user + system) / 1000,
    connections: [...connections]
      .filter((db) => db.isOpen)
      .map((db) => ({
        file: basename(db.location() ?? ''),
        synchronous: Number(prepare.call(db, 'PRAGMA synchronous').get()?.synchronous),
      })),
  };
  timers = 0;
  return report;
}

process.on('message', (message: Order) => {
  if (message.order === 'arm') {
    count = 0;
    isArmed = true;
  } else if (message.order === 'turn') offsetMs = message.offsetMs;
  process.send?.(look());
});
// A command that has said everything ends, whoever still listens to it.
process.channel?.unref();

const dist = process.env.LATCHKEY_TEST_DIST ?? join(import.meta.dirname, '..', '..', 'dist');
process.argv.splice(1, process.argv.length - 1, join(dist, 'cli.cjs'), ...args);
createRequire(import.meta.url)(join(dist, 'cli.cjs'));
