import { lstatSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, sep } from 'node:path';
import { EXIT, Failure } from './failure.ts';
import { shellWord } from './text.ts';

/** Who else than `uid` and root can change something, told by its owner and mode. */

const ROOT = 0;
const STICKY = 0o1000;

/**
 * Who can change a directory above something can put another in its place (A11): a directory of somebody else, one that
 * others write without the sticky bit, or a link that somebody else made. The way that the links lead is looked at too.
 * @throws Failure 78, with the command that mends it
 */
export function checkAbove(path: string, uid: number): void {
  const lexical = dirname(path);
  checkEach(lexical, path, uid);
  const real = realpathSync(lexical);
  if (real !== lexical) checkEach(real, path, uid);
}

function checkEach(directory: string, path: string, uid: number): void {
  const names = directory.split(sep);
  for (let count = 1; count <= names.length; count += 1) {
    const above = names.slice(0, count).join(sep) || sep;
    const link = lstatSync(above);
    if (link.isSymbolicLink() && isForeign(link.uid, uid)) {
      throw refused(path, `${above} is a symbolic link of ${userName(link.uid)}`, `ls -ld ${shellWord(above)}`);
    }
    const stat = link.isSymbolicLink() ? statSync(above) : link;
    if (isForeign(stat.uid, uid)) {
      const why = `${userName(stat.uid)} can replace what is in ${above}, which belongs to that user`;
      throw refused(path, why, `sudo chown ${uid} ${shellWord(above)}`);
    }
    const who = (stat.mode & STICKY) === 0 ? writersOf(stat, uid) : null;
    if (who !== null) {
      const why = `${who.name} can replace what is in ${above} (mode ${(stat.mode & 0o7777).toString(8)})`;
      throw refused(path, why, `chmod ${who.chmod} ${shellWord(above)}`);
    }
  }
}

/**
 * A file that says what runs: refused where somebody else than `uid` and root can write it or put another in its place.
 * @param stat of the file that is read
 * @throws Failure 78, with the command that mends it
 */
export function checkWritten(path: string, stat: Stats, uid: number): void {
  if (isForeign(stat.uid, uid)) {
    throw refused(path, `it belongs to ${userName(stat.uid)}`, `sudo chown ${uid} ${shellWord(path)}`);
  }
  const who = writersOf(stat, uid);
  if (who !== null) {
    const why = `${who.name} can write it (mode ${(stat.mode & 0o777).toString(8)})`;
    throw refused(path, why, `chmod ${who.chmod} ${shellWord(path)}`);
  }
  // A pipe has no place that could be taken.
  if (!stat.isFile()) return;
  checkAbove(path, uid);
  checkAbove(realpathSync(path), uid);
}

/** Whether others than `uid` and root can read the file: by its own mode, and those of the directories above it. */
export function othersRead(path: string, stat: Stats, uid: number): boolean {
  let all = (stat.mode & 0o004) !== 0;
  let group = (stat.mode & 0o040) !== 0 && !isPrivateGroup(stat.gid, uid);
  for (let above = dirname(realpathSync(path)); all || group; above = dirname(above)) {
    const { mode } = statSync(above);
    all &&= (mode & 0o001) !== 0;
    group &&= (mode & 0o011) !== 0;
    if (above === dirname(above)) break;
  }
  return all || group;
}

function refused(path: string, why: string, run: string): Failure {
  return new Failure(EXIT.configuration, { what: `refusing to use ${path}`, why, run });
}

function writersOf({ mode, gid }: Stats, uid: number): { readonly name: string; readonly chmod: string } | null {
  if ((mode & 0o002) !== 0) return { name: 'every user', chmod: 'go-w' };
  if ((mode & 0o020) === 0 || isPrivateGroup(gid, uid)) return null;
  return { name: `whoever is in group ${groupOf(gid)?.name ?? gid}`, chmod: 'g-w' };
}

function isForeign(owner: number, uid: number): boolean {
  return owner !== ROOT && owner !== uid && !isUntold(owner);
}

/** In a user namespace that doesn't know them all, the system's own files seem to belong to one user that is nobody. */
function isUntold(owner: number): boolean {
  const nobody = Number(textOf('/proc/sys/kernel/overflowuid') ?? -1);
  if (owner !== nobody) return false;
  const ranges = rowsOf('/proc/self/uid_map', /\s+/);
  return ranges.every(([first, , count]) => owner < Number(first) || owner >= Number(first) + Number(count));
}

/** Nobody but `uid` and root is in the group: root's own, or the one that many systems make for each user. */
function isPrivateGroup(gid: number, uid: number): boolean {
  if (gid === ROOT) return true;
  const users = rowsOf('/etc/passwd', ':');
  const name = users.find(([, , id]) => id === String(uid))?.[0] ?? null;
  const group = groupOf(gid);
  const isOwn = group === null ? gid === uid : group.name === name;
  const mayBeIn = (user: string | undefined) => user === name || user === 'root';
  const others = users.some(([user, , , primary]) => primary === String(gid) && !mayBeIn(user));
  return isOwn && !others && (group?.members ?? []).every(mayBeIn);
}

function groupOf(gid: number): { readonly name: string; readonly members: readonly string[] } | null {
  const row = rowsOf('/etc/group', ':').find(([, , id]) => id === String(gid));
  return row?.[0] === undefined ? null : { name: row[0], members: (row[3] ?? '').split(',').filter((m) => m !== '') };
}

/** The name in /etc/passwd, else `uid 1000`. */
export function userName(uid: number): string {
  return rowsOf('/etc/passwd', ':').find(([, , id]) => id === String(uid))?.[0] || `uid ${uid}`;
}

function rowsOf(path: string, mark: string | RegExp): readonly (readonly string[])[] {
  return (textOf(path) ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(mark));
}

/** `null`: no such file on this system. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
