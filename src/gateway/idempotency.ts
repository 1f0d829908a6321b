import type { Principal } from '../core/authz/principal.ts';
import type { Answer } from './answer.ts';

/** Answers remembered at most; the oldest are forgotten first. */
const ANSWERS_MAX = 1_000;

/**
 * Side effects by the key that a client named them with: the same call sent again, because its answer was lost, is
 * answered as the first time and has its effect once. Kept in memory; across a restart the decisions themselves say
 * `conflict` or change nothing.
 */
export class Idempotency {
  readonly #answers = new Map<string, Promise<Answer>>();

  /** Runs `call` unless this principal sent the same key for the same method already. */
  once(principal: Principal, method: string, input: unknown, call: () => Promise<Answer>): Promise<Answer> {
    const key = (input as { idempotencyKey?: unknown } | null)?.idempotencyKey;
    if (typeof key !== 'string') return call();
    const name = JSON.stringify([whoOf(principal), method, key]);
    const before = this.#answers.get(name);
    if (before !== undefined) return before;
    const answer = call().then((given) => {
      // A failure that may pass is no answer to keep.
      if (!given.ok && given.refused.error.retryable === true) this.#answers.delete(name);
      return given;
    });
    this.#answers.set(name, answer);
    if (this.#answers.size > ANSWERS_MAX) this.#answers.delete(this.#answers.keys().next().value ?? '');
    return answer;
  }
}

/** One principal's keys are nobody else's. */
export function whoOf(principal: Principal): readonly string[] {
  switch (principal.kind) {
    case 'device':
      return ['device', principal.device, principal.role];
    case 'internal':
      return ['internal', principal.component];
    case 'token':
      return ['token', principal.name];
    case 'sender':
      return ['sender', principal.channel, principal.sender];
    default:
      return [principal.kind];
  }
}
