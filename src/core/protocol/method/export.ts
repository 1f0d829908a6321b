import * as Type from '../type.ts';
import { AgentId, Key, RunEnds } from './conversation.ts';
import type { Method } from './method.ts';
import { READ } from './scope.ts';
import { Instant } from './shape.ts';

const ConversationId = Type.String({ minLength: 1, maxLength: 128 });

/** Latchkey's own: a transcript as it is stored, page by page from its beginning. */
export const sessionsRows = {
  name: 'sessions.rows',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({
    key: Key,
    agentId: Type.Optional(AgentId),
    /** Of the first page's answer: a reset between two pages changes nothing of the rest. */
    sessionId: Type.Optional(ConversationId),
    /** The number of the first row that is wanted; 1 when absent. */
    from: Type.Optional(Type.Integer({ minimum: 1 })),
    /** 200 when absent; fewer come where they are large. */
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
  }),
  output: Type.Object({
    key: Type.String(),
    sessionId: Type.String(),
    agentId: Type.String(),
    /** Without secrets that are known or look like one. Oldest first: `{seq, at, run, kind, …}` (core/conversation/row.ts; `stop` in the words of `stopReason`). Attachments are named by their SHA-256. */
    rows: Type.Array(Type.Object({ seq: Type.Integer(), at: Instant, kind: Type.String() })),
    runEnds: RunEnds,
    /** Where the next page begins; `null`: these were the last. */
    next: Type.Union([Type.Integer(), Type.Null()]),
    /** The number of its last row, and of the last one that was taken away. */
    total: Type.Integer(),
    droppedRows: Type.Integer(),
  }),
  errors: ['unknown_agent', 'session_key', 'session_unknown'],
  summary: 'The rows of a transcript from its beginning, also those that are summed up for the model.',
} as const satisfies Method;

/** Latchkey's own. */
export const sessionsAttachment = {
  name: 'sessions.attachment',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({
    key: Key,
    agentId: Type.Optional(AgentId),
    sessionId: ConversationId,
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  }),
  /** Base64; `null`: it is gone. */
  output: Type.Object({ sha256: Type.String(), content: Type.Union([Type.String(), Type.Null()]) }),
  errors: ['unknown_agent', 'session_key', 'session_unknown'],
  summary: 'What came with a message of a transcript.',
} as const satisfies Method;
