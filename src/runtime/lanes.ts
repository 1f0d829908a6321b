import type { SessionKey } from '../core/conversation/session.ts';
import { IDLE, type LaneCommand, type LaneState, type Mode, type RunId, step, WAITING_MAX } from '../core/lane/lane.ts';

/** Carries out what a lane says. Each is called in the order in which it was said, and none of them waits. */
export interface Carrier {
  start(key: SessionKey, run: RunId, joining: readonly RunId[]): void;
  stop(key: SessionKey, run: RunId): void;
  drop(key: SessionKey, run: RunId): void;
}

interface Place {
  lane: LaneState;
  /** What changes the session as a whole, one after the other. */
  tail: Promise<unknown>;
  turns: number;
}

/** The lanes of all sessions. They live in memory: runs that are open in the store fill them again at start. */
export class Lanes {
  readonly #places = new Map<SessionKey, Place>();
  readonly #carrier: Carrier;

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
  }

  /** Runs one after the other what changes a session as a whole, so that no message falls between two conversations. */
  async inTurn<T>(key: SessionKey, work: () => Promise<T>): Promise<T> {
    const place = this.#at(key);
    place.turns += 1;
    const result = place.tail.then(work);
    place.tail = result.catch(() => {
      // Told to whoever asked for it.
    });
    try {
      return await result;
    } finally {
      place.turns -= 1;
      this.#tidy(key, place);
    }
  }

  /** Whether one more message has room. Asked in the session's turn, in which it is accepted too. */
  hasRoom(key: SessionKey): boolean {
    return (this.#places.get(key)?.lane.waiting.length ?? 0) < WAITING_MAX;
  }

  accept(key: SessionKey, run: RunId, mode: Mode): void {
    this.#say(key, { kind: 'accept', run, mode });
  }

  /** The running run stands between two steps: what joins it there. */
  boundary(key: SessionKey): readonly RunId[] {
    const { effects } = this.#say(key, { kind: 'boundary' });
    return effects.flatMap((effect) => (effect.kind === 'join' ? effect.run : []));
  }

  /** What runs there did not begin, and `run`, which was to be said in it, begins in its place. */
  lead(key: SessionKey, run: RunId): void {
    this.#say(key, { kind: 'lead', run });
  }

  ended(key: SessionKey): void {
    this.#say(key, { kind: 'ended' });
  }

  /** @returns those that were dropped or told to stop by it */
  abort(key: SessionKey, run: RunId | null): readonly RunId[] {
    const { effects } = this.#say(key, { kind: 'abort', run });
    return effects.flatMap((effect) => (effect.kind === 'drop' || effect.kind === 'stop' ? effect.run : []));
  }

  /**
   * Fills a lane with what was accepted before this process began, in that order, and begins the first. However many they
   * are: what was collected and had not begun stood beside a full lane.
   */
  restore(key: SessionKey, runs: readonly { readonly run: RunId; readonly mode: Mode }[]): void {
    // As behind a run that just ends: those that interrupt go in front, and stop nobody who hasn't begun.
    const isFirst = ({ mode }: { readonly mode: Mode }) => mode === 'interrupt';
    const waiting = [...runs.filter(isFirst), ...runs.filter((one) => !isFirst(one))];
    this.#at(key).lane = { running: { run: '' as RunId, aborting: true }, waiting };
    this.#say(key, { kind: 'ended' });
  }

  #say(key: SessionKey, command: LaneCommand) {
    const place = this.#at(key);
    const stepped = step(place.lane, command);
    if (stepped.full) throw new Error('a lane is fuller than it may be');
    place.lane = stepped.state;
    for (const effect of stepped.effects) {
      if (effect.kind === 'start') this.#carrier.start(key, effect.run, effect.with);
      else if (effect.kind === 'stop') this.#carrier.stop(key, effect.run);
      else if (effect.kind === 'drop') this.#carrier.drop(key, effect.run);
    }
    this.#tidy(key, place);
    return stepped;
  }

  #at(key: SessionKey): Place {
    const place = this.#places.get(key) ?? { lane: IDLE, tail: Promise.resolve(), turns: 0 };
    this.#places.set(key, place);
    return place;
  }

  #tidy(key: SessionKey, { lane, turns }: Place): void {
    if (lane.running === null && lane.waiting.length === 0 && turns === 0) this.#places.delete(key);
  }
}
