import { expect, test } from 'vitest';
import { dropLeavings } from './leavings.ts';

const MIB = 1024 * 1024;

/** Bytes of a heap that something dead has filled with about 64 MiB. */
function littered(): number {
  const litter = Array.from({ length: 64 }, (_, n) => new Array(MIB / 8).fill(n));
  return litter.length === 0 ? 0 : process.memoryUsage().heapUsed;
}

test('rule: what is left behind is given back, and nobody else can call the collector', () => {
  const before = littered();
  dropLeavings();
  expect(before - process.memoryUsage().heapUsed).toBeGreaterThan(48 * MIB);
  expect(globalThis).not.toHaveProperty('gc');
});
