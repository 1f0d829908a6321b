// Whom tests run the program as, and what it leaves on disk.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';

export const isRoot = process.getuid?.() === 0;
/** Whom tests under root run the program as: nobody's account, without a home or a password. */
export const NOBODY = 65_534;
export const CLI = join(process.env.LATCHKEY_TEST_DIST ?? join(import.meta.dirname, '..', '..', 'dist'), 'cli.cjs');
/** A copy where another user can't read this one's (scripts/test.mjs). */
export const NODE = process.env.LATCHKEY_TEST_NODE ?? process.execPath;

/** Whether nobody may read this checkout and its Node. Elsewhere than under root it is never asked. */
export const nobodyRuns =
  isRoot && spawnSync(NODE, [CLI, '--version'], { uid: NOBODY, gid: NOBODY, cwd: '/' }).status === 0;
if (isRoot && !nobodyRuns)
  console.log(`uid ${NOBODY} can't run ${CLI}: the program runs as root here, and some tests are skipped`);

/** Under root everything may be read and written, so the program runs as nobody there. */
export const uid = nobodyRuns ? NOBODY : undefined;

/** Every entry under `root` but those under `except`: kind, mode, owner and content. Links are not followed. */
export function tree(root: string, except: RegExp = /(?!)/): Record<string, string> {
  const entries: [string, string][] = [];
  const visit = (path: string): void => {
    const name = relative(root, path);
    if (except.test(name)) return;
    const stat = lstatSync(path);
    const about = `${stat.mode.toString(8)} ${stat.uid}:${stat.gid}`;
    if (stat.isSymbolicLink()) entries.push([name, `${about} -> ${readlinkSync(path)}`]);
    else if (stat.isFile()) {
      entries.push([name, `${about} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`]);
    } else {
      entries.push([name, about]);
      if (stat.isDirectory()) for (const child of readdirSync(path).sort()) visit(join(path, child));
    }
  };
  visit(root);
  return Object.fromEntries(entries);
}
