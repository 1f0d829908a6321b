// One play of a report: its steps on a stage of its own, and the rows that come out.
import type { Context, Result } from '../part.ts';
import type { Release, ReleaseName } from '../release.ts';
import type { Finding } from '../verdict.ts';
import { latchkeySide, type Side } from './side.ts';
import { finding, Stage } from './stage.ts';

export interface Play {
  /** The report and what is special. */
  readonly name: string;
  /** Why it is nothing for a release. */
  readonly absent?: Partial<Readonly<Record<ReleaseName, string>>>;
  /** It ends with something to be mended, and mends it. */
  readonly mends?: true;
  /** How many requests may be open at its end: those that only a person decides. */
  readonly open?: number;
  /** @returns why it can't be played here, or what the commands said where something really is wrong */
  act(stage: Stage, quick: boolean): Promise<Outcome | undefined>;
}

export interface Outcome {
  readonly notRun?: string;
  /** What a person was told. */
  readonly said?: string;
  /** Nothing was wrong, so nothing was to be mended. */
  readonly isWell?: boolean;
}

/** Plays it and judges three things, a row each: the commands' answers, the gateway, and what mends the rest. */
export async function perform(play: Play, release: Release, context: Context, side?: Side): Promise<Result[]> {
  const row = (group: string, result: Result['finding']): Result => ({
    row: `${play.name}: ${group}`,
    release: release.name,
    finding: result,
  });
  const groups = ['answers', 'gateway', ...(play.mends ? ['remedy'] : [])];
  const skipped = (says: string) => groups.map((group) => row(group, { verdict: 'not run', says }));
  const absent = play.absent?.[release.name];
  if (absent !== undefined) return skipped(absent);
  context.say(`${release.name} ${play.name}`);
  const stage = await Stage.open(release, side ?? (await latchkeySide()));
  try {
    const { notRun, said = '', isWell = false } = (await play.act(stage, context.quick)) ?? {};
    if (notRun !== undefined) return skipped(notRun);
    const answers = finding(stage.wrongAnswers);
    const remedy: Finding = isWell
      ? { verdict: 'not run', says: 'nothing is left to be mended' }
      : finding(stage.wrongRemedies);
    return [
      // Something really is wrong there: it says so, and the way out is judged in a row of its own.
      row('answers', answers.verdict === 'works' && said !== '' ? { verdict: 'degraded', says: said } : answers),
      row('gateway', finding(await stage.loops(play.open))),
      ...(play.mends ? [row('remedy', remedy)] : []),
    ];
  } catch (error) {
    // One play that can't go on takes no other with it.
    const says = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return groups.map((group) => row(group, { verdict: 'fails', says: `the play broke off: ${says}` }));
  } finally {
    await stage.end();
  }
}
