import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { processStart } from './process.ts';
import { resolveStateDir } from './state-dir.ts';

/** A gateway of Latchkey that runs on this host. */
export interface Member {
  readonly pid: number;
  /** Its command line, shortened: what `ps` shows. */
  readonly command: string;
  /** Which state directory it was told; `null`: another user's process doesn't say. */
  readonly stateDir: string | null;
  /** State directories whose lock or store it has open. */
  readonly holds: readonly string[];
}

/** A machine that has more processes, and a process that has more files, is looked at in part. */
const PROCESSES_MAX = 8_192;
const FILES_MAX = 1_024;
const FILE_MAX_BYTES = 64 * 1_024;
const DIRECTORIES_MAX = 64;

/**
 * Latchkey gateways among the processes of this host. Reads /proc alone: where there is none, and of other users'
 * processes, little or nothing is seen. Writes nothing.
 */
export function runningGateways(proc = '/proc'): readonly Member[] {
  const entries = (quietly(() => readdirSync(proc)) ?? []).filter((entry) => /^\d+$/.test(entry));
  return entries.slice(0, PROCESSES_MAX).flatMap((entry) => memberOf(`${proc}/${entry}`, Number(entry)) ?? []);
}

/** The gateway of Latchkey that this process is; `null`: it is none, or that can't be told. */
export function gatewayAt(pid: number, proc = '/proc'): Member | null {
  return memberOf(`${proc}/${pid}`, pid);
}

function memberOf(folder: string, pid: number): Member | null {
  const words = (quietly(() => readFileSync(`${folder}/cmdline`, 'latin1')) ?? '').split('\0');
  if (!isGateway(words)) return null;
  const command = words
    .filter((word) => word !== '')
    .join(' ')
    .replace(/\p{C}/gu, '?')
    .slice(0, 160);
  return { pid, command, stateDir: toldStateDir(folder, words), holds: held(folder) };
}

/** `node … cli.cjs gateway run …`, or the program by its name. */
function isGateway(words: readonly string[]): boolean {
  const program = words.findIndex((word) => /^(latchkey|cli\.cjs)$/.test(basename(word)));
  const [runner = '', ...flags] = words.slice(0, Math.max(0, program));
  const isRun =
    program === 0 || (/^(node|sh|dash|bash)/.test(basename(runner)) && flags.every((w) => w.startsWith('-')));
  if (program === -1 || !isRun) return false;
  const rest = words.slice(program + 1);
  const at = rest.indexOf('gateway');
  return at !== -1 && rest.indexOf('run', at) === at + 1;
}

/** As that process understood its own command line and environment. */
function toldStateDir(folder: string, words: readonly string[]): string | null {
  const text = quietly(() => readFileSync(`${folder}/environ`, 'utf8'));
  const env: Record<string, string> = {};
  for (const line of text?.split('\0') ?? []) {
    const at = line.indexOf('=');
    if (at > 0) env[line.slice(0, at)] = line.slice(at + 1);
  }
  const [stateDir, profile] = [flag(words, '--state-dir'), flag(words, '--profile')];
  const cwd = quietly(() => readlinkSync(`${folder}/cwd`));
  if (stateDir !== undefined) return cwd === null ? stateDir : resolve(cwd, stateDir);
  if (text === null || env.HOME === undefined) return null;
  return quietly(() => resolveStateDir({ profile, env, home: env.HOME ?? '' }).path);
}

function flag(words: readonly string[], name: string): string | undefined {
  const at = words.indexOf(name);
  if (at !== -1) return words[at + 1];
  return words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
}

function held(folder: string): readonly string[] {
  const found = new Set<string>();
  for (const fd of (quietly(() => readdirSync(`${folder}/fd`)) ?? []).slice(0, FILES_MAX)) {
    const target = quietly(() => readlinkSync(`${folder}/fd/${fd}`)) ?? '';
    const [, stateDir] = /^(.+)\/(?:run\/gateway\.lock|state\/latchkey\.sqlite)$/.exec(target) ?? [];
    if (stateDir !== undefined) found.add(stateDir);
  }
  return [...found];
}

/** Two names of one directory, or two directories. */
export function isSamePlace(a: string, b: string): boolean {
  const real = (path: string) => quietly(() => realpathSync(path)) ?? resolve(path);
  return real(a) === real(b);
}

/** The profiles of a home directory, the one without a name included: `~/.latchkey`, `~/.latchkey-work`. */
export function stateDirsOf(home: string): readonly string[] {
  const names = (quietly(() => readdirSync(home)) ?? []).filter((name) => /^\.latchkey(-.+)?$/.test(name));
  return names.slice(0, DIRECTORIES_MAX).map((name) => join(home, name));
}

/** A gateway of OpenClaw that runs on this host, as its own lock file says. */
export interface OpenClawGateway {
  readonly pid: number;
  readonly port: number | null;
  readonly stateDir: string;
}

/** By the lock files in `~/.openclaw*`, as far as they can be read. */
export function openClawGateways(home: string): readonly OpenClawGateway[] {
  const names = (quietly(() => readdirSync(home)) ?? []).filter((name) => /^\.openclaw(-.+)?$/.test(name));
  return names.slice(0, DIRECTORIES_MAX).flatMap((name) => {
    const stateDir = join(home, name);
    const folders = (quietly(() => readdirSync(join(stateDir, 'tmp'))) ?? []).filter((f) =>
      /^openclaw(-\d+)?$/.test(f),
    );
    const locks = folders.flatMap((folder) => {
      const place = join(stateDir, 'tmp', folder);
      return (quietly(() => readdirSync(place)) ?? [])
        .filter((f) => /^gateway\..+\.lock$/.test(f))
        .map((f) => join(place, f));
    });
    const found = locks.slice(0, DIRECTORIES_MAX).flatMap((file) => lockOwner(file) ?? []);
    return [...new Map(found.map((one) => [one.pid, { ...one, stateDir }])).values()];
  });
}

function lockOwner(file: string): { readonly pid: number; readonly port: number | null } | null {
  const size = quietly(() => statSync(file).size) ?? FILE_MAX_BYTES + 1;
  const value: unknown = size > FILE_MAX_BYTES ? null : quietly(() => JSON.parse(readFileSync(file, 'utf8')));
  if (typeof value !== 'object' || value === null) return null;
  const { pid, port } = value as Record<string, unknown>;
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 1 || processStart(pid) === undefined) return null;
  return { pid, port: typeof port === 'number' && Number.isSafeInteger(port) && port > 0 ? port : null };
}

function quietly<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    // Gone meanwhile, or not ours to look at.
    return null;
  }
}
