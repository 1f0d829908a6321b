import { expect, test } from 'vitest';
import { lab, textOf } from './bundle.ts';
import { MUTANTS, type Mutant } from './mutant.ts';

/** The sources with one thing broken. @throws Error where the text to break stands no longer there, or more than once */
function broken({ edits }: Mutant): ReadonlyMap<string, string> {
  const changed = new Map<string, string>();
  for (const { file, find, replace } of edits) {
    const text = changed.get(file) ?? textOf(file);
    const parts = text.split(find);
    if (parts.length !== 2) throw new Error(`${file}: ${parts.length - 1} times: ${find}`);
    changed.set(file, parts.join(replace));
  }
  return changed;
}

test.each(MUTANTS.map((mutant) => [mutant.what, mutant] as const))('%s: the races notice', async (_what, mutant) => {
  const { MORE, NAMED, run } = await lab(broken(mutant));
  const race = [...NAMED, ...MORE].find(({ name }) => name === mutant.race);
  if (race === undefined) throw new Error(`no race ${mutant.race}`);
  const { failed } = await run(race, { rounds: 1_000, fileEvery: Number.POSITIVE_INFINITY });
  expect(failed).toHaveLength(1);
});
