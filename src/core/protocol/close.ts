import { CLOSE_REASON_BYTES } from './limit.ts';

/** The close codes in use (PROTOCOL.md §1.1); 4000 and up are the protocol's own. */
export const CLOSE = {
  /** Also: the first frame was no JSON, or none came in time. */
  normal: 1000,
  /** The client's versions don't contain ours. */
  protocol: 1002,
  /** Text that is no UTF-8. */
  encoding: 1007,
  /** A refused `connect`, and everything else that the client should not have done. */
  refused: 1008,
  tooLarge: 1009,
  internal: 1011,
  /** The gateway goes; it will be back. */
  restart: 1012,
  /** Not ready yet. */
  tryLater: 1013,
  /** Sent by clients that missed two ticks. */
  tickTimeout: 4000,
  /** What let this session in holds no longer. */
  accessChanged: 4001,
} as const;
export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];

/** A close frame's contents: a reason of at most 120 bytes of UTF-8. */
export interface Close {
  readonly code: CloseCode;
  readonly reason: string;
}

function bytesOf(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
}

/** `text` cut to what a close frame can carry, never within a character. */
export function closeReason(text: string): string {
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    bytes += bytesOf(character);
    if (bytes > CLOSE_REASON_BYTES) return text.slice(0, end);
    end += character.length;
  }
  return text;
}
