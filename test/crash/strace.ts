// System calls of a running gateway, seen and broken from outside by strace.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../partner/peer.ts';

/** Why strace can't be used here; `null`: it can. */
export function obstacle(): string | null {
  if (process.platform !== 'linux') return 'strace is of Linux';
  const found = spawnSync('strace', ['-V'], { encoding: 'utf8' });
  if (found.status !== 0) return 'strace is not installed';
  const sleeper = spawn('sleep', ['30']);
  const tried = spawnSync('timeout', ['1', 'strace', '-p', String(sleeper.pid), '-o', '/dev/null'], {
    encoding: 'utf8',
  });
  sleeper.kill('SIGKILL');
  return /attached/.test(tried.stderr) ? null : `strace may not attach: ${tried.stderr.trim().slice(0, 200)}`;
}

export class Strace {
  readonly #child: ChildProcess;
  readonly #home: string;
  #said = '';

  private constructor(pid: number, options: readonly string[]) {
    this.#home = mkdtempSync(join(tmpdir(), 'lk-'));
    const file = join(this.#home, 'calls');
    const args = ['-f', '-p', String(pid), '-o', file, ...options];
    this.#child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
  }

  /** Attached to every thread when it resolves. */
  static async attach(pid: number, options: readonly string[]): Promise<Strace> {
    const strace = new Strace(pid, options);
    await until('strace attaches', () => {
      if (strace.#child.exitCode !== null) throw new Error(strace.#said);
      return strace.#said.includes(`Process ${pid} attached`);
    });
    return strace;
  }

  /** Lets go, and gives every line that it wrote. */
  async lines(): Promise<readonly string[]> {
    if (this.#child.exitCode === null) {
      const gone = new Promise((done) => this.#child.once('close', done));
      this.#child.kill('SIGINT');
      await gone;
    }
    const text = readFileSync(join(this.#home, 'calls'), 'utf8');
    rmSync(this.#home, { recursive: true, force: true });
    return text.split('\n');
  }
}

/** A call's name, what it was on (as `-yy` tells), and whether the line is its beginning, its end, or both. */
export interface Call {
  readonly name: string;
  readonly on: string;
  readonly text: string;
  readonly result: string | null;
}

/**
 * Calls by the order in which they *ended*, each once; one that never ended stands where it began. So a sync counts
 * from its return, and a reply, which `began` finds, from its start.
 */
export function callsOf(
  lines: readonly string[],
): readonly (Call & { readonly began: number; readonly ended: number })[] {
  const open = new Map<string, { name: string; text: string; began: number }>();
  const calls: (Call & { began: number; ended: number })[] = [];
  const put = (name: string, text: string, began: number, ended: number, result: string | null) => {
    calls.push({ name, text, result, began, ended, on: /^\d+<([^>]*(?:->[^>]*)?)>?/.exec(text)?.[1] ?? '' });
  };
  lines.forEach((line, n) => {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(rest);
    if (resumed) {
      const before = open.get(`${thread} ${resumed[1]}`);
      if (before) put(before.name, before.text, before.began, n, / = (\S+)/.exec(resumed[2] ?? '')?.[1] ?? null);
      open.delete(`${thread} ${resumed[1]}`);
      return;
    }
    const call = /^(\w+)\((.*)$/.exec(rest);
    if (!call) return;
    const [, name = '', text = ''] = call;
    if (text.includes('<unfinished ...>')) open.set(`${thread} ${name}`, { name, text, began: n });
    else put(name, text, n, n, / = (\S+)(?: .*)?$/.exec(text)?.[1] ?? null);
  });
  for (const { name, text, began } of open.values()) put(name, text, began, began, null);
  return calls;
}
