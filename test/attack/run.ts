// Runs checks one after the other and says what came of each. A skip is never a pass.
import { type Check, isRoot, type Need, numberOf } from './check.ts';
import type { Target } from './target.ts';

export interface Result {
  readonly id: string;
  readonly title: string;
  readonly verdict: 'pass' | 'fail' | 'skip';
  /** What was measured, why it failed, why it was skipped. */
  readonly note: string;
  readonly ms: number;
  /** Path of the frame log of a check that failed. */
  readonly log: string | null;
}

/** A check that hangs is a check that failed. */
const LIMIT_MS = { quick: 45_000, full: 20 * 60_000 } as const;

/** Why the target can't be put to this check; `null`: it can. */
export function lack(need: Need, target: Target): string | null {
  const { options } = target;
  switch (need) {
    case 'token':
      return options.token === '' ? 'needs the shared secret: --token-file' : null;
    case 'pid':
      if (process.platform !== 'linux') return 'reads /proc, which only Linux has';
      return options.pid === undefined ? "needs the gateway's process on this machine: --pid" : null;
    case 'stateDir':
      return options.stateDir === undefined ? "needs the gateway's files: --state-dir" : null;
    case 'second process':
      return options.mayStart ? null : 'starts gateways of its own; run without --url';
    case 'root':
      return isRoot ? null : 'needs root';
  }
}

/** Puts the target to one check and cleans up after it. */
export async function judge(check: Check, target: Target, folder: string): Promise<Result> {
  const { log, seed, quick } = target.options;
  const began = performance.now();
  log.clear();
  const result = (verdict: Result['verdict'], note: string): Result => ({
    id: check.id,
    title: check.title,
    verdict,
    note,
    ms: Math.round(performance.now() - began),
    log: verdict !== 'fail' ? null : log.write(folder, check.id, [`${check.id} ${check.title}`, `seed ${seed}`, note]),
  });
  const missing = check.needs.map((need) => lack(need, target)).find((reason) => reason !== null);
  if (missing != null) return result('skip', missing);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    const limitMs = quick && check.quick ? LIMIT_MS.quick : LIMIT_MS.full;
    timer = setTimeout(() => fail(new Error(`not done within ${limitMs} ms`)), limitMs);
  });
  try {
    const note = await Promise.race([check.run(target), late]);
    await target.alive();
    return result('pass', note ?? '');
  } catch (error) {
    if (error instanceof Error && error.name === 'Skipped') return result('skip', error.message);
    return result('fail', error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
    await target.finish().catch((error: unknown) => log.add(`cleaning up: ${String(error)}`));
  }
}

/** The checks that `--only 10,D5.43` names, all of them without. @throws RangeError naming what is unknown */
export function chosen(checks: readonly Check[], only: readonly string[]): readonly Check[] {
  const isNamed = (check: Check, name: string) =>
    check.id === name || check.id.startsWith(`${name} `) || String(numberOf(check)) === name;
  const unknown = only.filter((name) => !checks.some((check) => isNamed(check, name)));
  if (unknown.length > 0) throw new RangeError(`no check has the number or id ${unknown.join(', ')}`);
  return only.length === 0 ? checks : checks.filter((check) => only.some((name) => isNamed(check, name)));
}
