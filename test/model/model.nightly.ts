import { expect, test } from 'vitest';
import { bundled, lab, textOf } from './bundle.ts';
import { MUTANTS } from './mutant.ts';
import { NIGHTLY } from './nightly.ts';

const names = NIGHTLY.map((world) => ({ name: world.name }));

test.each(names)('A1-A20: every state holds what must hold: $name', { timeout: 600_000 }, async ({ name }) => {
  const { real, explore, figures, report, system, NIGHTLY: worlds } = await lab();
  const world = worlds.find((w) => w.name === name);
  expect(world).toBeDefined();
  if (world === undefined) return;
  const began = performance.now();
  const explored = explore(system(real, world(real)));
  console.log(figures(explored, performance.now() - began));
  expect(report(explored)).toBe(`${explored.name}: holds`);
});

test('A7: a commit that does not compare the decider is found', { timeout: 600_000 }, async () => {
  const { real, explore, report, system, raceWorld } = await lab();
  const explored = explore(system(real, raceWorld(real, { decider: false })));
  console.log(report(explored));
  expect(explored.violation?.text).toContain('A7');
});

test('rule: the worlds alone, without the plays, catch most mutants', { timeout: 900_000 }, async () => {
  const { explore, system, FAST } = await lab();
  const missed: string[] = [];
  for (const mutant of MUTANTS) {
    const text = textOf(mutant.file).replace(mutant.find, () => mutant.replace);
    const core = await bundled(new Map([[mutant.file, text]]));
    const isCaught = FAST.some((world) => {
      try {
        return explore(system(core, world(core)), 1_500).violation !== null;
      } catch {
        return true;
      }
    });
    if (!isCaught) missed.push(`${mutant.clause}: ${mutant.find} → ${mutant.replace}`);
  }
  console.log(`${MUTANTS.length - missed.length} of ${MUTANTS.length}; left to the plays:\n  ${missed.join('\n  ')}`);
  expect(missed.length).toBeLessThan(MUTANTS.length / 3);
});
