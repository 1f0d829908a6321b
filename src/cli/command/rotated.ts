import type { Context } from '../context.ts';
import { numberOf, recordOf, textsOf } from '../value.ts';

/** What `gateway.secret.rotate` answered, for people. */
export function renderRotated(context: Context, payload: unknown): string {
  const { closedSessions, revoked } = recordOf(payload);
  const ended = textsOf(revoked);
  const closed = numberOf(closedSessions) ?? 0;
  return [
    `The shared secret is a new one; ${closed} ${closed === 1 ? 'session' : 'sessions'} of the old one ended.\n`,
    ended.length === 0
      ? 'Paired devices stay as they are. What goes by the secret alone, as the command line of OpenClaw 2026.9.6 does, needs the new one.\n'
      : `Revoked, because the secret had paired them: ${ended.map((id) => id.slice(0, 12)).join(', ')}\n`,
    `To see it: ${context.command} gateway secret show\n`,
  ].join('');
}
