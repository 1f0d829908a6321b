import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import pkg from '../../package.json' with { type: 'json' };
import { Authority } from '../authority/authority.ts';
import { type Config, configPath, type LoadedConfig, loadConfig, secretOf } from '../config/load.ts';
import { viewConfig } from '../config/redact.ts';
import { Gateway, type GatewayOptions } from '../gateway/gateway.ts';
import { httpHandler } from '../gateway/http/http.ts';
import type { PortTaken } from '../gateway/listen/occupant.ts';
import { listenOwner } from '../gateway/listen/owner.ts';
import { listenTcp, type TcpDoor } from '../gateway/listen/tcp.ts';
import { Denied } from '../gateway/method/handler.ts';
import { sourceOf } from '../gateway/proof.ts';
import { isBusy, isOutOfRoom } from '../store/sqlite/failure.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { openTrace } from '../store/sqlite/trace.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';
import { systemClock as clock } from '../system/clock.ts';
import { hmacSha256 } from '../system/crypto.ts';
import { codeOf, EXIT, Failure } from '../system/failure.ts';
import { type GatewayIdentity, identityPath, openGatewayIdentity, rotateSecret } from '../system/identity.ts';
import { type Lock, takeLock } from '../system/lock.ts';
import { createLog, type Log } from '../system/log.ts';
import { consoleSink, FileSink } from '../system/log-sink.ts';
import { ownerSocketPlace } from '../system/owner.ts';
import { newId, randomBytes } from '../system/random.ts';
import { makeStateDir } from '../system/state-dir.ts';
import { shellWord } from '../system/text.ts';
import { keysOf } from './keys.ts';

const VERSION = pkg.version;

export interface RunOptions {
  readonly stateDir: string;
  readonly port?: number;
  readonly bind?: string;
  readonly profile?: string | null;
  /** The profile was named on the command line: an inherited configuration path doesn't count (T18). */
  readonly explicitProfile?: boolean;
}

/** DESIGN §6: a command that holds the lock for one transaction is waited for. */
const LOCK_WAIT_MS = 10_000;
const STOP_GRACE_MS = 5_000;
const LOGS_KEPT = 3;

/**
 * The gateway in the foreground, until it is told to go. Resolves with the exit code.
 * @throws Failure with what, why, and what to run
 */
export async function runGateway(options: RunOptions): Promise<number> {
  const { stateDir } = options;
  makeStateDir(stateDir);
  const loaded = loadConfig({
    path: configPath(stateDir, process.env, options.explicitProfile),
    port: options.port,
    bind: options.bind,
    profile: options.profile,
  });
  const named = secretOf(loaded, process.env);
  const place = ownerSocketPlace(stateDir);
  const lock = await lockOf(stateDir);
  const log = logOf(stateDir, loaded.config);
  let store: Store | null = null;
  try {
    store = await openStore(stateDir);
    const identity = openGatewayIdentity(stateDir, {
      storeExists: await hasHistory(store),
      needsSecret: named.secret === null,
    });
    const secrets = new Secrets(stateDir, identity, named.secret?.value ?? null, log);
    for (const warning of [...loaded.warnings, ...named.warnings]) log.warn(warning);
    return await serve({ options, loaded, store, identity, secrets, lock, log, place });
  } finally {
    await store?.close();
    log.flush();
    lock.release();
  }
}

/** The shared secret in force: one place, read at each use (A13). */
class Secrets {
  readonly #stateDir: string;
  readonly #configured: string | null;
  readonly #log: Log;
  #generated: string | null;

  constructor(stateDir: string, identity: GatewayIdentity, configured: string | null, log: Log) {
    this.#stateDir = stateDir;
    this.#configured = configured;
    this.#generated = identity.secret;
    this.#log = log;
    log.hide(configured);
    log.hide(identity.secret);
  }

  now(): string {
    const secret = this.#configured ?? this.#generated;
    if (secret === null) throw new Error('there is no shared secret');
    return secret;
  }

  renew(): void {
    if (this.#configured !== null) throw new Denied({ code: 'conflict', retry: 'never' }, 'secret');
    this.#generated = rotateSecret(this.#stateDir);
    this.#log.hide(this.#generated);
  }
}

async function lockOf(stateDir: string): Promise<Lock> {
  const taken = await takeLock(stateDir, { program: 'latchkey gateway', waitMs: LOCK_WAIT_MS });
  if (taken.ok) return taken.lock;
  const held = taken.owner;
  const port = held?.port == null ? '' : `, on port ${held.port}`;
  throw new Failure(EXIT.configuration, {
    what: `another gateway runs on ${stateDir}`,
    why: held === null ? 'its lock is held' : `${held.program} (pid ${held.pid}${port}) holds its lock`,
    run: `latchkey --state-dir ${shellWord(stateDir)} status`,
  });
}

function logOf(stateDir: string, config: Config): Log {
  const { level, consoleLevel, consoleStyle, maxFileBytes } = config.logging;
  const style = consoleStyle === 'auto' ? (process.stderr.isTTY ? 'pretty' : 'json') : consoleStyle;
  return createLog({
    clock,
    sinks: [
      consoleSink({ level: consoleLevel, style, colour: process.stderr.isTTY && !process.env.NO_COLOR }),
      new FileSink({ level, path: join(stateDir, 'logs', 'gateway.jsonl'), maxBytes: maxFileBytes, keep: LOGS_KEPT }),
    ],
  });
}

/** The truth is never made anew beside an identity: an empty store would lock out every device that was paired. */
async function openStore(stateDir: string): Promise<Store> {
  const file = join(stateDir, 'state', 'latchkey.sqlite');
  const hadStore = existsSync(identityPath(stateDir));
  try {
    return await openSqlite({
      file,
      backupsDir: join(stateDir, 'backups'),
      now: () => clock.now(),
      create: !hadStore,
      programVersion: VERSION,
    });
  } catch (error) {
    throw storeFailure(error, file);
  }
}

/** A full disk and a busy file pass by themselves; for everything else a person is needed, and no second try. */
function storeFailure(error: unknown, file: string): unknown {
  if (!(error instanceof StoreUnavailable)) return error;
  const passes = isOutOfRoom(error.cause) || isBusy(error.cause);
  return new Failure(
    passes ? EXIT.later : EXIT.configuration,
    { what: `the store ${file} can't be opened`, why: error.message, run: error.remedy },
    { cause: error },
  );
}

/** A store in which something was ever decided. */
async function hasHistory(store: Store): Promise<boolean> {
  return store.read(async (tx) => (await tx.changes.list(1)).length > 0 || (await tx.devices.list()).length > 0);
}

interface Parts {
  readonly options: RunOptions;
  readonly loaded: LoadedConfig;
  readonly store: Store;
  readonly identity: GatewayIdentity;
  readonly secrets: Secrets;
  readonly lock: Lock;
  readonly log: Log;
  readonly place: ReturnType<typeof ownerSocketPlace>;
}

interface Door {
  tcp: TcpDoor | null;
  ready: boolean;
  readonly started: boolean;
}

async function serve(parts: Parts): Promise<number> {
  const { loaded, store, lock, log, place, options } = parts;
  const { gateway: config } = loaded.config;
  const trace = openTrace(join(options.stateDir, 'state', 'trace.sqlite'));
  let gateway: Gateway | null = null;
  const authority = await Authority.open({
    store,
    now: () => clock.now(),
    freshId: newId,
    secretScopes: () => config.auth.sharedSecretScopes,
    waitedAt: () => gateway?.waitedAt() ?? new Set(),
    after: clock.after,
  });
  const door: Door = { tcp: null, ready: false, started: true };
  gateway = new Gateway(gatewayOptions(parts, authority, trace, door));
  const owner = await listenOwner(place, gateway.accept, clock);
  try {
    lock.describe({ socket: place.path, port: null });
    door.tcp = await listenAt(loaded.config, gateway, door);
    lock.describe({ socket: place.path, port: door.tcp.port });
    await gateway.start();
    door.ready = true;
    log.info('ready', { addresses: urls(door.tcp), ownerSocket: place.path, stateDir: options.stateDir });
    banner(options.stateDir, place.path, door.tcp);
    const signal = await stopSignal();
    door.ready = false;
    await door.tcp.stop();
    log.info('stopping', { signal });
    await gateway.stop('service restart', STOP_GRACE_MS);
    return EXIT.ok;
  } finally {
    await door.tcp?.close();
    await owner.close();
    authority.close();
    trace.close();
  }
}

/** Port taken: names who has it, most likely this person's own OpenClaw. @throws Failure 78 */
async function listenAt(config: Config, gateway: Gateway, door: Door): Promise<TcpDoor> {
  const { bind, port, allowedHosts, handshakeTimeoutMs } = config.gateway;
  // `Host` names are compared without their port.
  const hosts = allowedHosts.map((host) => host.replace(/:\d{1,5}$/, ''));
  try {
    return await listenTcp({
      addresses: bind.addresses,
      port,
      hosts,
      clock,
      sourceOf,
      accept: gateway.accept,
      limits: { handshakeMs: handshakeTimeoutMs },
      http: httpHandler({ hosts, readiness: () => ({ ready: door.ready, started: door.started }) }),
    });
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') throw portTaken(error as PortTaken);
    throw new Failure(
      EXIT.configuration,
      {
        what: `can't listen at ${bind.addresses.join(', ')} port ${port}`,
        why: codeOf(error) ?? String(error),
        run: 'latchkey gateway run --bind loopback --port 18790',
      },
      { cause: error },
    );
  }
}

function portTaken(taken: PortTaken): Failure {
  const { occupant, port } = taken;
  return new Failure(EXIT.configuration, {
    what: `port ${port} is taken`,
    why:
      occupant === null ? 'another program listens there' : `${occupant.program} (pid ${occupant.pid}) listens there`,
    run: `npm start -- --port ${port + 1}   (or: latchkey gateway run --port ${port + 1})`,
  });
}

function gatewayOptions(
  parts: Parts,
  authority: Authority,
  trace: GatewayOptions['trace'],
  door: Door,
): GatewayOptions {
  const { loaded, identity, secrets, log, place, options, store } = parts;
  const { gateway: config } = loaded.config;
  let rules: (ReturnType<typeof doorRules> & { readonly open: TcpDoor | null }) | null = null;
  return {
    authority,
    trace,
    clock,
    newId,
    keys: keysOf(identity),
    rules: () => {
      // Own origins are known once the door is open; until then nobody comes through it.
      if (rules === null || rules.open !== door.tcp) rules = { ...doorRules(parts, door), open: door.tcp };
      return rules;
    },
    diary: {
      info: (event, fields) => log.info(event, fields),
      rarely: (key, event, fields) => log.onceAMinute(key, 'warn', event, fields),
      error: (event, error) =>
        log.error(event, { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    },
    version: VERSION,
    bootId: newId(),
    freshCode: () => randomBytes(16).toString('base64url'),
    facts: () => ({
      version: VERSION,
      stateDir: options.stateDir,
      addresses: door.tcp === null ? [] : urls(door.tcp),
      ownerSocket: place.path,
      store: store.describe,
      authMode: config.auth.mode,
      configPath: loaded.path,
    }),
    config: () =>
      viewConfig(loaded, (text) =>
        hmacSha256(identity.tokenKey, `latchkey-config-1|${text}`).toString('hex'),
      ) as ReturnType<GatewayOptions['config']>,
    newSecret: () => secrets.renew(),
  };
}

function doorRules({ loaded, secrets }: Parts, door: Door): ReturnType<GatewayOptions['rules']> {
  const { gateway: config } = loaded.config;
  return {
    allowedOrigins: [...config.controlUi.allowedOrigins, ...ownOrigins(door.tcp)],
    secretFrom: config.auth.sharedSecretFrom,
    secret: () => secrets.now(),
    authMode: config.auth.mode,
    askMode: config.pairing.ask,
    guesses: config.auth.rateLimit,
  };
}

/** The first of the signals that end a service; more of them change nothing: npm and the terminal may both send one. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
  });
}

function urls(tcp: TcpDoor): readonly string[] {
  return tcp.addresses.map((a) => `ws://${a.includes(':') ? `[${a}]` : a}:${tcp.port}`);
}

/** The gateway's own pages: what they are served from is exact, and a page elsewhere can't claim it. */
function ownOrigins(tcp: TcpDoor | null): readonly string[] {
  if (tcp === null) return [];
  const hosts = tcp.addresses.map((a) => (a.includes(':') ? `[${a}]` : a));
  return [...new Set([...hosts, ...(hosts.includes('127.0.0.1') ? ['localhost'] : [])])].map(
    (h) => `http://${h}:${tcp.port}`,
  );
}

function banner(stateDir: string, socket: string, tcp: TcpDoor): void {
  const lines = [
    `Latchkey ${VERSION} on ${hostname()}`,
    `  address       ${urls(tcp).join('  ')}`,
    `  owner socket  ${socket}`,
    `  state         ${stateDir}`,
    '',
    'Try next, in another terminal:',
    '  npx --no latchkey status',
    '  npx --no latchkey devices list',
    '  npx --no latchkey gateway secret show',
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
