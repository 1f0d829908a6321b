import type { Clock } from '../../system/clock.ts';
import { isModelFailure, ModelFailure } from './failure.ts';
import type { Model, Part, Step } from './model.ts';

/** What no run waits; whoever says so much is not asked in between by other runs, either. */
const SHORT_MS = 30_000;
/** A provider may say anything. */
const LONG_MS = 3_600_000;

/** Models that asked not to be asked again for a while: until then their calls fail at once, and others stand in. */
export class Rests {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #untilMs = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** The same model, left alone while it wants to be. */
  of(model: Model): Model {
    return { name: model.name, step: (step) => this.#step(model, step) };
  }

  async *#step(model: Model, step: Step): AsyncGenerator<Part> {
    const { name } = model;
    const retryAfterMs = (this.#untilMs.get(name) ?? 0) - this.#clock.monotonicMs();
    if (retryAfterMs > 0) {
      const why = `it asked not to be asked for ${Math.ceil(retryAfterMs / 1_000)} s more`;
      throw new ModelFailure('rate_limit', { model: name, why, retryAfterMs, isFree: true });
    }
    this.#untilMs.delete(name);
    try {
      yield* model.step(step);
    } catch (error) {
      const wantedMs = isModelFailure(error) ? (error.retryAfterMs ?? 0) : 0;
      if (wantedMs > SHORT_MS) this.#untilMs.set(name, this.#clock.monotonicMs() + Math.min(wantedMs, LONG_MS));
      throw error;
    }
  }
}
