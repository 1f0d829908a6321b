import type { Gateway } from './gateway.ts';
import type { Partner } from './partner/client.ts';
import type { Identity } from './partner/identity.ts';
import { newIdentity } from './partner/identity.ts';
import { ensure, READ, session } from './scenario/act.ts';

/** A paired device that asks for `health` again and again: the gateway is alive as long as it gets its answers. */
export class Canary {
  readonly identity: Identity;
  /** Answers so far, and the longest that one took. */
  answers = 0;
  slowestMs = 0;
  #failure: unknown = null;
  #going = true;
  readonly #partner: Partner;
  readonly #done: Promise<void>;

  /** @param partner a session of that device; ended by `stop` */
  constructor(identity: Identity, partner: Partner, pauseMs = 20) {
    this.identity = identity;
    this.#partner = partner;
    this.#done = this.#sing(pauseMs);
  }

  static async start(gateway: Gateway, pauseMs = 20): Promise<Canary> {
    const owner = await gateway.owner();
    const identity = newIdentity();
    await ensure(owner, identity, [READ]);
    owner.end();
    return new Canary(identity, (await session(gateway, identity)).partner, pauseMs);
  }

  async #sing(pauseMs: number): Promise<void> {
    try {
      while (this.#going) {
        const began = performance.now();
        await this.#partner.ask('health');
        this.slowestMs = Math.max(this.slowestMs, performance.now() - began);
        this.answers += 1;
        await new Promise((done) => setTimeout(done, pauseMs));
      }
    } catch (error) {
      this.#failure = error;
    }
  }

  /** One more round trip, then the end. @throws Error when any answer was missing or wrong */
  async stop(): Promise<void> {
    this.#going = false;
    await this.#done;
    if (this.#failure !== null) throw this.#failure;
    await this.#partner.ask('health');
    this.#partner.end();
  }
}
