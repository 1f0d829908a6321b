import * as Type from '../type.ts';
import { Instant } from './shape.ts';

/** Parts of params and results that the methods about conversations share (PROTOCOL.md §5.2). */

/** `main`, `agent:main:main`, a place of the agent: core/conversation/session.ts says what is one. */
export const Key = Type.String({ maxLength: 1_024 });
export const AgentId = Type.String({ minLength: 1, maxLength: 64 });
/** Names a run for good: what was accepted under it is not accepted a second time, also after a restart. */
export const RunId = Type.String({ minLength: 1, maxLength: 128 });

/** What comes with a message, as OpenClaw's clients send it. `content`: base64. */
export const Attachments = Type.Optional(
  Type.Array(
    Type.Object({
      type: Type.Optional(Type.String()),
      mimeType: Type.Optional(Type.String({ maxLength: 128 })),
      fileName: Type.Optional(Type.String({ maxLength: 256 })),
      content: Type.String(),
    }),
    { maxItems: 32 },
  ),
);

/** The answer is to go to a channel, beside whoever asks: refused as long as there is none. */
export const Deliver = Type.Optional(Type.Boolean());

const Usage = Type.Object({
  input: Type.Integer(),
  output: Type.Integer(),
  cacheRead: Type.Integer(),
  cacheWrite: Type.Integer(),
  totalTokens: Type.Integer(),
});

/** One message of a transcript, as OpenClaw's clients read it. `content`: parts `{type: "text", text}` and others. */
export const Message = Type.Object({
  /** `user`, `assistant`, `toolResult`, `system`. */
  role: Type.String(),
  content: Type.Array(Type.Unknown()),
  timestamp: Instant,
  provider: Type.Optional(Type.String()),
  model: Type.Optional(Type.String()),
  usage: Type.Optional(Usage),
  stopReason: Type.Optional(Type.String()),
  toolCallId: Type.Optional(Type.String()),
  toolName: Type.Optional(Type.String()),
  isError: Type.Optional(Type.Boolean()),
  /** The model is not told of it. */
  excludeFromContext: Type.Optional(Type.Boolean()),
  /** OpenClaw's name for what a gateway adds: the row's id, its number from 1 without a gap, and its run. */
  __openclaw: Type.Object({
    id: Type.String(),
    seq: Type.Integer(),
    runId: Type.Optional(Type.String()),
    kind: Type.Optional(Type.String()),
    /** Who said it, as claimed. */
    senderId: Type.Optional(Type.String()),
  }),
});

/** How much a model can be told to think, as OpenClaw's clients read it. */
export const ThinkingLevels = Type.Array(Type.Object({ id: Type.String(), label: Type.String() }));

/** How a run ended: `error`, `aborted`, `interrupted`, `joined`; of an error what went wrong, and the command that helps on the gateway's host. */
const Ended = {
  kind: Type.String(),
  code: Type.Optional(Type.String()),
  text: Type.Optional(Type.String()),
  remedy: Type.Optional(Type.String()),
  /** Of one that joined another: the id of that one. */
  into: Type.Optional(Type.String()),
};
const RunEnded = Type.Object(Ended);

/** Latchkey's own: of runs of which rows are told, how those ended that did not end by themselves. */
export const RunEnds = Type.Array(Type.Object({ runId: Type.String(), ...Ended }));

/** A session, as OpenClaw's clients of v3 and v4 read it. */
export const SessionRow = Type.Object({
  key: Type.String(),
  kind: Type.String(),
  chatType: Type.String(),
  agentId: Type.String(),
  isMain: Type.Boolean(),
  sessionId: Type.String(),
  createdAt: Instant,
  updatedAt: Instant,
  label: Type.Optional(Type.String()),
  displayName: Type.Optional(Type.String()),
  derivedTitle: Type.Optional(Type.String()),
  lastMessagePreview: Type.Optional(Type.String()),
  modelProvider: Type.Optional(Type.String()),
  model: Type.Optional(Type.String()),
  /** Absent: none is set for it. */
  thinkingLevel: Type.Optional(Type.String()),
  thinkingLevels: ThinkingLevels,
  thinkingDefault: Type.String(),
  effectiveQueueMode: Type.String(),
  inputTokens: Type.Integer(),
  outputTokens: Type.Integer(),
  /** What the latest call of the model took in: how full the window is. */
  totalTokens: Type.Integer(),
  totalTokensFresh: Type.Boolean(),
  contextTokens: Type.Optional(Type.Integer()),
  systemSent: Type.Boolean(),
  abortedLastRun: Type.Boolean(),
  /** As 9.6 knows them: `running`, `done`, `failed`, `killed`, `timeout`. */
  status: Type.String(),
  hasActiveRun: Type.Boolean(),
  activeRunIds: Type.Array(Type.String()),
  lastRunId: Type.Optional(Type.String()),
  /** Latchkey's own: `running`, `queued`, else how the last run ended: `done`, `failed`, `aborted`, `interrupted`. */
  state: Type.String(),
  /** Latchkey's own: how the last run ended, where that was not well; absent also while another one is open. */
  lastRunEnd: Type.Optional(RunEnded),
  /** Latchkey's own: the number of the last row of its transcript; how many of the first were taken away, where any were. */
  rows: Type.Integer(),
  droppedRows: Type.Optional(Type.Integer()),
});

/** What a session is that nothing was set for. */
export const Defaults = Type.Object({
  modelProvider: Type.String(),
  model: Type.String(),
  contextTokens: Type.Union([Type.Integer(), Type.Null()]),
  thinkingLevels: ThinkingLevels,
  thinkingDefault: Type.String(),
});
