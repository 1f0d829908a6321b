import type { Giver } from '../core/authz/principal.ts';
import { isBounded, nameOf } from './bounds.ts';

/** Something that could go, and how much room that would make. */
export interface Piece<T> {
  readonly giver: Giver;
  readonly size: number;
  readonly item: T;
}

interface Holder<T> {
  /** Those that were not looked at yet, each with its place among all. */
  readonly pieces: { readonly at: number; readonly piece: Piece<T> }[];
  readonly isBounded: boolean;
  size: number;
}

/**
 * What goes first for room: of whoever holds most, and of that what stands first here. So nobody loses anything to somebody
 * who holds more, and whoever fills up what all share makes room with what is their own. Where two hold the same, what stands
 * first; the owner's last.
 */
export class Shares<T> {
  readonly #holders = new Map<string, Holder<T>>();

  /** @param pieces in the order in which those of one giver go @param kept what each holds beside them, which doesn't go now */
  constructor(pieces: readonly Piece<T>[], kept: readonly Pick<Piece<T>, 'giver' | 'size'>[] = []) {
    for (const [at, piece] of pieces.entries()) this.#holder(piece).pieces.push({ at, piece });
    for (const piece of kept) this.#holder(piece);
    for (const { pieces: own } of this.#holders.values()) own.reverse();
  }

  #holder({ giver, size }: Pick<Piece<T>, 'giver' | 'size'>): Holder<T> {
    const name = nameOf(giver);
    const holder = this.#holders.get(name) ?? { pieces: [], isBounded: isBounded(giver), size: 0 };
    this.#holders.set(name, holder);
    holder.size += size;
    return holder;
  }

  /** Each piece once; `null`: that was all. What stays although it was to go is held as before. */
  next(): Piece<T> | null {
    let most: Holder<T> | null = null;
    for (const holder of this.#holders.values()) if (holder.pieces.length > 0 && isBefore(holder, most)) most = holder;
    return most?.pieces.pop()?.piece ?? null;
  }

  gone({ giver, size }: Piece<T>): void {
    const holder = this.#holders.get(nameOf(giver));
    if (holder !== undefined) holder.size -= size;
  }
}

function isBefore<T>(a: Holder<T>, b: Holder<T> | null): boolean {
  if (b === null || a.size !== b.size) return b === null || a.size > b.size;
  if (a.isBounded !== b.isBounded) return a.isBounded;
  return (a.pieces.at(-1)?.at ?? 0) < (b.pieces.at(-1)?.at ?? 0);
}
