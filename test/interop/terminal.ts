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

/** What a person has before them. */
export interface Screen {
  /** All that was ever drawn, without what moves and colours it. */
  text(): string;
  /** As from the keyboard, and Enter after it: in a piece of its own, else 2026.9.6 takes both as pasted. */
  type(text: string): Promise<void>;
}

const ESCAPE = String.fromCharCode(27);
const DRAWING = new RegExp(
  `${ESCAPE}(\\[[0-9;?>=<]*[A-Za-z]|\\][^${ESCAPE}\\u0007]*(\\u0007|${ESCAPE}\\\\)|[=>_PX^][^${ESCAPE}]*)`,
  'g',
);

/** Runs it until `isDone`; then it is ended. @throws Error with the end of its screen when that takes too long */
export async function inTerminal(
  release: Release,
  home: Home,
  isDone: (screen: Screen) => Promise<boolean>,
): Promise<void> {
  const script = program('script');
  if (script === null) throw new Error('script (Debian: bsdutils) is not installed');
  const line = `stty cols 160 rows 48; exec ${[process.execPath, release.entry, 'tui'].map(shellWord).join(' ')}`;
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
  const seen: Screen = {
    text: () => screen.replaceAll(DRAWING, ''),
    async type(text) {
      child.stdin.write(text);
      await sleep(LOOK_MS);
      child.stdin.write('\r');
    },
  };
  const deadline = performance.now() + PATIENCE_MS;
  let done = false;
  while (!done && child.exitCode === null && performance.now() < deadline) {
    await sleep(LOOK_MS);
    done = await isDone(seen);
  }
  // `script` hands the end of its input on; the group takes whoever is left.
  const { pid } = child;
  if (pid !== undefined && child.exitCode === null) {
    process.kill(-pid, 'SIGTERM');
    const timer = setTimeout(() => process.kill(-pid, 'SIGKILL'), END_MS);
    await closed;
    clearTimeout(timer);
  }
  if (!done) throw new Error(`the tui of ${release.name} came to nothing: ${seen.text().slice(-400)}`);
}
