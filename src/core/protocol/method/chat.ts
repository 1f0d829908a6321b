import * as Type from '../type.ts';
import { AgentId, Attachments, Defaults, Deliver, Key, Message, RunEnds, RunId, SessionRow } from './conversation.ts';
import type { Method } from './method.ts';
import { ADMIN, READ, WRITE } from './scope.ts';
import { Instant } from './shape.ts';

export const chatHistory = {
  name: 'chat.history',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({
    sessionKey: Key,
    agentId: Type.Optional(AgentId),
    /** Messages, 200 when absent. */
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
    /** Only what stands before this number: the page before an earlier answer. */
    before: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  output: Type.Object({
    sessionKey: Type.String(),
    /** Absent: nothing was ever said there. */
    sessionId: Type.Optional(Type.String()),
    /** Oldest first. */
    messages: Type.Array(Message),
    /** What is set for the session, else what its model does by itself. */
    thinkingLevel: Type.String(),
    hasMore: Type.Boolean(),
    totalMessages: Type.Integer(),
    /** What waits for its turn. */
    pendingInputs: Type.Object({
      items: Type.Array(Type.Object({ runId: Type.String(), text: Type.String(), acceptedAt: Instant })),
      total: Type.Integer(),
    }),
    defaults: Defaults,
    sessionInfo: Type.Optional(SessionRow),
    runEnds: RunEnds,
  }),
  errors: ['unknown_agent', 'session_key'],
  summary: 'The newest messages of a session, or those before an earlier answer.',
} as const satisfies Method;

export const chatSend = {
  name: 'chat.send',
  scope: WRITE,
  role: 'operator',
  acts: true,
  keepsKey: true,
  input: Type.Object({
    sessionKey: Key,
    agentId: Type.Optional(AgentId),
    message: Type.String(),
    attachments: Attachments,
    thinking: Type.Optional(Type.String({ maxLength: 32 })),
    /** That the run may work, from its start on; 0 or absent: as long as it takes. */
    timeoutMs: Type.Optional(Type.Integer({ minimum: 0 })),
    deliver: Deliver,
    /** The run's id. */
    idempotencyKey: RunId,
  }),
  output: Type.Object({
    runId: Type.String(),
    /** `started`; sent again: `in_flight`, or how it ended: `ok`, `error`, `aborted`. */
    status: Type.String(),
    summary: Type.Optional(Type.String()),
  }),
  errors: [
    'unknown_agent',
    'session_key',
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
  summary: 'Says something to an agent. Answered once it is stored; what the agent says comes as events.',
} as const satisfies Method;

export const chatAbort = {
  name: 'chat.abort',
  scope: WRITE,
  role: 'operator',
  acts: true,
  input: Type.Object({
    sessionKey: Key,
    agentId: Type.Optional(AgentId),
    /** Absent: all of the session's, with what waits. */
    runId: Type.Optional(RunId),
  }),
  output: Type.Object({ ok: Type.Boolean(), aborted: Type.Boolean(), runIds: Type.Array(Type.String()) }),
  errors: ['unknown_agent', 'session_key'],
  summary: 'Ends a run of a session, or all of them. Once it is answered the model is no longer listened to.',
} as const satisfies Method;

export const chatInject = {
  name: 'chat.inject',
  scope: ADMIN,
  role: 'operator',
  acts: true,
  input: Type.Object({
    sessionKey: Key,
    agentId: Type.Optional(AgentId),
    message: Type.String({ minLength: 1 }),
    label: Type.Optional(Type.String({ maxLength: 100 })),
  }),
  output: Type.Object({ ok: Type.Boolean(), messageId: Type.String(), seq: Type.Integer() }),
  errors: ['unknown_agent', 'session_key', 'message_too_large', 'run_stopping', 'too_many_sessions'],
  summary: "Puts a message into a session as the agent's words, without a model.",
} as const satisfies Method;
