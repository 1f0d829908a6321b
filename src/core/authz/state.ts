import { type End, earlier, type Instant, isLive } from '../base/instant.ts';
import type { CodeId, DeviceId, Giver, RequestId } from './principal.ts';
import { type Held, ROLES, type Role, type Scope } from './scope.ts';

/** A2: what a client says about itself. For people to read; no decision looks at it. */
export interface Label {
  readonly name: string | null;
  readonly platform: string | null;
  readonly family: string | null;
  readonly clientId: string;
  readonly clientMode: string;
  readonly version: string;
  /** Where the connection came from, as text for a person: `127.0.0.1`, `owner socket`. */
  readonly remote: string;
}

export interface GrantEntry extends Held {
  readonly by: Giver;
  readonly at: Instant;
}

/** A device's authority in one role: the only place where it lives (A1). Without entries it is still a grant. */
export interface Grant {
  readonly entries: readonly GrantEntry[];
  /** Who made the pairing, and when. */
  readonly by: Giver;
  readonly at: Instant;
}

/** A19: both sides' contributions and the eight digits; null where the device sent no `r`. */
export interface Comparison {
  readonly r: string;
  readonly s: string;
  readonly code: string;
}

/** A5: an open ask for what lay outside closure(grant). */
export interface Request {
  readonly id: RequestId;
  readonly scopes: readonly Scope[];
  readonly openedAt: Instant;
  readonly expiresAt: Instant;
  /** A15: the bucket whose room it takes: `loopback`, an IPv4 address, an IPv6 /64. */
  readonly source: string;
  /** A15: asked beside the right secret, so it may use the room kept for that. */
  readonly withSecret: boolean;
  readonly label: Label;
  readonly comparison: Comparison | null;
}

/** A5: what a person said no to. Listed under an id of its own until it ends, and approvable by it. */
export interface Rejection {
  readonly id: RequestId;
  readonly scopes: readonly Scope[];
  readonly at: Instant;
  readonly until: Instant;
  readonly by: Giver;
  readonly label: Label;
}

export interface RoleState {
  readonly grant: Grant | null;
  readonly request: Request | null;
  readonly rejection: Rejection | null;
  /** The order number of the last *no* of a person (reject, part left out, narrow, ensure, revoke, remove). Outlives all else. */
  readonly decided: number | null;
  /** The order number of the decision that ended the grant, until an explicit decision brings it back (A9). */
  readonly gone: number | null;
  /** A10: raised, never reused; the device token is derived from it. */
  readonly epoch: number;
}

/** The aggregate of one key. Everything that access decisions about it read or change. */
export interface DeviceState {
  readonly device: DeviceId;
  /** base64url of the 32 raw key bytes. */
  readonly key: string;
  /** The name a person gave it (`devices rename`). */
  readonly name: string | null;
  /** As claimed when it last asked or was paired. */
  readonly label: Label | null;
  readonly roles: Readonly<Record<Role, RoleState>>;
  /** Raised by each change; 0 was never stored. */
  readonly revision: number;
}

/** A14: a setup code. Only its hash is kept. */
export interface CodeState {
  readonly id: CodeId;
  readonly role: Role;
  readonly scopes: readonly Scope[];
  readonly maker: Giver;
  /** The order number of its making: nothing to a device that was told no since. */
  readonly made: number;
  readonly madeAt: Instant;
  readonly expiresAt: Instant;
  readonly usedBy: DeviceId | null;
  readonly ended: boolean;
  readonly revision: number;
}

const BLANK_ROLE: RoleState = {
  grant: null,
  request: null,
  rejection: null,
  decided: null,
  gone: null,
  epoch: 0,
};

/** A key of which nothing is known yet. */
export function blankDevice(device: DeviceId, key: string): DeviceState {
  return {
    device,
    key,
    name: null,
    label: null,
    roles: { operator: BLANK_ROLE, node: BLANK_ROLE },
    revision: 0,
  };
}

export function withRole(state: DeviceState, role: Role, change: Partial<RoleState>): DeviceState {
  return { ...state, roles: { ...state.roles, [role]: { ...state.roles[role], ...change } } };
}

/** The order number of a person's last no to this key in whatever role (A13, A14); `null`: nobody ever said one. */
export function lastNo(state: DeviceState): number | null {
  const marks = ROLES.flatMap((role) => state.roles[role].decided ?? []);
  return marks.length === 0 ? null : Math.max(...marks);
}

/** The first instant at which time alone changes this state; `null` when none does. It may have passed unwritten. */
export function nextEnd(state: DeviceState): End {
  const ends = Object.values(state.roles).flatMap((r) => [
    r.request?.expiresAt ?? null,
    r.rejection?.until ?? null,
    ...(r.grant?.entries.map((e) => e.until) ?? []),
  ]);
  return ends.reduce<End>(earlier, null);
}

/** True when nothing of the role remains to be shown or asked about. */
export function isIdle(role: RoleState, at: Instant): boolean {
  return (
    role.grant === null &&
    (role.request === null || !isLive(role.request.expiresAt, at)) &&
    (role.rejection === null || !isLive(role.rejection.until, at))
  );
}
