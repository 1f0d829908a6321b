import type { RunId } from '../core/lane/lane.ts';
import { cutAfter, summaryOf, textMaxIn } from './compaction.ts';
import type { RouteOptions } from './model/route.ts';
import type { Scribe, Written } from './scribe.ts';
import type { Transcript } from './transcript.ts';

export interface Wish {
  /** In tokens: what of the latest rows stays as it is. */
  readonly keep: number;
  /** In tokens. */
  readonly window: number;
  readonly run: RunId | null;
  readonly signal: AbortSignal;
  readonly route: RouteOptions;
  /** Told when there is something to sum up, before it is done. */
  readonly began: () => void;
}

/** Sums up what is old of a conversation. Its rows all stay: the summary stands beside them, for the model. */
export class Summarizer {
  readonly #scribe: Scribe;

  constructor(scribe: Scribe) {
    this.#scribe = scribe;
  }

  /** `undefined`: there is nothing to sum up; `null`: somebody else did meanwhile. @throws ModelFailure when it is stopped */
  async summarize(transcript: Transcript, wish: Wish): Promise<Written | null | undefined> {
    const { session, rows } = transcript;
    const { keep, window, run, signal, route } = wish;
    const told = rows.filter(
      ({ seq, body }) => seq > session.compacted && body.kind !== 'summary' && body.kind !== 'command',
    );
    const through = cutAfter(told, keep, textMaxIn(window));
    if (through === null) return undefined;
    wish.began();
    const before = rows.findLast(({ body }) => body.kind === 'summary' && body.through === session.compacted)?.body;
    const text = await summaryOf(
      {
        rows: told.filter(({ seq }) => seq <= through),
        before: before?.kind === 'summary' ? before.text : null,
        window,
        signal,
      },
      route,
    );
    return this.#scribe.summarize(session, { kind: 'summary', text, through }, run);
  }
}
