import type { SessionKey } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
import type { Clock } from '../system/clock.ts';
import type { Diary } from './options.ts';
import type { RunEvent } from './runtime.ts';
import type { Piece } from './scribe.ts';

type OfRun = Extract<RunEvent, { readonly run: RunId }>;
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** An event of a run, without what every one has. */
export type Told = Without<OfRun, 'run' | 'key' | 'seq' | 'at'>;
export type SessionTold = Without<Exclude<RunEvent, OfRun>, 'kind'>;

/** A fast model doesn't flood whoever listens, nor the disk: what all runs say within so long is written and told at once. */
const GATHER_MS = 50;
/** Of the time that a piece took to be written, what passes until the next one: a slow disk has others to serve. */
const REST = 9;
const REST_MAX_MS = 250;
/** A disk that is full is asked again. */
const AGAIN_MS = 5_000;

/** What happened, in the order in which it did, and is not told yet because of words before it. */
type Item =
  | { readonly kind: 'words'; readonly model: string; delta: string; isTaken: boolean }
  | { readonly kind: 'told'; readonly told: Told };

interface Telling {
  readonly key: SessionKey;
  seq: number;
  /** All of this answer that was told. */
  text: string;
  line: Item[];
  /** What is said is about to be written down as a row. */
  isHeld: boolean;
}

export interface TellerOptions {
  readonly clock: Clock;
  readonly diary: Diary;
  /** Writes down what runs say: on disk when it resolves. */
  readonly keep: (pieces: readonly Piece[]) => Promise<void>;
}

/**
 * Tells what happens, in the order in which it does. The events of one run are numbered from 1, without a gap. What a run
 * says is told once it is on disk, in its row or before: whoever was shown it finds it again, whatever becomes of the
 * gateway. For that all runs together take one transaction in `GATHER_MS`, however fast they speak and however many they
 * are; an answer's first words, for which somebody waits, are one more while the disk is quick.
 */
export class Teller {
  readonly #options: TellerOptions;
  readonly #listeners = new Set<(event: RunEvent) => void>();
  readonly #runs = new Map<RunId, Telling>();
  /** Set while what is said is gathered. */
  #cancel: (() => void) | null = null;
  #isWriting = false;
  #isEnded = false;
  /** The disk took the last piece without a delay that anybody would notice. */
  #isQuick = true;
  /** Before this nothing is written but first words, while the disk is quick. */
  #restMs = Number.NEGATIVE_INFINITY;

  constructor(options: TellerOptions) {
    this.#options = options;
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

  /** Anything but text. After `end`, which is told once it is stored, nothing is told of the run. */
  run(run: RunId, key: SessionKey, told: Told): void {
    const telling = this.#of(run, key);
    if (told.kind === 'end') this.#release(run, telling);
    if (telling.line.length > 0) telling.line.push({ kind: 'told', told });
    else this.#number(run, telling, told);
    if (told.kind === 'end') this.#runs.delete(run);
  }

  /** The first words as soon as they are on disk, later ones gathered. */
  text(run: RunId, key: SessionKey, { model, delta }: { readonly model: string; readonly delta: string }): void {
    const telling = this.#of(run, key);
    const { line } = telling;
    const last = line.at(-1);
    if (last?.kind === 'words' && !last.isTaken && last.model === model) last.delta += delta;
    else line.push({ kind: 'words', model, delta, isTaken: false });
    this.#gather(this.#isQuick && telling.text === '');
  }

  /** What is said next is another answer. */
  cut(run: RunId, key: SessionKey): void {
    const telling = this.#of(run, key);
    this.#release(run, telling);
    telling.isHeld = false;
    telling.text = '';
  }

  /** What was said is about to be written down as a row. A piece of it that came to the disk later would be said twice. */
  hold(run: RunId): void {
    const telling = this.#runs.get(run);
    if (telling !== undefined) telling.isHeld = true;
  }

  /** It stands in its row. */
  stored(run: RunId): void {
    const telling = this.#runs.get(run);
    if (telling === undefined) return;
    this.#release(run, telling);
    telling.isHeld = false;
  }

  /** The store is closed after this. */
  end(): void {
    this.#isEnded = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  // ---- what is said is written first -------------------------------------------------------------------------------------

  /** @param isFirst somebody waits for the first words of a run: they are not gathered */
  #gather(isFirst: boolean): void {
    if (this.#isWriting || this.#isEnded) return;
    const { clock } = this.#options;
    const waitMs = this.#restMs - clock.monotonicMs();
    if (isFirst && waitMs > 0) return void this.#write(true);
    if (this.#cancel !== null) return;
    if (waitMs <= 0) return void this.#write(false);
    this.#cancel = clock.after(waitMs, () => {
      this.#cancel = null;
      // First words may be on their way to the disk, which must not get them twice; or were refused, and it rests.
      this.#gather(false);
    });
  }

  /** Never throws. @param isFirst the first words of runs alone: the others go on gathering */
  async #write(isFirst: boolean): Promise<void> {
    const { clock, diary, keep } = this.#options;
    const runs = [...this.#runs].filter(([, { text }]) => !isFirst || text === '');
    const taken = runs.flatMap(([run, telling]) => takenOf(run, telling));
    if (taken.length === 0) return;
    const beganMs = clock.monotonicMs();
    this.#isWriting = true;
    let [waitMs, isQuick] = [AGAIN_MS, false];
    try {
      await keep(taken.map(({ piece }) => piece));
      for (const { piece, telling, last } of taken) this.#upTo(piece.run, telling, last);
      const tookMs = clock.monotonicMs() - beganMs;
      waitMs = Math.min(Math.max(GATHER_MS, tookMs * REST), REST_MAX_MS);
      isQuick = waitMs === GATHER_MS;
    } catch (error) {
      // It is tried again, and told then; or written with its row.
      diary.error('what a run says is not stored yet', error);
    }
    this.#isWriting = false;
    this.#isQuick = isQuick;
    if (!isFirst || !isQuick) this.#restMs = clock.monotonicMs() + waitMs;
    if (this.#isAnyoneWaiting()) this.#gather(this.#isFirstWaiting());
  }

  /** Tells what is on disk now, and what happened right behind it. */
  #upTo(run: RunId, telling: Telling, last: Item): void {
    // It came to its row meanwhile, and was told.
    const at = telling.line.indexOf(last);
    if (at < 0) return;
    const next = telling.line.findIndex(({ kind }, n) => n > at && kind === 'words');
    this.#release(run, telling, next < 0 ? telling.line.length : next);
  }

  #release(run: RunId, telling: Telling, count = telling.line.length): void {
    for (const item of telling.line.splice(0, count)) {
      if (item.kind === 'told') this.#number(run, telling, item.told);
      else {
        telling.text += item.delta;
        this.#number(run, telling, { kind: 'text', text: telling.text, delta: item.delta });
      }
    }
    if (this.#cancel === null || this.#isAnyoneWaiting()) return;
    this.#cancel();
    this.#cancel = null;
  }

  /** First words are one more transaction of the few that a run takes anyway; a disk that isn't quick is spared it. */
  #isFirstWaiting(): boolean {
    if (!this.#isQuick) return false;
    for (const { line, text, isHeld } of this.#runs.values()) {
      if (text === '' && !isHeld && line.some(({ kind }) => kind === 'words')) return true;
    }
    return false;
  }

  #isAnyoneWaiting(): boolean {
    for (const { line, isHeld } of this.#runs.values()) {
      if (!isHeld && line.some(({ kind }) => kind === 'words')) return true;
    }
    return false;
  }

  // ---- telling ---------------------------------------------------------------------------------------------------------------

  #of(run: RunId, key: SessionKey): Telling {
    const telling = this.#runs.get(run) ?? { key, seq: 0, text: '', line: [], isHeld: false };
    this.#runs.set(run, telling);
    return telling;
  }

  #number(run: RunId, telling: Telling, told: Told): void {
    telling.seq += 1;
    this.#tell({ run, key: telling.key, seq: telling.seq, at: this.#options.clock.now(), ...told });
  }

  #tell(event: RunEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        // What somebody does with it is not the run's concern.
        this.#options.diary.error('a listener of conversations', error);
      }
    }
  }
}

/** All that one run said and that is not on disk; it doesn't grow any more. */
function takenOf(run: RunId, telling: Telling) {
  const words = telling.line.flatMap((item) => (item.kind === 'words' ? item : []));
  const last = words.at(-1);
  if (last === undefined || telling.isHeld) return [];
  for (const item of words) item.isTaken = true;
  const piece: Piece = { run, model: last.model, text: words.map(({ delta }) => delta).join('') };
  return [{ piece, telling, last }];
}
