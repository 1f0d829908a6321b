import type { Static } from 'typebox';
import { OPERATOR_SCOPES } from '../core/authz/scope.ts';
import { ADAPTIVE, LEVELS } from '../core/conversation/thinking.ts';
import { MODES } from '../core/lane/lane.ts';
import * as Type from '../core/protocol/type.ts';

/**
 * latchkey.json as it may be written: OpenClaw's names where the meaning is the same (FEATURES §4). Objects are
 * closed. `title` says what a value must be, in the words of an error: `must be <title>`.
 */

const closed = { additionalProperties: false } as const;

function oneOf<const Names extends readonly string[]>(names: Names) {
  const title = names.map((name) => `"${name}"`).join(names.length === 2 ? ' or ' : ', ');
  return Type.Enum([...names] as readonly Names[number][], { title });
}

/** A secret itself, or where it is. `exec` takes a program and its arguments: no shell reads it. */
export const SecretInput = Type.Union(
  [
    Type.String({ minLength: 1 }),
    Type.Object(
      { source: oneOf(['env', 'file', 'keyring']), id: Type.String({ minLength: 1, maxLength: 4096 }) },
      closed,
    ),
    Type.Object(
      {
        source: Type.Literal('exec'),
        id: Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 64 }),
      },
      closed,
    ),
  ],
  {
    title: 'a text, or {source: "env" | "file" | "keyring", id: "…"}, or {source: "exec", id: ["program", "argument"]}',
  },
);
export type SecretInput = Static<typeof SecretInput>;

const Texts = (title: string) => Type.Array(Type.String({ minLength: 1, maxLength: 512 }), { title, maxItems: 256 });
const Milliseconds = (minimum: number, maximum: number) =>
  Type.Integer({ title: `a whole number of milliseconds, ${minimum} to ${maximum}`, minimum, maximum });

const RateLimit = Type.Object(
  {
    /** Wrong secrets of one source within `windowMs` that are answered at once. */
    maxAttempts: Type.Optional(Type.Integer({ title: 'a whole number, 1 to 1000', minimum: 1, maximum: 1_000 })),
    windowMs: Type.Optional(Milliseconds(1_000, 3_600_000)),
    /** A16: nobody is locked out; this bounds by how much an answer is put off (at most a minute). */
    lockoutMs: Type.Optional(Milliseconds(0, 86_400_000)),
  },
  { ...closed, title: 'an object' },
);

const Auth = Type.Object(
  {
    mode: Type.Optional(oneOf(['token', 'password', 'none', 'trusted-proxy'])),
    token: Type.Optional(SecretInput),
    password: Type.Optional(SecretInput),
    /** A13: the shared secret's grant. */
    sharedSecretScopes: Type.Optional(Type.Array(oneOf(OPERATOR_SCOPES), { title: 'a list of operator scopes' })),
    /** A13: further addresses from which the shared secret opens sessions and pairs. */
    sharedSecretFrom: Type.Optional(Texts('a list of IP addresses')),
    rateLimit: Type.Optional(RateLimit),
  },
  { ...closed, title: 'an object' },
);

const Tls = Type.Object(
  {
    enabled: Type.Optional(Type.Boolean({ title: 'true or false' })),
    /** PEM files of the owner's; without them a self-signed certificate is made. */
    certPath: Type.Optional(Type.String({ title: 'the path of a file', minLength: 1, maxLength: 4_096 })),
    keyPath: Type.Optional(Type.String({ title: 'the path of a file', minLength: 1, maxLength: 4_096 })),
    autoGenerate: Type.Optional(Type.Boolean({ title: 'true or false' })),
  },
  { ...closed, title: 'an object' },
);

/** The gateway of another host, for commands on this one. */
const Remote = Type.Object(
  {
    url: Type.Optional(Type.String({ title: 'a URL: "wss://host:port"', minLength: 1, maxLength: 2_048 })),
    token: Type.Optional(SecretInput),
    password: Type.Optional(SecretInput),
    /** Of a certificate that no authority vouches for: hex SHA-256, with or without colons. */
    tlsFingerprint: Type.Optional(Type.String({ title: 'a SHA-256 in hex', minLength: 64, maxLength: 128 })),
  },
  { ...closed, title: 'an object' },
);

const Gateway = Type.Object(
  {
    mode: Type.Optional(oneOf(['local', 'remote'])),
    port: Type.Optional(Type.Integer({ title: 'a port, 0 to 65535 (0: any free one)', minimum: 0, maximum: 65_535 })),
    bind: Type.Optional(
      Type.String({ title: '"loopback", "lan", "tailnet", "custom" or an IP address', minLength: 1, maxLength: 64 }),
    ),
    customBindHost: Type.Optional(Type.String({ title: 'an IP address', minLength: 1, maxLength: 64 })),
    handshakeTimeoutMs: Type.Optional(Milliseconds(1_000, 60_000)),
    /** Further `Host` names that are answered. */
    allowedHosts: Type.Optional(Texts('a list of host names')),
    tls: Type.Optional(Tls),
    /** Whose forwarding headers say where a request came from. They give it nothing (A13). */
    trustedProxies: Type.Optional(Texts('a list of IP addresses and ranges')),
    pairing: Type.Optional(
      Type.Object({ ask: Type.Optional(oneOf(['open', 'secret', 'closed'])) }, { ...closed, title: 'an object' }),
    ),
    auth: Type.Optional(Auth),
    remote: Type.Optional(Remote),
    controlUi: Type.Optional(
      Type.Object(
        { allowedOrigins: Type.Optional(Texts('a list of origins: ["https://host:port"]')) },
        { ...closed, title: 'an object' },
      ),
    ),
  },
  { ...closed, title: 'an object' },
);

const level = () => oneOf(['trace', 'debug', 'info', 'warn', 'error']);

const Logging = Type.Object(
  {
    level: Type.Optional(level()),
    consoleLevel: Type.Optional(level()),
    consoleStyle: Type.Optional(oneOf(['auto', 'pretty', 'json'])),
    /** One file; two or three older ones stay beside it. */
    maxFileBytes: Type.Optional(
      Type.Integer({ title: 'a whole number of bytes, 65536 to 1073741824', minimum: 65_536, maximum: 1_073_741_824 }),
    ),
  },
  { ...closed, title: 'an object' },
);

const Discovery = Type.Object(
  {
    /** Whether other machines of the network are told of the gateway, where it listens beyond loopback. */
    mdns: Type.Optional(
      Type.Object({ mode: Type.Optional(oneOf(['off', 'minimal'])) }, { ...closed, title: 'an object' }),
    ),
  },
  { ...closed, title: 'an object' },
);

const ModelName = () => Type.String({ title: 'a model: "provider/model", or an alias', minLength: 1, maxLength: 300 });
const Tokens = () =>
  Type.Integer({ title: 'a whole number of tokens, 1 or more', minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const Dollars = (title: string) => Type.Number({ title, minimum: 0, maximum: 1_000_000 });
const PER_MILLION = 'US dollars for a million tokens, 0 or more';
const LocalPort = () => Type.Integer({ title: 'a port, 1 to 65535', minimum: 1, maximum: 65_535 });

/** What is said of one model. OpenClaw's names. */
const ModelEntry = Type.Object(
  {
    id: Type.String({ title: 'the name that its provider gives it', minLength: 1, maxLength: 256 }),
    name: Type.Optional(Type.String({ title: 'a name', minLength: 1, maxLength: 128 })),
    contextWindow: Type.Optional(Tokens()),
    maxTokens: Type.Optional(Tokens()),
    input: Type.Optional(
      Type.Array(oneOf(['text', 'image', 'file']), { title: 'a list of "text", "image", "file"', maxItems: 3 }),
    ),
    reasoning: Type.Optional(Type.Boolean({ title: 'true or false' })),
    cost: Type.Optional(
      Type.Object(
        {
          input: Dollars(PER_MILLION),
          output: Dollars(PER_MILLION),
          cacheRead: Type.Optional(Dollars(PER_MILLION)),
          cacheWrite: Type.Optional(Dollars(PER_MILLION)),
        },
        { ...closed, title: 'an object with input and output, in US dollars for a million tokens' },
      ),
    ),
  },
  { ...closed, title: 'an object' },
);

const ModelProvider = Type.Object(
  {
    kind: Type.Optional(oneOf(['openai', 'openai-compatible', 'anthropic', 'google'])),
    baseUrl: Type.Optional(Type.String({ title: 'a URL: "https://host/v1"', minLength: 1, maxLength: 2_048 })),
    apiKey: Type.Optional(SecretInput),
    /** Sent with each call; as secret as a key. */
    headers: Type.Optional(
      Type.Record(Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$" }), SecretInput, {
        ...closed,
        title: 'an object of header names and texts',
      }),
    ),
    models: Type.Optional(Type.Array(ModelEntry, { title: 'a list of models: [{id: "…"}]', maxItems: 1_000 })),
  },
  { ...closed, title: 'an object' },
);

const Models = Type.Object(
  {
    providers: Type.Optional(
      Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' }), ModelProvider, {
        ...closed,
        title: 'an object of providers, each under a name of a to z, 0 to 9, dashes and underlines',
      }),
    ),
    aliases: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' }), ModelName(), {
        ...closed,
        title: 'an object of names without a slash, each for a "provider/model"',
      }),
    ),
    /** Servers of models on this host, which are found by themselves. */
    local: Type.Optional(
      Type.Object(
        {
          enabled: Type.Optional(Type.Boolean({ title: 'true or false' })),
          ports: Type.Optional(
            Type.Object(
              {
                ollama: Type.Optional(LocalPort()),
                lmstudio: Type.Optional(LocalPort()),
                llamacpp: Type.Optional(LocalPort()),
              },
              { ...closed, title: 'an object' },
            ),
          ),
        },
        { ...closed, title: 'an object' },
      ),
    ),
  },
  { ...closed, title: 'an object' },
);

/** One model, or one and those that stand in for it. */
const AgentModel = Type.Union(
  [
    ModelName(),
    Type.Object({ primary: ModelName(), fallbacks: Type.Optional(Type.Array(ModelName(), { maxItems: 16 })) }, closed),
  ],
  { title: '"provider/model", or {primary: "provider/model", fallbacks: ["provider/model"]}' },
);

/** What each agent may take in a day. */
const Budget = Type.Object(
  {
    tokensPerDay: Type.Optional(Tokens()),
    usdPerDay: Type.Optional(Dollars('US dollars, 0 or more')),
  },
  { ...closed, title: 'an object with tokensPerDay, usdPerDay' },
);

const Directory = () => Type.String({ title: 'the path of a directory', minLength: 1, maxLength: 4_096 });
const Queue = () => oneOf(MODES);

/** One agent. What it does not say is as `agents.defaults` has it. */
const AgentEntry = Type.Object(
  {
    id: Type.String({
      title: 'a name of a to z, 0 to 9, dashes and underlines',
      pattern: '^[a-z0-9][a-z0-9_-]{0,63}$',
    }),
    default: Type.Optional(Type.Boolean({ title: 'true or false' })),
    name: Type.Optional(Type.String({ title: 'a name', minLength: 1, maxLength: 64 })),
    workspace: Type.Optional(Directory()),
    model: Type.Optional(AgentModel),
    /** How it shows itself to people. */
    identity: Type.Optional(
      Type.Object(
        {
          name: Type.Optional(Type.String({ title: 'a name', minLength: 1, maxLength: 64 })),
          theme: Type.Optional(Type.String({ title: 'a text', minLength: 1, maxLength: 256 })),
          emoji: Type.Optional(Type.String({ title: 'an emoji', minLength: 1, maxLength: 16 })),
          avatar: Type.Optional(
            Type.String({ title: 'a picture: "https://…" or "data:image/…"', minLength: 1, maxLength: 65_536 }),
          ),
        },
        { ...closed, title: 'an object' },
      ),
    ),
    queue: Type.Optional(Queue()),
    budget: Type.Optional(Budget),
  },
  { ...closed, title: 'an object with an id' },
);

const Agents = Type.Object(
  {
    defaults: Type.Optional(
      Type.Object(
        {
          model: Type.Optional(AgentModel),
          /** Of the default agent. */
          workspace: Type.Optional(Directory()),
          queue: Type.Optional(Queue()),
          budget: Type.Optional(Budget),
          /** OpenClaw's name. */
          thinkingDefault: Type.Optional(oneOf([...LEVELS, ADAPTIVE])),
        },
        { ...closed, title: 'an object' },
      ),
    ),
    list: Type.Optional(Type.Array(AgentEntry, { title: 'a list of agents: [{id: "…"}]', maxItems: 256 })),
  },
  { ...closed, title: 'an object' },
);

const Kept = () =>
  Type.Union([Type.String({ maxLength: 32 }), Type.Literal(false)], {
    title: 'a duration with its unit ("30d", "12h"), or false: for good',
  });
const Size = () =>
  Type.Union([Type.Integer(), Type.String({ maxLength: 32 }), Type.Literal(false)], {
    title: 'a number of bytes, a size with its unit ("500mb", "10gb"), or false',
  });
const Most = () =>
  Type.Union([Type.Integer({ minimum: 1 }), Type.Literal(false)], {
    title: 'a whole number, or false: without a bound',
  });

/** What is kept of conversations. OpenClaw's names where the meaning is the same. */
const Session = Type.Object(
  {
    maintenance: Type.Optional(
      Type.Object(
        {
          mode: Type.Optional(oneOf(['enforce', 'warn'])),
          pruneAfter: Type.Optional(Kept()),
          resetArchiveRetention: Type.Optional(Kept()),
          runRetention: Type.Optional(Kept()),
          maxEntries: Type.Optional(Most()),
          maxDiskBytes: Type.Optional(Size()),
          maxTranscriptRows: Type.Optional(Most()),
          maxTranscriptBytes: Type.Optional(Size()),
          maxAttachmentBytes: Type.Optional(Size()),
        },
        { ...closed, title: 'an object' },
      ),
    ),
  },
  { ...closed, title: 'an object' },
);

export const ConfigFile = Type.Object(
  {
    /** For editors: where the JSON Schema of this file is (`latchkey config schema` prints it). */
    $schema: Type.Optional(Type.String({ title: 'the place of a JSON Schema', minLength: 1, maxLength: 2_048 })),
    gateway: Type.Optional(Gateway),
    discovery: Type.Optional(Discovery),
    logging: Type.Optional(Logging),
    models: Type.Optional(Models),
    agents: Type.Optional(Agents),
    session: Type.Optional(Session),
  },
  { ...closed, title: 'an object' },
);
export type ConfigFile = Static<typeof ConfigFile>;

/** Every field that holds a secret, as its path; `*` is a key of free choice. What is not here is shown by `config.get`. */
export const SECRET_PATHS = [
  ['gateway', 'auth', 'token'],
  ['gateway', 'auth', 'password'],
  ['gateway', 'remote', 'token'],
  ['gateway', 'remote', 'password'],
  ['models', 'providers', '*', 'apiKey'],
  ['models', 'providers', '*', 'headers', '*'],
] as const;

/** Keys of OpenClaw that are not here on purpose: what holds instead. */
export const EXPLAINED: Readonly<Record<string, string>> = {
  'gateway.auth.rateLimit.exemptLoopback':
    'guessing from loopback is slowed too, and a right secret is never refused: take the key out',
  'gateway.auth.allowTailscale': 'a network address proves no key: pair the device instead, and take the key out',
  'gateway.auth.trustedProxy': 'a header proves no key: pair the devices instead, and take the key out',
  'session.maintenance.pruneDays': 'session.maintenance.pruneAfter says it, with its unit ("30d"): take the key out',
  'session.maintenance.rotateBytes': 'nothing is rotated, conversations stand in the store: take the key out',
  'session.maintenance.highWaterBytes':
    'what is beyond session.maintenance.maxDiskBytes goes, and no more: take the key out',
  'gateway.controlUi.allowInsecureAuth': 'browsers pair with a key of their own: take the key out',
  'gateway.controlUi.dangerouslyDisableDeviceAuth': 'browsers pair with a key of their own: take the key out',
  'gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback':
    'name the origins in gateway.controlUi.allowedOrigins instead',
};
