import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAddress } from '../client/address.ts';
import type { SecretInput } from '../config/schema.ts';
import { EXIT, Failure, isFailure } from '../system/failure.ts';
import { type Context, type Globals, tell } from './context.ts';
import { readRun } from './running.ts';

/** What is shown to another gateway, and where it comes from; read when it is needed. */
export type Credential = { readonly kind: 'token' | 'password' | 'setup-code' } & (
  | { readonly from: 'argument' | 'LATCHKEY_GATEWAY_TOKEN'; readonly value: string }
  | { readonly from: 'stdin' }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'config'; readonly input: SecretInput; readonly path: string; readonly file: string }
);

/** Another gateway than this state directory's own. */
export interface RemoteTarget {
  /** As it was written; `null`: the setup code says it. */
  readonly url: string | null;
  /** What named it, for people. */
  readonly from: '--url' | 'setup-code' | 'LATCHKEY_GATEWAY_URL' | 'gateway.remote.url';
  /** What somebody gave for this gateway; with it nothing stored is sent. */
  readonly credential: Credential | null;
  /** `gateway.remote.tlsFingerprint`: lower-case hex SHA-256. */
  readonly tlsFingerprint: string | null;
  readonly insecure: boolean;
  /** How long to wait for an approval, in milliseconds; `null`: as long as the request lives. */
  readonly waitMs: number | null;
}

/** `gateway.mode` and `gateway.remote` of the configuration. */
export interface RemoteConfig {
  readonly mode: 'local' | 'remote';
  readonly url: string | null;
  readonly tlsFingerprint: string | null;
  readonly token: SecretInput | null;
  readonly password: SecretInput | null;
  /** The file it stands in. */
  readonly file: string;
}

export interface Aim {
  /** `null`: this state directory's own gateway, over its owner socket. */
  readonly target: RemoteTarget | null;
  /** What was left out, one line each: for `-v`. */
  readonly notes: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Which gateway a command line means. What is given for one gateway never goes to another: the environment's token to
 * the environment's URL, the configuration's to the configuration's.
 * @param ownPort where this state directory's own gateway listens now; `null`: none runs
 * @throws Failure 2 for flags that contradict each other, 78 for a configuration without a URL
 */
export function targetOf(globals: Globals, env: Env, config: RemoteConfig | null, ownPort: number | null): Aim {
  const given = givenCredential(globals);
  const notes: string[] = [];
  const { LATCHKEY_GATEWAY_URL: envUrl, LATCHKEY_GATEWAY_TOKEN: envToken } = env;
  const isOwn = envUrl ? isOwnGateway(envUrl, ownPort) : false;
  if (isOwn && globals.url === undefined) notes.push("LATCHKEY_GATEWAY_URL names this host's own gateway: ignored");
  const configUrl = config?.url ?? null;
  const place = placeOf(globals, given, isOwn ? undefined : envUrl, config);
  if (place === null) {
    if (envToken) notes.push('LATCHKEY_GATEWAY_TOKEN is ignored: it is for other gateways, and no URL names one');
    if (given !== null || globals.insecure === true) {
      throw new Failure(EXIT.usage, {
        what: `${given === null ? '--insecure' : `a ${given.kind.replace('-', ' ')}`} was given, and no gateway to use it for`,
        why: 'the gateway of this host needs neither token nor pairing',
        run: 'latchkey --url wss://HOST:PORT status',
      });
    }
    return { target: null, notes };
  }
  const isConfigs = configUrl !== null && place.url !== null && same(place.url, configUrl);
  let credential = given;
  if (credential === null && envToken) {
    if (!envUrl || (place.url !== null && same(place.url, envUrl))) {
      credential = { kind: 'token', from: 'LATCHKEY_GATEWAY_TOKEN', value: envToken };
    } else notes.push(`LATCHKEY_GATEWAY_TOKEN is ignored: it belongs to LATCHKEY_GATEWAY_URL, not to ${place.from}`);
  }
  if (credential === null && isConfigs && config !== null) credential = configCredential(config);
  return {
    target: {
      ...place,
      credential,
      tlsFingerprint: isConfigs ? (config?.tlsFingerprint ?? null) : null,
      insecure: globals.insecure === true,
      waitMs: globals.wait ?? null,
    },
    notes,
  };
}

function placeOf(
  globals: Globals,
  given: Credential | null,
  envUrl: string | undefined,
  config: RemoteConfig | null,
): Pick<RemoteTarget, 'url' | 'from'> | null {
  if (globals.url !== undefined) return { url: globals.url, from: '--url' };
  if (given?.kind === 'setup-code') return { url: null, from: 'setup-code' };
  if (envUrl) return { url: envUrl, from: 'LATCHKEY_GATEWAY_URL' };
  if (config?.mode !== 'remote') return null;
  if (config.url !== null) return { url: config.url, from: 'gateway.remote.url' };
  throw new Failure(EXIT.configuration, {
    what: `gateway.mode in ${config.file} is "remote", and no gateway is named`,
    why: 'gateway.remote.url is missing',
    run: 'latchkey --url wss://HOST:PORT status   (or set gateway.remote.url)',
  });
}

const same = (a: string, b: string): boolean => {
  const [left, right] = [parseAddress(a), parseAddress(b)];
  return left.ok && right.ok && left.value.key === right.value.key;
};

/** The environment's settings are for other gateways; loopback with our own port is ours. */
function isOwnGateway(text: string, ownPort: number | null): boolean {
  const address = parseAddress(text);
  if (!address.ok || !address.value.loopback || ownPort === null) return false;
  return Number(/:(\d+)$/.exec(address.value.host)?.[1] ?? 80) === ownPort;
}

function givenCredential(globals: Globals): Credential | null {
  const given: Credential[] = [];
  const add = (kind: Credential['kind'], value: string | undefined, file: string | undefined) => {
    if (value !== undefined) given.push(value === '-' ? { kind, from: 'stdin' } : { kind, from: 'argument', value });
    if (file !== undefined) given.push({ kind, from: 'file', path: file });
  };
  add('token', globals.token, globals.tokenFile);
  add('password', globals.password, globals.passwordFile);
  add('setup-code', globals.setupCode, globals.setupCodeFile);
  const [first, second] = given;
  if (second !== undefined) {
    throw new Failure(EXIT.usage, {
      what: 'more than one credential was given',
      why: 'a gateway is shown one of them: token, password or setup code',
      run: 'latchkey --url URL --token-file FILE status',
    });
  }
  // A14: an argument list can be read by every user of this host.
  if (first?.kind === 'setup-code' && first.from === 'argument') {
    throw new Failure(EXIT.usage, {
      what: 'a setup code is not taken from the command line',
      why: 'every user of this host can read the arguments of a running command',
      run: 'latchkey --setup-code - status   (then paste it; or --setup-code-file FILE)',
    });
  }
  return first ?? null;
}

function configCredential({ token, password, file }: RemoteConfig): Credential | null {
  if (token !== null) return { kind: 'token', from: 'config', input: token, path: 'gateway.remote.token', file };
  if (password === null) return null;
  return { kind: 'password', from: 'config', input: password, path: 'gateway.remote.password', file };
}

/** `targetOf` for a command that runs: with what the configuration and the running gateway say. */
export async function aimOf(context: Context): Promise<RemoteTarget | null> {
  const run = readRun(context.state.path);
  const ownPort = run?.alive === true && !run.brief ? run.port : null;
  const config = await remoteConfigOf(context, ownPort !== null);
  const { target, notes } = targetOf(context.globals, context.host.env, config, ownPort);
  for (const note of notes) tell(context, note);
  return target;
}

/** `null`: the configuration says nothing of another gateway. It is looked at before it is read: reading takes long. */
async function remoteConfigOf(context: Context, isServed: boolean): Promise<RemoteConfig | null> {
  const { globals, host, state } = context;
  const path = configFile(context);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // Missing or closed to us: a command that needs it says so.
    return null;
  }
  // A key may be written with escapes.
  if (!/remote|\\/.test(text)) return null;
  const { loadConfig, configPath } = await import('../config/load.ts');
  try {
    const file = configPath(state.path, host.env, globals.profile !== undefined);
    const { parsed, config } = loadConfig({ path: file, profile: state.profile });
    const { token = null, password = null } = parsed.gateway?.remote ?? {};
    return { mode: config.gateway.mode, ...config.gateway.remote, token, password, file };
  } catch (error) {
    // A file that is being edited doesn't shut anybody out of the gateway that runs here.
    if (!isFailure(error) || !isServed || globals.url !== undefined) throw error;
    tell(context, `${error.what}: ${error.why}`);
    return null;
  }
}

/** As `configPath` in config/load.ts, which is kept out of what every command loads. */
function configFile({ globals, host, state }: Context): string {
  const { LATCHKEY_CONFIG_PATH: named } = host.env;
  return named && globals.profile === undefined ? named : join(state.path, 'latchkey.json');
}
