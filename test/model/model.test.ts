import { beforeAll, expect, test } from 'vitest';
import { lab } from './bundle.ts';
import { FAST } from './fast.ts';

let tools: Awaited<ReturnType<typeof lab>>;
let states = 0;
beforeAll(async () => {
  tools = await lab();
});

const names = FAST.map((world, index) => ({ name: world.name, index }));

test.each(names)('A1-A20: every state holds what must hold: $name', { timeout: 120_000 }, ({ index }) => {
  const { real, explore, figures, report, system } = tools;
  const world = tools.FAST[index];
  if (world === undefined) throw new Error('the bundle is not what was bundled');
  const began = performance.now();
  const explored = explore(system(real, world(real)));
  console.log(figures(explored, performance.now() - began));
  states += explored.states;
  expect(report(explored)).toBe(`${explored.name}: holds`);
});

test('rule: the worlds are not empty: together they hold 100,000 states', () => {
  expect(states).toBeGreaterThan(100_000);
});
