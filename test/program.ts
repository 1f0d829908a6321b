// Programs that no npm package holds: a test that needs one is skipped where it is missing, and says how to get it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PATHS = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin'];

/** The program's absolute path; `null`: it isn't installed. */
export function program(name: string): string | null {
  return PATHS.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

/** Why a test of these programs is skipped; `null`: they are all there. */
export function missing(programs: Readonly<Record<string, string>>): string | null {
  const absent = Object.entries(programs).filter(([name]) => program(name) === null);
  if (absent.length === 0) return null;
  const packages = [...new Set(absent.map(([, debian]) => debian))].join(' ');
  return `${absent.map(([name]) => name).join(', ')} not installed: apt-get install ${packages}`;
}

/** For the title of what is skipped. */
export function because(why: string | null): string {
  return why === null ? '' : ` (skipped: ${why})`;
}

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export interface Running {
  readonly pid: number;
  /** Everything it printed so far. */
  logs(): string;
  /** What it exits with, once it has; `null` after a signal. */
  readonly exited: Promise<number | null>;
  /** Its standard output alone. */
  stdout(): string;
  /** SIGTERM, and its end. */
  stop(): Promise<void>;
}

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts a program and waits until `ready` says so. @throws Error with what it printed when it ends or takes 20 s */
export async function run(
  command: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly cwd?: string;
    readonly ready: (logs: string) => Promise<boolean> | boolean;
  },
): Promise<Running> {
  const [path = '', ...args] = command;
  const child = spawn(path, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { PATH: PATHS.join(':'), ...options.env },
  });
  children.add(child);
  const ended = new Promise<number | null>((done) => child.once('close', done).once('error', () => done(null)));
  ended.then(() => children.delete(child));
  let output = '';
  let stdout = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (stream === child.stdout) stdout += text;
    });
  }
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(timer);
  };
  const deadline = performance.now() + 20_000;
  while (!(await options.ready(output))) {
    const isGone = child.exitCode !== null || child.signalCode !== null;
    if (isGone || performance.now() > deadline) {
      await stop();
      throw new Error(`${path} ${isGone ? `ended with ${child.exitCode}` : 'was not ready'}:\n${output}`);
    }
    await sleep(50);
  }
  return { pid: child.pid ?? 0, exited: ended, logs: () => output, stdout: () => stdout, stop };
}

/** Runs a program to its end, whatever that is. @param env beside a PATH, all that it gets @param input its standard input */
export async function ended(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = '',
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const [path = '', ...args] = command;
  const child = spawn(path, args, { stdio: 'pipe', env: { PATH: PATHS.join(':'), ...env }, timeout: 20_000 });
  children.add(child);
  const texts = { stdout: '', stderr: '' };
  for (const from of ['stdout', 'stderr'] as const) {
    child[from].setEncoding('utf8').on('data', (text: string) => {
      texts[from] += text;
    });
  }
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((done, fail) => child.once('close', done).once('error', fail));
  children.delete(child);
  return { code, ...texts };
}

/** Runs a program to its end. @throws Error with what it printed when it fails */
export function done(command: readonly string[]): string {
  const [path = '', ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(path, args, {
    encoding: 'utf8',
    env: { PATH: PATHS.join(':') },
    timeout: 20_000,
  });
  if (status !== 0) throw new Error(`${command.join(' ')} failed: ${error?.message ?? stderr}`);
  return stdout;
}
