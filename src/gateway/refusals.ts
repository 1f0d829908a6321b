import { ROLES } from '../core/authz/scope.ts';
import { DAY_MS } from '../core/base/instant.ts';
import { backoffMs, type ErrorContext, type Refused, refuse } from '../core/protocol/error.ts';
import type { Clock } from '../system/clock.ts';
import { claimed } from '../system/log.ts';
import type { ConnectFacts, DoorRules, Verdict } from './connect.ts';
import type { Diary } from './diary.ts';
import { GuessBrake, type GuessRules } from './guess.ts';

type RefusedVerdict = Extract<Verdict, { readonly kind: 'refused' }>;

/** Refusals remembered to tell repeats from first ones; the oldest are forgotten first. */
const REPEATS_MAX = 1_000;
/** No refusal holds for longer; with a clock that was set back, what is left would be a year, and overflow timers. */
const LEFT_MAX_MS = DAY_MS;
/** Refusals held back at the same time. */
const HELD_MAX = 256;

/** A16: how refused connects are answered: with when to come again, repeats later and later, guesses put off. */
export class Refusals {
  readonly #clock: Clock;
  readonly #diary: Diary;
  readonly #brake: GuessBrake;
  readonly #times = new Map<string, number>();
  #held = 0;
  #guarded: { readonly from: unknown; readonly rules: DoorRules } | null = null;

  constructor(clock: Clock, diary: Diary, guesses: () => GuessRules) {
    this.#clock = clock;
    this.#diary = diary;
    this.#brake = new GuessBrake(guesses);
  }

  /** The refusal's words, and by how much they are put off. Writes nothing but a line a minute. */
  of(
    facts: ConnectFacts,
    verdict: RefusedVerdict,
    context: ErrorContext,
    decision: string | null,
  ): Refused & { readonly delayMs: number } {
    const { refusal, state } = verdict;
    // By device where one is known: a stranger's keys are as many as he likes, his place is one.
    const known = state !== null && state.revision > 0;
    const key = `${refusal.code} ${known ? state.device : facts.position.source}`;
    const times = this.#count(key);
    const delayMs = refusal.code === 'secret_mismatch' ? this.#putOff(facts.position.source) : 0;
    this.#diary.rarely(key, 'refused', {
      code: refusal.code,
      times,
      decision,
      source: facts.position.remote,
      device: state?.device,
      client: claimed(facts.label.clientId),
    });
    const retryAfterMs = delayMs > 0 ? delayMs : this.#retryAfter(refusal, times);
    return {
      ...refuse(refusal.code, {
        ...context,
        ...about(verdict),
        ...(retryAfterMs === null ? {} : { retryAfterMs }),
      }),
      delayMs,
    };
  }

  /** The door's rules, with what A16 says of wrong secrets beside a granted key: counted by the key. */
  guarded(configured: Omit<DoorRules, 'tired' | 'wrongBeside'>): DoorRules {
    if (this.#guarded?.from === configured) return this.#guarded.rules;
    const rules: DoorRules = {
      ...configured,
      tired: (device) => this.#brake.over(`key ${device}`, this.#clock.monotonicMs()),
      wrongBeside: (device) => void this.#brake.wrong(`key ${device}`, this.#clock.monotonicMs()),
    };
    this.#guarded = { from: configured, rules };
    return rules;
  }

  /** The device was let in: what it was refused before counts no more. */
  forget(device: string): void {
    for (const code of ['pairing_required', 'rejected', 'ask_full']) this.#times.delete(`${code} ${device}`);
  }

  /** At most so many answers are held back: more are given at once, with when to come again. */
  #putOff(source: string): number {
    const delayMs = this.#brake.wrong(source, this.#clock.monotonicMs());
    if (delayMs === 0 || this.#held >= HELD_MAX) return 0;
    this.#held += 1;
    this.#clock.after(delayMs, () => {
      this.#held -= 1;
    });
    return delayMs;
  }

  #retryAfter(refusal: RefusedVerdict['refusal'], times: number): number | null {
    if (typeof refusal.retry === 'object') {
      return Math.min(Math.max(refusal.retry.at - this.#clock.now(), 0), LEFT_MAX_MS);
    }
    return refusal.retry === 'onApproval' ? backoffMs(times) : null;
  }

  #count(key: string): number {
    const times = (this.#times.get(key) ?? 0) + 1;
    this.#times.delete(key);
    this.#times.set(key, times);
    if (this.#times.size > REPEATS_MAX) this.#times.delete(this.#times.keys().next().value ?? '');
    return times;
  }
}

function about({ refusal, state }: RefusedVerdict): ErrorContext {
  const { request } = refusal;
  const approved = ROLES.filter((role) => state?.roles[role].grant != null);
  return {
    approvedRoles: approved,
    approvedScopes: approved.flatMap((role) => state?.roles[role].grant?.entries.map((e) => e.scope) ?? []),
    ...(request ? { requestId: request.id, asked: request.scopes, expiresAt: request.expiresAt } : {}),
    ...(request?.comparison ? { s: request.comparison.s, comparisonCode: request.comparison.code } : {}),
    ...(refusal.rejection ? { requestId: refusal.rejection } : {}),
  };
}
