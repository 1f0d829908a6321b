import type { Instant } from '../core/base/instant.ts';
import { deviceOf, roleOf, type Session } from './session.ts';

/** One line of `system-presence`, in OpenClaw's shape (PROTOCOL.md §5.2). */
export interface PresenceEntry {
  readonly host: string;
  readonly version: string;
  readonly platform: string;
  readonly deviceFamily?: string;
  readonly mode: string;
  readonly reason: string;
  readonly text: string;
  readonly ts: Instant;
  readonly deviceId?: string;
  readonly roles?: readonly string[];
  readonly scopes?: readonly string[];
  readonly instanceId?: string;
}

/** Lines that an answer has at most: with many clients the list is for a look, and goes out with every hello. */
const LINES_MAX = 200;
/** Of one device: it can't push the others out. */
const DEVICE_LINES_MAX = 20;

/**
 * Who is connected: the gateway itself, then one line for each live session that is not a passing command; of too many
 * the newest. How many are left out stands in the gateway's own line.
 */
export function presenceOf(
  self: { readonly host: string; readonly version: string; readonly platform: string; readonly now: Instant },
  sessions: readonly Session[],
  scopesOf: (session: Session) => readonly string[],
): readonly PresenceEntry[] {
  const staying = sessions.filter((s) => !isPassing(s));
  const shown = newestOfEach(staying).slice(1 - LINES_MAX);
  const left = staying.length - shown.length;
  const own: PresenceEntry = {
    host: self.host,
    version: self.version,
    platform: self.platform,
    mode: 'gateway',
    reason: 'self',
    ts: self.now,
    text: `Gateway: ${self.host} · latchkey ${self.version}${left === 0 ? '' : ` · … and ${left} more`}`,
  };
  return [own, ...shown.map((s) => entryOf(s, scopesOf(s)))];
}

function newestOfEach(sessions: readonly Session[]): readonly Session[] {
  const lines = new Map<string, number>();
  return sessions
    .toReversed()
    .filter(({ principal }) => {
      const device = deviceOf(principal);
      if (device === null) return true;
      const count = (lines.get(device) ?? 0) + 1;
      lines.set(device, count);
      return count <= DEVICE_LINES_MAX;
    })
    .toReversed();
}

/** Command lines come and go with every command: they are no presence. */
export function isPassing(session: Session): boolean {
  return session.principal.kind === 'owner' || ['cli', 'probe', 'backend'].includes(session.label.clientMode);
}

function entryOf(session: Session, scopes: readonly string[]): PresenceEntry {
  const { label } = session;
  const device = deviceOf(session.principal);
  return {
    host: label.name ?? label.clientId,
    version: label.version,
    platform: label.platform ?? 'unknown',
    ...(label.family === null ? {} : { deviceFamily: label.family }),
    mode: label.clientMode,
    reason: 'connect',
    text: `${label.name ?? label.clientId} · mode ${label.clientMode}`,
    ts: session.since,
    ...(device === null ? {} : { deviceId: device }),
    roles: [roleOf(session.principal)],
    scopes,
    ...(session.instanceId === null ? {} : { instanceId: session.instanceId }),
  };
}
