import type { Core } from './core.ts';

export interface Transcript {
  /** The clause of core/authz/README.md. */
  readonly rule: string;
  readonly title: string;
  /** @throws AssertionError where the core does something else */
  play(core: Core): void;
}
