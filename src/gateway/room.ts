import type { Principal } from '../core/authz/principal.ts';
import { MAX_PAYLOAD_BYTES } from '../core/protocol/limit.ts';

/** Characters of all calls that are being answered at the same time, whoever sent them. */
const IN_FLIGHT_MAX = 128 * 1024 * 1024;

/** Beside one call of the largest size there is always room for many small ones. */
const SMALL_CALL = 1024 * 1024;
/** Calls of one principal that may wait at the same time, over all its connections. */
const WAITING_MAX = 64;

/** What calls in flight may take of memory: bounded for all connections together (threats 37, 38). */
export class CallRoom {
  #taken = 0;

  /** Room for a call of so many characters; `false`: there is none now. */
  take(size: number): boolean {
    if (this.#taken + size > IN_FLIGHT_MAX) return false;
    this.#taken += size;
    return true;
  }

  give(size: number): void {
    this.#taken -= size;
  }
}

/** What the calls of one connection hold of the room; it gives all of it back when it leaves. */
export class Share {
  readonly #room: Pick<CallRoom, 'take' | 'give'>;
  /** Of all its calls, and of those that the room knows of. */
  #held = 0;
  #shared = 0;
  #isOver = false;

  constructor(room: Pick<CallRoom, 'take' | 'give'>) {
    this.#room = room;
  }

  /**
   * Room for a call of so many characters. The owner is bounded by its own connection alone: nobody who fills the room
   * shuts it out, who would end them. @returns the way to give it back; `null`: there is none now
   */
  take(size: number, principal: Principal): (() => void) | null {
    if (this.#isOver || this.#held + size > MAX_PAYLOAD_BYTES + SMALL_CALL) return null;
    const shared = principal.kind === 'owner' ? 0 : size;
    if (!this.#room.take(shared)) return null;
    this.#held += size;
    this.#shared += shared;
    return () => {
      if (this.#isOver) return;
      this.#held -= size;
      this.#shared -= shared;
      this.#room.give(shared);
    };
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#room.give(this.#shared);
  }
}

/** Who waits for something that happens elsewhere, counted by who they are. */
export class WaitingCalls {
  readonly #waiting = new Map<string, number>();

  /** @returns the way out, to be taken once; `null`: so many of this one wait that it is told to come again */
  enter(who: string): (() => void) | null {
    const before = this.#waiting.get(who) ?? 0;
    if (before >= WAITING_MAX) return null;
    this.#waiting.set(who, before + 1);
    return () => {
      const now = (this.#waiting.get(who) ?? 0) - 1;
      if (now > 0) this.#waiting.set(who, now);
      else this.#waiting.delete(who);
    };
  }
}
