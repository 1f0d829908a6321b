import { expect, test } from 'vitest';
import { bundled } from './core.ts';
import { explore, figures, report } from './explore.ts';
import { NIGHTLY, raceWorld } from './nightly.ts';
import { system } from './system.ts';

test.each(NIGHTLY.map((world) => ({ world, name: world.name })))(
  'A1-A20: every state holds what must hold: $name',
  { timeout: 600_000 },
  async ({ world }) => {
    const core = await bundled();
    const began = performance.now();
    const explored = explore(system(core, world(core)));
    console.log(figures(explored, performance.now() - began));
    expect(report(explored)).toBe(`${explored.name}: holds`);
  },
);

test('A7: a commit that does not compare the decider is found', { timeout: 600_000 }, async () => {
  const core = await bundled();
  const explored = explore(system(core, raceWorld(core, { decider: false })));
  console.log(report(explored));
  expect(explored.violation?.text).toContain('A7');
});
