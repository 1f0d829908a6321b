import type { Outcome } from '../core/authz/command.ts';
import type { RequestId } from '../core/authz/principal.ts';

/** A socket that waits at the door. */
export interface WaitingSocket {
  settle(outcome: Outcome): void;
  end(code: 'ask_elsewhere'): void;
}

/** Who waits for a request to be decided: sockets at the door (A8), and calls of `device.scopes.waitUpgrade`. */
export class Waiters {
  readonly #sockets = new Map<RequestId, WaitingSocket>();
  readonly #calls = new Map<RequestId, Set<(outcome: Outcome | null) => void>>();

  /** The sockets that gave up their place: a newer one of the same device and role waits now. */
  wait(id: RequestId, connection: WaitingSocket): readonly WaitingSocket[] {
    const before = this.#sockets.get(id);
    this.#sockets.set(id, connection);
    return before === undefined || before === connection ? [] : [before];
  }

  ids(): ReadonlySet<RequestId> {
    return new Set(this.#sockets.keys());
  }

  leave(connection: WaitingSocket): void {
    for (const [id, c] of this.#sockets) if (c === connection) this.#sockets.delete(id);
  }

  /** Tells the calls, and hands back the sockets that are to be answered. */
  settle(id: RequestId, outcome: Outcome): readonly WaitingSocket[] {
    for (const tell of this.#calls.get(id) ?? []) tell(outcome);
    this.#calls.delete(id);
    const socket = this.#sockets.get(id);
    this.#sockets.delete(id);
    return socket === undefined ? [] : [socket];
  }

  /** `timeout` sets a timer and returns its cancellation; `left` ends the waiting too. */
  outcome(
    id: RequestId,
    timeout: (give: () => void) => () => void,
    left: AbortSignal | null = null,
  ): Promise<Outcome | null> {
    if (left?.aborted === true) return Promise.resolve(null);
    return new Promise((resolve) => {
      const calls = this.#calls.get(id) ?? new Set();
      this.#calls.set(id, calls);
      const tell = (outcome: Outcome | null) => {
        cancel();
        left?.removeEventListener('abort', gone);
        calls.delete(tell);
        if (calls.size === 0 && this.#calls.get(id) === calls) this.#calls.delete(id);
        resolve(outcome);
      };
      const gone = () => tell(null);
      const cancel = timeout(gone);
      left?.addEventListener('abort', gone, { once: true });
      calls.add(tell);
    });
  }

  end(): void {
    for (const calls of this.#calls.values()) for (const tell of [...calls]) tell(null);
  }
}
