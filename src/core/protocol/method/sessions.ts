import * as Type from '../type.ts';
import { AgentId, Attachments, Defaults, Key, Message, RunId, SessionRow, ThinkingLevels } from './conversation.ts';
import type { Method } from './method.ts';
import { ADMIN, READ, WRITE } from './scope.ts';
import { Instant } from './shape.ts';

const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 }));
const Flag = Type.Optional(Type.Boolean());

const OrNone = Type.Union([Type.Number(), Type.Null()]);

/** What is kept, and what the last pass in which anything was forgotten took; `warn`: would have taken. `null`: for good. */
const Maintenance = Type.Object({
  mode: Type.String(),
  pruneAfterMs: OrNone,
  resetArchiveRetentionMs: OrNone,
  runRetentionMs: OrNone,
  maxEntries: OrNone,
  maxDiskBytes: OrNone,
  maxTranscriptRows: OrNone,
  maxTranscriptBytes: OrNone,
  maxAttachmentBytes: OrNone,
  last: Type.Union([
    Type.Object({
      at: Instant,
      mode: Type.String(),
      sessions: Type.Integer(),
      conversations: Type.Integer(),
      rows: Type.Integer(),
      runs: Type.Integer(),
      attachments: Type.Integer(),
    }),
    Type.Null(),
  ]),
});

/** As 9.6 reads it: pages are not made, the newest are told and whether there are more. */
const List = Type.Object({
  ts: Instant,
  path: Type.String(),
  count: Type.Integer(),
  totalCount: Type.Integer(),
  limitApplied: Type.Integer(),
  nextOffset: Type.Null(),
  hasMore: Type.Boolean(),
  owners: Type.Array(Type.Unknown()),
  defaults: Defaults,
  sessions: Type.Array(SessionRow),
  /** Latchkey's own. */
  maintenance: Maintenance,
});

const Listed = {
  /** 200 when absent. */
  limit: Limit,
  agentId: Type.Optional(AgentId),
  /** In key, label or name. */
  search: Type.Optional(Type.String({ maxLength: 256 })),
  /** Only those that changed in the last so many minutes. */
  activeMinutes: Type.Optional(Type.Number({ minimum: 0 })),
  includeDerivedTitles: Flag,
  includeLastMessage: Flag,
};

export const sessionsList = {
  name: 'sessions.list',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object(Listed),
  output: List,
  errors: ['unknown_agent'],
  summary: 'The sessions, by their latest change.',
} as const satisfies Method;

export const sessionsSubscribe = {
  name: 'sessions.subscribe',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({ ...Listed, ownerFirst: Flag }),
  output: Type.Object({
    subscribed: Type.Boolean(),
    /** Where the params ask for one. */
    list: Type.Optional(List),
  }),
  errors: ['unknown_agent'],
  summary: 'From now on this connection is told of every change of a session and of its messages.',
} as const satisfies Method;

export const sessionsGet = {
  name: 'sessions.get',
  scope: READ,
  role: 'operator',
  input: Type.Object({ key: Key, agentId: Type.Optional(AgentId), limit: Limit }),
  output: Type.Object({ key: Type.String(), messages: Type.Array(Message) }),
  errors: ['unknown_agent', 'session_key', 'session_unknown'],
  summary: 'The newest messages of one session.',
} as const satisfies Method;

export const sessionsDescribe = {
  name: 'sessions.describe',
  scope: READ,
  role: 'operator',
  input: Type.Object({ key: Key, agentId: Type.Optional(AgentId) }),
  output: Type.Object({
    /** `null`: there is none. */
    session: Type.Union([SessionRow, Type.Null()]),
    /** Latchkey's own: conversations that were reset and whose rows are kept, the newest first, at most 50. */
    earlier: Type.Optional(
      Type.Array(Type.Object({ sessionId: Type.String(), resetAt: Instant, bytes: Type.Integer() })),
    ),
  }),
  errors: ['unknown_agent', 'session_key'],
  summary: 'One session.',
} as const satisfies Method;

export const sessionsPreview = {
  name: 'sessions.preview',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({
    keys: Type.Array(Key, { maxItems: 64 }),
    /** Messages of each, 12 when absent. */
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 50 })),
    /** Of each message, 240 when absent. */
    maxChars: Type.Optional(Type.Integer({ minimum: 20, maximum: 2_000 })),
  }),
  output: Type.Object({
    ts: Instant,
    previews: Type.Array(
      Type.Object({
        key: Type.String(),
        /** `ok`, `empty`, `missing`. */
        status: Type.String(),
        items: Type.Array(Type.Object({ role: Type.String(), text: Type.String() })),
      }),
    ),
  }),
  errors: [],
  summary: 'The last words of several sessions.',
} as const satisfies Method;

export const sessionsResolve = {
  name: 'sessions.resolve',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({
    key: Type.Optional(Key),
    sessionId: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    label: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    agentId: Type.Optional(AgentId),
  }),
  output: Type.Object({ ok: Type.Boolean(), key: Type.String() }),
  errors: ['unknown_agent', 'session_key', 'session_unknown'],
  summary: 'The key of the session that is meant.',
} as const satisfies Method;

const Named = Type.Union([Type.String({ minLength: 1, maxLength: 256 }), Type.Null()]);

export const sessionsPatch = {
  name: 'sessions.patch',
  // What is set is what each message may bring along, and where it goes: nobody who talks gains by it (9.6 has it so too).
  scope: WRITE,
  role: 'operator',
  acts: true,
  input: Type.Object({
    key: Key,
    agentId: Type.Optional(AgentId),
    /** `null`: as the agent has it. */
    label: Type.Optional(Type.Union([Type.String({ minLength: 1, maxLength: 64 }), Type.Null()])),
    /** A choice of the administrator's: the row below. */
    model: Type.Optional(Named),
    thinkingLevel: Type.Optional(Named),
    queueMode: Type.Optional(Type.Union([Type.Enum(['steer', 'followup', 'collect', 'interrupt']), Type.Null()])),
  }),
  output: Type.Object({
    ok: Type.Boolean(),
    path: Type.String(),
    key: Type.String(),
    entry: SessionRow,
    resolved: Type.Object({
      modelProvider: Type.String(),
      model: Type.String(),
      /** What the model does of what is set: a level that it doesn't have is lowered. */
      thinkingLevel: Type.String(),
      thinkingLevels: ThinkingLevels,
    }),
  }),
  errors: ['unknown_agent', 'session_key', 'unknown_model', 'unknown_thinking', 'run_stopping', 'too_many_sessions'],
  summary:
    'Sets what is set for one session: its name, how much is thought, what becomes of messages while it is busy.',
} as const satisfies Method;

export const sessionsPatchModel = {
  ...sessionsPatch,
  given: 'model',
  scope: ADMIN,
  summary: 'The same with a model for the session.',
} as const satisfies Method;

export const sessionsCreate = {
  name: 'sessions.create',
  scope: WRITE,
  role: 'operator',
  acts: true,
  keepsKey: true,
  input: Type.Object({
    /** Absent: a place of its own, the same again for the same idempotency key. */
    key: Type.Optional(Key),
    agentId: Type.Optional(AgentId),
    label: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    /** A choice of the administrator's: the row below. */
    model: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    thinkingLevel: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    /** Said in it at once, `task` where there is no `message`. */
    message: Type.Optional(Type.String()),
    task: Type.Optional(Type.String()),
    attachments: Attachments,
    idempotencyKey: Type.Optional(RunId),
  }),
  output: Type.Object({
    ok: Type.Boolean(),
    key: Type.String(),
    sessionId: Type.String(),
    entry: SessionRow,
    /** Where something was said: whether it was accepted, and what else became of it. */
    runStarted: Type.Optional(Type.Boolean()),
    runId: Type.Optional(Type.String()),
    runError: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
  }),
  errors: ['unknown_agent', 'session_key', 'unknown_model', 'unknown_thinking', 'run_stopping', 'too_many_sessions'],
  summary: 'Begins a session, and says something in it at once where that is given. One that is there stays as it is.',
} as const satisfies Method;

export const sessionsCreateModel = {
  ...sessionsCreate,
  given: 'model',
  scope: ADMIN,
  summary: 'The same with a model for the session.',
} as const satisfies Method;

export const sessionsReset = {
  name: 'sessions.reset',
  scope: ADMIN,
  role: 'operator',
  acts: true,
  input: Type.Object({ key: Key, agentId: Type.Optional(AgentId), reason: Type.Optional(Type.String()) }),
  output: Type.Object({ ok: Type.Boolean(), key: Type.String(), entry: SessionRow }),
  errors: ['unknown_agent', 'session_key', 'run_stopping', 'too_many_sessions'],
  summary: 'Begins another conversation under the same key. What runs in it is aborted.',
} as const satisfies Method;

export const sessionsDelete = {
  name: 'sessions.delete',
  scope: ADMIN,
  role: 'operator',
  acts: true,
  input: Type.Object({
    key: Key,
    agentId: Type.Optional(AgentId),
    /**
     * Only if it is archived. No session is, so nothing is deleted; for that 9.6 asks for less, which would give nobody
     * anything here.
     */
    archivedOnly: Type.Optional(Type.Boolean()),
  }),
  output: Type.Object({
    ok: Type.Boolean(),
    key: Type.String(),
    /** False: there was none. */
    deleted: Type.Boolean(),
    archived: Type.Array(Type.String()),
  }),
  errors: ['unknown_agent', 'session_key', 'run_stopping'],
  summary: 'Forgets a session and all that was said in it.',
} as const satisfies Method;

export const sessionsCompact = {
  name: 'sessions.compact',
  scope: ADMIN,
  role: 'operator',
  acts: true,
  input: Type.Object({ key: Key, agentId: Type.Optional(AgentId) }),
  output: Type.Object({
    ok: Type.Boolean(),
    key: Type.String(),
    /** False: there is nothing to sum up. */
    compacted: Type.Boolean(),
  }),
  errors: ['unknown_agent', 'session_key', 'session_unknown', 'run_stopping', 'gateway_needed'],
  summary: 'Sums up what is old in a session, for the model; people still see all of it.',
} as const satisfies Method;

const Tokens = {
  input: Type.Integer(),
  output: Type.Integer(),
  cacheRead: Type.Integer(),
  cacheWrite: Type.Integer(),
  totalTokens: Type.Integer(),
};

export const sessionsUsage = {
  name: 'sessions.usage',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({ key: Type.Optional(Key), agentId: Type.Optional(AgentId), limit: Limit }),
  output: Type.Object({
    updatedAt: Instant,
    sessions: Type.Array(
      Type.Object({
        key: Type.String(),
        sessionId: Type.String(),
        agentId: Type.String(),
        updatedAt: Instant,
        usage: Type.Object(Tokens),
      }),
    ),
    totals: Type.Object(Tokens),
  }),
  errors: ['unknown_agent', 'session_key', 'session_unknown'],
  summary: 'How many tokens the sessions took.',
} as const satisfies Method;
