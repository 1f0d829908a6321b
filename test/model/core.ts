import * as decide from '../../src/core/authz/decide.ts';
import * as invariant from '../../src/core/authz/invariant.ts';
import * as scope from '../../src/core/authz/scope.ts';
import { step } from '../../src/core/authz/step.ts';

/** What the worlds and transcripts drive: the real functions, or a changed copy of them. */
export interface Core {
  readonly step: typeof step;
  readonly decide: typeof decide;
  readonly scope: typeof scope;
  readonly invariant: typeof invariant;
}

export const real: Core = { step, decide, scope, invariant };
