import type { Mode } from '../core/lane/lane.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../system/clock.ts';
import type { Contents } from './contents.ts';
import type { Bound } from './model/budget.ts';
import type { InputKind } from './model/model.ts';
import type { Candidate } from './model/route.ts';

/** An agent as the configuration has it. */
export interface AgentFacts {
  readonly id: string;
  readonly name: string;
  /** A directory; it need not be there. */
  readonly workspace: string;
  /** `provider/model` or an alias; `null`: what agents think with where nothing else is said. */
  readonly model: string | null;
  readonly queue: Mode;
  readonly thinking: string | null;
  /** What it may spend in a day. */
  readonly bound: Bound;
}

/** What a run thinks with. */
export interface Thought {
  /** The first is the one that is wanted; the others stand in for it. */
  readonly candidates: readonly [Candidate, ...Candidate[]];
  /** What the first one takes; `null`: unknown. */
  readonly input: readonly InputKind[] | null;
}

/** Models by name. */
export interface Thinking {
  /** `null`: no such model. @param name `provider/model`, an alias; `null`: the default one */
  of(name: string | null): Promise<Thought | null>;
}

export interface Diary {
  info(event: string, fields: Readonly<Record<string, unknown>>): void;
  error(event: string, error: unknown): void;
}

/** What conversations are made of. */
export interface TalkOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: () => string;
  /** From 0 up to 1: spreads waits. */
  readonly chance: () => number;
  /** Those in force now, the default one first; never empty. */
  readonly agents: () => readonly AgentFacts[];
  readonly models: Thinking;
  readonly contents: Contents;
  readonly diary: Diary;
  /** IANA: in which days are counted, and what the model is told. */
  readonly zone: string;
  /** Runs of one agent that are at work at once; RUNS_AT_WORK_MAX where absent. */
  readonly atWorkMax?: number;
}
