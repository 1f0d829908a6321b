import type { Giver } from '../core/authz/principal.ts';
import type { Mode } from '../core/lane/lane.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../system/clock.ts';
import type { Contents } from './contents.ts';
import type { Bound } from './model/budget.ts';
import type { InputKind } from './model/model.ts';
import type { Candidate } from './model/route.ts';
import type { Identity, Retention } from './runtime.ts';

/** An agent as the configuration has it. */
export interface AgentFacts {
  readonly id: string;
  readonly name: string;
  /** A directory; it need not be there. */
  readonly workspace: string;
  /** `provider/model` or an alias; `null`: what agents think with where nothing else is said. */
  readonly model: string | null;
  /** What stands in for its own model; absent: it has none of its own, or nothing does. */
  readonly fallbacks?: readonly string[];
  readonly queue: Mode;
  readonly thinking: string | null;
  /** What it may spend in a day. */
  readonly bound: Bound;
  /** How it shows itself to people. */
  readonly identity?: Identity;
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
  /**
   * `null`: no such model.
   * @param name `provider/model`, an alias; `null`: the default one
   * @param agent who thinks with it: what stands in for it is this agent's
   */
  of(name: string | null, agent?: Pick<AgentFacts, 'model' | 'fallbacks'>): Promise<Thought | null>;
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
  /** A12: whether what its giver said may begin, by what the giver holds now. Asked right before, and answered at once. */
  readonly mayTalk: (giver: Giver) => boolean;
  /**
   * What fences in what came from outside: a short word that nobody else can make of the place, and is the same each time, so
   * that a provider can keep what it was sent.
   */
  readonly mark: (place: string) => string;
  /** IANA: in which days are counted, and what the model is told. */
  readonly zone: string;
  /** A text without secrets, as far as they are known; absent: as it is. */
  readonly clean?: (text: string) => string;
  /** What is kept, in force now; absent: as `RETENTION` (keeper.ts) says. */
  readonly retention?: () => Retention;
  /** Runs of one agent that are at work at once; RUNS_AT_WORK_MAX where absent. */
  readonly atWorkMax?: number;
}
