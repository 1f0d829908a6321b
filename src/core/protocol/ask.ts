import type { OperatorScope } from '../authz/scope.ts';
import { PLAIN_SCOPES } from './need.ts';
import type { MethodName } from './registry.ts';

/** A client asks for what it will call, and no more: the scopes that the plain rows of these methods need. */
export function scopesFor(methods: readonly MethodName[]): readonly OperatorScope[] {
  const needed = methods.flatMap((name) => {
    // The name may be a person's: what every object has by itself is no scope.
    const scope = Object.hasOwn(PLAIN_SCOPES, name) ? (PLAIN_SCOPES[name] ?? 'none') : 'none';
    return scope === 'none' ? [] : [scope];
  });
  return [...new Set(needed)].sort();
}
