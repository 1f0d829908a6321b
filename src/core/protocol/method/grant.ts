import * as Type from '../type.ts';
import type { Method } from './method.ts';
import { PAIRING } from './scope.ts';
import { Aftermath, Decided, DeviceId, GoingOn, IdempotencyKey, Instant, RequestId, Role, Scopes } from './shape.ts';

const Narrow = Type.Object({
  deviceId: DeviceId,
  role: Type.Optional(Role),
  scopes: Scopes,
  idempotencyKey: IdempotencyKey,
});
const Narrowed = Type.Object({
  deviceId: Type.String(),
  role: Type.String(),
  scopes: Type.Array(Type.String()),
  ...Decided,
  /** None where it may still talk. */
  ...GoingOn,
});

export const grantNarrow = {
  name: 'device.grant.narrow',
  scope: PAIRING,
  role: 'operator',
  acts: true,
  input: Narrow,
  output: Narrowed,
  errors: ['not_found', 'conflict', 'beyond_decider', 'beyond_grant'],
  summary: 'Takes scopes from a device; its sessions are narrowed before the answer.',
} as const satisfies Method;

export const grantNarrowSelf = {
  name: 'device.grant.narrow',
  self: true,
  scope: 'none',
  role: 'any',
  acts: true,
  input: Narrow,
  output: Narrowed,
  errors: ['not_found', 'conflict', 'beyond_grant'],
  summary: 'The same for the device that calls.',
} as const satisfies Method;

const Rotate = Type.Object({
  deviceId: DeviceId,
  role: Type.Optional(Role),
  /** With scopes it narrows as well. */
  scopes: Type.Optional(Scopes),
  idempotencyKey: IdempotencyKey,
});
const Rotated = Type.Object({
  deviceId: Type.String(),
  role: Type.String(),
  scopes: Type.Array(Type.String()),
  rotatedAtMs: Instant,
  /** The new value, only to the device itself. */
  token: Type.Optional(Type.String()),
  tokenDelivery: Type.Optional(Type.Literal('withheld-cross-device')),
  /** A10: that this is no revocation, in words. */
  note: Type.String(),
  ...Decided,
});

export const tokenRotate = {
  name: 'device.token.rotate',
  scope: PAIRING,
  role: 'operator',
  acts: true,
  input: Rotate,
  output: Rotated,
  errors: ['not_found', 'conflict', 'beyond_decider', 'beyond_grant'],
  summary: "Makes a device's token a new one. It closes nothing: the key is the device.",
} as const satisfies Method;

export const tokenRotateSelf = {
  name: 'device.token.rotate',
  self: true,
  scope: 'none',
  role: 'any',
  acts: true,
  input: Rotate,
  output: Rotated,
  errors: ['not_found', 'conflict', 'beyond_grant'],
  summary: 'The same for the device that calls, which is told the new value.',
} as const satisfies Method;

const Revoke = Type.Object({ deviceId: DeviceId, role: Type.Optional(Role), idempotencyKey: IdempotencyKey });
const Revoked = Type.Object({
  deviceId: Type.String(),
  role: Type.String(),
  revokedAtMs: Instant,
  ...Decided,
  ...Aftermath,
});

export const tokenRevoke = {
  name: 'device.token.revoke',
  scope: PAIRING,
  role: 'operator',
  acts: true,
  input: Revoke,
  output: Revoked,
  errors: ['not_found', 'conflict', 'beyond_decider'],
  summary: "Ends a device's grant in one role and closes its sessions.",
} as const satisfies Method;

export const tokenRevokeSelf = {
  name: 'device.token.revoke',
  self: true,
  scope: 'none',
  role: 'any',
  acts: true,
  input: Revoke,
  output: Revoked,
  errors: ['not_found', 'conflict'],
  summary: 'The same for the device that calls.',
} as const satisfies Method;

export const requestUpgrade = {
  name: 'device.scopes.requestUpgrade',
  scope: 'none',
  role: 'any',
  acts: true,
  input: Type.Object({
    scopes: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 32 }),
    idempotencyKey: IdempotencyKey,
  }),
  output: Type.Object({
    /** `null`: everything asked is held already. */
    requestId: Type.Union([Type.String(), Type.Null()]),
    status: Type.Enum(['pending', 'approved']),
    /** What the request asks for in the end: all that is missing. */
    scopes: Type.Array(Type.String()),
    expiresAtMs: Type.Optional(Instant),
    /** Names that no scope has. */
    unknown: Type.Array(Type.String()),
  }),
  errors: ['identity_required', 'not_found'],
  summary: 'Asks for more scopes for the device that calls, explicitly: also for what was rejected.',
} as const satisfies Method;

export const waitUpgrade = {
  name: 'device.scopes.waitUpgrade',
  scope: 'none',
  role: 'any',
  waits: true,
  input: Type.Object({
    requestId: RequestId,
    /** Milliseconds; 30,000 when absent. */
    timeoutMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000 })),
  }),
  output: Type.Object({
    status: Type.Enum(['approved', 'rejected', 'expired', 'superseded', 'pending']),
    requestId: Type.String(),
    deviceToken: Type.Optional(Type.String()),
    scopes: Type.Optional(Type.Array(Type.String())),
  }),
  errors: ['identity_required', 'not_found'],
  summary: 'Waits until a request of the device that calls is decided.',
} as const satisfies Method;
