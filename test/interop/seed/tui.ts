// OpenClaw's terminal UI: only its connect is wanted here.
import { hasTerminal, inTerminal } from '../terminal.ts';
import type { Outcome } from './play.ts';
import type { Stage } from './stage.ts';

/** Runs it until the gateway knows its device; `undefined`: it does. */
export async function tui(stage: Stage): Promise<Outcome | undefined> {
  if (!hasTerminal()) return { notRun: 'script (Debian: bsdutils) is not installed: it gives the tui its terminal' };
  stage.allow(2);
  try {
    await inTerminal(stage.release, stage.home, async () => Object.keys(await stage.side.grants()).length > 0);
  } catch (error) {
    stage.wrongAnswers.push(
      `tui: the gateway knows no device of it: ${error instanceof Error ? error.message : error}`,
    );
  }
  return undefined;
}
