import { CONNECTING } from './mutant-connect.ts';
import { DECIDING } from './mutant-decide.ts';

/** One clause of core/authz/README.md, broken: in `file`, `find` (which stands there once) becomes `replace`. */
export interface Mutant {
  readonly clause: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export const MUTANTS: readonly Mutant[] = [...CONNECTING, ...DECIDING].map(([clause, file, find, replace]) => ({
  clause,
  file,
  find,
  replace,
}));
