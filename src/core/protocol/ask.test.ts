import { expect, test } from 'vitest';
import { READ } from '../authz/scope.ts';
import { scopesFor } from './ask.ts';
import type { MethodName } from './registry.ts';

/** What every object answers to by itself. */
const OWN = Object.getOwnPropertyNames(Object.prototype);

test.each(OWN)('rule: %s is no method, and asks for no scope', (name) => {
  expect(scopesFor([name as MethodName])).toEqual([]);
  expect(scopesFor(['health', name as MethodName])).toEqual(scopesFor(['health']));
});

test('rule: a client asks for the scopes of what it will call, each once', () => {
  expect(scopesFor(['health', 'status', 'health'])).toEqual([READ]);
});
