/** Characters of all calls that are being answered at the same time, whoever sent them. */
const IN_FLIGHT_MAX = 128 * 1024 * 1024;

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
