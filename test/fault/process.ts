// What can be seen of a gateway from outside its process: its memory, its descriptors, what it left on disk, and
// whether somebody it knows goes on being served.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Gateway } from '../gateway.ts';
import type { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import { ensure, READ, session } from '../scenario/act.ts';

export const isLinux = process.platform === 'linux';
export const isRoot = process.getuid?.() === 0;
/** Whom tests under root run the program as: nobody's account, without a home or a password. */
export const NOBODY = 65_534;
const CLI = join(import.meta.dirname, '..', '..', 'dist', 'cli.cjs');

/** Whether nobody may read this checkout and its Node. Elsewhere than under root it is never asked. */
export const nobodyRuns =
  isRoot && spawnSync(process.execPath, [CLI, '--version'], { uid: NOBODY, gid: NOBODY, cwd: '/' }).status === 0;
if (isRoot && !nobodyRuns)
  console.log(`uid ${NOBODY} can't run ${CLI}: the program runs as root here, and some tests are skipped`);

/** Under root everything may be read and written, so the program runs as nobody there. */
export const uid = nobodyRuns ? NOBODY : undefined;

/** Resident memory, bytes (Linux). */
export function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kib === undefined) throw new Error(`no VmRSS of ${pid}`);
  return Number(kib) * 1024;
}

/** Open descriptors (Linux). */
export function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Addresses that a process listens at with TCP, as `/proc/net` writes them: `0100007F:4965` (Linux). */
export function listeners(pid: number): readonly string[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        // Closed since the directory was read.
        return [];
      }
    }),
  );
  const LISTEN = '0A';
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((row) => row[3] === LISTEN && own.has(row[9] ?? ''))
      .map((row) => row[1] ?? ''),
  );
}

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

/** A paired device that asks for `health` again and again: the gateway is alive as long as it gets its answers. */
export class Canary {
  readonly identity: Identity;
  /** Answers so far, and the longest that one took. */
  answers = 0;
  slowestMs = 0;
  #failure: unknown = null;
  #going = true;
  readonly #partner: Partner;
  readonly #done: Promise<void>;

  private constructor(identity: Identity, partner: Partner, pauseMs: number) {
    this.identity = identity;
    this.#partner = partner;
    this.#done = this.#sing(pauseMs);
  }

  static async start(gateway: Gateway, pauseMs = 20): Promise<Canary> {
    const owner = await gateway.owner();
    const identity = newIdentity();
    await ensure(owner, identity, [READ]);
    owner.end();
    return new Canary(identity, (await session(gateway, identity)).partner, pauseMs);
  }

  async #sing(pauseMs: number): Promise<void> {
    try {
      while (this.#going) {
        const began = performance.now();
        await this.#partner.ask('health');
        this.slowestMs = Math.max(this.slowestMs, performance.now() - began);
        this.answers += 1;
        await new Promise((done) => setTimeout(done, pauseMs));
      }
    } catch (error) {
      this.#failure = error;
    }
  }

  /** One more round trip, then the end. @throws Error when any answer was missing or wrong */
  async stop(): Promise<void> {
    this.#going = false;
    await this.#done;
    if (this.#failure !== null) throw this.#failure;
    await this.#partner.ask('health');
    this.#partner.end();
  }
}
