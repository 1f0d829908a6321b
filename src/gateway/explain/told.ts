import type { DeviceState } from '../../core/authz/state.ts';
import { ERRORS } from '../../core/protocol/error.ts';
import type { StoredChange, StoredTrace } from '../../store/store.ts';
import { deviceOf, roleOf, type Session } from '../session.ts';
import { ADMITTED, CHANGED, REFUSED, type Rule } from './rule.ts';
import {
  approveCommand,
  besides,
  claimedOf,
  type Desk,
  isErrorCode,
  kindOf,
  listedOf,
  relatedTo,
  relatedTrace,
  remedyOf,
  type Story,
} from './story.ts';

/** What became of a connect or a call, as it was noted (A17). */
export async function tellTrace(desk: Desk, row: StoredTrace, asked: string): Promise<Story> {
  const { label, ...facts } = row.facts;
  const code = row.code ?? row.kind;
  const { trace } = desk.context.services;
  const near =
    row.device === null
      ? row.conns
          .slice(0, 1)
          .flatMap((conn) => trace.list(5, { conn }))
          .filter((other) => other.id !== row.id && desk.sight.trace(other))
          .map(relatedTrace)
      : await relatedTo(desk, row.device, row.id);
  return {
    kind: kindOf(row.kind),
    id: row.id,
    at: row.at,
    count: row.count,
    lastAt: row.lastAt,
    facts: {
      deviceId: row.device,
      role: row.role,
      ...facts,
      ...(row.request === null ? {} : { requestId: row.request }),
      // The connection that was asked about, where the row speaks of several.
      connection: row.conns.includes(asked) ? asked : row.conns[0],
      ...liveOf(desk, row.conns.includes(asked) ? asked : row.conns[0]),
    },
    claimed: claimedOf(label),
    rule: ruleOf(row, code),
    also: row.kind === 'connected' ? besides(facts) : [],
    outcome: { code, ...(isErrorCode(code) ? { retry: ERRORS[code].retry } : {}) },
    remedy: row.code === null ? openRemedy(desk, row) : remedyOf(desk, code, row),
    related: near,
  };
}

function ruleOf(row: StoredTrace, code: string): Rule {
  if (row.kind === 'waiting') return ADMITTED.waiting;
  if (row.kind === 'connected') {
    const by = String(row.facts.by);
    return Object.hasOwn(ADMITTED, by) ? ADMITTED[by as keyof typeof ADMITTED] : ADMITTED.grant;
  }
  return isErrorCode(code) ? REFUSED[code] : REFUSED.internal;
}

/** Let in, or waiting: what would give it the rest, while that is open. */
function openRemedy(desk: Desk, row: StoredTrace): string | null {
  if (row.device === null) return null;
  const listed = listedOf(desk, desk.context.services.authority.peek(row.device));
  const open = listed.find((l) => l.row.id === row.request);
  return open === undefined ? null : approveCommand(open.row.id);
}

/** What a session that is still there holds now (A1). */
function liveOf(desk: Desk, conn: string | undefined): Readonly<Record<string, unknown>> {
  const { authority, publisher } = desk.context.services;
  const session = publisher.sessions().find((s) => s.id === conn);
  return session === undefined ? {} : { live: true, heldNow: authority.reportedTo(session.principal) };
}

/** A live session of which no connect is noted. */
export async function tellSession(desk: Desk, session: Session): Promise<Story> {
  const { authority } = desk.context.services;
  const device = deviceOf(session.principal);
  const asked = 'asked' in session.principal ? session.principal.asked : null;
  const rule = { owner: ADMITTED.owner, secret: ADMITTED.secret, device: ADMITTED.grant } as Record<string, Rule>;
  return {
    kind: 'session',
    id: session.id,
    at: session.since,
    facts: {
      deviceId: device,
      role: roleOf(session.principal),
      principal: session.principal.kind,
      asked,
      remote: session.label.remote,
      live: true,
      heldNow: authority.reportedTo(session.principal),
    },
    claimed: session.principal.kind === 'owner' ? {} : claimedOf(session.label),
    rule: rule[session.principal.kind] ?? ADMITTED.grant,
    also: [],
    outcome: { code: 'connected' },
    remedy: null,
    related: await relatedTo(desk, device, session.id),
  };
}

/** A recorded change of who may do what (A17.1). */
export async function tellChange(desk: Desk, change: StoredChange): Promise<Story> {
  const { what, device, role, by, request, scopes } = change;
  const state = desk.context.services.authority.peek(device);
  return {
    kind: 'change',
    id: change.id,
    at: change.at,
    facts: {
      deviceId: device,
      ...(state?.name == null ? {} : { name: state.name }),
      role,
      by: by ?? { kind: what === 'expire' ? 'time' : 'itself' },
      scopes: scopes.map((held) => ({ scope: held.scope, untilMs: held.until })),
      ...(request === null ? {} : { requestId: request }),
    },
    claimed: claimedOf(state?.label),
    rule: CHANGED[what],
    also: [],
    outcome: { code: what },
    remedy: undo(desk, change, state),
    related: await relatedTo(desk, device, change.id),
  };
}

/** What would take a change back, as far as one command does. */
function undo(
  desk: Desk,
  { what, device, role, request, scopes }: StoredChange,
  state: DeviceState | null,
): string | null {
  const listed = listedOf(desk, state).filter((l) => l.role === role);
  switch (what) {
    case 'ask': {
      const open = listed.find((l) => l.row.id === request);
      return open === undefined ? null : approveCommand(open.row.id);
    }
    case 'reject': {
      const no = listed.find((l) => l.kind === 'rejection');
      return no === undefined ? null : approveCommand(no.row.id);
    }
    case 'approve':
    case 'ensure':
    case 'pair':
    case 'redeem':
      return role === null || state?.roles[role].grant == null
        ? null
        : `latchkey devices revoke ${device} --role ${role}`;
    case 'revoke':
    case 'remove': {
      if (role === null || !state?.key || state.roles[role].grant !== null) return null;
      const names = scopes.map((held) => ` --scope ${held.scope}`).join('');
      return `latchkey devices ensure --key ${state.key} --role ${role}${names || ' --none'}`;
    }
    default:
      return null;
  }
}
