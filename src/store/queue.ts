/** Runs what it is handed one after the other, in order, whatever becomes of each. */
export class Queue {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.then(ignore, ignore);
    return result;
  }
}

function ignore(): void {}
