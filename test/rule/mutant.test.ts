import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './source.ts';

/** Run by hand, by plain Node. */
const { MUTANTS }: { MUTANTS: Record<string, Mutant> } = await import(join(root, 'test/scenario/mutants.mjs'));

type Mutant = readonly [file: string, from: string, to: string, tests: readonly string[]];

test('rule: what a mutant of the scenarios breaks stands once in the sources, and its tests are there', () => {
  const stale = Object.entries(MUTANTS).flatMap(([name, [file, from, , tests]]) => {
    const text = existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : '';
    const missing = tests.filter((path) => path.startsWith('test/') && !existsSync(join(root, path)));
    return text.split(from).length === 2 && missing.length === 0 ? [] : [name];
  });
  expect(stale).toEqual([]);
});
