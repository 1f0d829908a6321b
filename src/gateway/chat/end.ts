import type { RunEnd, RunState } from '../../core/conversation/run.ts';
import type { RunId } from '../../core/lane/lane.ts';
import { THERE } from '../../core/protocol/spelled.ts';
import type { Context } from '../method/handler.ts';

/** What a run is said to have failed of that was at work when the gateway ended. */
export const INTERRUPTED = 'interrupted: the gateway ended while the agent worked';

/** What went wrong, and what helps, for whoever prints a text and nothing beside it. */
export function failureText({ text, remedy }: Extract<RunEnd, { readonly kind: 'error' }>): string {
  return remedy === undefined ? text : `${text} (${THERE}${remedy})`;
}

/** Of the runs that rows are of: how those ended that did not end by themselves, each once. */
export async function endsOf(c: Context, runs: Iterable<string | null | undefined>) {
  const { books } = c.services.conversations;
  const ids = [...new Set(runs)].filter((id) => id != null) as RunId[];
  return [...(await books.ends(ids))].flatMap(([runId, end]) => (end.kind === 'ok' ? [] : [{ runId, ...end }]));
}

/** How a run ended; of one that joined another, how that one did: what was said in it was answered there, or was not. */
export async function endOf(c: Context, { end }: RunState): Promise<RunEnd | null> {
  if (end?.kind !== 'joined') return end;
  const into = await c.services.conversations.wait(end.into, 0);
  return into?.end ?? end;
}
