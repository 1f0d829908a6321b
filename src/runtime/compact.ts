import type { SessionState } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
import { KEPT, textMaxIn } from './compaction.ts';
import { rowTokens } from './context.ts';
import type { AgentFacts, TalkOptions } from './options.ts';
import { allowed, takenBy } from './purse.ts';
import { windowOf } from './run.ts';
import { NOTHING_TAKEN, type Scribe, together, type Written } from './scribe.ts';
import { Summarizer } from './summarizer.ts';
import { Transcript } from './transcript.ts';

/** Sums up what is old because somebody asked for it, outside of a run. `null`: there is nothing to sum up. */
export async function compacted(
  options: TalkOptions,
  scribe: Scribe,
  {
    agent,
    session,
    signal,
  }: { readonly agent: AgentFacts; readonly session: SessionState; readonly signal: AbortSignal },
): Promise<Written | null> {
  const { store, clock, chance, models, newId } = options;
  const thought = (await models.of(session.settings.model ?? agent.model, agent)) ?? (await models.of(null));
  if (thought === null) return null;
  const window = windowOf(thought);
  const transcript = new Transcript(store, session.key);
  await transcript.read();
  const whole = transcript.rows.reduce((sum, row) => sum + rowTokens(row, textMaxIn(window)), 0);
  let taken = NOTHING_TAKEN;
  try {
    const written = await new Summarizer(scribe).summarize(transcript, {
      // Whoever asks for it wants less, also where there is room.
      keep: Math.min(window * KEPT, whole / 2),
      window,
      run: null,
      signal,
      route: {
        candidates: thought.candidates,
        clock,
        chance,
        allow: (candidate) => allowed(options, agent, candidate),
        ended: (attempt) => {
          taken = together(taken, takenBy(attempt, 0));
        },
      },
      began: () => {},
    });
    return written ?? null;
  } finally {
    const { input, output } = taken.usage;
    if (input + output > 0) await scribe.spend(`compact-${newId()}` as RunId, session, taken, '[compaction]');
  }
}
