// OpenClaw's terminal UI needs a terminal: `script` gives it one. Only its connect is wanted here.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { program } from '../../program.ts';
import { environment } from '../openclaw.ts';
import type { Outcome } from './play.ts';
import type { Stage } from './stage.ts';

const PATIENCE_MS = 120_000;

const shellWord = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** Runs it until the gateway knows its device; `undefined`: it does. */
export async function tui(stage: Stage): Promise<Outcome | undefined> {
  const script = program('script');
  if (script === null) return { notRun: 'script (Debian: bsdutils) is not installed: it gives the tui its terminal' };
  stage.allow(2);
  const line = [process.execPath, stage.release.entry, 'tui'].map(shellWord).join(' ');
  const child = spawn(script, ['-qfec', line, '/dev/null'], {
    env: { ...environment(stage.home), TERM: 'xterm' },
    cwd: stage.home.path,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const closed = new Promise<void>((done) => child.once('close', () => done()).once('error', () => done()));
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
  });
  const deadline = performance.now() + PATIENCE_MS;
  let isKnown = false;
  while (!isKnown && child.exitCode === null && performance.now() < deadline) {
    await sleep(250);
    isKnown = Object.keys(await stage.side.grants()).length > 0;
  }
  // `script` hands the end of its input on; the group takes whoever is left.
  const { pid } = child;
  if (pid !== undefined && child.exitCode === null) {
    process.kill(-pid, 'SIGTERM');
    const timer = setTimeout(() => process.kill(-pid, 'SIGKILL'), 5_000);
    await closed;
    clearTimeout(timer);
  }
  if (!isKnown) stage.wrongAnswers.push(`tui: the gateway knows no device of it: ${screen.slice(-100)}`);
  return undefined;
}
