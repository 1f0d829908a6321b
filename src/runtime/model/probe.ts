import type { Clock } from '../../system/clock.ts';
import { tokensOf } from './cost.ts';
import { isModelFailure } from './failure.ts';
import type { Usage } from './model.ts';
import { type Candidate, type RouteOptions, routed } from './route.ts';

export interface Probe {
  readonly model: string;
  readonly ok: boolean;
  /** Until it said the first word, or failed. */
  readonly durationMs: number;
  /** `null`: it did not say. */
  readonly tokens: number | null;
  /** Of ModelFailure; `null`: none. */
  readonly failure: string | null;
  readonly why: string | null;
}

export interface ProbeOptions extends Pick<RouteOptions, 'allow' | 'ended'> {
  readonly clock: Clock;
  readonly timeoutMs: number;
}

const QUESTION = 'Answer with the word: ok';
/** The least that every provider takes. */
const TOKENS_MAX = 16;

/** One short call: whether the key works and the model answers. It costs a few tokens. Never throws. */
export async function probe(candidate: Candidate, { clock, timeoutMs, ...purse }: ProbeOptions): Promise<Probe> {
  const stop = new AbortController();
  const cancel = clock.after(timeoutMs, () => stop.abort());
  const beganMs = clock.monotonicMs();
  const ended = (more: Partial<Probe>): Probe => ({
    model: candidate.model.name,
    ok: false,
    durationMs: Math.round(clock.monotonicMs() - beganMs),
    tokens: null,
    failure: null,
    why: null,
    ...more,
  });
  let usage: Usage | null = null;
  try {
    const messages = [{ role: 'user' as const, content: [{ kind: 'text' as const, text: QUESTION }] }];
    const step = { system: '', messages, maxOutputTokens: TOKENS_MAX, signal: stop.signal };
    const once = { candidates: [candidate] as const, clock, chance: () => 0, limits: { tries: 1 }, ...purse };
    for await (const part of routed(step, once)) if (part.kind === 'usage') usage = part.usage;
    return ended({ ok: true, tokens: tokensOf(usage) });
  } catch (error) {
    if (!isModelFailure(error)) return ended({ failure: 'malformed', why: 'the client failed' });
    if (stop.signal.aborted) return ended({ failure: 'idle', why: `no whole answer within ${timeoutMs} ms` });
    return ended({ failure: error.kind, why: error.why });
  } finally {
    cancel();
  }
}
