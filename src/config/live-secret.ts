import type { Clock } from '../system/clock.ts';
import { isFailure } from '../system/failure.ts';
import type { SecretInput } from './schema.ts';
import { readSecretFile, resolveSecret, type SecretContext, stampOf } from './secret.ts';

/** A program or a keyring is asked anew this often, and again this soon when it failed. */
const REFRESH_MS = 300_000;
const AGAIN_MS = 30_000;
/** What it said last counts no longer than this. */
const KEEP_MS = 600_000;

export interface LiveSecretOptions {
  readonly context: SecretContext;
  readonly clock: Clock;
  /** Told of every value before it counts: hides it from the log, and throws for one that must not be used here. */
  take(value: string): void;
  /** What it is, or that it can't be had, is another thing than before. */
  changed(): void;
}

/**
 * A secret field of the running gateway. A constant and the environment stand; a file is read again when it changed; a
 * program and a keyring are asked again from time to time, never while somebody waits. Fails closed: while it can't be
 * had it is nobody's.
 */
export class LiveSecret {
  readonly #input: SecretInput;
  readonly #options: LiveSecretOptions;
  #value: string | null = null;
  #why: unknown = null;
  #stamp: string | null = null;
  #takenMs = 0;
  #cancel: (() => void) | null = null;
  #closed = false;

  private constructor(input: SecretInput, options: LiveSecretOptions) {
    this.#input = input;
    this.#options = options;
  }

  /** @throws Failure 78 when it can't be had, or must not be used */
  static async open(input: SecretInput, options: LiveSecretOptions): Promise<LiveSecret> {
    const secret = new LiveSecret(input, options);
    secret.#stamp = secret.#stampNow();
    secret.#set(await resolveSecret(input, options.context));
    secret.#schedule(REFRESH_MS);
    return secret;
  }

  /** The secret as it is now. @throws Failure 78 while it can't be had */
  now(): string {
    this.look();
    if (this.#isAsked && this.#options.clock.monotonicMs() - this.#takenMs > KEEP_MS) this.#value = null;
    if (this.#value === null) throw this.#why ?? new Error('what it said last is too old');
    return this.#value;
  }

  /** Reads a file again that is another one than it was. Costs one look at the directory entry. */
  look(): void {
    if (typeof this.#input !== 'object' || this.#input.source !== 'file') return;
    const stamp = this.#stampNow();
    if (stamp === this.#stamp && (stamp !== null || this.#value === null)) return;
    this.#stamp = stamp;
    const { id } = this.#input;
    this.#attempt(() => readSecretFile(id, this.#options.context));
  }

  /** Asks a program or a keyring now; the others are looked at when they are used. Never rejects. */
  async refresh(): Promise<void> {
    this.look();
    if (!this.#isAsked || this.#closed) return;
    let said: () => string;
    try {
      const value = await resolveSecret(this.#input, this.#options.context);
      said = () => value;
    } catch (error) {
      said = () => {
        throw error;
      };
    }
    if (this.#closed) return;
    // What it said before counts for its time: a program may fail for a moment.
    const failed = this.#attempt(said, this.#options.clock.monotonicMs() - this.#takenMs <= KEEP_MS);
    this.#schedule(failed ? AGAIN_MS : REFRESH_MS);
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  /** Why it can't be had now, for people; `null`: it can. */
  get why(): unknown {
    return this.#why;
  }

  get #isAsked(): boolean {
    return typeof this.#input === 'object' && (this.#input.source === 'exec' || this.#input.source === 'keyring');
  }

  #stampNow(): string | null {
    const input = this.#input;
    return typeof input === 'object' && input.source === 'file' ? stampOf(input.id, this.#options.context) : null;
  }

  /** True when it failed. */
  #attempt(read: () => string, keep = false): boolean {
    const before = this.#value;
    const whyBefore = this.#why;
    try {
      this.#set(read());
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (!keep) this.#value = null;
      this.#why = error;
    }
    if (this.#value !== before || (this.#why === null) !== (whyBefore === null)) this.#options.changed();
    return this.#why !== null;
  }

  #set(value: string): void {
    this.#options.take(value);
    this.#value = value;
    this.#why = null;
    this.#takenMs = this.#options.clock.monotonicMs();
  }

  #schedule(delayMs: number): void {
    this.#cancel?.();
    this.#cancel =
      this.#isAsked && !this.#closed ? this.#options.clock.after(delayMs, () => void this.refresh()) : null;
  }
}
