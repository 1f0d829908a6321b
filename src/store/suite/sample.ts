import type { Change } from '../../core/authz/command.ts';
import type { CodeId, DeviceId, Giver, RequestId } from '../../core/authz/principal.ts';
import { ADMIN, PAIRING, READ, type Role, WRITE } from '../../core/authz/scope.ts';
import {
  blankDevice,
  type CodeState,
  type DeviceState,
  type Grant,
  type Label,
  type Rejection,
  type Request,
  type RoleState,
} from '../../core/authz/state.ts';
import type { Instant } from '../../core/base/instant.ts';

/** Noon of some day: what the samples count from. */
export const NOON: Instant = 1_795_262_400_000;

/** Text that a careless driver loses: NUL, half a surrogate pair, astral and combining characters, quotes, line ends. */
export const HARD = 'a\0b \ud800 \u{1f511} e\u0301 \ufffe "\'\\ \r\n\u202e\0';

export const deviceId = (n: number): DeviceId => n.toString(16).padStart(64, '0') as DeviceId;
export const codeId = (n: number): CodeId => n.toString(16).padStart(64, 'c') as CodeId;
export const requestId = (text: string): RequestId => text as RequestId;

export const OWNER: Giver = { kind: 'owner' };
export const byDevice = (n: number): Giver => ({ kind: 'device', device: deviceId(n) });
export const byCode = (maker: Giver): Giver => ({ kind: 'code', code: codeId(1), maker });

export const LABEL: Label = {
  name: 'Anna’s laptop',
  platform: null,
  family: 'Mac',
  clientId: 'cli',
  clientMode: 'cli',
  version: '2026.9.6',
  remote: '127.0.0.1',
};

/** A device with these roles, as stored for the first time. */
export function device(n: number, roles: Partial<Record<Role, Partial<RoleState>>> = {}, revision = 1): DeviceState {
  const blank = blankDevice(deviceId(n), `key-${n}`);
  return {
    ...blank,
    label: LABEL,
    revision,
    roles: { operator: { ...blank.roles.operator, ...roles.operator }, node: { ...blank.roles.node, ...roles.node } },
  };
}

export function grant(by: Giver, ...entries: readonly { readonly until?: Instant; readonly by?: Giver }[]): Grant {
  const scopes = [ADMIN, PAIRING, READ, WRITE];
  return {
    by,
    at: NOON,
    entries: entries.map((e, i) => ({
      scope: scopes[i] ?? READ,
      until: e.until ?? null,
      by: e.by ?? by,
      at: NOON + i,
    })),
  };
}

export function request(id: string, change: Partial<Request> = {}): Request {
  return {
    id: requestId(id),
    scopes: [READ, WRITE],
    openedAt: NOON,
    expiresAt: NOON + 600_000,
    source: 'loopback',
    withSecret: false,
    label: LABEL,
    comparison: null,
    ...change,
  };
}

export function rejection(id: string, change: Partial<Rejection> = {}): Rejection {
  return { id: requestId(id), scopes: [ADMIN], at: NOON, until: NOON + 86_400_000, by: OWNER, label: LABEL, ...change };
}

/** Something in every field that a device can have. */
export function fullDevice(n: number): DeviceState {
  const hard: Label = { ...LABEL, name: HARD, platform: HARD, family: '', version: HARD, remote: HARD };
  return {
    ...device(n, {
      operator: {
        grant: grant(byDevice(7), {}, { until: NOON + 5 }, { by: byCode(byDevice(8)) }, { by: { kind: 'pairing' } }),
        request: request(`q${n}`, {
          label: hard,
          withSecret: true,
          comparison: { r: 'r', s: 's', code: '1234 5678' },
        }),
        rejection: rejection(`x${n}`, { by: { kind: 'token', name: HARD }, label: hard }),
        decided: 12,
        epoch: 3,
      },
      node: { decided: 14, gone: 13, epoch: 1, rejection: rejection(`y${n}`, { scopes: [] }) },
    }),
    name: HARD,
    label: hard,
    revision: 9,
  };
}

export function code(n: number, change: Partial<CodeState> = {}): CodeState {
  return {
    id: codeId(n),
    role: 'operator',
    scopes: [READ],
    maker: OWNER,
    made: 5,
    madeAt: NOON,
    expiresAt: NOON + 600_000,
    usedBy: null,
    ended: false,
    revision: 1,
    ...change,
  };
}

export function change(seq: number, n: number, more: Partial<Change> = {}): Change {
  return {
    what: 'approve',
    device: deviceId(n),
    role: 'operator',
    by: OWNER,
    at: NOON,
    seq,
    request: requestId('q1'),
    scopes: [{ scope: READ, until: null }],
    ...more,
  };
}
