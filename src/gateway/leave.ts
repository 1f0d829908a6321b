/**
 * That a connection is gone, for those who wait in its name. The signal is made for the few calls that ask for one:
 * every connection ends, and hardly any has somebody waiting.
 */
export class Leave {
  #ending: AbortController | null = null;
  #isOver = false;

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Aborted once the connection is gone, also where that was before anybody asked. */
  get signal(): AbortSignal {
    if (this.#ending === null) {
      this.#ending = new AbortController();
      if (this.#isOver) this.#ending.abort(GONE);
    }
    return this.#ending.signal;
  }

  /** May be called again. */
  end(): void {
    this.#isOver = true;
    this.#ending?.abort(GONE);
  }
}

/** Nobody reads why; without a reason an error is made, with its stack. */
const GONE = 'gone';
