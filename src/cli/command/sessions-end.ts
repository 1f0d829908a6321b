import { escapeText } from '../../system/text.ts';
import type { Globals } from '../context.ts';
import { withPlace } from '../remedy.ts';
import { recordsOf, textOf } from '../value.ts';

type Row = Readonly<Record<string, unknown>>;

/** How an answer ends that was cut off (`stopReason` of a message, `stop` of a row). */
export const CUT = 'aborted';

/**
 * Where in a transcript it has to be told that a run ended otherwise than by itself: behind the last of its rows. What was
 * said in a run that joined another stands in that one's answer, and ended with it.
 */
export class RunEnds {
  readonly #ends = new Map<string, Row>();
  readonly #told = new Set<string>();
  #current: string | null = null;

  /** Of `runEnds` in an answer. */
  learn(runEnds: unknown): void {
    for (const end of recordsOf(runEnds)) this.#ends.set(textOf(end.runId) ?? '', end);
  }

  /** @param run of the row that comes next; `null`: it is of none @returns the end that is told before it */
  before(run: string | null): Row | null {
    if (run === null) return null;
    const end = this.#ends.get(run);
    const next = end?.kind === 'joined' ? (textOf(end.into) ?? run) : run;
    const passed = next === this.#current ? null : this.rest();
    this.#current = next;
    return passed;
  }

  /** The end of the run whose row was the last one so far. */
  rest(): Row | null {
    const run = this.#current;
    const end = run === null ? undefined : this.#ends.get(run);
    if (run === null || end === undefined || end.kind === 'joined' || this.#told.has(run)) return null;
    this.#told.add(run);
    return end;
  }
}

/** What became of the run, and what helps, on one line each; for people. */
export function endLines(end: Row, globals: Globals): readonly string[] {
  const why = textOf(end.text);
  const remedy = textOf(end.remedy);
  switch (end.kind) {
    case 'error':
      return [
        `the run failed: ${escapeText(why ?? textOf(end.code) ?? 'it was not said why')}`,
        ...(remedy === null ? [] : [`run: ${escapeText(withPlace(remedy, globals))}`]),
      ];
    case 'interrupted':
      return ['the run was interrupted: the gateway ended while the agent worked'];
    case 'aborted':
      return ['the run was aborted: somebody stopped it'];
    default:
      return [`the run ended: ${escapeText(String(end.kind))}`];
  }
}
