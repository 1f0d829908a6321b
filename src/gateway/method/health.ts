import type { Instant } from '../../core/base/instant.ts';
import { NOTHING_SEEN, type SessionsSeen, type StatusSeen } from '../chat/recent.ts';
import type { LoopFacts } from '../pulse.ts';

/** Where it is not said which agents there are, or not to be said: OpenClaw's clients read these fields in any case. */
const MAIN = ['main'] as const;
/** Within the state directory: where that is, `health` tells nobody who may not ask `status`. */
const STORE = 'state/latchkey.sqlite';
/** Sessions that `health` names of each agent. */
const BRIEF = 5;

/** `health`, in OpenClaw's shape: what exists now; what doesn't yet is empty, never invented. */
export function healthOf(facts: {
  readonly at: Instant;
  readonly durationMs: number;
  readonly loop: LoopFacts;
  /** The default one first. Absent for who may not read: the default one, as `main`, whatever it is called. */
  readonly agents?: readonly string[] | undefined;
  /** Absent: nothing is told of them here. */
  readonly seen?: SessionsSeen;
}) {
  const { agents = MAIN, seen = NOTHING_SEEN } = facts;
  const brief = ({ count, recent }: Pick<SessionsSeen, 'count' | 'recent'>) => ({
    path: STORE,
    count,
    recent: recent.slice(0, BRIEF),
  });
  const own = (agentId: string) => brief(seen.byAgent.find((one) => one.agentId === agentId) ?? NOTHING_SEEN);
  const heartbeat = { enabled: false, every: 'disabled', everyMs: null, prompt: '', target: 'none', ackMaxChars: 300 };
  return {
    ok: true,
    ts: facts.at,
    durationMs: facts.durationMs,
    channels: {},
    channelOrder: [],
    channelLabels: {},
    heartbeatSeconds: 0,
    defaultAgentId: agents[0] ?? MAIN[0],
    agents: agents.map((agentId, at) => ({ agentId, isDefault: at === 0, heartbeat, sessions: own(agentId) })),
    sessions: brief(seen),
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
  /** The default one first. */
  readonly agents?: readonly string[] | undefined;
  readonly seen: StatusSeen;
  /** Latchkey's own part of the answer: what `latchkey status` shows. */
  readonly latchkey: Record<string, unknown>;
}

/** `status`, in OpenClaw's shape, with Latchkey's own part under `latchkey`. */
export function statusOf(facts: StatusFacts) {
  const { agents = MAIN, seen } = facts;
  return {
    runtimeVersion: facts.version,
    heartbeat: {
      defaultAgentId: agents[0] ?? MAIN[0],
      agents: agents.map((agentId) => ({ agentId, enabled: false, every: 'disabled', everyMs: null })),
    },
    channelSummary: [],
    queuedSystemEvents: [],
    degradedSecretOwners: [],
    degradedPlugins: [],
    tasks: { total: 0, active: 0, terminal: 0, failures: 0, byStatus: {}, byRuntime: {} },
    taskAudit: { total: 0, warnings: 0, errors: 0, byCode: {} },
    sessions: {
      paths: [STORE],
      count: seen.count,
      defaults: seen.defaults,
      recent: seen.recent,
      byAgent: agents.map((agentId) => {
        const { count, recent } = seen.byAgent.find((one) => one.agentId === agentId) ?? NOTHING_SEEN;
        return { agentId, path: STORE, count, recent };
      }),
    },
    eventLoop: facts.loop,
    processMemory: { rssBytes: facts.rssBytes },
    pid: facts.pid,
    uptimeMs: facts.uptimeMs,
    latchkey: facts.latchkey,
  };
}
