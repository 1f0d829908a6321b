import * as Type from '../type.ts';
import type { Method } from './method.ts';
import { ADMIN, READ } from './scope.ts';
import { IdempotencyKey, Instant } from './shape.ts';

const Text = Type.Optional(Type.String());

const SessionsOf = Type.Object({
  path: Type.String(),
  count: Type.Integer(),
  recent: Type.Array(Type.Unknown()),
});

const Heartbeat = Type.Object({
  enabled: Type.Boolean(),
  every: Type.String(),
  everyMs: Type.Union([Type.Number(), Type.Null()]),
  prompt: Type.String(),
  target: Type.String(),
  ackMaxChars: Type.Number(),
});

/** How well the process keeps up. Milliseconds, and shares from 0 to 1. */
export const EventLoop = Type.Object({
  degraded: Type.Boolean(),
  degradedSinceMs: Type.Union([Type.Number(), Type.Null()]),
  reasons: Type.Array(Type.String()),
  intervalMs: Type.Number(),
  delayP99Ms: Type.Number(),
  delayMaxMs: Type.Number(),
  utilization: Type.Number(),
  cpuCoreRatio: Type.Number(),
});

export const health = {
  name: 'health',
  scope: 'none',
  role: 'any',
  input: Type.Object({ probe: Type.Optional(Type.Boolean()) }),
  output: Type.Object({
    ok: Type.Boolean(),
    ts: Instant,
    durationMs: Type.Number(),
    channels: Type.Record(Type.String(), Type.Unknown()),
    channelOrder: Type.Array(Type.String()),
    channelLabels: Type.Record(Type.String(), Type.String()),
    heartbeatSeconds: Type.Number(),
    defaultAgentId: Type.String(),
    agents: Type.Array(
      Type.Object({
        agentId: Type.String(),
        isDefault: Type.Boolean(),
        heartbeat: Heartbeat,
        sessions: SessionsOf,
      }),
    ),
    sessions: SessionsOf,
    plugins: Type.Object({
      loaded: Type.Array(Type.String()),
      errors: Type.Array(Type.Unknown()),
      unavailable: Type.Array(Type.Unknown()),
    }),
    eventLoop: EventLoop,
  }),
  errors: [],
  summary: 'Whether the gateway works. Answered to every session, whatever it holds.',
} as const satisfies Method;

export const status = {
  name: 'status',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({
    includeChannelSummary: Type.Optional(Type.Boolean()),
    includeCliProjection: Type.Optional(Type.Boolean()),
    /** Latchkey's own: also look at the store, the disk, the clock, and what of the state directory names this gateway. */
    deep: Type.Optional(Type.Boolean()),
    /** A nonce that a port sent: whether it is this gateway's, on a socket that is still open. */
    challenge: Type.Optional(Type.String({ maxLength: 64 })),
  }),
  output: Type.Object({
    runtimeVersion: Type.String(),
    heartbeat: Type.Object({
      defaultAgentId: Type.String(),
      agents: Type.Array(
        Type.Object({
          agentId: Type.String(),
          enabled: Type.Boolean(),
          every: Type.String(),
          everyMs: Type.Union([Type.Number(), Type.Null()]),
        }),
      ),
    }),
    channelSummary: Type.Array(Type.Unknown()),
    queuedSystemEvents: Type.Array(Type.Unknown()),
    sessions: Type.Object({
      paths: Type.Array(Type.String()),
      count: Type.Integer(),
      defaults: Type.Object({
        model: Type.Union([Type.String(), Type.Null()]),
        contextTokens: Type.Union([Type.Integer(), Type.Null()]),
      }),
      recent: Type.Array(Type.Unknown()),
      byAgent: Type.Array(
        Type.Object({
          agentId: Type.String(),
          path: Type.String(),
          count: Type.Integer(),
          recent: Type.Array(Type.Unknown()),
        }),
      ),
    }),
    /** 9.6 reads these two. */
    tasks: Type.Object({
      total: Type.Integer(),
      active: Type.Integer(),
      terminal: Type.Integer(),
      failures: Type.Integer(),
    }),
    taskAudit: Type.Object({ total: Type.Integer(), warnings: Type.Integer(), errors: Type.Integer() }),
    eventLoop: EventLoop,
    pid: Type.Integer(),
    uptimeMs: Type.Number(),
    /** Latchkey's own part: what `latchkey status` shows. */
    latchkey: Type.Record(Type.String(), Type.Unknown()),
  }),
  errors: [],
  summary: 'What the gateway is and does now.',
} as const satisfies Method;

/** One connected client, or the gateway itself. */
export const PresenceRow = Type.Object({
  host: Type.String(),
  ip: Text,
  version: Type.String(),
  platform: Type.String(),
  deviceFamily: Text,
  modelIdentifier: Text,
  mode: Type.String(),
  reason: Type.String(),
  text: Type.String(),
  ts: Instant,
  deviceId: Text,
  roles: Type.Optional(Type.Array(Type.String())),
  scopes: Type.Optional(Type.Array(Type.String())),
  instanceId: Text,
});

export const systemPresence = {
  name: 'system-presence',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({}),
  output: Type.Array(PresenceRow),
  errors: [],
  summary: 'Who is connected.',
} as const satisfies Method;

export const secretRotate = {
  name: 'gateway.secret.rotate',
  scope: ADMIN,
  role: 'operator',
  acts: true,
  input: Type.Object({
    /** Also end the grants of devices that the secret paired, or that its sessions gave something. */
    alsoRevoke: Type.Optional(Type.Boolean()),
    idempotencyKey: IdempotencyKey,
  }),
  output: Type.Object({
    rotatedAtMs: Instant,
    /** Sessions that the old secret had opened. */
    closedSessions: Type.Integer(),
    revoked: Type.Array(Type.String()),
  }),
  errors: ['conflict', 'beyond_decider'],
  summary: 'Makes a new shared secret and closes the sessions that the old one opened; paired devices stay.',
} as const satisfies Method;
