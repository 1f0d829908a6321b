import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/load.ts';
import { Gateway } from '../gateway/gateway.ts';
import { httpHandler } from '../gateway/http/http.ts';
import type { PortTaken } from '../gateway/listen/occupant.ts';
import { listenOwner } from '../gateway/listen/owner.ts';
import { listenTcp, type TcpDoor } from '../gateway/listen/tcp.ts';
import { sourceOf } from '../gateway/proof.ts';
import { systemClock as clock } from '../system/clock.ts';
import { codeOf, EXIT, Failure } from '../system/failure.ts';
import { type Lock, takeLock } from '../system/lock.ts';
import { createLog, type Log } from '../system/log.ts';
import { consoleSink, FileSink } from '../system/log-sink.ts';
import { ownerSocketPlace } from '../system/owner.ts';
import { makeOwnerKey, removeOwnerKey } from '../system/owner-key.ts';
import { makeStateDir } from '../system/state-dir.ts';
import { shellWord } from '../system/text.ts';
import { configOf, type House, type HouseOptions, openHouse, VERSION } from './house.ts';
import { type Door, gatewayOptions, urls } from './rules.ts';

/** Beside the gateway, so that both are one file when shipped: nearly all of it is the same. */
export { openOffline } from './offline.ts';

/** DESIGN §6: a command that holds the lock for one transaction is waited for. */
const LOCK_WAIT_MS = 10_000;
const STOP_GRACE_MS = 5_000;
const LOGS_KEPT = 3;

/**
 * The gateway in the foreground, until it is told to go. Resolves with the exit code.
 * @throws Failure with what, why, and what to run
 */
export async function runGateway(options: HouseOptions): Promise<number> {
  const { stateDir } = options;
  makeStateDir(stateDir);
  const loaded = configOf(options);
  const place = ownerSocketPlace(stateDir);
  const lock = await lockOf(stateDir);
  const log = logOf(stateDir, loaded.config);
  let house: House | null = null;
  try {
    house = await openHouse(options, loaded, { log, fresh: true });
    return await serve(house, lock, place);
  } finally {
    await house?.close();
    log.flush();
    lock.release();
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

async function serve(house: House, lock: Lock, place: ReturnType<typeof ownerSocketPlace>): Promise<number> {
  const { loaded, log, stateDir } = house;
  const door: Door = {
    tcp: null,
    ready: false,
    started: true,
    ownerSocket: place.path,
    ownerKey: makeOwnerKey(stateDir),
  };
  const gateway = new Gateway(gatewayOptions(house, door));
  house.waitedAt = () => gateway.waitedAt();
  const owner = await listenOwner(place, gateway.accept, clock);
  try {
    lock.describe({ socket: place.path, port: null });
    door.tcp = await listenAt(loaded.config, gateway, door);
    lock.describe({ socket: place.path, port: door.tcp.port });
    await gateway.start();
    door.ready = true;
    log.info('ready', { addresses: urls(door.tcp), ownerSocket: place.path, stateDir });
    banner(stateDir, place.path, door.tcp);
    const signal = await stopSignal();
    door.ready = false;
    await door.tcp.stop();
    log.info('stopping', { signal });
    await gateway.stop('service restart', STOP_GRACE_MS);
    return EXIT.ok;
  } finally {
    await door.tcp?.close();
    await owner.close();
    removeOwnerKey(stateDir);
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

/** The first of the signals that end a service; more of them change nothing: npm and the terminal may both send one. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
  });
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
