import { type Static, Type } from 'typebox';
import { OPERATOR_SCOPES } from '../core/authz/scope.ts';

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
  { title: 'a text, or {source: "env" | "file", id: "…"}, or {source: "exec", id: ["program", "argument"]}' },
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
    pairing: Type.Optional(
      Type.Object({ ask: Type.Optional(oneOf(['open', 'secret', 'closed'])) }, { ...closed, title: 'an object' }),
    ),
    auth: Type.Optional(Auth),
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

export const ConfigFile = Type.Object(
  { gateway: Type.Optional(Gateway), logging: Type.Optional(Logging) },
  { ...closed, title: 'an object' },
);
export type ConfigFile = Static<typeof ConfigFile>;

/** Every field that holds a secret, as its path. What is not here is shown by `config.get`. */
export const SECRET_PATHS = [
  ['gateway', 'auth', 'token'],
  ['gateway', 'auth', 'password'],
] as const;

/** Keys of OpenClaw that are not here on purpose: what holds instead. */
export const EXPLAINED: Readonly<Record<string, string>> = {
  'gateway.auth.rateLimit.exemptLoopback':
    'guessing from loopback is slowed too, and a right secret is never refused: take the key out',
  'gateway.auth.allowTailscale': 'a network address proves no key: pair the device instead, and take the key out',
  'gateway.auth.trustedProxy': 'a header proves no key: pair the devices instead, and take the key out',
  'gateway.controlUi.allowInsecureAuth': 'browsers pair with a key of their own: take the key out',
  'gateway.controlUi.dangerouslyDisableDeviceAuth': 'browsers pair with a key of their own: take the key out',
  'gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback':
    'name the origins in gateway.controlUi.allowedOrigins instead',
};
