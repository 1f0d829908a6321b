// A real gateway process on a fresh state directory, for tests that judge it from outside: over TCP, over the owner
// socket, through its command line. Needs a build (`npm run build`; `npm test` makes one).
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get as getSecure } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Owner } from './partner/owner.ts';

/** `LATCHKEY_TEST_DIST`: judge another build, an installed one or a broken one. */
export const CLI = join(process.env.LATCHKEY_TEST_DIST ?? join(import.meta.dirname, '..', 'dist'), 'cli.cjs');
/** Where another user can't read this one's Node, a copy that it can (scripts/test.mjs). */
export const NODE = process.env.LATCHKEY_TEST_NODE ?? process.execPath;
const START_MS = 20_000;
const STOP_MS = 15_000;

export interface GatewayOptions {
  /** Laid over a configuration with a loopback bind and a secret of its own; objects are merged key by key. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Run it as this user (tests under root only); the state directory then belongs to it. */
  readonly uid?: number;
  /** An existing state directory, used as it is: to start again after `kill` or `halt`. */
  readonly stateDir?: string;
  /** More arguments of `gateway run`. */
  readonly args?: readonly string[];
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Gateway {
  readonly port: number;
  /** The shared secret of its configuration. */
  readonly token: string;
  readonly stateDir: string;
  readonly socketPath: string;
  readonly pid: number;
  /** What `run/gateway.json` says. */
  readonly run: Readonly<Record<string, unknown>>;
  /** Everything it printed so far. */
  logs(): string;
  /** A new connection to the owner socket; ended by `stop`. */
  owner(): Promise<Owner>;
  /** Runs `latchkey ARGS --state-dir …` beside it. */
  cli(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CommandResult>;
  /** SIGTERM, and what it exited with; the state directory stays. */
  halt(): Promise<number | null>;
  /** SIGKILL; the state directory stays. */
  kill(): Promise<void>;
  /** Ends the process and removes the state directory. */
  stop(): Promise<void>;
}

/** An environment without a trace of the user's own installation. */
function environment(home: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: home, NO_COLOR: '1', TZ: 'UTC', ...more };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function merged(base: Record<string, unknown>, over: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const out = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = out[key];
    out[key] = isRecord(below) && isRecord(value) ? merged(below, value) : value;
  }
  return out;
}

/** A fresh 0700 directory with a configuration in it. Its path is short: a Unix socket's may have 103 bytes. */
export function newStateDir(config: Readonly<Record<string, unknown>> = {}, uid?: number): string {
  const home = mkdtempSync(join(tmpdir(), 'lk-'));
  const stateDir = join(home, 's');
  mkdirSync(stateDir, { mode: 0o700 });
  const token = randomBytes(32).toString('hex');
  const whole = merged({ gateway: { bind: 'loopback', auth: { mode: 'token', token } } }, config);
  const file = join(stateDir, 'latchkey.json');
  writeFileSync(file, JSON.stringify(whole, null, 2), { mode: 0o600 });
  if (uid !== undefined) {
    for (const path of [home, stateDir, file]) chownSync(path, uid, uid);
    chmodSync(home, 0o755);
  }
  return stateDir;
}

/** Removes what `newStateDir` made. */
export function removeStateDir(stateDir: string): void {
  rmSync(join(stateDir, '..'), { recursive: true, force: true });
}

const children = new Set<ChildProcess>();
// A test that ran out of time, or a run that is broken off, leaves nobody behind.
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

function track(child: ChildProcess): void {
  children.add(child);
  child.once('close', () => children.delete(child));
}

function collect(child: ChildProcess): { stdout: () => string; stderr: () => string; all: () => string } {
  const parts: { from: 'stdout' | 'stderr'; text: string }[] = [];
  for (const from of ['stdout', 'stderr'] as const) {
    child[from]?.setEncoding('utf8').on('data', (text: string) => parts.push({ from, text }));
  }
  const of = (from: 'stdout' | 'stderr') => () =>
    parts
      .filter((p) => p.from === from)
      .map((p) => p.text)
      .join('');
  return { stdout: of('stdout'), stderr: of('stderr'), all: () => parts.map((p) => p.text).join('') };
}

/** Runs one command of the built program to its end. */
export async function latchkey(
  args: readonly string[],
  options: {
    readonly home: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly uid?: number;
    readonly timeoutMs?: number;
  },
): Promise<CommandResult> {
  const child = spawn(NODE, [CLI, ...args], {
    env: environment(options.home, options.env),
    cwd: options.home,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  track(child);
  const output = collect(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 20_000);
  const code = await new Promise<number | null>((done, fail) => child.once('close', done).once('error', fail));
  clearTimeout(timer);
  return { code, stdout: output.stdout(), stderr: output.stderr() };
}

/** Starts a gateway and waits until `/readyz` answers 200. @throws Error with what it printed when it does not. */
export async function start(options: GatewayOptions = {}): Promise<Gateway> {
  if (!existsSync(CLI)) throw new Error(`${CLI} is missing: run "npm run build" first`);
  const stateDir = options.stateDir ?? newStateDir(options.config, options.uid);
  const home = join(stateDir, '..');
  const config = JSON.parse(readFileSync(join(stateDir, 'latchkey.json'), 'utf8'));
  const runFile = join(stateDir, 'run', 'gateway.json');
  const child = spawn(NODE, [CLI, 'gateway', 'run', '--port', '0', '--state-dir', stateDir, ...(options.args ?? [])], {
    env: environment(home, options.env),
    cwd: home,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  track(child);
  const output = collect(child);
  const exited = new Promise<number | null>((done) => child.once('close', done).once('error', () => done(null)));
  const clean = () => {
    if (options.stateDir === undefined) removeStateDir(stateDir);
  };
  let run: Record<string, unknown>;
  try {
    run = await ready(runFile, child, output.all, config.gateway.tls?.enabled === true);
  } catch (error) {
    child.kill('SIGKILL');
    await exited;
    clean();
    throw error;
  }
  const owners: Owner[] = [];
  const socketPath = String(run.socket ?? join(stateDir, 'run', 'gateway.sock'));
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> => {
    for (const owner of owners.splice(0)) owner.end();
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    const code = await exited;
    clearTimeout(timer);
    return code;
  };
  return {
    port: Number(run.port),
    token: String(config.gateway.auth.token),
    stateDir,
    socketPath,
    pid: child.pid ?? 0,
    run,
    logs: output.all,
    owner: async () => {
      const owner = await Owner.open(socketPath);
      owners.push(owner);
      return owner;
    },
    cli: (args, env) => latchkey([...args, '--state-dir', stateDir], { home, ...(env === undefined ? {} : { env }) }),
    halt: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL');
    },
    stop: async () => {
      await end('SIGTERM');
      removeStateDir(stateDir);
    },
  };
}

async function ready(
  runFile: string,
  child: ChildProcess,
  printed: () => string,
  secure: boolean,
): Promise<Record<string, unknown>> {
  const statusNow = secure ? secureStatusOf : statusOf;
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the gateway ended with ${child.exitCode ?? child.signalCode}:\n${printed()}`);
    const run = readRun(runFile);
    // An earlier, killed gateway may have left its file.
    if (run !== null && run.pid === child.pid && (await statusNow(Number(run.port), '/readyz')) === 200) return run;
    await sleep(25);
  }
  throw new Error(`the gateway was not ready within ${START_MS} ms:\n${printed()}`);
}

function readRun(runFile: string): Record<string, unknown> | null {
  try {
    const run: unknown = JSON.parse(readFileSync(runFile, 'utf8'));
    return isRecord(run) && Number(run.port) > 0 ? run : null;
  } catch {
    // Not there yet.
    return null;
  }
}

/** The status of a plain GET; 0 when nothing answered. */
export async function statusOf(port: number, path: string): Promise<number> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

/** The same over TLS, whatever the certificate. */
function secureStatusOf(port: number, path: string): Promise<number> {
  return new Promise((done) => {
    const request = getSecure({ host: '127.0.0.1', port, path, rejectUnauthorized: false }, (response) => {
      response.resume().once('end', () => done(response.statusCode ?? 0));
    });
    request.once('error', () => done(0));
  });
}
