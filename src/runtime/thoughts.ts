import { effective, NO_THINKING, type Thinking, thinkingOf } from '../core/conversation/thinking.ts';
import type { Clock } from '../system/clock.ts';
import type { Step } from './model/model.ts';
import type { Thought } from './options.ts';

/** What a model thinks is told at most this often, and less often the more of it there is: all of it is told each time. */
const TOLD_MS = 150;
const CHARACTERS_A_MS = 1_000;
/**
 * So often in a step what was thought is told at once because something else comes behind it. A model that thinks between its
 * words does so some dozens of times; one that did for each character would have all of it told again with each.
 */
const EARLY_MAX = 64;

/** Gathers what a model thinks in one step, apart from what it says: it is shown, and kept nowhere. */
export class Thoughts {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #tell: (thinking: { readonly text: string; readonly delta: string }) => void;
  #text = '';
  #untold = '';
  #nextMs = Number.NEGATIVE_INFINITY;
  #early = 0;

  constructor(
    clock: Pick<Clock, 'monotonicMs'>,
    tell: (thinking: { readonly text: string; readonly delta: string }) => void,
  ) {
    this.#clock = clock;
    this.#tell = tell;
  }

  add(delta: string): void {
    this.#text += delta;
    this.#untold += delta;
    if (this.#isTime()) this.end();
  }

  /** Before anything else is told: it was thought before. */
  flush(): void {
    if (this.#untold === '') return;
    const isTime = this.#isTime();
    if (!isTime && this.#early >= EARLY_MAX) return;
    if (!isTime) this.#early += 1;
    this.end();
  }

  /** Nothing more is thought in this step. */
  end(): void {
    if (this.#untold === '') return;
    const delta = this.#untold;
    this.#untold = '';
    this.#nextMs = this.#clock.monotonicMs() + TOLD_MS + this.#text.length / CHARACTERS_A_MS;
    this.#tell({ text: this.#text, delta });
  }

  #isTime(): boolean {
    return this.#clock.monotonicMs() >= this.#nextMs;
  }
}

/** What a step asks for: the first that was said; a word that means nothing, of an earlier release, is as if nothing was. */
export function wanted(words: readonly (string | null | undefined)[]): Thinking | null {
  const said = words.find((word) => word != null);
  return said == null ? null : thinkingOf(said);
}

export function askedOf(thinking: Thinking | null): Pick<Step, 'thinking'> {
  return thinking === null || thinking === 'adaptive' ? {} : { thinking };
}

/** What the model of this name does where this is wanted. */
export function doneBy(model: string, { candidates }: Thought, thinking: Thinking | null): Thinking {
  const found = candidates.find((candidate) => candidate.model.name === model);
  return effective(found?.facts.levels ?? NO_THINKING, thinking);
}
