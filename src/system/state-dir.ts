import { chmodSync, existsSync, lstatSync, mkdirSync, type Stats } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { checkAbove, userName } from './access.ts';
import { codeOf, EXIT, Failure } from './failure.ts';
import { shellWord } from './text.ts';

export { userName };

/** The parts of a state directory (DESIGN §6). */
export const PARTS = ['identity', 'state', 'run', 'logs', 'backups'] as const;

export interface StateDirChoice {
  readonly path: string;
  /** The profile's name; `null` for the default one and for a path that was named outright. */
  readonly profile: string | null;
  /** What named it, for people. */
  readonly from: '--state-dir' | '--profile' | 'LATCHKEY_STATE_DIR' | 'LATCHKEY_PROFILE' | 'default';
}

export interface StateDirInput {
  readonly stateDir?: string | undefined;
  readonly profile?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home?: string;
}

const PROFILE = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/**
 * Which state directory is meant. A flag beats every variable: a shell or a service may have inherited another
 * profile's (T18). @throws Failure 2 for a profile name that can't be part of a path.
 */
export function resolveStateDir(input: StateDirInput): StateDirChoice {
  const home = input.home ?? homedir();
  const { LATCHKEY_STATE_DIR: envDir, LATCHKEY_PROFILE: envProfile } = input.env;
  if (input.stateDir !== undefined && input.stateDir !== '') {
    return { path: absolute(input.stateDir, home), profile: named(input.profile), from: '--state-dir' };
  }
  if (input.profile !== undefined) return ofProfile(input.profile, home, '--profile');
  if (envDir) return { path: absolute(envDir, home), profile: named(envProfile), from: 'LATCHKEY_STATE_DIR' };
  if (envProfile) return ofProfile(envProfile, home, 'LATCHKEY_PROFILE');
  return { path: join(home, '.latchkey'), profile: null, from: 'default' };
}

function named(profile: string | undefined): string | null {
  return profile === undefined || profile === '' || profile === 'default' ? null : checkProfile(profile);
}

function ofProfile(profile: string, home: string, from: StateDirChoice['from']): StateDirChoice {
  const name = profile === 'default' ? null : checkProfile(profile);
  return { path: join(home, name === null ? '.latchkey' : `.latchkey-${name}`), profile: name, from };
}

function checkProfile(name: string): string {
  if (PROFILE.test(name)) return name;
  throw new Failure(EXIT.usage, {
    what: `'${name.slice(0, 80)}' can't be a profile's name`,
    why: 'a name is 1 to 64 letters, digits, - and _, and begins with a letter or digit',
    run: 'latchkey --profile work status',
  });
}

function absolute(path: string, home: string): string {
  // A service unit's Environment= and a quoted argument reach us with their tilde.
  return resolve(path === '~' || path.startsWith('~/') ? join(home, path.slice(1)) : path);
}

/** Who the process is. Handed in so that every pair of owner and caller can be tried. */
export interface Caller {
  readonly uid: number;
  /** Goes on as another user (root only). */
  become(uid: number, gid: number): void;
}

/** `null` where there are no users to tell apart (Windows). */
export function processCaller(): Caller | null {
  const { getuid, setuid, setgid, setgroups } = process;
  if (getuid === undefined || setuid === undefined || setgid === undefined || setgroups === undefined) return null;
  return {
    uid: getuid.call(process),
    become(uid, gid) {
      // Groups first: without root's uid they can't be given up any more.
      setgroups.call(process, [gid]);
      setgid.call(process, gid);
      setuid.call(process, uid);
    },
  };
}

/**
 * Makes sure that a state directory is the caller's own (A11). Root goes on as the directory's owner, so that nothing
 * in it ever belongs to root; anybody else is refused. Returns false when there is no directory.
 * @throws Failure 77 for somebody else's, 78 for one that others can change, with the command that mends it
 */
export function enterStateDir(path: string, caller: Caller | null = processCaller()): boolean {
  const stat = look(path);
  if (stat === null) return false;
  if (!stat.isDirectory()) {
    throw new Failure(EXIT.configuration, {
      what: `${path} can't be the state directory`,
      why: stat.isSymbolicLink() ? 'it is a symbolic link' : 'it is not a directory',
      run: `ls -ld ${shellWord(path)}`,
    });
  }
  if (caller === null) return true;
  let { uid } = caller;
  if (stat.uid !== uid) {
    if (uid !== 0) throw notYours(path, stat.uid);
    caller.become(stat.uid, stat.gid);
    uid = stat.uid;
  }
  checkOwn(path, stat);
  checkAbove(path, uid);
  return true;
}

/**
 * Makes the state directory and its parts where they are missing, 0700 whatever the umask, and checks each.
 * @throws Failure as `enterStateDir`
 */
export function makeStateDir(path: string, caller: Caller | null = processCaller()): void {
  if (look(path) === null) makeDirectory(path);
  enterStateDir(path, caller);
  close(path);
  for (const part of PARTS) ensurePrivateDirectory(join(path, part));
}

/**
 * A directory that only its owner enters: made if missing, closed to others' eyes if open.
 * @throws Failure 78 for a link, another owner, or one that others can write: what is in it may be theirs
 */
export function ensurePrivateDirectory(path: string): void {
  if (look(path) === null) makeDirectory(path);
  checkPrivateDirectory(path);
  close(path);
}

/** @throws Failure 78 unless `path` is a directory, no link, of this user, that nobody else can write */
export function checkPrivateDirectory(path: string): void {
  const stat = look(path);
  if (stat === null || !stat.isDirectory()) {
    throw new Failure(EXIT.configuration, {
      what: `refusing to use ${path}`,
      why: stat === null ? 'it is missing' : stat.isSymbolicLink() ? 'it is a symbolic link' : 'it is not a directory',
      run: `ls -ld ${shellWord(path)}`,
    });
  }
  const uid = process.getuid?.();
  if (uid === undefined) return;
  if (stat.uid !== uid) {
    throw new Failure(EXIT.configuration, {
      what: `refusing to use ${path}`,
      why: `it belongs to ${userName(stat.uid)}, not to ${userName(uid)}`,
      run: `chown ${uid} ${shellWord(path)}`,
    });
  }
  checkOwn(path, stat);
}

function look(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return null;
    if (code === 'EACCES' || code === 'ENOTDIR') {
      const above = dirname(path);
      throw new Failure(code === 'EACCES' ? EXIT.permission : EXIT.configuration, {
        what: `can't look at ${path}`,
        why: code === 'EACCES' ? 'a directory above it is closed to this user' : 'something above it is no directory',
        run: `ls -ld ${shellWord(above)}`,
      });
    }
    throw error;
  }
}

/** The nearest directory above it that is there. */
function aboveOf(path: string): string {
  const above = dirname(path);
  return above === path || existsSync(above) ? above : aboveOf(above);
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
  } catch (error) {
    const code = codeOf(error);
    throw new Failure(
      code === 'EACCES' || code === 'EPERM' || code === 'EROFS' ? EXIT.permission : EXIT.configuration,
      {
        what: `can't make ${path}`,
        why: code ?? String(error),
        run: `ls -ld ${shellWord(aboveOf(path))}`,
      },
      { cause: error },
    );
  }
}

/** Others' eyes, where nobody could write, are no reason to refuse: closed. */
function close(path: string): void {
  if (process.getuid === undefined) return;
  const stat = lstatSync(path);
  if ((stat.mode & 0o077) !== 0) chmodSync(path, 0o700);
}

function checkOwn(path: string, stat: Stats): void {
  if (process.getuid === undefined || (stat.mode & 0o022) === 0) return;
  throw new Failure(EXIT.configuration, {
    what: `refusing to use ${path}`,
    why: `other users can write there (mode ${(stat.mode & 0o777).toString(8)})`,
    run: `chmod 700 ${shellWord(path)}`,
  });
}

function notYours(path: string, owner: number): Failure {
  const name = userName(owner);
  const user = name.startsWith('uid ') ? `'#${owner}'` : name;
  return new Failure(EXIT.permission, {
    what: `${path} belongs to ${name}`,
    why: 'a command of another user could only leave files there that its owner cannot use',
    run: `sudo -u ${user} latchkey --state-dir ${shellWord(path)} status`,
  });
}
