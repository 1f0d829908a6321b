import type { Static, TSchema } from 'typebox';
import type { OperatorScope, Role } from '../../authz/scope.ts';
import type { ErrorCode } from '../error.ts';

/**
 * One row of the permission matrix. A method whose scope depends on its params is two rows with one wire name: the
 * plain one, and the one with `self`, which speaks for calls in which a device names itself, or with `given`.
 */
export interface Method {
  /** On the wire. */
  readonly name: string;
  /** `self`: params name the caller's own device, and role where there is one (A7). */
  readonly self?: true;
  /** Such a row speaks for calls whose params have this key, beside the plain row for those without it. */
  readonly given?: string;
  /** What the caller must hold; `none`: any session of the role. */
  readonly scope: OperatorScope | 'none';
  readonly role: Role | 'any';
  /** Absent params and `null` are read as `{}`. Unknown keys are ignored. */
  readonly input: TSchema;
  /** The first name is what OpenClaw's clients read; what Latchkey adds stands beside it. */
  readonly output: TSchema;
  /**
   * It answers twice under one id: first `output`, at once, and this when what it began is over. Clients that only want to
   * know that it was accepted pass the second one over.
   */
  readonly final?: TSchema;
  /**
   * Its answer waits for what others do. Such a call is small, ends with its connection, and whoever may no longer call is
   * not told the answer.
   */
  readonly waits?: true;
  /**
   * What it takes to answer grows with what is stored. Its answer is made when it is the caller's turn, and whoever may no
   * longer call by then is not read for. Every list is one, or the test beside METHODS says why it isn't.
   */
  readonly inTurn?: true;
  /**
   * It changes something. The same call sent again with its idempotency key is answered as the first time; and whoever was
   * narrowed while it was done is told what came of it: a refusal would say that nothing had been done.
   */
  readonly acts?: true;
  /** What it does keeps its idempotency key itself, with what was asked under it, across restarts. */
  readonly keepsKey?: true;
  /** Beside those that every call can have: wrong_role, missing_scope, params_invalid, unavailable, busy, internal. */
  readonly errors: readonly ErrorCode[];
  /** One sentence, for `--help`, the docs and the matrix. */
  readonly summary: string;
}

/** Everything in `T`, not to be written to: results are made of the store's own arrays. */
export type Frozen<T> = T extends readonly (infer E)[]
  ? readonly Frozen<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

export type InputOf<M extends Method> = Frozen<Static<M['input']>>;
export type OutputOf<M extends Method> = Frozen<Static<M['output']>>;

/** What a method that answers twice is answered with. */
export interface Twice<First, Final> {
  readonly first: First;
  readonly final: Promise<Final>;
}

/** What its handler gives: its answer, or both of them. */
export type ReplyOf<M extends Method> = M extends { readonly final: infer F extends TSchema }
  ? Twice<OutputOf<M>, Frozen<Static<F>>>
  : OutputOf<M>;

/** The row's own name: the wire name, with ` (self)` or ` (KEY)` where two rows share it. */
export type RowName<M extends Method> = M extends { readonly self: true }
  ? `${M['name']} (self)`
  : M extends { readonly given: infer Key extends string }
    ? `${M['name']} (${Key})`
    : M['name'];

export function rowName<M extends Method>(method: M): RowName<M> {
  const mark = method.self === true ? 'self' : method.given;
  return (mark === undefined ? method.name : `${method.name} (${mark})`) as RowName<M>;
}
