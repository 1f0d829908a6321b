import type { Clock } from '../../system/clock.ts';
import type { Spend, Verdict } from './budget.ts';
import { believed, costOf, counted, TOKENS_MAX_A_CALL } from './cost.ts';
import { FAILURES, type FailureKind, isModelFailure, ModelFailure } from './failure.ts';
import type { Model, ModelFacts, Part, Step, Usage } from './model.ts';

/** A model that may be asked, and what is known of it. */
export interface Candidate {
  readonly model: Model;
  readonly facts: Pick<ModelFacts, 'contextWindow' | 'price'> & Partial<Pick<ModelFacts, 'input' | 'levels'>>;
}

export interface RouteOptions {
  /** The first is the one that is wanted; the others in the order in which they stand in for it. */
  readonly candidates: readonly [Candidate, ...Candidate[]];
  readonly clock: Clock;
  /** From 0 up to 1: spreads the waits. */
  readonly chance: () => number;
  /** Asked before each attempt; absent: nothing is bounded. */
  readonly allow?: (candidate: Candidate) => Promise<Verdict>;
  /** Told of each attempt when it has ended, before anything else goes on: what was spent is kept whatever comes. */
  readonly ended?: (attempt: Attempt) => Promise<void> | void;
  readonly limits?: Partial<RouteLimits>;
}

export interface RouteLimits {
  /** Attempts at each model. */
  readonly tries: number;
  /** A longer wait, also one that a provider asks for, is not waited: the next model is asked. */
  readonly waitMs: number;
  /** All waits together. */
  readonly waitsMs: number;
}

const LIMITS: RouteLimits = { tries: 3, waitMs: 30_000, waitsMs: 90_000 };
const FIRST_WAIT_MS = 500;

export interface Attempt {
  readonly model: string;
  /** `null`: unknown. */
  readonly usage: Usage | null;
  readonly spend: Spend;
  /** `null`: it ended well. */
  readonly failure: ModelFailure | null;
  readonly durationMs: number;
}

export type RoutePart =
  | Part
  /** Who answers from now on. */
  | { readonly kind: 'model'; readonly model: string }
  /** An attempt failed before it told anything, and there will be another. */
  | { readonly kind: 'retry'; readonly model: string; readonly failure: ModelFailure; readonly waitMs: number };

/**
 * A step at the first model that will do it. Once something of an answer was told there is no other attempt: it would be
 * told twice. Ends with `finish`, or throws ModelFailure of the last attempt, with the causes of all of them.
 */
export async function* routed(step: Step, options: RouteOptions): AsyncGenerator<RoutePart> {
  const limits = { ...LIMITS, ...options.limits };
  const failures: ModelFailure[] = [];
  let waitedMs = 0;
  let tries = 0;
  let at = 0;
  for (;;) {
    const candidate = options.candidates[at];
    if (candidate === undefined) throw exhausted(failures);
    tries += 1;
    const failure = yield* attempted(candidate, step, options);
    if (failure === null) return;
    failures.push(failure);
    const waitMs = pauseMs(failure, tries, options.chance());
    const fits = waitMs <= limits.waitMs && waitedMs + waitMs <= limits.waitsMs;
    if (failure.again && tries < limits.tries && fits) {
      yield { kind: 'retry', model: candidate.model.name, failure, waitMs };
      waitedMs += waitMs;
      await pause(waitMs, step.signal, options.clock, candidate.model.name);
      continue;
    }
    const next = failure.other ? following(options.candidates, at, failure.kind) : -1;
    const other = options.candidates[next];
    if (other === undefined) throw exhausted(failures);
    yield { kind: 'retry', model: other.model.name, failure, waitMs: 0 };
    at = next;
    tries = 0;
  }
}

/** One attempt; what it failed of, where another one is possible. @throws ModelFailure where none is */
async function* attempted(
  { model, facts }: Candidate,
  step: Step,
  options: RouteOptions,
): AsyncGenerator<RoutePart, ModelFailure | null> {
  const verdict = await options.allow?.({ model, facts });
  if (verdict?.ok === false) {
    // Another model may have a price.
    const kind = verdict.bound === 'unpriced' ? 'setup' : 'budget';
    const { why, remedy } = verdict;
    return new ModelFailure(kind, { model: model.name, why, ...(remedy === undefined ? {} : { remedy }) });
  }
  const beganMs = options.clock.monotonicMs();
  const told = { usage: null as Usage | null, length: 0, parts: 0, asked: false };
  let failure: ModelFailure | null = null;
  let isDone = false;
  try {
    yield { kind: 'model', model: model.name };
    told.asked = true;
    for await (const part of model.step(step)) {
      if (part.kind === 'usage') told.usage = believed(part.usage);
      if (part.kind === 'finish') isDone = true;
      told.length += lengthOf(part);
      told.parts += 1;
      // Kept before the end is told: whoever hears the end may be gone with it.
      if (part.kind === 'finish') await options.ended?.(attemptOf());
      yield part;
    }
    if (!isDone) throw new ModelFailure('truncated', { model: model.name, why: 'it ended without its end' });
  } catch (error) {
    // What was spent could not be kept: that is nothing which another model mends.
    if (isDone) throw error;
    failure = isModelFailure(error) ? error : unforeseen(model.name, error);
    if (told.parts > 0) failure.began = true;
    isDone = true;
    await options.ended?.(attemptOf());
  } finally {
    // Whoever listened went away in the middle.
    if (!isDone) await options.ended?.(attemptOf());
  }
  return failure;

  function attemptOf(): Attempt {
    const usage = told.usage ?? failure?.usage ?? null;
    const isFree = !told.asked || (failure?.isFree === true && told.parts === 0);
    const spend = spendOf(usage, { facts, step, told: told.length, isFree });
    const durationMs = options.clock.monotonicMs() - beganMs;
    return { model: model.name, usage, spend, failure, durationMs };
  }
}

const CHARACTERS_A_TOKEN = 4;
/** More than most providers count for an image. */
const FILE_TOKENS = 1_600;

interface Reckoned {
  readonly facts: Candidate['facts'];
  readonly step: Step;
  /** Characters that were told. */
  readonly told: number;
  /** It is known to have cost nothing. */
  readonly isFree: boolean;
}

/**
 * What an attempt cost; where the provider did not say, what it is likely to have. Whoever was asked has read what was
 * asked, whether or not anybody waited for the first word.
 */
export function spendOf(usage: Usage | null, { facts, step, told, isFree }: Reckoned): Spend {
  // Clients make a 0 of what a provider leaves out; and nothing is asked without a word.
  const input = counted(usage?.input) || null;
  const output = told > 0 ? counted(usage?.output) || null : counted(usage?.output);
  if (usage !== null && input !== null && output !== null) {
    return { tokens: input + output, usd: costOf(usage, facts.price), isEstimate: false };
  }
  if (isFree) return { tokens: 0, usd: 0, isEstimate: true };
  const reckoned = {
    // Who counts one half wrongly is not believed that the other one is less.
    input: Math.max(input ?? 0, most(askedIn(step) / CHARACTERS_A_TOKEN)),
    output: Math.max(output ?? 0, most(told / CHARACTERS_A_TOKEN)),
    cacheRead: null,
    cacheWrite: null,
    reasoning: null,
  };
  return { tokens: reckoned.input + reckoned.output, usd: costOf(reckoned, facts.price), isEstimate: true };
}

function most(tokens: number): number {
  return Math.min(TOKENS_MAX_A_CALL, Math.ceil(tokens));
}

/** Characters of all that goes out; of a file as many as an image of its kind costs, whatever its size. */
function askedIn({ system, messages, tools = [] }: Step): number {
  const files = messages.flatMap((message) =>
    message.role === 'user' ? message.content.flatMap((part) => (part.kind === 'file' ? part.data.length : [])) : [],
  );
  const whole = system.length + JSON.stringify(messages).length + JSON.stringify(tools).length;
  const words = files.reduce((rest, length) => rest - length, whole);
  return words + files.length * FILE_TOKENS * CHARACTERS_A_TOKEN;
}

function lengthOf(part: Part): number {
  if (part.kind === 'text' || part.kind === 'reasoning') return part.delta.length;
  return part.kind === 'tool' ? (part.malformed ?? JSON.stringify(part.input) ?? '').length : 0;
}

/** A longer conversation than this one takes needs a model that is known to take more, or of which nothing is known. */
function following(candidates: readonly Candidate[], at: number, kind: FailureKind): number {
  const window = candidates[at]?.facts.contextWindow ?? null;
  return candidates.findIndex(({ facts }, i) => {
    if (i <= at) return false;
    return kind !== 'context' || window === null || facts.contextWindow === null || facts.contextWindow > window;
  });
}

/** Grows with each try and is spread; never earlier than the provider said. */
function pauseMs({ retryAfterMs }: ModelFailure, tries: number, chance: number): number {
  const grown = FIRST_WAIT_MS * 2 ** (tries - 1) * (0.5 + chance / 2);
  return retryAfterMs === null ? grown : retryAfterMs + grown / 4;
}

/** @throws ModelFailure where it is stopped */
async function pause(waitMs: number, signal: AbortSignal, clock: Clock, model: string): Promise<void> {
  const stopped = () => new ModelFailure('aborted', { model, why: 'it was told to stop' });
  if (signal.aborted) throw stopped();
  await new Promise<void>((resolve, reject) => {
    const end = () => {
      cancel();
      reject(stopped());
    };
    const cancel = clock.after(waitMs, () => {
      signal.removeEventListener('abort', end);
      resolve();
    });
    signal.addEventListener('abort', end, { once: true });
  });
}

function unforeseen(model: string, error: unknown): ModelFailure {
  const name = error instanceof Error ? error.name : typeof error;
  // Its words may hold anything.
  return new ModelFailure('malformed', { model, why: `${name} in the client` });
}

/**
 * The last failure, with what the attempts before it failed of. One for which the conversation was too long goes before
 * it: that can be mended, whatever became of those that were to stand in.
 */
function exhausted(failures: readonly ModelFailure[]): ModelFailure {
  const end = failures.at(-1);
  if (end === undefined) throw new Error('a route needs a model');
  if (failures.length === 1 || end.kind === 'aborted' || end.began) return end;
  const last = (FAILURES[end.kind].other ? failures.find(({ kind }) => kind === 'context') : undefined) ?? end;
  const others = failures.filter((failure) => failure !== last);
  const before = others.map(({ model, kind }) => `${model}: ${FAILURES[kind].what}`);
  const facts = {
    model: last.model,
    why: `${last.why} (${last === end ? 'before' : 'besides'}: ${[...new Set(before)].join('; ')})`,
    ...(last.status === null ? {} : { status: last.status }),
    ...(last.retryAfterMs === null ? {} : { retryAfterMs: last.retryAfterMs }),
    ...(last.remedy === null ? {} : { remedy: last.remedy }),
  };
  return new ModelFailure(last.kind, facts);
}
