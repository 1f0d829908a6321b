import type { Outcome } from '../../core/authz/command.ts';
import type { DeviceId, Giver } from '../../core/authz/principal.ts';
import { ROLES, type Role } from '../../core/authz/scope.ts';
import type { DeviceState } from '../../core/authz/state.ts';
import type { StoredChange, StoredTrace } from '../../store/store.ts';
import { isLeftOut } from '../leftout.ts';
import { BESIDE, REQUESTED, STANDING } from './rule.ts';
import { approveCommand, claimedOf, type Desk, type Listed, listedOf, relatedTo, type Story } from './story.ts';

/** A request that is open, or a no that can still become a yes (A5). */
export async function tellListed(desk: Desk, state: DeviceState, { role, kind, row }: Listed): Promise<Story> {
  const isOpen = 'openedAt' in row;
  const { grant } = state.roles[role];
  return {
    kind: 'request',
    id: row.id,
    at: isOpen ? row.openedAt : row.at,
    facts: {
      deviceId: state.device,
      ...(state.name === null ? {} : { name: state.name }),
      role,
      asked: row.scopes,
      held: grant === null ? null : grant.entries.map((e) => e.scope),
      remote: row.label.remote,
      untilMs: isOpen ? row.expiresAt : row.until,
      ...(isOpen ? { compare: row.comparison?.code ?? null } : saidNo(state, role, row.by)),
    },
    claimed: claimedOf(row.label),
    rule: kind === 'request' ? REQUESTED.open : REQUESTED.listed,
    also: [],
    outcome: { code: kind === 'request' ? 'open' : 'rejected' },
    remedy: approveCommand(row.id),
    related: await relatedTo(desk, state.device, row.id),
  };
}

function saidNo(state: DeviceState, role: Role, by: Giver) {
  return isLeftOut(state.roles[role]) ? { leftOutBy: by } : { rejectedBy: by };
}

/** What is left of a request that no longer acts. */
export interface Past {
  readonly id: string;
  readonly outcome: Outcome;
  readonly device: DeviceId | null;
  readonly role: Role | null;
  /** Changes that name it, newest first. */
  readonly changes: readonly StoredChange[];
  readonly traced: readonly StoredTrace[];
}

/** A5.3: a closed id never acts again; what became of it is kept. */
export async function tellPast(desk: Desk, past: Past): Promise<Story> {
  const asked = past.changes.find((c) => c.what === 'ask');
  const decided = past.changes.find((c) => c.what !== 'ask');
  const first = past.traced.at(-1);
  return {
    kind: 'request',
    id: past.id,
    at: asked?.at ?? first?.at ?? null,
    facts: {
      deviceId: past.device,
      role: past.role,
      asked: asked?.scopes.map((s) => s.scope) ?? first?.facts.asked ?? null,
      ...(first === undefined ? {} : { remote: first.facts.remote }),
      ...(decided === undefined
        ? {}
        : {
            by: decided.by,
            decidedAtMs: decided.at,
            given: decided.what === 'reject' ? [] : decided.scopes.map((s) => s.scope),
          }),
    },
    claimed: claimedOf(first?.facts.label),
    rule: REQUESTED[past.outcome],
    also: [],
    outcome: { code: past.outcome },
    remedy: null,
    related: await relatedTo(desk, past.device, past.id),
  };
}

/** The whole of one device: by whom it was paired, what it holds until when, what it misses, and what came of it. */
export async function tellDevice(desk: Desk, state: DeviceState): Promise<Story> {
  const { services } = desk.context;
  const listed = listedOf(desk, state);
  const grants = ROLES.flatMap((role) => grantRow(state, role) ?? []);
  const standing = standingOf(state, listed);
  const seen = services.lastSeen(state.device);
  const open = listed.find((l) => l.kind === 'request') ?? listed[0];
  return {
    kind: 'device',
    id: state.device,
    at: grants[0]?.atMs ?? null,
    facts: {
      deviceId: state.device,
      publicKey: state.key,
      ...(state.name === null ? {} : { name: state.name }),
      grants,
      listed: listed.map(({ role, kind, row }) => ({
        role,
        state: kind === 'request' ? 'open' : 'rejected',
        requestId: row.id,
        scopes: row.scopes,
        untilMs: 'openedAt' in row ? row.expiresAt : row.until,
        ...('openedAt' in row ? {} : { by: row.by }),
      })),
      gone: ROLES.filter((role) => state.roles[role].gone !== null),
      nextConnect: NEXT[standing],
      sessions: services.publisher.of(state.device).length,
      ...(seen === null ? {} : { lastSeenAtMs: seen.at, lastSeenReason: seen.reason }),
    },
    claimed: claimedOf(state.label),
    rule: STANDING[standing],
    also: grants.length > 0 && open !== undefined ? [open.kind === 'request' ? BESIDE.missing : BESIDE.rejected] : [],
    outcome: { code: standing },
    remedy: open !== undefined ? approveCommand(open.row.id) : backAgain(state, standing),
    related: await relatedTo(desk, state.device, state.device),
  };
}

/** What its next connect would be answered, as things stand. */
const NEXT = {
  paired: 'connected',
  asking: 'pairing_required',
  rejected: 'rejected',
  gone: 'pairing_required',
  unknown: 'pairing_required',
} as const satisfies Record<keyof typeof STANDING, string>;

function standingOf(state: DeviceState, listed: readonly Listed[]): keyof typeof STANDING {
  if (ROLES.some((role) => state.roles[role].grant !== null)) return 'paired';
  if (listed.some((l) => l.kind === 'rejection')) return 'rejected';
  if (listed.some((l) => l.kind === 'request')) return 'asking';
  return ROLES.some((role) => state.roles[role].gone !== null) ? 'gone' : 'unknown';
}

function backAgain(state: DeviceState, standing: keyof typeof STANDING): string | null {
  return standing === 'gone' && state.key !== ''
    ? `latchkey devices ensure --key ${state.key} --role operator --scope SCOPE`
    : null;
}

function grantRow(state: DeviceState, role: Role) {
  const { grant } = state.roles[role];
  if (grant === null) return null;
  return {
    role,
    by: grant.by,
    atMs: grant.at,
    scopes: grant.entries.map((e) => ({ scope: e.scope, untilMs: e.until, by: e.by, atMs: e.at })),
  };
}
