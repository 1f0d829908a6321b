// What a check is: one numbered line of THREATS.md section D, as a literal that runs against any gateway.
import type { Target } from './target.ts';

export const isRoot = process.getuid?.() === 0;

/**
 * What a check can't do without. `token`: the shared secret. `pid`: the gateway's process on this machine (Linux).
 * `stateDir`: its files. `second process`: a gateway of this checkout that the check starts with a configuration of
 * its own. `root`: it mounts, or changes owners.
 */
export type Need = 'token' | 'pid' | 'stateDir' | 'second process' | 'root';

export interface Check {
  /** `D2.10`, or `D2.10 restart` where one line of THREATS.md is held by several. */
  readonly id: string;
  readonly title: string;
  /** Runs in `npm test` too, with smaller counts. */
  readonly quick: boolean;
  readonly needs: readonly Need[];
  /** Returns what was measured, if anything. @throws Skipped, or anything else: it failed. */
  readonly run: (target: Target) => Promise<string | undefined>;
}

/** Not tried, and therefore not passed. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

/** @throws Skipped */
export function skip(reason: string): never {
  throw new Skipped(reason);
}

/** The number in THREATS.md: 10 of `D2.10 restart`. */
export function numberOf(check: Check): number {
  return Number(/^D\d\.(\d+)/.exec(check.id)?.[1]);
}

/** @throws Error with `what` */
export function assert(holds: unknown, what: string): asserts holds {
  if (holds !== true) throw new Error(what);
}

/** @throws Error naming both, unless they are equal as JSON. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const [is, due] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== due) throw new Error(`${what}: ${String(is).slice(0, 800)}, due was ${String(due).slice(0, 800)}`);
}

/** @throws Error naming both, unless `text` matches. */
export function matches(text: string, due: RegExp, what: string): void {
  if (!due.test(text)) throw new Error(`${what}: ${text.slice(0, 800)}, due was ${due}`);
}
