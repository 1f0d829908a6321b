import { beforeAll, describe, expect, test } from 'vitest';
import { bundled, lab, textOf } from './bundle.ts';
import { MUTANTS, type Mutant } from './mutant.ts';

/** The clauses that README.md says are decided in this folder: an id, and after the arrow a file of it. */
function clauses(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const id = /^- \*\*(A\d+\.\d+)\*\*/.exec(line)?.[1];
    const where = line.slice(line.lastIndexOf('→'));
    return id !== undefined && /`[a-z]+\.ts`/.test(where) ? [id] : [];
  });
}

/** The file's text with the mutant in it. @throws where `find` does not stand there exactly once */
function mutate({ clause, file, find, replace }: Mutant, text: string): string {
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`${clause}: stands ${count} times in ${file}, not once: ${find}`);
  return text.replace(find, () => replace);
}

let tools: Awaited<ReturnType<typeof lab>>;
beforeAll(async () => {
  tools = await lab();
});

/** What catches a mutant first: a play, or a fast world. `null`: nothing does. */
async function caughtBy(mutant: Mutant, limit = 5_000): Promise<string | null> {
  const core = await bundled(new Map([[mutant.file, mutate(mutant, textOf(mutant.file))]]));
  for (const { rule, play } of tools.TRANSCRIPTS) {
    try {
      play(core);
    } catch {
      return `play ${rule}`;
    }
  }
  const { explore, system, FAST } = tools;
  for (const world of FAST) {
    try {
      const { name, violation } = explore(system(core, world(core)), limit);
      if (violation !== null) return `${name}: ${violation.text}`;
    } catch (error) {
      return `${world.name}: ${error}`;
    }
  }
  return null;
}

describe('A1-A21: every clause that the core decides is held by something that notices when it breaks', () => {
  const names = MUTANTS.map((mutant, index) => ({ name: `${mutant.clause} ${index}`, mutant }));
  test.each(names)('$name', { timeout: 120_000 }, async ({ mutant }) => {
    const by = await caughtBy(mutant);
    expect(by, `${mutant.file}: ${mutant.find} → ${mutant.replace}`).not.toBeNull();
  });
});

test('rule: each clause that README.md places in core/authz has a mutant, and each mutant a clause', () => {
  const decided = clauses(textOf('README.md'));
  expect(decided.length).toBeGreaterThan(60);
  const broken = new Set(MUTANTS.map(({ clause }) => clause));
  expect(decided.filter((id) => !broken.has(id))).toEqual([]);
  expect([...broken].filter((id) => !decided.includes(id))).toEqual([]);
});

test('rule: a mutant that no longer applies fails, and one that changes nothing is not caught', async () => {
  const [some] = MUTANTS;
  if (some === undefined) throw new Error('there are no mutants');
  expect(() => mutate({ ...some, find: 'no such text' }, textOf(some.file))).toThrow('0 times');
  expect(() => mutate({ ...some, find: 'return' }, textOf(some.file))).toThrow('not once');
  expect(await caughtBy({ ...some, replace: some.find }, 500)).toBeNull();
});
