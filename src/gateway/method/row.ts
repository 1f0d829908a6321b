import type { Decided } from '../../authority/authority.ts';
import type { DeviceId, Giver } from '../../core/authz/principal.ts';
import { ROLES, type Role, type Scope } from '../../core/authz/scope.ts';
import type { DeviceState, Grant, Label } from '../../core/authz/state.ts';
import { type Instant, isLive } from '../../core/base/instant.ts';
import type { MethodOutput } from '../../core/protocol/registry.ts';
import { isLeftOut } from '../leftout.ts';

/** Rows of `device.pair.list` in OpenClaw's shape (PROTOCOL.md §4.1), with what Latchkey adds to it. */

export interface LastSeen {
  readonly at: Instant;
  readonly reason: string;
}

export interface RowContext {
  readonly at: Instant;
  lastSeen(device: DeviceId): LastSeen | null;
  /** Live sessions of the device now. */
  sessions(device: DeviceId): number;
}

function labelRow(device: DeviceState, label: Label | null) {
  return {
    deviceId: device.device,
    publicKey: device.key,
    ...(device.name !== null ? { displayName: device.name } : label?.name ? { displayName: label.name } : {}),
    ...(label?.name ? { claimedName: label.name } : {}),
    ...(label?.platform ? { platform: label.platform } : {}),
    ...(label?.family ? { deviceFamily: label.family } : {}),
    ...(label ? { clientId: label.clientId, clientMode: label.clientMode, remoteIp: label.remote } : {}),
    ...(label && label.version !== 'unknown' ? { clientVersion: label.version } : {}),
  };
}

function scopesOf(grant: Grant | null): readonly Scope[] {
  return grant?.entries.map((e) => e.scope) ?? [];
}

type Row = MethodOutput<'device.pair.list'>['pending'][number];
type Paired = MethodOutput<'device.pair.list'>['paired'][number];

export interface PendingRow {
  readonly role: Role;
  readonly scopes: readonly Scope[];
  readonly row: Row;
}

/** What is open to be decided about a device: a request, or a no that can still become a yes (A5). */
export function pendingRows(device: DeviceState, at: Instant): readonly PendingRow[] {
  return ROLES.flatMap((role): PendingRow[] => {
    const { request, rejection, grant } = device.roles[role];
    const common = { role, roles: [role], held: scopesOf(grant), silent: false, isRepair: grant !== null };
    const open =
      request === null || !isLive(request.expiresAt, at)
        ? []
        : [
            {
              role,
              scopes: request.scopes,
              row: {
                requestId: request.id,
                ...labelRow(device, request.label),
                ...common,
                scopes: request.scopes,
                ts: request.openedAt,
                expiresAtMs: request.expiresAt,
                code: request.comparison?.code ?? null,
                state: 'open' as const,
              },
            },
          ];
    const no =
      rejection === null
        ? []
        : [
            {
              role,
              scopes: rejection.scopes,
              row: {
                requestId: rejection.id,
                ...labelRow(device, rejection.label),
                ...common,
                scopes: rejection.scopes,
                ts: rejection.at,
                expiresAtMs: rejection.until,
                code: null,
                state: 'rejected' as const,
                rejectedBy: rejection.by,
                ...(isLeftOut(device.roles[role]) ? { leftOut: true } : {}),
              },
            },
          ];
    return [...open, ...no];
  });
}

/** How a pairing came about, in OpenClaw's words where it has one. */
function approvedVia(by: Giver): string {
  switch (by.kind) {
    case 'owner':
      return 'owner';
    case 'pairing':
      return 'silent';
    case 'code':
      return 'bootstrap';
    default:
      return by.kind;
  }
}

/** A paired device; `null` where it holds no grant in any role. */
export function pairedRow(device: DeviceState, context: RowContext): Paired | null {
  const held = ROLES.filter((role) => device.roles[role].grant !== null);
  const first = held[0];
  const main = first === undefined ? null : device.roles[first].grant;
  if (first === undefined || main === null) return null;
  const seen = context.lastSeen(device.device);
  const sessions = context.sessions(device.device);
  return {
    ...labelRow(device, device.label),
    role: first,
    roles: held,
    scopes: scopesOf(main),
    approvedScopes: scopesOf(main),
    approvedVia: approvedVia(main.by),
    createdAtMs: main.at,
    approvedAtMs: main.at,
    ...(seen === null ? {} : { lastSeenAtMs: seen.at, lastSeenReason: seen.reason }),
    connected: sessions > 0,
    sessions,
    // A10: derived, not stored: there is one value for each role until it is rotated.
    tokens: held.map((role) => ({
      role,
      scopes: scopesOf(device.roles[role].grant),
      createdAtMs: device.roles[role].grant?.at ?? context.at,
    })),
    grants: held.map((role) => ({
      role,
      by: device.roles[role].grant?.by ?? main.by,
      atMs: device.roles[role].grant?.at ?? main.at,
      scopes: (device.roles[role].grant?.entries ?? []).map((e) => ({
        scope: e.scope,
        untilMs: e.until,
        by: e.by,
        atMs: e.at,
      })),
    })),
  };
}

/** What a decision answers in every case: ids for `latchkey why`, and what was given until when. */
export function decidedRow(
  decided: Decided,
): Pick<MethodOutput<'device.pair.approve'>, 'changed' | 'changeIds' | 'given'> {
  const given = decided.reply.kind === 'done' ? decided.reply.given : [];
  return {
    changed: decided.reply.kind === 'done' && decided.reply.changed,
    changeIds: decided.changes,
    given: given.map((g) => ({ scope: g.scope, untilMs: g.until })),
  };
}
