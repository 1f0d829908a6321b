// The commands of the table: what is run, and what its output must show to be an answer of the gateway under test.
import type { Evidence, Expectation, Facts, Said } from './judge.ts';
import type { ReleaseName } from './release.ts';

export interface Command extends Expectation {
  /** The row's name, and what is run. */
  readonly line: string;
  /** Why there is nothing to run where there is no file of configuration. */
  readonly needsConfig?: string;
  /** Followed until it shows a line that was logged after it began. */
  readonly follows?: boolean;
  /** The address it shows is opened. */
  readonly shows?: 'page';
}

type Document = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Document => typeof value === 'object' && value !== null;

/** A value deep in a document; `undefined` where the path leads nowhere. */
function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((below, key) => (isRecord(below) ? below[key] : undefined), value);
}

function literal(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** All of these patterns stand in the text. */
function shows(...patterns: ReadonlyArray<(facts: Facts) => string>): Evidence {
  return ({ text }, facts) => {
    const missing = patterns.map((pattern) => pattern(facts)).find((pattern) => !new RegExp(pattern).test(text));
    return missing === undefined ? null : `nothing like ${missing.replaceAll('\\', '')}`;
  };
}

/** All of these hold for the JSON document that it printed. */
function holds(...checks: ReadonlyArray<readonly [string, (document: unknown, facts: Facts) => boolean]>): Evidence {
  return (said: Said, facts) => {
    const document = said.json();
    if (document === undefined) return 'no JSON document';
    return checks.find(([, check]) => !check(document, facts))?.[0] ?? null;
  };
}

const any: Evidence = ({ stdout }) => (stdout.trim() === '' ? 'it printed nothing' : null);

/** What Latchkey says of itself in a place where OpenClaw's gateway has something of its own. */
const own = (latchkey: string, openclaw: string) => (facts: Facts) => (facts.kind === 'latchkey' ? latchkey : openclaw);
const appVersion = ({ version }: Facts) => `app ${literal(version)}`;
const store = own('Session store \\(main\\): state/latchkey\\.sqlite', 'Session store \\(main\\): \\S');
const reachable = () => '\\breachable \\d';

const reached = holds(
  ['gateway.reachable', (document) => at(document, 'gateway', 'reachable') === true],
  ['gateway.error', (document) => at(document, 'gateway', 'error') === null],
  ['gateway.self.version', (document, { version }) => at(document, 'gateway', 'self', 'version') === version],
);

const listed = holds(
  ['pending', (document) => Array.isArray(at(document, 'pending'))],
  [
    'the device that the owner paired',
    (document, { witness }) => {
      const paired = at(document, 'paired');
      if (!Array.isArray(paired)) return false;
      return witness === null || paired.some((row) => at(row, 'deviceId') === witness.id);
    },
  ],
);

/** Parts of `doctor` about something else than the gateway; what they lack has rows of its own. */
const ELSEWHERE = /^(Channel warnings|Telemetry exporters|Memory search)$/;

/** What `doctor` says without the boxes about something else. */
export function gatewayPart(stdout: string): string {
  let title = '';
  const kept: string[] = [];
  for (const line of stdout.split('\n')) {
    title = /^\u25c7\s+(.+?) \u2500/.exec(line)?.[1] ?? title;
    if (!ELSEWHERE.test(title)) kept.push(line);
    if (line.startsWith('\u251c')) title = '';
  }
  return kept.join('\n');
}

const HEALTH: Command = { line: 'health', evidence: shows(() => 'Agents: main', store) };
const DEVICES: Command = {
  line: 'devices list',
  evidence: shows(({ witness }) => (witness === null ? 'Paired \\(\\d|No device pairing entries' : witness.name)),
};

/** @param release the texts of some commands differ between releases */
export function readingCommands(release: ReleaseName): readonly Command[] {
  const isNew = release === '2026.9.6';
  // PROOFS.md has what it says of its own gateway then, in rows `…, without a configuration`.
  const asking = isNew ? { needsConfig: 'without one this release asks no gateway, its own neither' } : {};
  return [
    HEALTH,
    { line: 'status', ...asking, evidence: shows(reachable, appVersion) },
    DEVICES,
    { line: 'devices list --json', evidence: listed },
    { line: 'status --json', ...asking, evidence: reached },
    { line: 'status --deep', ...asking, evidence: shows(reachable, appVersion, () => 'Gateway reachable \\d+ms') },
    {
      line: 'gateway status',
      evidence: shows(
        () => (isNew ? 'Connectivity probe: ok' : 'RPC probe: ok'),
        ({ port }) => `Listening: 127\\.0\\.0\\.1:${port}`,
      ),
    },
    {
      line: 'gateway probe',
      evidence: shows(
        () => 'Reachable: yes',
        () => (isNew ? 'Connect: ok .*Read probe: ok' : 'Connect: ok .*RPC: ok'),
        appVersion,
      ),
    },
    {
      line: 'gateway call health',
      evidence: holds(
        ['ok', (document) => at(document, 'ok') === true],
        ['sessions.path', (document) => typeof at(document, 'sessions', 'path') === 'string'],
      ),
    },
    { line: 'gateway call device.pair.list', evidence: listed },
    {
      line: 'gateway call config.get',
      evidence: holds(
        ['valid', (document) => at(document, 'valid') === true],
        ['its path', (document, { kind }) => String(at(document, 'path')).endsWith(`${kind}.json`)],
        ['no secret in it', (document, { token }) => !JSON.stringify(document).includes(token)],
      ),
    },
    {
      line: 'system presence',
      evidence: holds([
        'the gateway itself',
        (document, { version, kind }) =>
          Array.isArray(document) && document.some((row) => kind === 'openclaw' || at(row, 'version') === version),
      ]),
    },
    { line: 'logs', quotes: true, evidence: shows(() => 'Log file: \\S', own('gateway\\.jsonl.*ready', '.')) },
    { line: 'logs --follow', quotes: true, follows: true, evidence: shows(own('pairing request', '.')) },
    {
      line: 'security audit --deep --json',
      evidence: holds(
        ['deep.gateway.attempted', (document) => at(document, 'deep', 'gateway', 'attempted') === true],
        ['deep.gateway.ok', (document) => at(document, 'deep', 'gateway', 'ok') === true],
      ),
    },
    { line: 'dashboard --no-open', shows: 'page', evidence: shows(({ port }) => `http://127\\.0\\.0\\.1:${port}/`) },
    {
      line: 'doctor --non-interactive',
      part: gatewayPart,
      evidence: shows((facts) => {
        if (!isNew) return store(facts);
        return own(`running Gateway is OpenClaw ${literal(facts.version)}`, 'Doctor complete')(facts);
      }),
    },
    {
      line: 'config get gateway.port',
      needsConfig: 'there is none to read',
      evidence: ({ stdout }, { port }) => (stdout.trim() === String(port) ? null : 'the port'),
    },
  ];
}

const holdsList = (key: string, name: string, value: string) =>
  holds([
    `${value} in ${key}`,
    (document) => {
      const list = at(document, key);
      return Array.isArray(list) && list.some((row) => at(row, name) === value);
    },
  ]);

/** They ask about a conversation that there was: `SAID` and the answer of the built-in model to it. */
export const SAID = 'what was said before';
const TALKING: readonly Command[] = [
  { line: 'agent --agent main --message hi --timeout 30', evidence: shows(() => '\\[offline model\\] You said: hi') },
  {
    line: 'gateway usage-cost',
    evidence: shows(() => 'Usage cost \\(30 days\\) Total: \\$0\\.0+ \u00b7 [1-9]'),
  },
  { line: 'gateway call agents.list', evidence: holdsList('agents', 'id', 'main') },
  {
    line: 'gateway call chat.history --params {"sessionKey":"main"}',
    evidence: holds([
      'what was said',
      (document) => JSON.stringify(at(document, 'messages') ?? null).includes(`[offline model] You said: ${SAID}`),
    ]),
  },
  { line: 'gateway call commands.list', evidence: holdsList('commands', 'name', 'status') },
  { line: 'gateway call models.list', evidence: holdsList('models', 'id', 'echo') },
  { line: 'gateway call sessions.list', evidence: holdsList('sessions', 'key', 'agent:main:main') },
  {
    line: 'gateway call usage.cost',
    evidence: holds(['totals.totalTokens', (document) => Number(at(document, 'totals', 'totalTokens')) > 0]),
  },
];

/** What issues to come make possible; whether it is there is found each time. */
export const LATER: readonly Command[] = [
  ...TALKING.map((command) => ({ ...command, later: true })),
  ...[
    'approvals get --gateway',
    'channels status',
    'cron list',
    'cron status',
    'nodes pending',
    'nodes status',
    'system event --text hi --mode now',
    'system heartbeat last',
  ].map((line) => ({ line, evidence: any, later: true })),
];

/** They look at files of their own and ask no gateway, whichever release it is. */
export const ALONE: readonly string[] = [
  'agents list',
  'agents add',
  'agents delete',
  'models list',
  'models status',
  'sessions',
];
