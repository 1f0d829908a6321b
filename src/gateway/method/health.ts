import type { Instant } from '../../core/base/instant.ts';
import type { LoopFacts } from '../pulse.ts';

/** The default agent's name in OpenClaw's shapes; its clients read these fields before any agent exists. */
const MAIN = 'main';
/** Within the state directory: where that is, `health` tells nobody who may not ask `status`. */
const STORE = 'state/latchkey.sqlite';

/** `health`, in OpenClaw's shape: what exists now; what doesn't yet is empty, never invented. */
export function healthOf(facts: { readonly at: Instant; readonly durationMs: number; readonly loop: LoopFacts }) {
  const sessions = { path: STORE, count: 0, recent: [] };
  const heartbeat = { enabled: false, every: 'disabled', everyMs: null, prompt: '', target: 'none', ackMaxChars: 300 };
  return {
    ok: true,
    ts: facts.at,
    durationMs: facts.durationMs,
    channels: {},
    channelOrder: [],
    channelLabels: {},
    heartbeatSeconds: 0,
    defaultAgentId: MAIN,
    agents: [{ agentId: MAIN, isDefault: true, heartbeat, sessions }],
    sessions,
    plugins: { loaded: [], errors: [], unavailable: [] },
    eventLoop: facts.loop,
  };
}

export interface StatusFacts {
  readonly version: string;
  readonly pid: number;
  readonly uptimeMs: number;
  readonly rssBytes: number;
  readonly loop: LoopFacts;
  /** Latchkey's own part of the answer: what `latchkey status` shows. */
  readonly latchkey: Record<string, unknown>;
}

/** `status`, in OpenClaw's shape, with Latchkey's own part under `latchkey`. */
export function statusOf(facts: StatusFacts) {
  return {
    runtimeVersion: facts.version,
    heartbeat: { defaultAgentId: MAIN, agents: [{ agentId: MAIN, enabled: false, every: 'disabled', everyMs: null }] },
    channelSummary: [],
    queuedSystemEvents: [],
    degradedSecretOwners: [],
    degradedPlugins: [],
    tasks: { total: 0, active: 0, terminal: 0, failures: 0, byStatus: {}, byRuntime: {} },
    taskAudit: { total: 0, warnings: 0, errors: 0, byCode: {} },
    sessions: {
      paths: [],
      count: 0,
      defaults: { model: null, contextTokens: null },
      recent: [],
      byAgent: [{ agentId: MAIN, path: '', count: 0, recent: [] }],
    },
    eventLoop: facts.loop,
    processMemory: { rssBytes: facts.rssBytes },
    pid: facts.pid,
    uptimeMs: facts.uptimeMs,
    latchkey: facts.latchkey,
  };
}
