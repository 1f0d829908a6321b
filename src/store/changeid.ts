import type { Change } from '../core/authz/command.ts';
import type { StoredChange } from './store.ts';

const ID = /^ch_([1-9][0-9]{0,14})(?:\.([2-9]|[1-9][0-9]{1,7}))?$/;

/** The id of the `nth` change (1, 2, …) under an order number. */
export function changeId(seq: number, nth: number): string {
  return nth === 1 ? `ch_${seq}` : `ch_${seq}.${nth}`;
}

export function parseChangeId(id: string): { readonly seq: number; readonly nth: number } | null {
  const [, seq, nth] = ID.exec(id) ?? [];
  return seq === undefined ? null : { seq: Number(seq), nth: Number(nth ?? 1) };
}

export function stored(change: Change, nth: number): StoredChange {
  return { ...change, id: changeId(change.seq, nth) };
}
