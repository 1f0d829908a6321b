// OpenClaw's own program, unchanged, with a home directory of its own: the command line that a person has.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Release } from './release.ts';

/** What one command came to. */
export interface Ran {
  readonly args: readonly string[];
  /** `null`: it was ended by a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly wallMs: number;
  /** It was ended because it took too long, not because `endWhen` said so. */
  readonly timedOut: boolean;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Default 120 s: a busy machine must not decide about a row. */
  readonly timeoutMs?: number;
  /** For commands that don't end by themselves: asked after each piece of output, ends the command when true. */
  readonly endWhen?: (stdout: string) => boolean;
}

const groups = new Set<number>();
const END_MS = 5_000;

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // Gone already.
  }
}

process.on('exit', () => {
  for (const pid of groups) signal(pid, 'SIGKILL');
});

/** A `HOME` with OpenClaw's configuration in it and nothing else. */
export class Home {
  readonly path = mkdtempSync(join(tmpdir(), 'lk-home-'));
  readonly env: Readonly<Record<string, string>>;

  /** @param config what stands in `openclaw.json`; `null`: there is no such file @param env beside `HOME` and `PATH` */
  constructor(config: Readonly<Record<string, unknown>> | null, env: Readonly<Record<string, string>> = {}) {
    this.env = env;
    if (config !== null) this.configure(config);
  }

  get stateDir(): string {
    return join(this.path, '.openclaw');
  }

  configure(config: Readonly<Record<string, unknown>>): void {
    mkdirSync(this.stateDir, { recursive: true, mode: 0o700 });
    writeFileSync(join(this.stateDir, 'openclaw.json'), JSON.stringify(config, null, 2), { mode: 0o600 });
  }

  /** What a person's installation holds who runs a gateway on this host: where it is, and the shared secret. */
  static local(port: number, token: string): Home {
    return new Home({ gateway: { mode: 'local', port, auth: { mode: 'token', token } } });
  }

  end(): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function environment(home: Home, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    HOME: home.path,
    NO_COLOR: '1',
    TZ: 'UTC',
    COLUMNS: '160',
    ...home.env,
    ...more,
  };
}

/** Starts the program in a process group of its own, so that what it started ends with it. */
export function launch(
  release: Release,
  home: Home,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): ChildProcess {
  const child = spawn(process.execPath, [release.entry, ...args], {
    env: environment(home, env),
    cwd: home.path,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const { pid } = child;
  if (pid !== undefined) {
    groups.add(pid);
    child.once('close', () => {
      signal(pid, 'SIGKILL');
      groups.delete(pid);
    });
  }
  return child;
}

/** Ends a launched program and all that it started. */
export async function end(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise<void>((done) => child.once('close', () => done()));
  signal(pid, 'SIGTERM');
  const timer = setTimeout(() => signal(pid, 'SIGKILL'), END_MS);
  await closed;
  clearTimeout(timer);
}

/** Runs one command of the release to its end. */
export async function openclaw(
  release: Release,
  home: Home,
  args: readonly string[],
  { env, timeoutMs = 120_000, endWhen }: RunOptions = {},
): Promise<Ran> {
  const began = performance.now();
  const child = launch(release, home, args, env);
  let [stdout, stderr, timedOut] = ['', '', false];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (endWhen?.(stdout)) void end(child);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const timer = setTimeout(() => {
    timedOut = true;
    void end(child);
  }, timeoutMs);
  const code = await new Promise<number | null>((done, fail) => child.once('close', done).once('error', fail));
  clearTimeout(timer);
  return { args, code, stdout, stderr, wallMs: Math.round(performance.now() - began), timedOut };
}
