import { agent, agentIdentity, agentModel, agentWait } from './method/agent.ts';
import { agentsCreate, agentsDelete, agentsList, agentsUpdate } from './method/agents.ts';
import { channelsStatus } from './method/channel.ts';
import { chatAbort, chatHistory, chatInject, chatSend } from './method/chat.ts';
import { codeCreate, setupCode } from './method/code.ts';
import { commandsList } from './method/commands.ts';
import { configGet, configPatch, configSchema, configSchemaLookup, configSet } from './method/config.ts';
import { decisionExplain } from './method/explain.ts';
import { sessionsAttachment, sessionsRows } from './method/export.ts';
import { health, secretRotate, status, systemPresence } from './method/gateway.ts';
import {
  grantNarrow,
  grantNarrowSelf,
  requestUpgrade,
  tokenRevoke,
  tokenRevokeSelf,
  tokenRotate,
  tokenRotateSelf,
  waitUpgrade,
} from './method/grant.ts';
import { lastHeartbeat } from './method/heartbeat.ts';
import { logsTail } from './method/logs.ts';
import { type InputOf, type Method, type OutputOf, type ReplyOf, type RowName, rowName } from './method/method.ts';
import { modelsList, modelsProbe, modelsStatus } from './method/models.ts';
import {
  pairApprove,
  pairEnsure,
  pairList,
  pairReject,
  pairRemove,
  pairRemoveSelf,
  pairRename,
} from './method/pair.ts';
import {
  sessionsCompact,
  sessionsCreate,
  sessionsCreateModel,
  sessionsDelete,
  sessionsDescribe,
  sessionsGet,
  sessionsList,
  sessionsPatch,
  sessionsPatchModel,
  sessionsPreview,
  sessionsReset,
  sessionsResolve,
  sessionsSubscribe,
  sessionsUsage,
} from './method/sessions.ts';
import { usageCost, usageStatus } from './method/usage.ts';

/** Every row there is. A method that isn't built stands nowhere: it is unknown, whatever the caller holds. */
export const METHODS = [
  health,
  status,
  systemPresence,
  lastHeartbeat,
  channelsStatus,
  configGet,
  configSet,
  configPatch,
  configSchema,
  configSchemaLookup,
  secretRotate,
  pairList,
  pairApprove,
  pairReject,
  pairRemove,
  pairRemoveSelf,
  pairRename,
  pairEnsure,
  codeCreate,
  setupCode,
  grantNarrow,
  grantNarrowSelf,
  tokenRotate,
  tokenRotateSelf,
  tokenRevoke,
  tokenRevokeSelf,
  requestUpgrade,
  waitUpgrade,
  decisionExplain,
  logsTail,
  modelsList,
  modelsStatus,
  modelsProbe,
  agentsList,
  agentsCreate,
  agentsUpdate,
  agentsDelete,
  agentIdentity,
  agent,
  agentModel,
  agentWait,
  chatHistory,
  chatSend,
  chatAbort,
  chatInject,
  commandsList,
  sessionsList,
  sessionsSubscribe,
  sessionsGet,
  sessionsDescribe,
  sessionsPreview,
  sessionsResolve,
  sessionsCreate,
  sessionsCreateModel,
  sessionsPatch,
  sessionsPatchModel,
  sessionsReset,
  sessionsDelete,
  sessionsCompact,
  sessionsUsage,
  sessionsRows,
  sessionsAttachment,
  usageStatus,
  usageCost,
] as const satisfies readonly Method[];

type Row = (typeof METHODS)[number];
/** `device.token.revoke`, `device.token.revoke (self)`, … */
export type MethodRow = RowName<Row>;
export type MethodName = Row['name'];
type RowOf<N extends MethodRow> = Row extends infer M
  ? M extends Method
    ? RowName<M> extends N
      ? M
      : never
    : never
  : never;

export type MethodInput<N extends MethodRow> = InputOf<RowOf<N>>;
export type MethodOutput<N extends MethodRow> = OutputOf<RowOf<N>>;
/** What a handler gives: the answer, or both of a method that answers twice. */
export type MethodReply<N extends MethodRow> = ReplyOf<RowOf<N>>;

/** A handler for each row and none beside: what is missing or too many doesn't compile. */
export type Handlers<Context> = {
  readonly [N in MethodRow]: (context: Context, input: MethodInput<N>) => MethodReply<N> | Promise<MethodReply<N>>;
};

/** The rows of one wire name. */
export interface Rows {
  readonly plain: Method;
  readonly self: Method | null;
  readonly given: Method | null;
}

const BY_NAME: ReadonlyMap<string, Rows> = new Map(
  METHODS.filter((m: Method) => m.self !== true && m.given === undefined).map((plain) => {
    const beside: readonly Method[] = METHODS.filter((m) => m.name === plain.name);
    const self = beside.find((m) => m.self === true) ?? null;
    return [plain.name, { plain, self, given: beside.find((m) => m.given !== undefined) ?? null }];
  }),
);

/** The rows behind a wire name; `undefined`: unknown method. */
export function lookup(name: string): Rows | undefined {
  return BY_NAME.get(name);
}

/** `features.methods`: each wire name once. */
export const METHOD_NAMES: readonly string[] = [...BY_NAME.keys()];

export function isMethodRow(name: string): name is MethodRow {
  return METHODS.some((m) => rowName(m) === name);
}

/**
 * The row that speaks for a call: the one with `self` when the caller names its own device, and its own role where
 * the params name one; the one for a key that the params have; else the plain one. `caller`: `null` for callers without a
 * device.
 */
export function rowFor(
  rows: Rows,
  params: { readonly deviceId?: unknown; readonly role?: unknown; readonly [key: string]: unknown },
  caller: { readonly deviceId: string; readonly role: string } | null,
): Method {
  if (rows.given?.given !== undefined && params[rows.given.given] !== undefined) return rows.given;
  const names = rows.self !== null && caller !== null && params.deviceId === caller.deviceId;
  return names && rows.self !== null && (params.role === undefined || params.role === caller.role)
    ? rows.self
    : rows.plain;
}
