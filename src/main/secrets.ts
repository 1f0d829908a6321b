import type { LiveConfig } from '../config/live.ts';
import { WrongParams } from '../gateway/method/handler.ts';
import { rotateSecret } from '../system/identity.ts';
import type { Log } from '../system/log.ts';

/** The shared secret in force: the one that the configuration names, else a generated one; read at each use (A13). */
export class Secrets {
  readonly #stateDir: string;
  readonly #live: LiveConfig;
  readonly #log: Log;
  #generated: string | null;
  /** What opened the sessions there are; `null`: there was none yet. */
  #last: string | null;
  #changed: () => void = () => {};

  /** @param generated of `identity/gateway.json` */
  constructor(stateDir: string, live: LiveConfig, generated: string | null, log: Log) {
    this.#stateDir = stateDir;
    this.#live = live;
    this.#generated = generated;
    this.#log = log;
    log.hide(generated);
    this.#last = this.#nowOrNull();
  }

  /** @throws where it can't be had now: then it is nobody's */
  now(): string {
    const secret = this.#live.secret() ?? this.#generated;
    if (secret === null) throw new Error('there is no shared secret');
    return secret;
  }

  /** Makes a new generated one. @throws WrongParams where the configuration names the secret */
  renew(): void {
    if (this.#live.namesSecret) throw new WrongParams(this.#live.now.path, 'secret_named');
    this.#generate();
    this.#last = this.#generated;
  }

  /** `run` is called when another secret counts than before; the old one opens nothing by then. */
  onChange(run: () => void): void {
    this.#changed = run;
  }

  /** The configuration may name another one, or none any more. One that can't be had now is no change. */
  look(): void {
    if (!this.#live.namesSecret && this.#generated === null) this.#generate();
    const now = this.#nowOrNull();
    if (now === null || now === this.#last) return;
    const isFirst = this.#last === null;
    this.#last = now;
    if (!isFirst) this.#changed();
  }

  #generate(): void {
    const secret = rotateSecret(this.#stateDir);
    this.#log.hide(secret);
    this.#generated = secret;
  }

  #nowOrNull(): string | null {
    try {
      return this.now();
    } catch {
      // It can't be had: it opens nothing.
      return null;
    }
  }
}
