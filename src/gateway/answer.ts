import type { Refused } from '../core/protocol/error.ts';

/** What a call came to. `denied`: for want of authority. */
export type Answer =
  | { readonly ok: true; readonly payload: unknown }
  | { readonly ok: false; readonly refused: Refused; readonly denied: boolean };
