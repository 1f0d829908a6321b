// What a row of the table can say, and which of two is worse.

/**
 * `works`: it does what it does against OpenClaw's own gateway. `degraded`: it goes on, and says what is missing.
 * `fails`: it ends in an error, or is refused. `not yet`: what it is about isn't built. `not run`: it can't be run here.
 */
export type Verdict = 'works' | 'degraded' | 'not yet' | 'fails' | 'not run';

const BADNESS: Readonly<Record<Verdict, number>> = { works: 0, degraded: 1, 'not yet': 2, fails: 3, 'not run': 0 };

export interface Finding {
  readonly verdict: Verdict;
  /** One line of what it said, without what differs from run to run; `''` where it works. */
  readonly says: string;
}

export const WORKS: Finding = { verdict: 'works', says: '' };

export function isWorse(one: Verdict, other: Verdict): boolean {
  return BADNESS[one] > BADNESS[other];
}

/** The worst of several runs of one row: a row is as good as its worst run. */
export function worst(findings: readonly Finding[]): Finding {
  return findings.reduce((a, b) => (isWorse(b.verdict, a.verdict) ? b : a), findings[0] ?? WORKS);
}
