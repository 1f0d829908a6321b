import { REDACTED } from '../../system/redact.ts';

/** Shorter ones are words like any other: half of what is said would be missing. */
const SECRET_MIN = 8;

/**
 * Takes the secrets of a call out of what its model says: a provider or a relay that repeats a key must not bring it into a
 * conversation, which whoever may read is told. What could be the beginning of one is kept back until more of it is there.
 */
export class Hush {
  readonly #secrets: readonly string[];
  #held = '';

  constructor(secrets: readonly string[]) {
    const whole = [...new Set(secrets)].filter((secret) => secret.length >= SECRET_MIN);
    // The longest first, so that no rest of one is left beside another that is part of it.
    this.#secrets = whole.sort((a, b) => b.length - a.length);
  }

  /** What of it, and of what was kept back before, can be told now. */
  take(delta: string): string {
    if (this.#secrets.length === 0) return delta;
    const text = this.whole(this.#held + delta);
    const at = Math.min(...this.#secrets.map((secret) => beginningOf(secret, text)));
    this.#held = text.slice(at);
    return text.slice(0, at);
  }

  /** What was kept back, at the end. */
  rest(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }

  whole(text: string): string {
    return this.#secrets.reduce((out, secret) => (out.includes(secret) ? out.replaceAll(secret, REDACTED) : out), text);
  }
}

/** Where the end of a text begins that could be the beginning of a secret; the text's length: nowhere. */
function beginningOf(secret: string, text: string): number {
  const first = secret.charAt(0);
  for (let at = text.indexOf(first, Math.max(0, text.length - secret.length + 1)); at !== -1; ) {
    if (secret.startsWith(text.slice(at))) return at;
    at = text.indexOf(first, at + 1);
  }
  return text.length;
}
