import type { StoreUnavailable } from './store.ts';

/** One transaction: whether it still runs, whether a part is open, and what makes it impossible to commit. */
export class Life {
  #over = false;
  #inPart = false;
  #lost: Error | null = null;

  /** Called by each use of the transaction. @throws Error after its end, or once it is lost */
  check(): void {
    if (this.#over) throw new Error('the transaction is over');
    if (this.#lost !== null) throw this.#lost;
  }

  /** The disk refused: from then on nothing of this transaction can stand, whoever catches the error. */
  lose(error: StoreUnavailable): StoreUnavailable {
    this.#lost ??= error;
    return error;
  }

  get isLost(): boolean {
    return this.#lost !== null;
  }

  /** Begins a part. @throws Error while another runs: which of both a statement is of can't be told */
  enter(): void {
    this.check();
    if (this.#inPart) {
      this.#lost = new Error('a part of a transaction was begun while another ran');
      throw this.#lost;
    }
    this.#inPart = true;
  }

  leave(): void {
    this.#inPart = false;
  }

  /** Called before the commit. @throws Error when the transaction is lost, or a part of it still runs */
  finish(): void {
    this.check();
    if (this.#inPart) throw new Error('a part of the transaction is not over');
  }

  end(): void {
    this.#over = true;
  }
}
