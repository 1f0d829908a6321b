import type { SessionKey } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
import type { Clock } from '../system/clock.ts';
import type { Diary } from './options.ts';
import type { RunEvent } from './runtime.ts';

type OfRun = Extract<RunEvent, { readonly run: RunId }>;
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** An event of a run, without what every one has. */
export type Told = Without<OfRun, 'run' | 'key' | 'seq' | 'at'>;
export type SessionTold = Without<Exclude<RunEvent, OfRun>, 'kind'>;

/** A fast model doesn't flood whoever listens: what it says within so long is told at once. */
const GATHER_MS = 50;

interface Telling {
  readonly key: SessionKey;
  seq: number;
  text: string;
  untold: string;
  /** Set while what is said is gathered. */
  cancel: (() => void) | null;
}

/** Tells what happens, in the order in which it does. The events of one run are numbered from 1, without a gap. */
export class Teller {
  readonly #clock: Clock;
  readonly #diary: Diary;
  readonly #listeners = new Set<(event: RunEvent) => void>();
  readonly #runs = new Map<RunId, Telling>();

  constructor(clock: Clock, diary: Diary) {
    this.#clock = clock;
    this.#diary = diary;
  }

  subscribe(listener: (event: RunEvent) => void): () => void {
    // One that subscribes twice is told twice.
    const own = (event: RunEvent) => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  session(told: SessionTold): void {
    this.#tell({ kind: 'session', ...told });
  }

  /** Anything but text. After `end` nothing is told of the run. */
  run(run: RunId, key: SessionKey, told: Told): void {
    const telling = this.#of(run, key);
    this.#flush(run, telling);
    this.#number(run, telling, told);
    if (told.kind === 'end') this.#runs.delete(run);
  }

  /** The first words at once, later ones gathered. */
  text(run: RunId, key: SessionKey, delta: string): void {
    const telling = this.#of(run, key);
    telling.text += delta;
    telling.untold += delta;
    if (telling.cancel !== null) return;
    this.#say(run, telling);
    telling.cancel = this.#clock.after(GATHER_MS, () => this.#gathered(run, telling));
  }

  /** What is said next is another answer. */
  cut(run: RunId, key: SessionKey): void {
    const telling = this.#of(run, key);
    this.#flush(run, telling);
    telling.text = '';
  }

  #gathered(run: RunId, telling: Telling): void {
    telling.cancel = null;
    if (telling.untold === '') return;
    this.#say(run, telling);
    telling.cancel = this.#clock.after(GATHER_MS, () => this.#gathered(run, telling));
  }

  #flush(run: RunId, telling: Telling): void {
    telling.cancel?.();
    telling.cancel = null;
    if (telling.untold !== '') this.#say(run, telling);
  }

  #say(run: RunId, telling: Telling): void {
    const { text, untold: delta } = telling;
    telling.untold = '';
    this.#number(run, telling, { kind: 'text', text, delta });
  }

  #of(run: RunId, key: SessionKey): Telling {
    const telling = this.#runs.get(run) ?? { key, seq: 0, text: '', untold: '', cancel: null };
    this.#runs.set(run, telling);
    return telling;
  }

  #number(run: RunId, telling: Telling, told: Told): void {
    telling.seq += 1;
    this.#tell({ run, key: telling.key, seq: telling.seq, at: this.#clock.now(), ...told });
  }

  #tell(event: RunEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        // What somebody does with it is not the run's concern.
        this.#diary.error('a listener of conversations', error);
      }
    }
  }
}
