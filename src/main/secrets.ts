import { Denied } from '../gateway/method/handler.ts';
import { type GatewayIdentity, rotateSecret } from '../system/identity.ts';
import type { Log } from '../system/log.ts';

/** The shared secret in force: one place, read at each use (A13). */
export class Secrets {
  readonly #stateDir: string;
  readonly #configured: string | null;
  readonly #isConfigured: boolean;
  readonly #log: Log;
  #generated: string | null;

  /** @param isConfigured the configuration names the secret, whether or not it could be read here */
  constructor(
    stateDir: string,
    identity: GatewayIdentity,
    { configured, isConfigured }: { readonly configured: string | null; readonly isConfigured: boolean },
    log: Log,
  ) {
    this.#isConfigured = isConfigured;
    this.#stateDir = stateDir;
    this.#configured = configured;
    this.#generated = identity.secret;
    this.#log = log;
    log.hide(configured);
    log.hide(identity.secret);
  }

  now(): string {
    const secret = this.#isConfigured ? this.#configured : this.#generated;
    if (secret === null) throw new Error('there is no shared secret');
    return secret;
  }

  renew(): void {
    if (this.#isConfigured) throw new Denied({ code: 'conflict', retry: 'never' }, 'secret');
    this.#generated = rotateSecret(this.#stateDir);
    this.#log.hide(this.#generated);
  }
}
