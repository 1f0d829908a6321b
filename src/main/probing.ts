import type { Giver } from '../core/authz/principal.ts';
import { type Instant, MINUTE_MS } from '../core/base/instant.ts';
import type { SessionId, SessionKey } from '../core/conversation/session.ts';
import type { RunId } from '../core/lane/lane.ts';
import type { Verdict } from '../runtime/model/budget.ts';
import type { Attempt, Candidate } from '../runtime/model/route.ts';
import type { AgentFacts } from '../runtime/options.ts';
import { allowed, takenBy } from '../runtime/purse.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../system/clock.ts';

/** Calls of `models.probe` in a minute by one caller. The owner isn't bounded: what is spent is the owner's own. */
export const PROBES_A_MINUTE = 10;

export interface ProbingOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: () => string;
  /** The default agent, as the configuration in force has it. */
  readonly payer: () => Pick<AgentFacts, 'id' | 'bound'>;
  /** IANA: in which days are counted. */
  readonly zone: string;
}

/** Who pays for probes: the default agent, in its day, as for what it does itself. */
export class Probing {
  readonly #options: ProbingOptions;
  readonly #begun = new Map<string, Instant[]>();

  constructor(options: ProbingOptions) {
    this.#options = options;
  }

  /** One call more. False: these are enough for a minute. */
  begin(giver: Giver): boolean {
    if (giver.kind === 'owner') return true;
    const now = this.#options.clock.monotonicMs();
    for (const [name, times] of this.#begun) {
      const late = times.filter((at) => now - at < MINUTE_MS);
      if (late.length === 0) this.#begun.delete(name);
      else this.#begun.set(name, late);
    }
    const name = nameOf(giver);
    const times = this.#begun.get(name) ?? [];
    if (times.length >= PROBES_A_MINUTE) return false;
    this.#begun.set(name, [...times, now]);
    return true;
  }

  allow(candidate: Candidate): Promise<Verdict> {
    return allowed(this.#options, this.#options.payer(), candidate);
  }

  /** Kept as a run that has ended: the day's bound counts it. */
  async ended(attempt: Attempt, giver: Giver): Promise<void> {
    if (attempt.spend.tokens === 0) return;
    const { store, clock, newId, payer } = this.#options;
    const id = `probe-${newId()}`;
    const at = clock.now();
    await store.write((tx) =>
      tx.runs.save(
        {
          id: id as RunId,
          // No conversation stands there.
          key: `agent:${payer().id}:probe` as SessionKey,
          session: id as SessionId,
          giver,
          ask: { text: `[probe of ${attempt.model}]`, from: { kind: 'gateway', name: null }, attachments: [] },
          fingerprint: '',
          acceptedAt: at,
          startedAt: at,
          endedAt: at,
          end: { kind: 'ok' },
          ...takenBy(attempt, 0),
          revision: 1,
        },
        0,
      ),
    );
  }
}

function nameOf(giver: Giver): string {
  if (giver.kind === 'device') return `device ${giver.device}`;
  return giver.kind === 'token' ? `token ${giver.name}` : giver.kind;
}
