import { agentChanges } from './agents.ts';
import { isRecord, isSame, own } from './record.ts';
import { ConfigFile, SECRET_PATHS } from './schema.ts';

/**
 * When a change of a key takes effect: `live`, at once; `restart`, with the next start of the gateway; `none`, the
 * running gateway doesn't read it.
 */
export type Apply = 'live' | 'restart' | 'none';

/**
 * Who may change a key over the wire (A7, A11, A20): `admin`, whoever holds `operator.admin`; `permanent`, who holds it
 * without an end, because what the key lets in outlives a time box; `owner`, the owner alone: it names files or programs of
 * the host, leads the owner's own commands elsewhere, or is a secret that would bring back who was taken away.
 */
export type Writer = 'admin' | 'permanent' | 'owner';

/** Every key that holds a value: when a change of it takes effect, what it is for in one sentence, and who may change it. */
export const KEYS: Readonly<Record<string, readonly [Apply, string, Writer]>> = {
  $schema: ['none', 'Where editors find the JSON Schema of this file.', 'admin'],
  'gateway.mode': [
    'none',
    'Whether commands go to the gateway of this host (local) or to another one (remote).',
    'owner',
  ],
  'gateway.port': ['restart', 'The TCP port of clients: WebSocket and HTTP.', 'permanent'],
  'gateway.bind': [
    'restart',
    'Where the port is open: this host alone, the local network, the tailnet, one address.',
    'permanent',
  ],
  'gateway.customBindHost': ['restart', 'The address that bind "custom" means.', 'permanent'],
  'gateway.handshakeTimeoutMs': [
    'restart',
    'How long a socket may take from its first byte to its connect.',
    'permanent',
  ],
  'gateway.allowedHosts': ['live', 'Further names in the Host header under which the gateway is reached.', 'permanent'],
  'gateway.tls.enabled': ['restart', 'Whether the port speaks TLS (wss, https), and nothing else.', 'owner'],
  'gateway.tls.certPath': [
    'restart',
    'A certificate of your own, PEM; a renewed file is taken up without a restart.',
    'owner',
  ],
  'gateway.tls.keyPath': ['restart', 'The private key of that certificate, PEM.', 'owner'],
  'gateway.tls.autoGenerate': [
    'restart',
    'Whether a self-signed certificate is made where no other is named.',
    'owner',
  ],
  'gateway.trustedProxies': [
    'live',
    'Proxies of your own, whose word on where a request came from is taken.',
    'permanent',
  ],
  'gateway.pairing.ask': [
    'live',
    'Whether an unknown key may ask to be paired: always, with the secret, or never.',
    'permanent',
  ],
  'gateway.auth.mode': ['live', 'Which of the two fields holds the shared secret.', 'owner'],
  'gateway.auth.token': ['live', 'The shared secret for mode "token"; without it one is generated.', 'owner'],
  'gateway.auth.password': ['live', 'The shared secret for mode "password"; without it one is generated.', 'owner'],
  'gateway.auth.sharedSecretScopes': ['live', 'What sessions of the shared secret may do at most.', 'owner'],
  'gateway.auth.sharedSecretFrom': [
    'live',
    'Further addresses from which the shared secret opens sessions and pairs.',
    'owner',
  ],
  'gateway.auth.rateLimit.maxAttempts': ['live', 'Wrong secrets of one source that are answered at once.', 'permanent'],
  'gateway.auth.rateLimit.windowMs': ['live', 'The time within which wrong secrets are counted together.', 'permanent'],
  'gateway.auth.rateLimit.lockoutMs': [
    'live',
    'By how long the answer to a wrong secret is put off at most.',
    'permanent',
  ],
  'gateway.remote.url': ['none', 'The gateway that commands on this host go to with gateway.mode "remote".', 'owner'],
  'gateway.remote.token': [
    'none',
    'The shared secret of that gateway, where this host is to be paired by it.',
    'owner',
  ],
  'gateway.remote.password': ['none', 'The same for a gateway in mode "password".', 'owner'],
  'gateway.remote.tlsFingerprint': [
    'none',
    'The SHA-256 of its certificate, where no authority vouches for it.',
    'owner',
  ],
  'gateway.controlUi.allowedOrigins': ['live', 'Further web pages that may connect, as exact origins.', 'permanent'],
  'discovery.mdns.mode': [
    'restart',
    'Whether the local network is told of the gateway, where its port is open to it.',
    'admin',
  ],
  'models.providers.*.kind': ['live', 'How a provider of models is spoken to.', 'owner'],
  'models.providers.*.baseUrl': ['live', 'Where a provider of models is: the key is sent there.', 'owner'],
  'models.providers.*.apiKey': ['live', 'The key of a provider of models.', 'owner'],
  'models.providers.*.headers.*': ['live', 'A header that is sent with each call to a provider of models.', 'owner'],
  'models.providers.*.models': [
    'live',
    'Models of a provider, with what is to be known of them; what they cost counts for budgets.',
    'permanent',
  ],
  'models.aliases.*': ['live', 'Another name for a model.', 'admin'],
  'models.local.enabled': ['live', 'Whether servers of models on this host are looked for.', 'owner'],
  'models.local.ports.ollama': ['live', 'The port on this host where Ollama is looked for.', 'owner'],
  'models.local.ports.lmstudio': ['live', 'The port on this host where LM Studio is looked for.', 'owner'],
  'models.local.ports.llamacpp': ['live', 'The port on this host where a llama.cpp server is looked for.', 'owner'],
  'agents.defaults.model': ['live', 'The model that agents think with, and those that stand in for it.', 'admin'],
  'agents.defaults.workspace': ['live', 'The directory of the default agent, whose files it is told.', 'owner'],
  'agents.defaults.thinkingDefault': ['live', 'How much agents think where nobody says.', 'admin'],
  'agents.defaults.queue': ['live', 'What becomes of a message that comes while an agent is busy.', 'admin'],
  'agents.defaults.budget.tokensPerDay': ['live', 'How many tokens an agent may take in a day.', 'permanent'],
  'agents.defaults.budget.usdPerDay': ['live', 'How much an agent may spend in a day.', 'permanent'],
  // By its fields, where it is changed: `agentChanges`.
  'agents.list': ['live', 'The agents; what one does not say is as agents.defaults has it.', 'owner'],
  'session.maintenance.mode': [
    'live',
    'Whether what is beyond the bounds below is forgotten (enforce), or the log only says what would be (warn).',
    'permanent',
  ],
  'session.maintenance.pruneAfter': [
    'live',
    'After how long without a change a session is forgotten; by default never. The main session of an agent stays.',
    'permanent',
  ],
  'session.maintenance.resetArchiveRetention': [
    'live',
    'How long a conversation that was reset keeps its rows.',
    'permanent',
  ],
  'session.maintenance.runRetention': [
    'live',
    'How long a run that ended keeps its id, and counts in what was used.',
    'permanent',
  ],
  'session.maintenance.maxEntries': [
    'live',
    'How many sessions of one agent are kept: the longest unchanged ones go, never the main one.',
    'permanent',
  ],
  'session.maintenance.maxDiskBytes': [
    'live',
    'How much may be kept of what is said to one agent: conversations that were reset go first.',
    'permanent',
  ],
  'session.maintenance.maxTranscriptRows': [
    'live',
    'How many rows one conversation keeps: the oldest go.',
    'permanent',
  ],
  'session.maintenance.maxTranscriptBytes': [
    'live',
    'How large the rows of one conversation may be together: the oldest go.',
    'permanent',
  ],
  'session.maintenance.maxAttachmentBytes': [
    'live',
    'How much may be kept of what came with messages: that of conversations that were reset goes first.',
    'permanent',
  ],
  'logging.level': ['live', 'From which level on lines go to the file.', 'admin'],
  'logging.consoleLevel': [
    'live',
    'From which level on lines go to standard error; by default as for the file.',
    'admin',
  ],
  'logging.consoleStyle': ['live', 'How lines on standard error are written.', 'admin'],
  'logging.maxFileBytes': ['live', 'The size at which a new log file is begun.', 'admin'],
};

/** What the tools here read of a schema. */
export interface SchemaNode {
  readonly type?: string;
  readonly title?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
}

export const ROOT = ConfigFile as unknown as SchemaNode;

/** The keys of the schema that hold a value: `gateway.port`. Whatever a key of free choice is called, it is `*`. */
export function leavesOf(node: SchemaNode = ROOT, path = ''): readonly string[] {
  const below = [
    ...Object.entries(node.properties ?? {}),
    ...Object.values(node.patternProperties ?? {}).map((inner) => ['*', inner] as const),
  ];
  if (below.length === 0) return path === '' ? [] : [path];
  return below.flatMap(([name, inner]) => leavesOf(inner, path === '' ? name : `${path}.${name}`));
}

/** The row that a path of the configuration belongs to: its own, or that of the value around it; `null`: none. */
export function rowOf(path: readonly string[]): string | null {
  for (let length = path.length; length > 0; length -= 1) {
    const parts = path.slice(0, length);
    const row = Object.keys(KEYS).find((key) => matches(key.split('.'), parts));
    if (row !== undefined) return row;
  }
  return null;
}

function matches(row: readonly string[], parts: readonly string[]): boolean {
  return row.length === parts.length && row.every((part, i) => part === '*' || part === parts[i]);
}

/** When a change at a path takes effect: for an object, when the last of what is in it does. */
export function applyOf(path: readonly string[]): Apply {
  const row = rowOf(path);
  const kinds = row !== null ? [KEYS[row]?.[0]] : below(path).map((key) => KEYS[key]?.[0]);
  return kinds.includes('restart') ? 'restart' : kinds.includes('live') ? 'live' : 'none';
}

export function isSecret(path: readonly string[]): boolean {
  return SECRET_PATHS.some((secret) => matches(secret, path));
}

/** Where the secret fields of this configuration are, each by its whole path, and what stands there. */
export function secretsIn(parsed: unknown): readonly { readonly path: readonly string[]; readonly value: unknown }[] {
  return SECRET_PATHS.flatMap((path) =>
    path
      .reduce<{ path: string[]; value: unknown }[]>(
        (found, part) =>
          found.flatMap(({ path: at, value }) =>
            (part === '*' ? namesOf(value) : [part]).map((name) => ({ path: [...at, name], value: own(value, name) })),
          ),
        [{ path: [], value: parsed }],
      )
      .filter(({ value }) => value !== undefined),
  );
}

/** Who may make this change. A secret that is fetched from elsewhere is read or run as the gateway's own user. */
export function writerOf(path: readonly string[], after: unknown): Writer {
  const row = rowOf(path);
  const isFetched = isRecord(after) || path.join('.') !== row;
  if (row !== null && isSecret(row.split('.')) && isFetched) return 'owner';
  const writers = row !== null ? [KEYS[row]?.[2]] : below(path).map((key) => KEYS[key]?.[2]);
  return writers.includes('owner')
    ? 'owner'
    : writers.every((w) => w === 'admin') && writers.length > 0
      ? 'admin'
      : 'permanent';
}

function below(path: readonly string[]): readonly string[] {
  return Object.keys(KEYS).filter((key) => matches(key.split('.').slice(0, path.length), path));
}

/** The paths of values that two configurations have otherwise, as far down as both are objects. */
export function changesBetween(before: unknown, after: unknown, path: readonly string[] = []): readonly Change[] {
  if (isRecord(before) && isRecord(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].flatMap((name) => changesBetween(own(before, name), own(after, name), [...path, name]));
  }
  return isSame(before, after) ? [] : [{ path, before, after }];
}

/** `undefined`: it isn't there. */
export interface Change {
  readonly path: readonly string[];
  readonly before: unknown;
  readonly after: unknown;
}

/** The changes of single values: what came or went whole is looked into as far as the table does. */
function leafChanges(before: unknown, after: unknown, path: readonly string[] = []): readonly Change[] {
  if (rowOf(path) === null && (isRecord(before) || isRecord(after))) {
    const names = new Set([...namesOf(before), ...namesOf(after)]);
    return [...names].flatMap((name) => leafChanges(own(before, name), own(after, name), [...path, name]));
  }
  return isSame(before, after) ? [] : [{ path, before, after }];
}

function namesOf(value: unknown): readonly string[] {
  return isRecord(value) ? Object.keys(value) : [];
}

/** The rows whose values two configurations have otherwise: `gateway.port`. */
export function changedKeys(before: unknown, after: unknown): readonly string[] {
  const changed = new Set(leafChanges(before, after).flatMap(({ path }) => rowOf(path) ?? []));
  return Object.keys(KEYS).filter((key) => changed.has(key));
}

/** The changes of single values, each with the row of its key and who may make it. */
export function writtenBetween(
  before: unknown,
  after: unknown,
): readonly { readonly key: string; readonly writer: Writer }[] {
  const changes = leafChanges(before, after).flatMap((change) =>
    change.path.join('.') === 'agents.list'
      ? agentChanges(before, after)
      : { key: rowOf(change.path) ?? change.path.join('.'), writer: writerOf(change.path, change.after) },
  );
  const [old, now] = [providersOf(before), providersOf(after)];
  const named = [...new Set([...namesOf(old), ...namesOf(now)])].flatMap((name) =>
    emptyChanges(own(old, name), own(now, name), ['models', 'providers', name]),
  );
  return [...changes, ...named.map((path) => ({ key: path.join('.'), writer: 'permanent' as const }))];
}

/**
 * Objects without anything in them that came or went: a provider that is known is set up by its name alone, and no value in
 * it says so.
 */
function emptyChanges(before: unknown, after: unknown, path: readonly string[]): readonly (readonly string[])[] {
  if (rowOf(path) !== null) return [];
  const names = new Set([...namesOf(before), ...namesOf(after)]);
  if (names.size === 0) return isRecord(before) === isRecord(after) ? [] : [path];
  return [...names].flatMap((name) => emptyChanges(own(before, name), own(after, name), [...path, name]));
}

function providersOf(config: unknown): unknown {
  return own(own(config, 'models'), 'providers');
}

/** `file` as it is in force: what needs a restart, as `boot` had it. */
export function inForce(boot: unknown, file: unknown): unknown {
  return leafChanges(file, boot)
    .filter(({ path }) => applyOf(path) === 'restart')
    .reduce((value, { path, after }) => withLeaf(value, path, after), file);
}

function withLeaf(value: unknown, [head, ...rest]: readonly string[], put: unknown): unknown {
  if (head === undefined) return put;
  const { [head]: old, ...others } = isRecord(value) ? value : {};
  const inner = withLeaf(old, rest, put);
  return inner === undefined ? others : { ...others, [head]: inner };
}
