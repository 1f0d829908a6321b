import * as Type from '../type.ts';
import { AgentId, Attachments, Deliver, Key, RunId } from './conversation.ts';
import type { Method } from './method.ts';
import { ADMIN, READ, WRITE } from './scope.ts';
import { Instant } from './shape.ts';

const Text = Type.Union([Type.String(), Type.Null()]);
const Count = Type.Integer({ minimum: 0 });

/** How a run ended. `status`: OpenClaw's word; `outcome`: which of Latchkey's ends it was. */
const Ended = {
  runId: Type.String(),
  /** `ok`, `error`; of `agent.wait` also `timeout`: it has not ended. */
  status: Type.String(),
  /** `ok`, `aborted`, `interrupted` (the gateway ended while it ran), `error`. */
  outcome: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
  /** A failure's own name; `timeout`: it had the time that was asked for. */
  code: Type.Optional(Type.String()),
  /** The command that helps, as it is run on the gateway's host. */
  remedy: Type.Optional(Type.String()),
};

export const agent = {
  name: 'agent',
  scope: WRITE,
  role: 'operator',
  acts: true,
  keepsKey: true,
  input: Type.Object({
    message: Type.String(),
    /** The default agent when absent. */
    agentId: Type.Optional(AgentId),
    /** The agent's main session when absent. */
    sessionKey: Type.Optional(Key),
    sessionId: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    attachments: Attachments,
    /** A choice of the administrator's, as in `sessions.patch`: the row below. */
    model: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    /** `off` to `xhigh`, `adaptive`; what the model doesn't have is lowered, and told with its run. */
    thinking: Type.Optional(Type.String({ maxLength: 32 })),
    /** Seconds that the run may work, from its start on; 0 or absent: as long as it takes. */
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
    /** Beside it `channel`, `to` and the like say where to, and mean nothing without it. */
    deliver: Deliver,
    /** The run's id. */
    idempotencyKey: RunId,
  }),
  output: Type.Object({
    runId: Type.String(),
    sessionKey: Type.String(),
    agentId: Type.String(),
    status: Type.String(),
    acceptedAt: Instant,
  }),
  final: Type.Object({
    ...Ended,
    summary: Type.String(),
    result: Type.Object({
      payloads: Type.Array(Type.Object({ text: Type.String(), mediaUrl: Type.Null() })),
      meta: Type.Object({
        durationMs: Count,
        aborted: Type.Boolean(),
        agentMeta: Type.Object({
          sessionId: Type.String(),
          provider: Text,
          model: Text,
          usage: Type.Object({
            input: Count,
            output: Count,
            cacheRead: Count,
            cacheWrite: Count,
            total: Count,
          }),
          /** US dollars; `null`: the price isn't known. */
          costUsd: Type.Union([Type.Number(), Type.Null()]),
        }),
      }),
    }),
  }),
  errors: [
    'unknown_agent',
    'session_key',
    'session_unknown',
    'run_conflict',
    'lane_full',
    'too_many_sessions',
    'unknown_model',
    'unknown_thinking',
    'message_too_large',
    'bad_attachment',
    'run_stopping',
    'gateway_needed',
    'command_invalid',
    'no_channel',
  ],
  summary: 'Says something to an agent. Answered twice: once it is stored, and once the agent is done.',
} as const satisfies Method;

export const agentModel = {
  ...agent,
  given: 'model',
  scope: ADMIN,
  summary: 'The same with a model that the caller chooses.',
} as const satisfies Method;

export const agentWait = {
  name: 'agent.wait',
  scope: WRITE,
  role: 'operator',
  waits: true,
  input: Type.Object({
    runId: RunId,
    /** 30,000 when absent. */
    timeoutMs: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  output: Type.Object({
    ...Ended,
    startedAt: Type.Optional(Instant),
    endedAt: Type.Optional(Instant),
  }),
  errors: ['run_unknown'],
  summary: 'Waits until a run has ended, also one of before a restart.',
} as const satisfies Method;

export const agentIdentity = {
  name: 'agent.identity.get',
  scope: READ,
  role: 'operator',
  input: Type.Object({ agentId: Type.Optional(AgentId), sessionKey: Type.Optional(Key) }),
  output: Type.Object({
    agentId: Type.String(),
    name: Type.String(),
    emoji: Type.Optional(Type.String()),
    /** A picture's URL. */
    avatar: Type.Optional(Type.String()),
  }),
  errors: ['unknown_agent', 'session_key'],
  summary: 'What an agent is called.',
} as const satisfies Method;
