// Ways in which a state directory comes to harm, and what a gateway says of each.
import {
  chmodSync,
  lchownSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { uid } from './process.ts';

export const DB = 'state/latchkey.sqlite';
export const IDENTITY = 'identity/gateway.json';

/** Gives a path to whoever the program runs as. */
export function own(path: string): void {
  if (uid !== undefined) lchownSync(path, uid, uid);
}

type Spoil = (stateDir: string) => string;

const withMode =
  (name: string, mode: number): Spoil =>
  (stateDir) => {
    chmodSync(join(stateDir, name), mode);
    return name === '..' ? '' : name;
  };

const cutTo =
  (name: string, bytes: number): Spoil =>
  (stateDir) => {
    truncateSync(join(stateDir, name), bytes);
    return name;
  };

const without =
  (name: string): Spoil =>
  (stateDir) => {
    rmSync(join(stateDir, name));
    return name;
  };

export interface Case {
  readonly name: string;
  /** Spoils the directory; what it returns is a path that the refusal must name, below the state directory. */
  readonly spoil: Spoil;
  readonly why: RegExp;
  /** Does the command that is named mend it? `null`: it is for looking only, or not there yet. */
  readonly mends: boolean | null;
}

export const PERMISSIONS: readonly Case[] = [
  {
    name: 'that everybody can write',
    spoil: withMode('', 0o777),
    why: /other users can write/,
    mends: true,
  },
  {
    name: 'that its group can write',
    spoil: withMode('', 0o770),
    why: /other users can write/,
    mends: true,
  },
  {
    name: 'whose state/ others can write',
    spoil: withMode('state', 0o722),
    why: /other users can write/,
    mends: true,
  },
  {
    name: 'whose identity/ its group can write',
    spoil: withMode('identity', 0o770),
    why: /other users can write/,
    mends: true,
  },
  {
    name: 'whose run/ others can write',
    spoil: withMode('run', 0o777),
    why: /other users can write/,
    mends: true,
  },
  {
    name: 'below a directory in which everybody can replace it',
    spoil: withMode('..', 0o777),
    why: /every user can replace/,
    mends: true,
  },
  {
    name: 'whose identity its group can read',
    spoil: withMode(IDENTITY, 0o640),
    why: /others may read or write it/,
    mends: true,
  },
  {
    name: 'whose identity everybody can write',
    spoil: withMode(IDENTITY, 0o602),
    why: /others may read or write it/,
    mends: true,
  },
  {
    name: 'whose identity is a link',
    spoil: (s) => {
      renameSync(join(s, IDENTITY), join(s, 'elsewhere.json'));
      symlinkSync('../elsewhere.json', join(s, IDENTITY));
      own(join(s, IDENTITY));
      return IDENTITY;
    },
    why: /symbolic link/,
    mends: null,
  },
  {
    name: 'whose state/ is a link',
    spoil: (s) => {
      renameSync(join(s, 'state'), join(s, 'elsewhere'));
      symlinkSync('elsewhere', join(s, 'state'));
      own(join(s, 'state'));
      return 'state';
    },
    why: /symbolic link/,
    mends: null,
  },
];

export function changed(stateDir: string, name: string, change: (bytes: Buffer) => Buffer): string {
  const path = join(stateDir, name);
  writeFileSync(path, change(readFileSync(path)));
  return name;
}

export function inDatabase(stateDir: string, sql: string): string {
  const db = new DatabaseSync(join(stateDir, DB));
  db.exec(sql);
  db.close();
  for (const name of readdirSync(join(stateDir, 'state'))) own(join(stateDir, 'state', name));
  return DB;
}

export const DATABASES: readonly Case[] = [
  { name: 'of 0 bytes', spoil: cutTo(DB, 0), why: /is empty/, mends: false },
  {
    name: 'that breaks off',
    spoil: cutTo(DB, 9_000),
    why: /damaged|malformed/,
    mends: false,
  },
  { name: 'of noise', spoil: (s) => changed(s, DB, (b) => b.fill(0xa5)), why: /not a SQLite database/, mends: false },
  {
    name: 'with a page of noise',
    spoil: (s) => changed(s, DB, (b) => b.fill(0x5a, 4096 + 8, 3 * 4096)),
    why: /damaged|malformed/,
    mends: false,
  },
  {
    name: 'of another application',
    spoil: (s) => {
      rmSync(join(s, DB));
      return inDatabase(s, 'CREATE TABLE note (text TEXT); INSERT INTO note VALUES (1); PRAGMA application_id = 7');
    },
    why: /another program/,
    mends: false,
  },
  {
    name: 'of a newer release',
    spoil: (s) =>
      inDatabase(
        s,
        "INSERT INTO receipt SELECT version + 1, 'later', sha256, applied_at, '99.1.0' FROM receipt ORDER BY version DESC LIMIT 1",
      ),
    why: /made by latchkey 99\.1\.0/,
    mends: null,
  },
  {
    name: 'of another release with the same number',
    spoil: (s) => inDatabase(s, "UPDATE receipt SET sha256 = 'f00d', program = '98.0.0' WHERE version = 1"),
    why: /made by latchkey 98\.0\.0/,
    mends: null,
  },
  { name: 'that is gone', spoil: without(DB), why: /is missing/, mends: false },
  {
    name: 'that is gone, its log left',
    spoil: (s) => {
      rmSync(join(s, DB));
      writeFileSync(join(s, `${DB}-wal`), Buffer.alloc(64, 1), { mode: 0o600 });
      own(join(s, `${DB}-wal`));
      return DB;
    },
    why: /is missing/,
    mends: false,
  },
];

export const IDENTITIES: readonly Case[] = [
  {
    name: 'that is gone',
    spoil: without(IDENTITY),
    why: /there is a store beside it/,
    mends: null,
  },
  { name: 'of 0 bytes', spoil: cutTo(IDENTITY, 0), why: /it is empty/, mends: null },
  {
    name: 'that breaks off',
    spoil: (s) => changed(s, IDENTITY, (b) => b.subarray(0, 40)),
    why: /not JSON/,
    mends: null,
  },
  {
    name: 'without keys',
    spoil: (s) => changed(s, IDENTITY, () => Buffer.from('{"version":1}')),
    why: /'key' is no key/,
    mends: null,
  },
  {
    name: 'of a newer release',
    spoil: (s) => changed(s, IDENTITY, (b) => Buffer.from(b.toString().replace('"version": 1', '"version": 2'))),
    why: /version 1/,
    mends: null,
  },
];
