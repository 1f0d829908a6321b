import type { Static } from 'typebox';
import * as Type from './type.ts';

/** Up to `max` characters. */
const text = (max: number) => Type.Optional(Type.String({ maxLength: max }));

/**
 * A2: client id, mode, version, platform and family are labels: any text is accepted, so that a client nobody has
 * heard of isn't refused for its name (OpenClaw has a closed list of ids). They stand in signed texts, so what
 * delimits those (`|`), and control characters, can't be in them: no two requests have the same signed text.
 */
const label = (min: number, max: number) =>
  Type.String({ minLength: min, maxLength: max, pattern: '^[^|\\u0000-\\u001f\\u007f]*$' });

/** A scope's or command's name. Neither `,` nor `|`: one name can't pass for two in a signed text. */
const ScopeName = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_.:-]+$' });

const BASE64URL = '^[A-Za-z0-9_-]+$';
/** 32 bytes, in base64url: a key, a nonce, a digest. */
const Bytes32 = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });

const Client = Type.Object({
  id: label(1, 64),
  mode: label(1, 64),
  version: label(0, 64),
  platform: label(0, 64),
  deviceFamily: Type.Optional(label(0, 64)),
  displayName: text(256),
  modelIdentifier: text(128),
  instanceId: text(128),
  buildId: text(256),
  timeZone: text(64),
});

/** OpenClaw's six names, and A11's owner proof. */
const Auth = Type.Object(
  {
    token: text(4096),
    password: text(4096),
    deviceToken: text(4096),
    /** A14: a setup code. */
    bootstrapToken: text(4096),
    approvalRuntimeToken: text(4096),
    agentRuntimeIdentityToken: text(4096),
    /** base64url HMAC-SHA256 of `ownerText('client', …)` with the owner key. */
    ownerProof: Type.Optional(Bytes32),
  },
  { additionalProperties: false },
);

/** A3. Encodings are judged by whoever verifies: only the canonical ones are taken. */
const Device = Type.Object(
  {
    /** Lower-case hex SHA-256 of the raw key. */
    id: Type.String({ minLength: 1, maxLength: 128, pattern: '^[^|\\u0000-\\u001f\\u007f]*$' }),
    /** base64url of the 32 raw bytes. */
    publicKey: Type.String({ minLength: 1, maxLength: 512 }),
    /** base64url of 64 bytes. */
    signature: Type.String({ minLength: 1, maxLength: 512 }),
    /** Milliseconds by the client's clock. */
    signedAt: Type.Integer(),
    /** Absent in 2.19's v1 texts, which are refused with that said, not as invalid. */
    nonce: Type.Optional(Type.String({ maxLength: 256 })),
    /** A18, A19: present: the signed text is `lk1`. */
    latchkey: Type.Optional(
      Type.Object(
        {
          gatewayKey: Bytes32,
          host: Type.String({ minLength: 1, maxLength: 300, pattern: '^[^|\\u0000-\\u0020\\u007f]*$' }),
          r: Type.String({ minLength: 22, maxLength: 86, pattern: BASE64URL }),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

/** `connect.params` (PROTOCOL.md §3.1, §9). Open but for `auth`, `device`, `scopes` and `role`. */
export const ConnectParams = Type.Object({
  minProtocol: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  maxProtocol: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  client: Client,
  /** `operator` when absent; another than the roles there are is refused as `invalid role`. */
  role: Type.Optional(label(1, 32)),
  /** A1: absent asks for the whole grant, `[]` for nothing. Names that no scope has are reported, not refused. */
  scopes: Type.Optional(Type.Array(ScopeName, { maxItems: 32 })),
  caps: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 128 })),
  /** What a node can do; its grant's grammar. */
  commands: Type.Optional(Type.Array(ScopeName, { maxItems: 256 })),
  auth: Type.Optional(Auth),
  device: Type.Optional(Device),
  locale: text(64),
  userAgent: text(512),
  pathEnv: text(16_384),
  permissions: Type.Optional(Type.Unknown()),
  modelCatalog: Type.Optional(Type.Unknown()),
  computerUse: Type.Optional(Type.Unknown()),
  workerRuns: Type.Optional(Type.Unknown()),
});
export type ConnectParams = Static<typeof ConnectParams>;

/** The versions that are spoken. */
export const PROTOCOLS = [3, 4] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** The highest version that both sides speak; `null`: none. */
export function protocolFor(range: { readonly minProtocol: number; readonly maxProtocol: number }): Protocol | null {
  return [...PROTOCOLS].reverse().find((p) => range.minProtocol <= p && p <= range.maxProtocol) ?? null;
}
