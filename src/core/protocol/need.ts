import type { OperatorScope } from '../authz/scope.ts';
import { lookup, METHOD_NAMES } from './registry.ts';

/**
 * Of each method the scope that its plain row needs. The build writes this table out (scripts/build.mjs), so that a
 * command that dials carries it, and not the shapes of all methods.
 */
export const PLAIN_SCOPES: Readonly<Record<string, OperatorScope | 'none'>> = Object.fromEntries(
  METHOD_NAMES.map((name) => [name, lookup(name)?.plain.scope ?? 'none']),
);
