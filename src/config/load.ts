import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import json5 from 'json5';
import { OPERATOR_SCOPES, type Scope } from '../core/authz/scope.ts';
import { DEFAULT_PORT, HANDSHAKE_MS } from '../core/protocol/limit.ts';
import { checkWritten, othersRead } from '../system/access.ts';
import { codeOf, EXIT, Failure, isFailure } from '../system/failure.ts';
import type { Level } from '../system/log.ts';
import { escapeText, shellWord } from '../system/text.ts';
import { type Agents, agentsOf } from './agents.ts';
import { secretsIn } from './apply.ts';
import { type Bind, resolveBind } from './bind.ts';
import { dotted, lineOf, locate, type Places } from './locate.ts';
import { type Models, modelsOf } from './models.ts';
import { type Problem, problemsOf } from './problem.ts';
import { type Reach, reachOf } from './reach.ts';
import { type Remote, remoteOf } from './remote.ts';
import type { ConfigFile } from './schema.ts';
import { type Keyring, resolveSecret } from './secret.ts';
import { type SessionConfig, sessionOf } from './session.ts';
import { DEPTH_MAX } from './syntax.ts';
import { type NamedSecret, secretFindings, weakConstants } from './weak.ts';

/** The configuration in force. Secrets are not in it: `secretOf` gives them. */
export interface Config {
  readonly gateway: {
    readonly mode: 'local' | 'remote';
    readonly port: number;
    readonly bind: Bind;
    readonly handshakeTimeoutMs: number;
    readonly allowedHosts: readonly string[];
    readonly tls: Reach['tls'];
    readonly trustedProxies: Reach['trustedProxies'];
    readonly pairing: { readonly ask: 'open' | 'secret' | 'closed' };
    readonly auth: {
      readonly mode: 'token' | 'password';
      readonly sharedSecretScopes: readonly Scope[];
      readonly sharedSecretFrom: readonly string[];
      readonly rateLimit: { readonly maxAttempts: number; readonly windowMs: number; readonly maxDelayMs: number };
    };
    readonly controlUi: { readonly allowedOrigins: readonly string[] };
    readonly remote: Remote;
  };
  /** `minimal`: announced by mDNS where it listens beyond loopback. */
  readonly discovery: { readonly mdns: 'off' | 'minimal' };
  readonly logging: {
    readonly level: Level;
    readonly consoleLevel: Level;
    readonly consoleStyle: 'auto' | 'pretty' | 'json';
    readonly maxFileBytes: number;
  };
  readonly models: Models;
  readonly agents: Agents;
  readonly session: SessionConfig;
}

export interface LoadedConfig {
  readonly path: string;
  /** The file's text; `null`: there is none, and all is as by default. */
  readonly text: string | null;
  /** As written, not checked for secrets: never shown without `redactConfig`. */
  readonly parsed: ConfigFile;
  readonly config: Config;
  /** In force, but worth a word: one sentence each, without secrets. */
  readonly warnings: readonly string[];
}

/** Longer than anybody writes; reading one takes less than a blink of the event loop. */
const TEXT_MAX = 512 * 1024;

export interface LoadOptions {
  readonly path: string;
  /** From the command line: they beat the file. */
  readonly port?: number | undefined;
  readonly bind?: string | undefined;
  /** Gives the port where nothing else does. */
  readonly profile?: string | null | undefined;
}

/**
 * The file that holds the configuration. `LATCHKEY_CONFIG_PATH` doesn't count beside an explicit profile: it may have
 * been inherited from another one (T18).
 */
export function configPath(
  stateDir: string,
  env: Readonly<Record<string, string | undefined>>,
  explicitProfile = false,
): string {
  const named = env.LATCHKEY_CONFIG_PATH;
  return named && !explicitProfile ? resolve(named) : join(stateDir, 'latchkey.json');
}

/** A profile's port where none is configured: 20000 and FNV-1a of its name, so that profiles don't meet. */
export function defaultPort(profile: string | null | undefined): number {
  if (!profile) return DEFAULT_PORT;
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(profile)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return 20_000 + (hash % 40_000);
}

/** @throws Failure 78 naming file, line, key, why, and what to run */
export function loadConfig(options: LoadOptions): LoadedConfig {
  return withEyes(configOf(readText(options.path), options));
}

/** The same, with a word about a secret that others than its owner can read in the file. */
export function withEyes(loaded: LoadedConfig): LoadedConfig {
  const { path, text, parsed, warnings } = loaded;
  const uid = process.geteuid?.();
  const held = secretsIn(parsed).find(({ value }) => typeof value === 'string')?.path;
  if (text === null || uid === undefined || held === undefined) return loaded;
  try {
    if (!othersRead(path, statSync(path), uid)) return loaded;
  } catch {
    // Gone meanwhile: nobody reads it.
    return loaded;
  }
  const word = `${held.join('.')} can be read by others in ${path}: chmod 600 ${shellWord(path)}`;
  return { ...loaded, warnings: [...warnings, word] };
}

/**
 * What a text would mean as the configuration of `options.path`; `null`: no file.
 * @throws Failure 78 naming file, line, key, why, and what to run
 */
export function configOf(text: string | null, options: LoadOptions): LoadedConfig {
  const { value, places } = text === null ? { value: {}, places: null } : parse(text, options.path);
  const problem = problemsOf(value)[0] ?? (places === null ? undefined : repeatedKey(places));
  if (problem !== undefined) throw refusal(options.path, places, problem);
  const parsed = value as ConfigFile;
  const bad = (pointer: string, why: string) => refusal(options.path, places, { pointer, why });
  const warnings: string[] = [];
  const config: Config = {
    gateway: gatewayOf(parsed, options, bad, warnings),
    discovery: { mdns: parsed.discovery?.mdns?.mode ?? 'minimal' },
    logging: loggingOf(parsed),
    models: modelsOf(parsed, bad, warnings),
    agents: agentsOf(parsed, { path: options.path, bad, warnings }),
    session: sessionOf(parsed, bad),
  };
  warnings.push(...weakConstants(parsed));
  return { path: options.path, text, parsed, config, warnings };
}

/** @throws Failure 78 for a file of a certificate that is not there, or can't be read */
export function checkFiles({ path, config }: LoadedConfig): void {
  for (const [name, file] of Object.entries(config.gateway.tls?.files ?? {})) {
    try {
      closeSync(openSync(file, 'r'));
    } catch (error) {
      throw new Failure(EXIT.configuration, {
        what: `gateway.tls.${name} in ${path}: can't read ${file}`,
        why: codeOf(error) ?? String(error),
        run: `ls -l ${shellWord(file)}`,
      });
    }
  }
}

/**
 * The file's text; `null`: there is none. It may name programs to run: one that somebody else can write is not read.
 * @throws Failure 77 or 78
 */
export function readText(path: string): string | null {
  let file: number | null = null;
  try {
    file = openSync(path, 'r');
    const uid = process.geteuid?.();
    if (uid !== undefined) checkWritten(path, fstatSync(file), uid);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isFailure(error)) throw error;
    const code = codeOf(error);
    if (code === 'ENOENT') return null;
    throw new Failure(code === 'EACCES' ? EXIT.permission : EXIT.configuration, {
      what: `can't read ${path}`,
      why: code ?? String(error),
      run: `ls -l ${shellWord(path)}`,
    });
  } finally {
    if (file !== null) closeSync(file);
  }
}

function parse(text: string, path: string): { value: unknown; places: Places } {
  let value: unknown;
  if (text.length > TEXT_MAX) {
    throw new Failure(EXIT.configuration, {
      what: `${path} is refused`,
      why: `it has more than ${TEXT_MAX} characters`,
      run: `ls -l ${shellWord(path)}`,
    });
  }
  try {
    value = json5.parse(text);
  } catch (error) {
    const { lineNumber, columnNumber } = error as { lineNumber?: number; columnNumber?: number };
    throw new Failure(EXIT.configuration, {
      what: `${path}, line ${lineNumber ?? 1}, column ${columnNumber ?? 1}: not JSON5`,
      // Only the parser's first words: the rest may quote a secret.
      why:
        text.trim() === '' ? 'the file is empty' : 'the text breaks off or has a character that does not belong there',
      run: `\${EDITOR:-vi} +${lineNumber ?? 1} ${shellWord(path)}`,
    });
  }
  try {
    return { value, places: locate(text) };
  } catch (error) {
    if ((error as Error).name !== 'TooDeep') throw error;
    throw refusal(path, null, { pointer: '', why: `it is nested more than ${DEPTH_MAX} levels deep` });
  }
}

function repeatedKey(places: Places): Problem | undefined {
  const [first] = places.repeated;
  return first && { pointer: first.pointer, why: `the key stands in line ${first.firstLine} already` };
}

function refusal(path: string, places: Places | null, problem: Problem): Failure {
  const line = places === null ? 1 : lineOf(places, problem.pointer);
  const key = problem.pointer === '' ? '' : ` ${escapeText(dotted(problem.pointer))}`;
  return new Failure(EXIT.configuration, {
    what: `${path}, line ${line}:${key} is refused`,
    why: escapeText(problem.why),
    run: problem.run ?? `\${EDITOR:-vi} +${line} ${shellWord(path)}`,
  });
}

type Bad = (pointer: string, why: string) => Failure;

function gatewayOf(file: ConfigFile, options: LoadOptions, bad: Bad, warnings: string[]): Config['gateway'] {
  const gateway = file.gateway ?? {};
  const auth = gateway.auth ?? {};
  const mode = auth.mode ?? 'token';
  if (mode === 'none' || mode === 'trusted-proxy') throw refusedMode(mode, options.path);
  const other = mode === 'token' ? 'password' : 'token';
  if (auth[other] !== undefined) {
    warnings.push(`gateway.auth.${other} is not used: gateway.auth.mode is "${mode}"`);
  }
  const fromFlag = options.bind !== undefined;
  // (T18) What is written and doesn't count is said, or its reader looks for the reason elsewhere.
  if (options.port !== undefined && gateway.port !== undefined && gateway.port !== options.port) {
    warnings.push(`gateway.port is not used: --port ${options.port} on the gateway's command line beats it`);
  }
  if (fromFlag && gateway.bind !== undefined && gateway.bind !== options.bind) {
    warnings.push(`gateway.bind is not used: --bind ${options.bind} on the gateway's command line beats it`);
  }
  const bind = resolveBind(
    options.bind ?? gateway.bind ?? 'loopback',
    gateway.customBindHost,
    fromFlag ? '--bind' : `gateway.bind in ${options.path}`,
  );
  const limit = auth.rateLimit ?? {};
  return {
    mode: gateway.mode ?? 'local',
    port: options.port ?? gateway.port ?? defaultPort(options.profile),
    bind,
    handshakeTimeoutMs: gateway.handshakeTimeoutMs ?? HANDSHAKE_MS,
    allowedHosts: (gateway.allowedHosts ?? []).map((host, i) => hostOf(host, `/gateway/allowedHosts/${i}`, bad)),
    ...reachOf(gateway, { path: options.path, bind, canonical: canonicalAddress, bad, warnings }),
    remote: remoteOf(gateway, bad),
    pairing: { ask: gateway.pairing?.ask ?? 'open' },
    auth: {
      mode,
      sharedSecretScopes: auth.sharedSecretScopes ?? OPERATOR_SCOPES,
      sharedSecretFrom: (auth.sharedSecretFrom ?? []).map((address, i) => {
        if (isIP(address) !== 0) return canonicalAddress(address);
        throw bad(`/gateway/auth/sharedSecretFrom/${i}`, 'must be an exact IP address, no name and no range');
      }),
      rateLimit: {
        maxAttempts: limit.maxAttempts ?? 10,
        windowMs: limit.windowMs ?? 60_000,
        maxDelayMs: Math.min(limit.lockoutMs ?? 30_000, 60_000),
      },
    },
    controlUi: {
      allowedOrigins: (gateway.controlUi?.allowedOrigins ?? []).map((origin, i) =>
        originOf(origin, `/gateway/controlUi/allowedOrigins/${i}`, bad),
      ),
    },
  };
}

function loggingOf(file: ConfigFile): Config['logging'] {
  const logging = file.logging ?? {};
  const level = logging.level ?? 'info';
  return {
    level,
    consoleLevel: logging.consoleLevel ?? level,
    consoleStyle: logging.consoleStyle ?? 'auto',
    maxFileBytes: logging.maxFileBytes ?? 8 * 1024 * 1024,
  };
}

/** As the kernel reports a peer: IPv4 in IPv6 as IPv4, IPv6 in its shortest form. */
function canonicalAddress(address: string): string {
  if (isIP(address) === 4) return address;
  const short = new URL(`http://[${address.split('%')[0]}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
  if (mapped === null) return short;
  const [high, low] = [Number.parseInt(mapped[1] ?? '', 16), Number.parseInt(mapped[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** An origin exactly as a browser sends it. */
function originOf(origin: string, pointer: string, bad: Bad): string {
  const url = URL.canParse(origin) ? new URL(origin) : null;
  if (url === null || url.origin === 'null') {
    throw bad(
      pointer,
      `must be an origin such as https://host:port${origin === '*' ? '; every one (*) is not allowed' : ''}`,
    );
  }
  if (url.origin !== origin.toLowerCase().replace(/\/$/, ''))
    throw bad(pointer, `write it as browsers send it: ${url.origin}`);
  return url.origin;
}

/** A `Host` header's value: a name or address, perhaps with a port. */
function hostOf(host: string, pointer: string, bad: Bad): string {
  if (/^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?$/i.test(host)) return host.toLowerCase();
  throw bad(pointer, 'must be a host name, perhaps with a port: gateway.example.org:18789');
}

/** A13: two modes that let in whoever comes, and what does what they were used for. */
function refusedMode(mode: 'none' | 'trusted-proxy', path: string): Failure {
  const why =
    mode === 'none'
      ? 'with it whoever reaches the port is let in; commands on this host need no secret anyway'
      : 'a header proves no key; devices behind a proxy pair with a key of their own';
  return new Failure(EXIT.configuration, {
    what: `gateway.auth.mode "${mode}" in ${path} is refused`,
    why,
    run:
      mode === 'none'
        ? 'latchkey config unset gateway.auth.mode   (other devices then ask: latchkey devices list, latchkey devices approve ID)'
        : 'latchkey config unset gateway.auth.mode   (then for each device: latchkey devices ensure --help)',
  });
}

export interface SharedSecret {
  readonly value: string;
  /** What gave it, for people: `gateway.auth.token`, `identity/gateway.json`. */
  readonly from: string;
}

/**
 * The shared secret that the configuration names for its mode; `null`: none, one is generated.
 * @throws Failure 78 for one that can't be resolved, or that is too weak for a door others can reach
 */
export async function secretOf(
  loaded: LoadedConfig,
  env: Readonly<Record<string, string | undefined>>,
  keyring?: Keyring,
): Promise<{ readonly secret: SharedSecret | null; readonly warnings: readonly string[] }> {
  const { auth } = loaded.parsed.gateway ?? {};
  const { mode } = loaded.config.gateway.auth;
  const named: NamedSecret[] = [];
  for (const field of ['token', 'password'] as const) {
    const input = auth?.[field];
    // One that is not in use and has to be fetched is left alone.
    if (input === undefined || (field !== mode && typeof input !== 'string')) continue;
    const path = `gateway.auth.${field}`;
    named.push({
      path,
      value: await resolveSecret(input, { path, file: loaded.path, env, ...(keyring ? { keyring } : {}) }),
    });
  }
  const findings = secretFindings(named);
  refuseWeak(loaded, findings);
  const value = named.find(({ path }) => path === `gateway.auth.${mode}`);
  return { secret: value ? { value: value.value, from: value.path } : null, warnings: findings };
}

/** A weak secret is a warning where only this host can guess. @throws Failure 78 where others reach the door */
export function refuseWeak({ config, path }: LoadedConfig, findings: readonly string[]): void {
  const { bind } = config.gateway;
  if (findings.length === 0 || bind.loopback) return;
  throw new Failure(EXIT.configuration, {
    what: `refusing to listen at ${bind.addresses.join(', ')}`,
    why: findings.join('; '),
    run: `latchkey gateway run --bind loopback   (or take the field out of ${path}: a good secret is then generated)`,
  });
}
