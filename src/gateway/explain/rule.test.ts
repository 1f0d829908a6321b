import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { REFUSALS } from '../../core/authz/command.ts';
import { ERRORS } from '../../core/protocol/error.ts';
import { CHANGED, REFUSED, RULES } from './rule.ts';

const README = readFileSync(join(import.meta.dirname, '..', '..', 'core', 'authz', 'README.md'), 'utf8');

/** `**A4.2** …`, `**A3 The key …**`, `**A18, A19** …`. */
function clausesOf(text: string): ReadonlySet<string> {
  const headings = [...text.matchAll(/\*\*(A\d+(?:\.\d+)?(?:, A\d+)*)[ *]/g)].map(([, ids]) => ids ?? '');
  return new Set(headings.flatMap((ids) => ids.split(', ')));
}

test('A16 every code there is, of core/authz and of the wire, has its clause', () => {
  expect(Object.keys(REFUSED).sort()).toEqual(Object.keys(ERRORS).sort());
  expect(REFUSALS.filter((code) => REFUSED[code] === undefined)).toEqual([]);
});

test('A17 every kind of change that the store knows has its clause', () => {
  const store = readFileSync(join(import.meta.dirname, '..', '..', 'store', 'sqlite', 'changes.ts'), 'utf8');
  const kinds = [...(/KINDS[^{]*\{([^}]*)\}/.exec(store)?.[1] ?? '').matchAll(/(\w+): true/g)].map(([, kind]) => kind);
  expect(kinds.length).toBeGreaterThan(10);
  expect(Object.keys(CHANGED).sort()).toEqual(kinds.sort());
});

test('A17 every clause that is named stands in the README of core/authz', () => {
  const known = clausesOf(README);
  expect(known.size).toBeGreaterThan(60);
  expect(RULES.length).toBeGreaterThan(80);
  expect(RULES.filter((rule) => !known.has(rule.clause))).toEqual([]);
  expect([...clausesOf('**A3 The key** **A4.2** **A18, A19** Mutual')]).toEqual(['A3', 'A4.2', 'A18', 'A19']);
});

test('A17 every rule is one plain sentence', () => {
  for (const { text } of RULES) expect(text).toMatch(/^[A-Z][^\n]{20,140}\.$/);
});
