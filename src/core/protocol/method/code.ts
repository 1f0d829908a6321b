import type { OperatorScope } from '../../authz/scope.ts';
import * as Type from '../type.ts';
import type { Method } from './method.ts';
import { ADMIN, PAIRING, READ } from './scope.ts';
import { IdempotencyKey, Instant, Role, Scopes } from './shape.ts';

const APPROVALS = 'operator.approvals' satisfies OperatorScope;
const TALK_SECRETS = 'operator.talk.secrets' satisfies OperatorScope;
const WRITE = 'operator.write' satisfies OperatorScope;

/** What a code gives that names no scopes: to read, to talk to agents and to answer them; not to decide about devices. */
export const USUAL: readonly OperatorScope[] = [APPROVALS, READ, WRITE];

/** What OpenClaw's `bootstrapProfile` means here: one role and exact scopes (A14). */
export const PROFILES = {
  full: { access: 'full', role: 'operator', scopes: [ADMIN] },
  limited: { access: 'limited', role: 'operator', scopes: [APPROVALS, READ, TALK_SECRETS, WRITE] },
  node: { access: 'node', role: 'node', scopes: [] },
  'voice-node': { access: 'node', role: 'node', scopes: [] },
} as const;

/** Where the new device is to dial. Absent: what the gateway knows of its own addresses. `https://` stands for `wss://`. */
const PublicUrl = Type.Optional(Type.String({ minLength: 1, maxLength: 512 }));

/** Where the code leads. */
const Place = {
  /** base64url of `{url, urls?, bootstrapToken, gatewayKey, tlsFingerprint?}` as JSON: what a person carries over. */
  setupCode: Type.String(),
  gatewayUrl: Type.String(),
  /** All of them, where there are several. */
  gatewayUrls: Type.Optional(Type.Array(Type.String())),
  /** What named the address: `publicUrl`, or `gateway.bind=loopback`. */
  urlSource: Type.String(),
  /** A device on another host can dial it as it stands. */
  beyondHost: Type.Boolean(),
  /** Nobody on the way reads along. */
  encrypted: Type.Boolean(),
};

export const codeCreate = {
  name: 'device.code.create',
  scope: PAIRING,
  role: 'operator',
  acts: true,
  input: Type.Object({
    role: Type.Optional(Role),
    /** Exactly these. Absent: for role operator to read, to write and to answer approvals, for role node nothing. */
    scopes: Type.Optional(Scopes),
    publicUrl: PublicUrl,
    idempotencyKey: IdempotencyKey,
  }),
  output: Type.Object({
    /** The secret in it, by itself. Shown once; only its hash is kept. */
    code: Type.String(),
    role: Type.String(),
    scopes: Type.Array(Type.String()),
    expiresAtMs: Instant,
    ...Place,
  }),
  errors: ['beyond_decider', 'beyond_request'],
  summary: 'Makes a setup code: good once, for ten minutes, for exactly these scopes.',
} as const satisfies Method;

export const setupCode = {
  name: 'device.pair.setupCode',
  scope: ADMIN,
  role: 'operator',
  acts: true,
  input: Type.Object({
    publicUrl: PublicUrl,
    /** OpenClaw's choice between two configured addresses; here there is one. */
    preferRemoteUrl: Type.Optional(Type.Boolean()),
    /** Absent: yes. */
    includeQr: Type.Optional(Type.Boolean()),
    /** Absent: full access, or limited where the code would lead over the network in clear. */
    bootstrapProfile: Type.Optional(Type.Enum(['limited', 'node', 'voice-node'])),
    idempotencyKey: IdempotencyKey,
  }),
  output: Type.Object({
    ...Place,
    /** A PNG. Absent: not wanted, or too long a code for one. */
    qrDataUrl: Type.Optional(Type.String()),
    /** How the gateway's shared secret is called; the secret itself is in no code. */
    auth: Type.Enum(['token', 'password']),
    access: Type.Enum(['full', 'limited', 'node']),
    /** Full access was left out because of the way in clear. */
    accessDowngraded: Type.Optional(Type.Boolean()),
    role: Type.String(),
    scopes: Type.Array(Type.String()),
    expiresAtMs: Instant,
  }),
  errors: ['beyond_decider'],
  summary: "A setup code under OpenClaw's name, with a QR code to scan.",
} as const satisfies Method;
