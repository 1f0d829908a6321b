import type { Refused } from '../core/protocol/error.ts';
import { okFrame } from '../core/protocol/frame.ts';
import { MAX_PAYLOAD_BYTES } from '../core/protocol/limit.ts';

/** What a call came to. `denied`: for want of authority. `final`: it is answered a second time; never rejects. */
export type Answer =
  | { readonly ok: true; readonly payload: unknown; readonly final?: Promise<Answer> }
  | { readonly ok: false; readonly refused: Refused; readonly denied: boolean };

/**
 * The frame of an answer. `null`: it is larger than any client takes, or there can be no such text at all; sent, it would
 * end the connection, for whoever asks.
 */
export function answerText(id: string, payload: unknown): string | null {
  let text: string;
  try {
    text = JSON.stringify(okFrame(id, payload));
  } catch (error) {
    if (error instanceof Error && error.name === 'RangeError') return null;
    throw error;
  }
  // A character has at most three bytes.
  return text.length * 3 <= MAX_PAYLOAD_BYTES || Buffer.byteLength(text) <= MAX_PAYLOAD_BYTES ? text : null;
}
