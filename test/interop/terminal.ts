// OpenClaw's terminal UI: of its 2026.9.6 the one program that brings a key of its own to its own host's gateway, and
// keeps the device token that it gets. What it stores, every later command of that home uses.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { program } from '../program.ts';
import { environment, type Home } from './openclaw.ts';
import type { Release } from './release.ts';

const PATIENCE_MS = 120_000;
const LOOK_MS = 500;
const REST_MS = 2_000;
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

/** A terminal UI that stays until it is ended. */
export interface Terminal extends Screen {
  /** Where the screen's text ends now: what is drawn from here on is asked for by it. */
  mark(): number;
  escape(): Promise<void>;
  /** Resolves once this was drawn since `from`. @throws Error with the end of the screen when it never is */
  shows(pattern: RegExp, from?: number): Promise<void>;
  /** Resolves once nothing was drawn for a while: what is typed while it connects is lost to it. */
  rests(): Promise<void>;
  isOver(): boolean;
  end(): Promise<void>;
}

const ESCAPE = String.fromCharCode(27);
const DRAWING = new RegExp(
  `${ESCAPE}(\\[[0-9;?>=<]*[A-Za-z]|\\][^${ESCAPE}\\u0007]*(\\u0007|${ESCAPE}\\\\)|[=>_PX^][^${ESCAPE}]*)`,
  'g',
);

const groups = new Set<number>();
process.on('exit', () => {
  for (const pid of groups) signal(pid, 'SIGKILL');
});

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // Gone already.
  }
}

/** Without the room and the lines between what is said. */
const squeezed = (text: string) => text.replaceAll(/[\s\u2500]+/g, ' ').trim();

/** Starts it. @throws Error where there is no terminal to be had */
export function openTerminal(release: Release, home: Home): Terminal {
  const script = program('script');
  if (script === null) throw new Error('script (Debian: bsdutils) is not installed');
  const line = `stty cols 160 rows 48; exec ${[process.execPath, release.entry, 'tui'].map(shellWord).join(' ')}`;
  const child = spawn(script, ['-qfec', line, '/dev/null'], {
    env: { ...environment(home), TERM: 'xterm' },
    cwd: home.path,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const { pid } = child;
  if (pid !== undefined) groups.add(pid);
  const closed = new Promise<void>((done) => child.once('close', () => done()).once('error', () => done()));
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
  });
  // Its end may come while something is typed.
  child.stdin.on('error', () => {});
  const text = () => screen.replaceAll(DRAWING, '');
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  return {
    text,
    isOver,
    mark: () => text().length,
    async type(words) {
      child.stdin.write(words);
      await sleep(LOOK_MS);
      child.stdin.write('\r');
    },
    async escape() {
      child.stdin.write(ESCAPE);
      await sleep(LOOK_MS);
    },
    async shows(pattern, from = 0) {
      const deadline = performance.now() + PATIENCE_MS;
      while (!pattern.test(text().slice(from))) {
        if (isOver() || performance.now() > deadline)
          throw new Error(`no ${pattern.source} on its screen: ${squeezed(text().slice(from)).slice(-400)}`);
        await sleep(LOOK_MS / 5);
      }
    },
    async rests() {
      const deadline = performance.now() + PATIENCE_MS;
      for (let before = -1; before !== screen.length && performance.now() < deadline; await sleep(REST_MS))
        before = screen.length;
    },
    async end() {
      // `script` hands the end of its input on; the group takes whoever is left.
      if (pid === undefined) return;
      if (!isOver()) {
        signal(pid, 'SIGTERM');
        const timer = setTimeout(() => signal(pid, 'SIGKILL'), END_MS);
        await closed;
        clearTimeout(timer);
      }
      groups.delete(pid);
    },
  };
}

/** Runs it until `isDone`; then it is ended. @throws Error with the end of its screen when that takes too long */
export async function inTerminal(
  release: Release,
  home: Home,
  isDone: (screen: Screen) => Promise<boolean>,
): Promise<void> {
  const terminal = openTerminal(release, home);
  const deadline = performance.now() + PATIENCE_MS;
  let done = false;
  try {
    while (!done && !terminal.isOver() && performance.now() < deadline) {
      await sleep(LOOK_MS);
      done = await isDone(terminal);
    }
  } finally {
    await terminal.end();
  }
  if (!done) throw new Error(`the tui of ${release.name} came to nothing: ${terminal.text().slice(-400)}`);
}
