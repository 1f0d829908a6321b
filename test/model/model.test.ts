import { beforeAll, expect, test } from 'vitest';
import { bundled, type Core } from './core.ts';
import { explore, figures, report } from './explore.ts';
import { FAST } from './fast.ts';
import { system } from './system.ts';

// The core as one script: what the test runner makes of modules would cost a third of the time.
let core: Core;
let states = 0;
beforeAll(async () => {
  core = await bundled();
});

test.each(FAST.map((world) => ({ world, name: world.name })))(
  'A1-A20: every state holds what must hold: $name',
  ({ world }) => {
    const began = performance.now();
    const explored = explore(system(core, world(core)));
    console.log(figures(explored, performance.now() - began));
    states += explored.states;
    expect(report(explored)).toBe(`${explored.name}: holds`);
  },
);

test('rule: the worlds are not empty: together they hold 100,000 states', () => {
  expect(states).toBeGreaterThan(100_000);
});
