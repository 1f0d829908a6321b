import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NOON } from '../suite/sample.ts';
import type { SqliteOptions } from './open.ts';

/** A directory of its own for a test that opens SQLite files. */
export interface Scratch {
  readonly dir: string;
  readonly file: string;
  readonly options: SqliteOptions;
  clear(): void;
}

export function makeScratch(): Scratch {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-store-'));
  const backupsDir = join(dir, 'backups');
  mkdirSync(backupsDir);
  const file = join(dir, 'latchkey.sqlite');
  return {
    dir,
    file,
    options: { file, backupsDir, now: () => NOON, programVersion: '0.1.0', create: true },
    clear: () => rmSync(dir, { recursive: true, force: true }),
  };
}
