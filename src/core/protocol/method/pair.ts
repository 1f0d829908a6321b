import * as Type from '../type.ts';
import type { Method } from './method.ts';
import { PAIRING } from './scope.ts';
import {
  Aftermath,
  Decided,
  DeviceId,
  End,
  IdempotencyKey,
  PairedRow,
  PendingRow,
  RequestId,
  Role,
  Scopes,
} from './shape.ts';

export const pairList = {
  name: 'device.pair.list',
  scope: PAIRING,
  role: 'operator',
  inTurn: true,
  input: Type.Object({}),
  output: Type.Object({ pending: Type.Array(PendingRow), paired: Type.Array(PairedRow) }),
  errors: [],
  summary: 'Who asks, who was rejected, and who is paired, by whom and with what.',
} as const satisfies Method;

export const pairApprove = {
  name: 'device.pair.approve',
  scope: PAIRING,
  role: 'operator',
  acts: true,
  input: Type.Object({
    requestId: RequestId,
    /** Less than was asked; what is left out is not asked again for a day (A5). Absent: all of it. */
    scopes: Type.Optional(Scopes),
    /** A20: the end of what is given; absent: none. */
    untilMs: Type.Optional(End),
    idempotencyKey: IdempotencyKey,
  }),
  output: Type.Object({ requestId: Type.String(), device: PairedRow, ...Decided }),
  errors: ['not_found', 'conflict', 'beyond_decider', 'beyond_request'],
  summary: 'Gives a device what it asked for, or part of it, for good or until an end.',
} as const satisfies Method;

export const pairReject = {
  name: 'device.pair.reject',
  scope: PAIRING,
  role: 'operator',
  acts: true,
  input: Type.Object({ requestId: RequestId, idempotencyKey: IdempotencyKey }),
  output: Type.Object({ requestId: Type.String(), deviceId: Type.String(), ...Decided }),
  errors: ['not_found', 'conflict', 'beyond_decider'],
  summary: 'Says no to a request; for a day it stays listed and can still be approved.',
} as const satisfies Method;

const Remove = Type.Object({
  deviceId: DeviceId,
  /** Also the devices that this one approved, and those that they did. */
  withAll: Type.Optional(Type.Boolean()),
  idempotencyKey: IdempotencyKey,
});
const Removed = Type.Object({ deviceId: Type.String(), ...Decided, ...Aftermath });

export const pairRemove = {
  name: 'device.pair.remove',
  scope: PAIRING,
  role: 'operator',
  acts: true,
  input: Remove,
  output: Removed,
  errors: ['not_found', 'conflict', 'beyond_decider'],
  summary: "Ends a device's grants in all roles and closes its sessions.",
} as const satisfies Method;

export const pairRemoveSelf = {
  name: 'device.pair.remove',
  self: true,
  scope: 'none',
  role: 'any',
  acts: true,
  input: Remove,
  output: Removed,
  errors: ['not_found', 'conflict'],
  summary: 'The same for the device that calls.',
} as const satisfies Method;

const Rename = Type.Object({
  deviceId: DeviceId,
  /** `null`: back to the name that the device claims. */
  label: Type.Union([Type.String({ minLength: 1, maxLength: 64 }), Type.Null()]),
  idempotencyKey: IdempotencyKey,
});

export const pairRename = {
  name: 'device.pair.rename',
  scope: PAIRING,
  role: 'operator',
  acts: true,
  input: Rename,
  output: Type.Object({ deviceId: Type.String(), label: Type.Union([Type.String(), Type.Null()]), ...Decided }),
  errors: ['not_found', 'beyond_decider'],
  summary: 'Gives a device the name under which people see it.',
} as const satisfies Method;

export const pairEnsure = {
  name: 'device.pair.ensure',
  scope: PAIRING,
  role: 'operator',
  acts: true,
  // Closed: a misspelt end would give for good.
  input: Type.Object(
    {
      /** base64url of the 32 raw bytes of the device's key. */
      publicKey: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
      role: Type.Optional(Role),
      /** Exactly these, whatever was before. */
      scopes: Scopes,
      untilMs: Type.Optional(End),
      displayName: Type.Optional(Type.String({ maxLength: 64 })),
      idempotencyKey: IdempotencyKey,
    },
    { additionalProperties: false },
  ),
  output: Type.Object({ deviceId: Type.String(), device: PairedRow, ...Decided }),
  errors: ['beyond_decider', 'beyond_request'],
  summary: 'Declares what a key holds: the owner or a permanent admin, without a request, as often as wanted.',
} as const satisfies Method;
