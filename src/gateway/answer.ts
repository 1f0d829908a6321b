import type { Refused } from '../core/protocol/error.ts';

/** What a call came to. `denied`: for want of authority. `final`: it is answered a second time; never rejects. */
export type Answer =
  | { readonly ok: true; readonly payload: unknown; readonly final?: Promise<Answer> }
  | { readonly ok: false; readonly refused: Refused; readonly denied: boolean };
