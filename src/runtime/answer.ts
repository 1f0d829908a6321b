import type { RunId } from '../core/lane/lane.ts';
import type { Store } from '../store/store.ts';

const PAGE = 100;
/** A run that wrote nothing in so many rows before the latest is not looked for further. */
const PAGES_MAX = 50;

/** What a run answered, and with which model; of one that joined another, what that one did. */
export async function answerOf(
  store: Store,
  id: RunId,
): Promise<{ readonly text: string; readonly model: string } | null> {
  const run = await store.read((tx) => tx.runs.load(id));
  if (run === null || run.startedAt === null) return null;
  if (run.end?.kind === 'joined') return answerOf(store, run.end.into);
  let before: number | undefined;
  for (let n = 0; n < PAGES_MAX; n += 1) {
    const rows = await store.read((tx) => tx.sessions.tail(run.session, PAGE, before));
    for (const { body, run: by } of rows.toReversed()) {
      if (by !== id) continue;
      if (body.kind === 'assistant' && body.text !== '') return { text: body.text, model: body.model };
      if (body.kind === 'command') return { text: body.answer, model: 'latchkey/command' };
      // Its first row.
      if (body.kind === 'user') return null;
    }
    before = rows[0]?.seq;
    if (before === undefined || before <= 1) return null;
  }
  return null;
}
