import { ConfigFile } from './schema.ts';

/**
 * When a change of a key takes effect: `live`, at once; `restart`, with the next start of the gateway; `none`, the
 * running gateway doesn't read it.
 */
export type Apply = 'live' | 'restart' | 'none';

/** Every key that holds a value: when a change of it takes effect, and what it is for, in one sentence. */
export const KEYS: Readonly<Record<string, readonly [Apply, string]>> = {
  $schema: ['none', 'Where editors find the JSON Schema of this file.'],
  'gateway.mode': ['none', 'Whether commands go to the gateway of this host (local) or to another one (remote).'],
  'gateway.port': ['restart', 'The TCP port of clients: WebSocket and HTTP.'],
  'gateway.bind': ['restart', 'Where the port is open: this host alone, the local network, the tailnet, one address.'],
  'gateway.customBindHost': ['restart', 'The address that bind "custom" means.'],
  'gateway.handshakeTimeoutMs': ['restart', 'How long a socket may take from its first byte to its connect.'],
  'gateway.allowedHosts': ['live', 'Further names in the Host header under which the gateway is reached.'],
  'gateway.tls.enabled': ['restart', 'Whether the port speaks TLS (wss, https), and nothing else.'],
  'gateway.tls.certPath': ['restart', 'A certificate of your own, PEM; a renewed file is taken up without a restart.'],
  'gateway.tls.keyPath': ['restart', 'The private key of that certificate, PEM.'],
  'gateway.tls.autoGenerate': ['restart', 'Whether a self-signed certificate is made where no other is named.'],
  'gateway.trustedProxies': ['live', 'Proxies of your own, whose word on where a request came from is taken.'],
  'gateway.pairing.ask': ['live', 'Whether an unknown key may ask to be paired: always, with the secret, or never.'],
  'gateway.auth.mode': ['live', 'Which of the two fields holds the shared secret.'],
  'gateway.auth.token': ['live', 'The shared secret for mode "token"; without it one is generated.'],
  'gateway.auth.password': ['live', 'The shared secret for mode "password"; without it one is generated.'],
  'gateway.auth.sharedSecretScopes': ['live', 'What sessions of the shared secret may do at most.'],
  'gateway.auth.sharedSecretFrom': ['live', 'Further addresses from which the shared secret opens sessions and pairs.'],
  'gateway.auth.rateLimit.maxAttempts': ['live', 'Wrong secrets of one source that are answered at once.'],
  'gateway.auth.rateLimit.windowMs': ['live', 'The time within which wrong secrets are counted together.'],
  'gateway.auth.rateLimit.lockoutMs': ['live', 'By how long the answer to a wrong secret is put off at most.'],
  'gateway.remote.url': ['none', 'The gateway that commands on this host go to with gateway.mode "remote".'],
  'gateway.remote.token': ['none', 'The shared secret of that gateway, where this host is to be paired by it.'],
  'gateway.remote.password': ['none', 'The same for a gateway in mode "password".'],
  'gateway.remote.tlsFingerprint': ['none', 'The SHA-256 of its certificate, where no authority vouches for it.'],
  'gateway.controlUi.allowedOrigins': ['live', 'Further web pages that may connect, as exact origins.'],
  'discovery.mdns.mode': ['restart', 'Whether the local network is told of the gateway, where its port is open to it.'],
  'logging.level': ['live', 'From which level on lines go to the file.'],
  'logging.consoleLevel': ['live', 'From which level on lines go to standard error; by default as for the file.'],
  'logging.consoleStyle': ['live', 'How lines on standard error are written.'],
  'logging.maxFileBytes': ['live', 'The size at which a new log file is begun.'],
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

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Never what an object inherits: `__proto__` is a key like any other. */
export function own(value: unknown, name: string): unknown {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => isSame(item, b[i]));
  if (!isRecord(a) || !isRecord(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && isSame(a[name], b[name]))
  );
}
