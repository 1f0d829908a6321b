import { closeReason } from './close.ts';
import type { Refused } from './error.ts';

/** Where a remedy is to be pasted: whoever is refused may sit elsewhere. */
export const THERE = "on the gateway's host: ";

/** Whether a close frame can carry it whole. */
const fits = (reason: string): boolean => closeReason(reason) === reason;

/**
 * A16: a refusal for a peer without a table of remedies. OpenClaw's programs print the message of an error, or the
 * reason of a close, and nothing else of it. What they compare stays in front word for word, and the command that mends
 * it stands behind, in brackets. Advice is left out: it is for who writes a client, and some texts are compared whole.
 */
export function spelled(refused: Refused): Refused {
  const { error, close, remedy } = refused;
  if (remedy === null) return refused;
  const message = `${error.message} (${THERE}${remedy})`;
  if (close === null) return { ...refused, error: { ...error, message } };
  // Half a command is worse than none: the message has the whole.
  const reasons = [`${close.reason} (${THERE}${remedy})`, `${close.reason} (${remedy})`];
  return { ...refused, error: { ...error, message }, close: { ...close, reason: reasons.find(fits) ?? close.reason } };
}
