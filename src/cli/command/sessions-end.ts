import { escapeText } from '../../system/text.ts';
import { type Adviser, adviceOf } from '../advice.ts';
import { hung } from '../margin.ts';
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

/**
 * What became of the run, and what helps, for people: lines without their ends. What others say goes on behind a bar.
 * @param columns that a line may take; `null`: no terminal shows it
 */
export function endLines(end: Row, adviser: Adviser, columns: number | null): readonly string[] {
  const line = (text: string) => hung(text, 2, columns).split('\n');
  switch (end.kind) {
    case 'error': {
      const { run, advised } = adviceOf(end, adviser);
      return [
        ...line(`the run failed: ${escapeText(textOf(end.text) ?? textOf(end.code) ?? 'it was not said why')}`),
        ...(advised === null ? [] : line(`it advises: ${advised}`)),
        ...(run === null ? [] : [`run: ${escapeText(run)}`]),
      ];
    }
    case 'interrupted':
      return ['the run was interrupted: the gateway ended while the agent worked'];
    case 'aborted':
      return ['the run was aborted: somebody stopped it'];
    default:
      return line(`the run ended: ${escapeText(String(end.kind))}`);
  }
}
