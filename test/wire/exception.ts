// What recorded clients were told and are not told here, each with its reason. The list may only shrink: an entry that no
// longer applies, or names a path or a release to which it doesn't, fails conversation.test.ts.
import type { Release } from './conversation.ts';

export interface Exception {
  /** Methods, `connect`, `event NAME`, or HTTP requests. */
  readonly of: readonly string[];
  /**
   * Key paths, each the topmost that differs. `answered`: the recorded gateway refused it. `refused`, `missing`: the
   * recorded gateway didn't.
   */
  readonly paths: readonly string[];
  readonly releases: readonly Release[];
  readonly because: string;
}

const NEW = ['2026.9.6'] as const;
const OLD = ['2026.3.13', '2026.2.19'] as const;
const ALL = [...NEW, ...OLD] as const;

/** Of a `health` payload. */
const unbuilt = [
  'agents[].heartbeat.everyMs',
  'agents[].sessions.recent[]',
  'sessions.recent[]',
  'plugins.loaded[]',
  'configReload',
  'eventLoop.cpuBreakdown',
];
const under = (root: string, paths: readonly string[]) => paths.map((path) => `${root}.${path}`);

export const EXCEPTIONS: readonly Exception[] = [
  // ---- refused there, answered here
  {
    of: ['connect'],
    paths: ['answered'],
    releases: ['2026.2.19'],
    because: 'A1, A4, A13: a paired key, and the right secret on loopback, always connect, whatever they ask',
  },
  {
    of: ['status', 'system-presence', 'config.get'],
    paths: ['answered'],
    releases: ['2026.9.6', '2026.3.13'],
    because: 'A2, A13: the right secret gives a probe without a device what it asks, as it does to every client',
  },
  // ---- answered there, refused here
  {
    of: ['diagnostics.stability', 'doctor.memory.status'],
    paths: ['refused'],
    releases: NEW,
    because: 'not built: unknown methods, never stubs (FEATURES.md §2)',
  },
  // ---- told to fewer
  {
    of: ['device.token.rotate'],
    paths: ['payload.token'],
    releases: ['2026.3.13'],
    because: 'A10: told to the device itself alone, as 2026.9.6 does',
  },
  {
    of: ['connect'],
    paths: ['payload.snapshot.configPath', 'payload.snapshot.stateDir'],
    releases: OLD,
    because: 'told to admins alone, as 2026.9.6 does',
  },
  {
    of: ['GET /startupz'],
    paths: ['body.version', 'body.uptimeMs'],
    releases: NEW,
    because: 'probes are bare: whoever asks is not known (FEATURES.md §3)',
  },
  {
    of: ['connect'],
    paths: under('payload.snapshot.presence[]', ['ip', 'deviceFamily', 'instanceId', 'modelIdentifier']),
    releases: ['2026.9.6', '2026.2.19'],
    because: "optional (PROTOCOL.md §5.2): the gateway's own row names its host and version",
  },
  {
    of: ['system-presence'],
    paths: under('payload[]', ['ip', 'deviceFamily', 'instanceId']),
    releases: NEW,
    because: "optional (PROTOCOL.md §5.2): the gateway's own row names its host and version",
  },
  // ---- nothing there yet
  {
    of: ['health'],
    paths: under('payload', [...unbuilt, 'modelRuntime']),
    releases: ALL,
    because: "no heartbeat, session, plugin or model runs yet; the rest are figures of OpenClaw's own diagnostics",
  },
  {
    of: ['connect'],
    paths: under('payload.snapshot.health', unbuilt),
    releases: ALL,
    because: 'as in health itself',
  },
  {
    of: ['status'],
    paths: ['payload.heartbeat.agents[].everyMs', 'payload.heartbeat.agents[].waitingForRoute'],
    releases: ALL,
    because: 'no heartbeat runs yet',
  },
  { of: ['last-heartbeat'], paths: ['payload'], releases: ['2026.9.6', '2026.3.13'], because: 'no heartbeat ever ran' },
  {
    of: ['status'],
    paths: under('payload.sessions', ['recent[]', 'byAgent[].recent[]', 'defaults.model', 'defaults.contextTokens']),
    releases: OLD,
    because: 'nothing was said in this replay, and which models there are is looked up where something was',
  },
  {
    of: ['connect'],
    paths: under('payload.snapshot.sessionDefaults', ['modelConfigured', 'ownership', 'selectionRequired']),
    releases: NEW,
    because: 'of models and agents, which are not there yet',
  },
  {
    of: ['connect'],
    paths: ['payload.snapshot.updateAvailable', 'payload.snapshot.updateSchedule'],
    releases: ALL,
    because: 'nothing looks for updates yet',
  },
  {
    of: ['connect'],
    paths: under('payload.policy', [
      'attachments',
      'allowedSessionVisibilities',
      'hasMultipleSessionSharingIdentities',
    ]),
    releases: NEW,
    because: 'of attachments and shared sessions, which are not there yet',
  },
  // ---- OpenClaw's own
  {
    of: ['connect', 'event connect.challenge'],
    paths: ['payload.features.capabilities[]', 'payload.capabilities[]'],
    releases: NEW,
    because: 'capabilities that Latchkey has none of; a foreign server may name none (PROTOCOL.md §3.4)',
  },
  {
    of: ['connect'],
    paths: [
      'payload.server.buildId',
      'payload.server.controlUiBuildSource',
      'payload.controlUiLinkReaders',
      'payload.controlUiWidgetKinds',
      'payload.pluginSurfaceUrls',
      'payload.canvasHostUrl',
    ],
    releases: ALL,
    because: "of OpenClaw's control UI and plugins; without a buildId no UI asks to be loaded anew (PROTOCOL.md §8)",
  },
  {
    of: ['connect'],
    paths: ['payload.server.host'],
    releases: ['2026.2.19'],
    because: 'the host is named in the presence, to those who may read it, as 2026.3.13 does',
  },
  {
    of: ['connect'],
    paths: ['payload.auth.recoveryScope', 'payload.snapshot.appliedConfigHash'],
    releases: NEW,
    because: "of OpenClaw's own recovery and reloading; optional (PROTOCOL.md §3.4)",
  },
  {
    of: ['status'],
    paths: under('payload', ['cliProjection', 'hostDesktop', 'modelRuntime', 'shutdownBudget', 'workerPools']),
    releases: NEW,
    because: "parts of OpenClaw's own process and installation that have no counterpart here",
  },
  {
    of: ['status'],
    paths: [
      'payload.eventLoop.cpuBreakdown',
      ...under('payload.processMemory', ['heapUsedBytes', 'heapTotalBytes', 'externalBytes', 'arrayBuffersBytes']),
    ],
    releases: NEW,
    because: "figures of OpenClaw's own diagnostics",
  },
  {
    of: ['channels.status'],
    paths: ['payload.eventLoop.cpuBreakdown'],
    releases: NEW,
    because: "figures of OpenClaw's own diagnostics",
  },
  {
    of: ['config.get'],
    paths: under('payload', [
      'agentRosterIncludeOwned',
      'appliedConfigHash',
      'bindingsIncludeOwned',
      'includeProvenance',
      'includedPaths',
    ]),
    releases: NEW,
    because: 'a configuration is one file here: nothing is included, and what is read is applied',
  },
];
