import * as Type from '../type.ts';
import { AgentId } from './conversation.ts';
import type { Method } from './method.ts';
import { ADMIN, READ } from './scope.ts';
import { IdempotencyKey } from './shape.ts';

const Text = Type.Optional(Type.String());

export const agentsList = {
  name: 'agents.list',
  scope: READ,
  role: 'operator',
  inTurn: true,
  input: Type.Object({}),
  output: Type.Object({
    defaultId: Type.String(),
    /** v4's clients read it; there is one owner of all agents here. */
    ownership: Type.String(),
    selectionRequired: Type.Boolean(),
    mainKey: Type.String(),
    scope: Type.String(),
    agents: Type.Array(
      Type.Object({
        id: Type.String(),
        name: Type.String(),
        kind: Type.String(),
        workspace: Type.String(),
        model: Type.Object({ primary: Type.String() }),
        thinkingDefault: Type.String(),
        thinkingLevels: Type.Array(Type.Object({ id: Type.String(), label: Type.String() })),
        /** Where something of it is set. */
        identity: Type.Optional(Type.Object({ name: Text, theme: Text, emoji: Text, avatar: Text, avatarUrl: Text })),
        /** Latchkey's own: what it may take in a day, also where that is what all agents may. `null`: without a bound. */
        budget: Type.Object({
          tokensPerDay: Type.Union([Type.Integer(), Type.Null()]),
          usdPerDay: Type.Union([Type.Number(), Type.Null()]),
        }),
      }),
    ),
  }),
  errors: [],
  summary: 'The agents there are, the default one first.',
} as const satisfies Method;

const Name = Type.String({ minLength: 1, maxLength: 64 });
const Model = Type.String({ minLength: 1, maxLength: 300 });
const Given = {
  /** A directory: absolute, or from `~/` on. The owner's to name. */
  workspace: Type.Optional(Type.String({ minLength: 1, maxLength: 4_096 })),
  emoji: Type.Optional(Type.String({ minLength: 1, maxLength: 16 })),
  avatar: Type.Optional(Type.String({ minLength: 1, maxLength: 65_536 })),
  // ---- Latchkey's own
  /** What it may take in a day. `null` takes a bound of its own away: it is bounded as all agents are. */
  budget: Type.Optional(
    Type.Object({
      tokensPerDay: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Null()])),
      usdPerDay: Type.Optional(Type.Union([Type.Number({ minimum: 0, maximum: 1_000_000 }), Type.Null()])),
    }),
  ),
  /** From now on it is the default one. */
  default: Type.Optional(Type.Literal(true)),
  idempotencyKey: IdempotencyKey,
};
const Warnings = Type.Array(Type.String());

export const agentsCreate = {
  name: 'agents.create',
  scope: ADMIN,
  role: 'operator',
  acts: true,
  input: Type.Object({
    name: Name,
    /** `provider/model` or an alias; as other agents think, when absent. */
    model: Type.Optional(Model),
    /** Latchkey's own. Made of the name when absent. */
    agentId: Type.Optional(AgentId),
    ...Given,
  }),
  output: Type.Object({
    ok: Type.Literal(true),
    agentId: Type.String(),
    name: Type.String(),
    workspace: Type.String(),
    /** Latchkey's own: what the configuration has to say of itself. */
    warnings: Warnings,
  }),
  errors: ['agent_exists', 'unknown_model', 'config_invalid', 'config_beyond', 'conflict'],
  summary: 'Adds an agent to the configuration, and makes its workspace.',
} as const satisfies Method;

export const agentsUpdate = {
  name: 'agents.update',
  scope: ADMIN,
  role: 'operator',
  acts: true,
  input: Type.Object({
    agentId: AgentId,
    name: Type.Optional(Name),
    /** `null`: as other agents think. */
    model: Type.Optional(Type.Union([Model, Type.Null()])),
    ...Given,
  }),
  output: Type.Object({
    ok: Type.Literal(true),
    agentId: Type.String(),
    // ---- Latchkey's own
    /** False: all of it was so already. */
    changed: Type.Boolean(),
    warnings: Warnings,
  }),
  errors: ['unknown_agent', 'unknown_model', 'config_invalid', 'config_beyond', 'conflict'],
  summary: 'Changes what the configuration says of one agent.',
} as const satisfies Method;

export const agentsDelete = {
  name: 'agents.delete',
  scope: ADMIN,
  role: 'operator',
  acts: true,
  input: Type.Object({
    agentId: AgentId,
    /** Its sessions and its own workspace too; they stay when absent. A workspace that was named always stays. */
    deleteFiles: Type.Optional(Type.Boolean()),
    idempotencyKey: IdempotencyKey,
  }),
  output: Type.Object({
    ok: Type.Literal(true),
    agentId: Type.String(),
    removedBindings: Type.Integer({ minimum: 0 }),
    // ---- Latchkey's own
    /** Runs that were at work or waited. */
    abortedRuns: Type.Array(Type.String()),
    /** Its sessions, and whether they are gone. */
    sessions: Type.Integer({ minimum: 0 }),
    sessionsDeleted: Type.Boolean(),
    workspace: Type.String(),
    workspaceDeleted: Type.Boolean(),
    /** The default agent from now on. */
    defaultId: Type.String(),
  }),
  errors: ['unknown_agent', 'agent_reserved', 'config_invalid', 'config_beyond', 'conflict'],
  summary: 'Takes an agent out of the configuration; what it does is aborted, what was said stays readable.',
} as const satisfies Method;
