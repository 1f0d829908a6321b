import * as Type from '../type.ts';

/** Parts of params and results that several methods share. */

export const RequestId = Type.String({ minLength: 1, maxLength: 128 });
/** Lower-case hex SHA-256 of the raw key. */
export const DeviceId = Type.String({ minLength: 1, maxLength: 128 });
export const Role = Type.Enum(['operator', 'node']);
/** Milliseconds since 1970. */
export const Instant = Type.Number();
/** `null`: without end. */
export const End = Type.Union([Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 }), Type.Null()]);
export const ScopeName = Type.String({ minLength: 1, maxLength: 64 });
/** A5: at most 32 an ask. */
export const Scopes = Type.Array(ScopeName, { maxItems: 32 });
/** Names a side effect, so that the same call sent again has it once. */
export const IdempotencyKey = Type.Optional(Type.String({ minLength: 1, maxLength: 128 }));

const Name = Type.Optional(Type.String());

/** Whom something came from: `{kind: "owner"}`, `{kind: "device", device}`, … (core/authz/principal.ts `Giver`). */
export const Giver = Type.Object({ kind: Type.String() });

const About = {
  deviceId: Type.String(),
  /** base64url of the raw key. */
  publicKey: Type.String(),
  /** The name a person gave it, else the claimed one. */
  displayName: Name,
  claimedName: Name,
  platform: Name,
  deviceFamily: Name,
  clientId: Name,
  clientMode: Name,
  /** Latchkey's own: the version that the client claims. */
  clientVersion: Name,
  remoteIp: Name,
  role: Type.String(),
  roles: Type.Array(Type.String()),
  scopes: Type.Array(Type.String()),
};

/** An open request, or a rejection that can still be approved (A5). */
export const PendingRow = Type.Object({
  requestId: Type.String(),
  ...About,
  /** Always false: nothing is approved silently beside what A13 says. */
  silent: Type.Boolean(),
  /** The device is paired already. */
  isRepair: Type.Boolean(),
  ts: Instant,
  // ---- Latchkey's own
  /** What the device holds in that role now. */
  held: Type.Array(Type.String()),
  expiresAtMs: Instant,
  /** A19: eight digits to compare; `null`: the client shows none. */
  code: Type.Union([Type.String(), Type.Null()]),
  state: Type.Enum(['open', 'rejected']),
  rejectedBy: Type.Optional(Giver),
  /** True: nobody rejected it, it was left out of an approval; absent where that can't be told. */
  leftOut: Type.Optional(Type.Boolean()),
});

/** A device with a grant. Token values are derived (A10) and listed nowhere. */
export const PairedRow = Type.Object({
  ...About,
  approvedScopes: Type.Array(Type.String()),
  /** `owner`, `silent` (the shared secret), `bootstrap` (a setup code), or the giver's kind. */
  approvedVia: Type.String(),
  createdAtMs: Instant,
  approvedAtMs: Instant,
  lastSeenAtMs: Type.Optional(Instant),
  lastSeenReason: Name,
  connected: Type.Boolean(),
  tokens: Type.Array(Type.Object({ role: Type.String(), scopes: Type.Array(Type.String()), createdAtMs: Instant })),
  // ---- Latchkey's own
  /** Live sessions now. */
  sessions: Type.Integer(),
  /** Who gave what, when and until when. */
  grants: Type.Array(
    Type.Object({
      role: Type.String(),
      by: Giver,
      atMs: Instant,
      scopes: Type.Array(Type.Object({ scope: Type.String(), untilMs: End, by: Giver, atMs: Instant })),
    }),
  ),
});

/** Beside every decision's result: whether it changed anything, what it gave, and ids for `latchkey why` (A17). */
export const Decided = {
  changed: Type.Boolean(),
  changeIds: Type.Array(Type.String()),
  given: Type.Array(Type.Object({ scope: Type.String(), untilMs: End })),
};

/** A9: of the device's runs, those that go on: the first of them, for who may read, and how many there are. */
export const GoingOn = {
  runs: Type.Array(Type.Object({ runId: Type.String(), sessionKey: Type.String() }), { maxItems: 50 }),
  runsTotal: Type.Integer(),
};

/** A9: what the end of a grant leaves behind, so that nobody believes more is gone than is. */
export const Aftermath = {
  closedSessions: Type.Integer(),
  /** Devices that this one approved; they stay as they are. */
  approved: Type.Array(Type.Object({ deviceId: Type.String(), displayName: Name })),
  /** It was paired by the shared secret: whoever knows that can open sessions still (`--rotate-secret`). */
  secretHolderCanReturn: Type.Boolean(),
  ...GoingOn,
};
