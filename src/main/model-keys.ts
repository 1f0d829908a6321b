import type { LiveConfig } from '../config/live.ts';
import { VARIABLES } from '../config/models.ts';
import type { SecretInput } from '../config/schema.ts';
import { resolveSecret } from '../config/secret.ts';
import { secretsOf } from '../runtime/model/header.ts';
import type { Clock } from '../system/clock.ts';

export interface ModelKeysOptions {
  readonly live: LiveConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** From now on this is in no line of a log. */
  hide(secret: string): void;
}

/** A program that gives a key is not run with each step. */
const KEPT_FOR_MS = 60_000;

/** Keys of providers of models, and headers that are as good as keys. All that are looked up are hidden from then on. */
export class ModelKeys {
  readonly #options: ModelKeysOptions;
  readonly #kept = new Map<string, { readonly at: number; readonly secret: Promise<string> }>();

  constructor(options: ModelKeysOptions) {
    this.#options = options;
  }

  /** Providers whose key is in the environment. */
  get ofEnvironment(): readonly string[] {
    return Object.keys(VARIABLES).filter((name) => this.variableOf(name) !== null);
  }

  /** The variable that holds a key for it; `null`: none does. */
  variableOf(provider: string): string | null {
    const names = Object.hasOwn(VARIABLES, provider) ? (VARIABLES[provider] ?? []) : [];
    return names.find((name) => Boolean(this.#options.env[name])) ?? null;
  }

  /** @throws Failure 78 where it can't be had */
  secret(path: string, input: SecretInput): Promise<string> {
    if (!isSlow(input)) return this.#resolve(path, input);
    const kept = this.#fresh(path, input);
    if (kept !== null) return kept;
    const now = this.#options.clock.monotonicMs();
    for (const [old, { at }] of this.#kept) if (now - at >= KEPT_FOR_MS) this.#kept.delete(old);
    const secret = this.#resolve(path, input);
    const name = nameOf(path, input);
    this.#kept.set(name, { at: now, secret });
    secret.catch(() => this.#kept.delete(name));
    return secret;
  }

  /** It can be had without a program or a keyring that would have to be asked now. */
  isAtHand(path: string, input: SecretInput | null): boolean {
    return input === null || !isSlow(input) || this.#fresh(path, input) !== null;
  }

  #fresh(path: string, input: SecretInput): Promise<string> | null {
    const kept = this.#kept.get(nameOf(path, input));
    return kept !== undefined && this.#options.clock.monotonicMs() - kept.at < KEPT_FOR_MS ? kept.secret : null;
  }

  async #resolve(path: string, input: SecretInput): Promise<string> {
    const { live, env, hide } = this.#options;
    const secret = await resolveSecret(input, { path, file: live.now.path, env });
    // What a server may repeat alone, too.
    for (const text of secretsOf(secret)) hide(text);
    return secret;
  }
}

const nameOf = (path: string, input: SecretInput) => JSON.stringify([path, input]);

export function isSlow(input: SecretInput | null): boolean {
  return typeof input === 'object' && input !== null && (input.source === 'exec' || input.source === 'keyring');
}
