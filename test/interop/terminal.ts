// OpenClaw's terminal UI: of its 2026.9.6 the one program that brings a key of its own to its own host's gateway, and
// keeps the device token that it gets. What it stores, every later command of that home uses.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { program } from '../program.ts';
import { environment, type Home } from './openclaw.ts';
import type { Release } from './release.ts';

const PATIENCE_MS = 120_000;
const LOOK_MS = 500;
const END_MS = 5_000;

const shellWord = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** It needs a terminal; `script` gives it one. */
export const hasTerminal = (): boolean => program('script') !== null;

/** Runs it until `isDone`; then it is ended. @throws Error with the end of its screen when that takes too long */
export async function inTerminal(release: Release, home: Home, isDone: () => Promise<boolean>): Promise<void> {
  const script = program('script');
  if (script === null) throw new Error('script (Debian: bsdutils) is not installed');
  const line = [process.execPath, release.entry, 'tui'].map(shellWord).join(' ');
  const child = spawn(script, ['-qfec', line, '/dev/null'], {
    env: { ...environment(home), TERM: 'xterm' },
    cwd: home.path,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const closed = new Promise<void>((done) => child.once('close', () => done()).once('error', () => done()));
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
  });
  const deadline = performance.now() + PATIENCE_MS;
  let done = false;
  while (!done && child.exitCode === null && performance.now() < deadline) {
    await sleep(LOOK_MS);
    done = await isDone();
  }
  // `script` hands the end of its input on; the group takes whoever is left.
  const { pid } = child;
  if (pid !== undefined && child.exitCode === null) {
    process.kill(-pid, 'SIGTERM');
    const timer = setTimeout(() => process.kill(-pid, 'SIGKILL'), END_MS);
    await closed;
    clearTimeout(timer);
  }
  if (!done) throw new Error(`the tui of ${release.name} came to nothing: ${screen.slice(-200)}`);
}
