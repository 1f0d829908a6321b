// OpenClaw's command line as its recorded frames show it: which sockets a command opens, with what it signs and asks on
// each, what it calls there, and what it remembers of the answers. The connects are those of test/wire/fixture.
import { Partner } from '../partner/client.ts';
import type { ConnectParams, Identity } from '../partner/identity.ts';
import { type RecordedConnect, recordedConnects } from '../wire/verdict.ts';
import { ADMIN, APPROVALS, PAIRING, type Place } from './act.ts';

export const RELEASES = ['2026.2.19', '2026.3.13', '2026.9.6'] as const;
export type Release = (typeof RELEASES)[number];

type Call = readonly [method: string, params?: Readonly<Record<string, unknown>>];
/** A recorded connect by command and index, and what is called on it. */
type Socket = readonly [command: string, index: number, calls: readonly Call[]];

const PROBE: readonly Call[] = [['health'], ['status'], ['system-presence'], ['config.get', {}]];
const LIST: Call = ['device.pair.list', {}];
const HEALTH: Call = ['health'];
const one = (command: string, ...calls: readonly Call[]): readonly Socket[] => [[command, 0, calls]];

const STATUS_9: readonly Socket[] = [
  ['status', 0, [HEALTH]],
  ['status', 1, [['system-presence']]],
  ['status', 2, [['status', { includeChannelSummary: false, includeCliProjection: true }]]],
];

/** What commands do today; of those whose methods come later (`cron list`, `tui`) the connect alone. */
const COMMANDS = {
  '2026.2.19': {
    'devices list': one('fresh/devices-list', LIST),
    status: [...one('status', ...PROBE), ['foreign-status', 1, []]],
    'status --deep': [...one('status-deep', ...PROBE), ['status-deep', 2, [['health', { probe: true }]]]],
    health: one('health', HEALTH),
    'gateway probe': one('gateway-probe', ...PROBE),
    'cron list': one('cron-list'),
    tui: one('tui'),
    'devices rotate': one('devices-list'),
  },
  '2026.3.13': {
    'devices list': one('devices-list', LIST),
    status: one('status', ...PROBE),
    'status --deep': [...one('status-deep', ...PROBE), ['status-deep', 1, [['health', { probe: true }]]]],
    health: one('health', HEALTH),
    'gateway probe': one('gateway-probe', ...PROBE),
    'cron list': one('cron-list'),
    tui: one('tui'),
    'devices rotate': one('devices-rotate'),
  },
  '2026.9.6': {
    'devices list': one('devices-list', LIST),
    status: STATUS_9,
    'status --deep': [...STATUS_9, ['status-deep', 3, [['health', { probe: true }]]]],
    health: [...one('health', HEALTH), ['health', 1, [HEALTH]]],
    'gateway probe': one('gateway-probe', ...PROBE),
    'cron list': one('cron-list'),
    tui: one('tui'),
    'devices rotate': [
      ['devices-rotate', 0, [LIST]],
      ['devices-rotate', 1, []],
    ],
  },
} as const satisfies Record<Release, Record<string, readonly Socket[]>>;

export type Command = keyof (typeof COMMANDS)[Release];

/** Every command of a report that reads or lists. */
export const READING: readonly Command[] = ['devices list', 'status', 'status --deep', 'health', 'gateway probe'];

function connectOf(release: Release, [command, index]: Socket): RecordedConnect {
  const found = recordedConnects().find((r) => r.release === release && r.command === command && r.index === index);
  if (found === undefined) throw new Error(`${release} ${command} ${index} was never recorded`);
  return found;
}

/** Whether a command of the release opens a socket on which it proves no key, so that the secret alone counts. */
export function isKeyless(release: Release, command: Command): boolean {
  return COMMANDS[release][command].some((socket) => connectOf(release, socket).identity === null);
}

/** What came of one command. */
export interface Outcome {
  /** `CODE DETAIL` of each refused connect, `METHOD: message` of each refused call. */
  readonly complaints: readonly string[];
  /** Texts of those refusals, whole. */
  readonly texts: readonly string[];
  /** Ids of the gateway's decisions to refuse. */
  readonly decisions: readonly string[];
  /** What the hellos told beside the scopes: what is missing, what didn't count. */
  readonly missing: readonly string[];
  readonly ignored: readonly string[];
  /** Requests that the hellos named. */
  readonly requests: readonly string[];
  /** Sockets opened, and sockets that the command was recorded to open. */
  readonly sockets: number;
  readonly recorded: number;
}

/** A client that was refused comes again, about once a second, unless it is told that this doesn't help: so often here. */
const RETRIES = 3;

export class Client {
  readonly release: Release;
  readonly identity: Identity;
  /** What the client takes for the gateway's secret: from its configuration or its environment. */
  secret: string | null;
  /** The token that it was given last, and keeps. */
  cached: string | null = null;

  constructor(release: Release, identity: Identity, secret: string | null) {
    this.release = release;
    this.identity = identity;
    this.secret = secret;
  }

  /** One command, from its first socket to its last. */
  async run(place: { readonly port: number }, command: Command): Promise<Outcome> {
    const steps: readonly Socket[] = COMMANDS[this.release][command];
    const made = { complaints: [], texts: [], decisions: [], missing: [], ignored: [], requests: [] } as Making;
    let sockets = 0;
    for (const step of steps) {
      // The last socket of `devices rotate` is the one that rotates.
      const isLast = step === steps.at(-1);
      const calls = command === 'devices rotate' && isLast ? [...step[2], this.#rotation()] : step[2];
      for (let time = 0; time <= RETRIES; time += 1) {
        sockets += 1;
        if ((await this.#socket(place, connectOf(this.release, step), calls, made)) !== 'again') break;
      }
    }
    return { ...made, sockets, recorded: steps.length };
  }

  #rotation(): Call {
    const scopes = [ADMIN, APPROVALS, PAIRING];
    return ['device.token.rotate', { deviceId: this.identity.id, role: 'operator', scopes }];
  }

  /** An explicit secret goes before the cached token; 2026.2.19 and 2026.3.13 send either in the same field. */
  #auth(): ConnectParams['auth'] {
    if (this.secret !== null) return { token: this.secret };
    if (this.cached === null) return undefined;
    return this.release === '2026.9.6' ? { deviceToken: this.cached } : { token: this.cached };
  }

  async #socket(
    place: { readonly port: number },
    recorded: RecordedConnect,
    calls: readonly Call[],
    made: Making,
  ): Promise<'done' | 'again'> {
    // 2026.9.6 brings its key wherever it has no secret.
    const isKeyed = recorded.identity !== null || (this.release === '2026.9.6' && this.secret === null);
    const partner = await Partner.open({ port: place.port });
    const { auth: _recorded, ...params } = recorded.params;
    const auth = this.#auth();
    const answer = await partner.connect(auth === undefined ? params : { ...params, auth }, {
      ...(isKeyed ? { identity: this.identity } : {}),
      version: recorded.signature ?? 'v3',
    });
    try {
      if (!answer.ok) {
        const { code, message, details } = answer.error;
        made.complaints.push(`${code} ${String(details?.code ?? '')}`.trimEnd());
        made.texts.push(`${message} ${JSON.stringify(details)}`);
        if (details?.decision !== undefined) made.decisions.push(String(details.decision));
        // Told that its token is old, the client forgets it and comes again.
        if (/device token mismatch/.test(message)) this.cached = null;
        return details?.code === 'AUTH_TOKEN_MISMATCH' ? 'done' : 'again';
      }
      const { missing = [], ignored = [], requestId, deviceToken } = answer.payload.auth ?? {};
      made.missing.push(...missing);
      made.ignored.push(...ignored);
      if (requestId !== undefined) made.requests.push(String(requestId));
      if (isKeyed && deviceToken !== undefined) this.cached = String(deviceToken);
      for (const [method, given] of calls) {
        const called = await partner.call(method, given ?? {});
        if (!called.ok) made.complaints.push(`${method}: ${called.error.message}`);
      }
      return 'done';
    } finally {
      partner.end();
    }
  }
}

interface Making {
  complaints: string[];
  texts: string[];
  decisions: string[];
  missing: string[];
  ignored: string[];
  requests: string[];
}

/** A place with the secret in it, and a client that knows it. */
export function clientOf(place: Place, release: Release, identity: Identity): Client {
  return new Client(release, identity, place.token);
}
