import type { Usage } from './model.ts';

/**
 * Why a step of a model failed: a closed set. `again`: the same call may succeed later. `other`: another model may do
 * what this one can't.
 */
export const FAILURES = {
  /** The key is wrong, missing, or not allowed this. */
  auth: { again: false, other: true, what: 'the key is refused' },
  /** The account is out of credit. */
  quota: { again: false, other: true, what: 'the account has nothing left' },
  rate_limit: { again: true, other: true, what: 'too many calls' },
  overloaded: { again: true, other: true, what: 'the provider is overloaded' },
  /** Its own fault, by what it says. */
  server: { again: true, other: true, what: 'the provider failed' },
  context: { again: false, other: true, what: 'the conversation is longer than the model can take' },
  bad_request: { again: false, other: true, what: 'the provider refuses the request' },
  /** No such model, or no such place. */
  not_found: { again: false, other: true, what: 'there is no such model' },
  network: { again: true, other: true, what: 'the provider is out of reach' },
  /** Nothing came for as long as was waited. */
  idle: { again: true, other: true, what: 'the provider fell silent' },
  /** It ended without saying that it was the end. */
  truncated: { again: true, other: true, what: 'the answer broke off' },
  /** What came is not what this provider is known to say. */
  malformed: { again: true, other: true, what: 'the answer is not understood' },
  aborted: { again: false, other: false, what: 'the call was stopped' },
  budget: { again: false, other: false, what: "the day's bound is reached" },
  /** It can't be set up: the configuration is to be mended. */
  setup: { again: false, other: true, what: 'the model is not set up' },
} as const;
export type FailureKind = keyof typeof FAILURES;

export interface FailureFacts {
  /** `openai/gpt-…` */
  readonly model: string;
  /** One line, without secrets. */
  readonly why: string;
  readonly status?: number;
  /** The provider said not to come again before. */
  readonly retryAfterMs?: number;
  /** What it cost all the same, where that was told. */
  readonly usage?: Usage;
  /** It is known to have cost nothing: it was never sent, or was refused at the door. */
  readonly isFree?: boolean;
  /** The command that helps, where it is another one than for every failure of this kind. */
  readonly remedy?: string;
}

/** A step that came to no good end. By name, not by class: clients are bundled apart. */
export class ModelFailure extends Error {
  override readonly name = 'ModelFailure';
  readonly kind: FailureKind;
  readonly model: string;
  readonly why: string;
  readonly status: number | null;
  readonly retryAfterMs: number | null;
  readonly usage: Usage | null;
  /** It is known to have cost nothing; false: who was asked may have read all of it. */
  readonly isFree: boolean;
  readonly remedy: string | null;
  /** Something of the answer was told already: it is not begun anew, or it would be told twice. */
  began = false;

  constructor(kind: FailureKind, facts: FailureFacts) {
    super(`${facts.model}: ${FAILURES[kind].what}: ${facts.why}`);
    this.kind = kind;
    this.model = facts.model;
    this.why = facts.why;
    this.status = facts.status ?? null;
    this.retryAfterMs = facts.retryAfterMs ?? null;
    this.usage = facts.usage ?? null;
    this.remedy = facts.remedy ?? null;
    // What is not set up and what has no budget left is never sent.
    this.isFree = facts.isFree ?? (kind === 'setup' || kind === 'budget');
  }

  /** Whether the same call may succeed later. */
  get again(): boolean {
    return FAILURES[this.kind].again && !this.began;
  }

  /** Whether another model may do it. */
  get other(): boolean {
    return FAILURES[this.kind].other && !this.began;
  }
}

export function isModelFailure(error: unknown): error is ModelFailure {
  return error instanceof Error && error.name === 'ModelFailure' && 'kind' in error && 'began' in error;
}
