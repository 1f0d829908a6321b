import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/load.ts';
import { Gateway } from '../gateway/gateway.ts';
import { httpHandler } from '../gateway/http/http.ts';
import type { PortTaken } from '../gateway/listen/occupant.ts';
import { listenOwner } from '../gateway/listen/owner.ts';
import { listenTcp, type TcpDoor } from '../gateway/listen/tcp.ts';
import { positionOf, sourceOf } from '../gateway/proof.ts';
import type { Announcer } from '../system/announcer.ts';
import { systemClock as clock } from '../system/clock.ts';
import { codeOf, EXIT, Failure } from '../system/failure.ts';
import { dropLeavings } from '../system/leavings.ts';
import { type Lock, takeLock } from '../system/lock.ts';
import { createLog, type Log } from '../system/log.ts';
import { consoleSink, FileSink } from '../system/log-sink.ts';
import { ownerSocketPlace } from '../system/owner.ts';
import { makeOwnerKey, removeOwnerKey } from '../system/owner-key.ts';
import { makeStateDir } from '../system/state-dir.ts';
import { shellWord } from '../system/text.ts';
import { announcement } from './announcement.ts';
import { openTls, pinOf } from './certificate.ts';
import { configOf, type House, type HouseOptions, openHouse, VERSION } from './house.ts';
import { type Door, gatewayOptions, mindsOf, urls } from './rules.ts';
import { placeFlag, portTaken } from './way.ts';

/** Beside the gateway, so that both are one file when shipped: nearly all of it is the same. */
export { openOffline } from './offline.ts';

/** DESIGN §6: a command that holds the lock for one transaction is waited for. */
const LOCK_WAIT_MS = 10_000;
const STOP_GRACE_MS = 5_000;
/** After the start; whoever waited for the gateway has been answered by then. */
const TIDY_MS = 5_000;
/**
 * A gateway that has met so many by then allocates enough for V8 to collect by itself; and what its code has learned of
 * them would be thrown away with the rest: each connect after it would cost a quarter more, for as long as it runs.
 */
const BUSY_MET = 64;
const LOGS_KEPT = 3;

/**
 * The gateway in the foreground, until it is told to go. Resolves with the exit code.
 * @throws Failure with what, why, and what to run
 */
export async function runGateway(options: HouseOptions): Promise<number> {
  const { stateDir } = options;
  makeStateDir(stateDir);
  const live = configOf(options);
  const place = ownerSocketPlace(stateDir);
  const lock = await lockOf(stateDir);
  const log = logOf(stateDir, () => live.now.config.logging);
  let house: House | null = null;
  try {
    house = await openHouse(options, live, { log, fresh: true });
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

/** @param now what the configuration says of it: read with each line */
function logOf(stateDir: string, now: () => Config['logging']): Log {
  const colour = process.stderr.isTTY && !process.env.NO_COLOR;
  const consoles = {
    pretty: consoleSink({ level: 'trace', style: 'pretty', colour }),
    json: consoleSink({ level: 'trace', style: 'json', colour }),
  };
  const automatic = process.stderr.isTTY ? 'pretty' : 'json';
  const file = new FileSink({
    level: 'trace',
    path: join(stateDir, 'logs', 'gateway.jsonl'),
    keep: LOGS_KEPT,
    get maxBytes() {
      return now().maxFileBytes;
    },
  });
  return createLog({
    clock,
    sinks: [
      {
        get level() {
          return now().consoleLevel;
        },
        write(entry) {
          const { consoleStyle } = now();
          consoles[consoleStyle === 'auto' ? automatic : consoleStyle].write(entry);
        },
        flush() {},
      },
      {
        get level() {
          return now().level;
        },
        write: (entry) => file.write(entry),
        flush: () => file.flush(),
      },
    ],
  });
}

async function serve(house: House, lock: Lock, place: ReturnType<typeof ownerSocketPlace>): Promise<number> {
  const { log, stateDir } = house;
  const door: Door = {
    tcp: null,
    ready: false,
    started: true,
    ownerSocket: place.path,
    ownerKey: makeOwnerKey(stateDir),
  };
  const minds = mindsOf(house);
  const { conversations } = minds;
  const gateway = new Gateway(gatewayOptions(house, door, minds));
  house.waitedAt = () => gateway.waitedAt();
  house.rulesChanged = () => {
    gateway.rulesChanged();
    conversations.rulesChanged();
  };
  house.secrets.onChange(() => {
    const { closedSessions } = gateway.secretChanged(null);
    log.info('shared secret changed', { closedSessions });
    // A13: what its sessions could still give by codes ends with it.
    house.authority.endSecretCodes().catch((error) => log.error('codes of the old secret', { error }));
  });
  const { died } = lock.owner;
  if (died !== undefined) log.warn('the gateway before this one did not stop: it died', { itsPid: died.pid });
  // What was in flight when the last gateway died is ended, and told as that, before anybody can ask.
  await conversations.start();
  const owner = await listenOwner(place, gateway.accept, clock);
  let announcer: Announcer | null = null;
  try {
    lock.describe({ socket: place.path });
    const spoken = (tlsFingerprint: string) => lock.describe({ tlsFingerprint });
    door.certificate = await openTls(house, spoken);
    door.tcp = await listenAt(house, gateway, door);
    const { port, addresses } = door.tcp;
    lock.describe({ port, addresses, tlsFingerprint: door.certificate?.current.fingerprint ?? null });
    await gateway.start();
    house.live.watch();
    door.ready = true;
    announcer = announcement(house, door.tcp, pinOf(house, door.certificate));
    log.info('ready', { addresses: urls(door.tcp), ownerSocket: place.path, stateDir });
    banner(stateDir, place.path, door);
    const { tcp } = door;
    const cancelTidying = clock.after(TIDY_MS, () => {
      if (tcp.met < BUSY_MET) dropLeavings();
    });
    const signal = await stopSignal();
    cancelTidying();
    door.ready = false;
    await announcer?.close();
    await door.tcp.stop();
    log.info('stopping', { signal });
    // Before the connections go: whoever waits for a run is told what became of it.
    await conversations.stop(STOP_GRACE_MS);
    await gateway.stop('service restart', STOP_GRACE_MS);
    return EXIT.ok;
  } finally {
    await conversations.stop(0);
    await announcer?.close();
    await door.tcp?.close();
    door.certificate?.close();
    await owner.close();
    removeOwnerKey(stateDir);
  }
}

/** Port taken: names who has it, most likely this person's own OpenClaw. @throws Failure 78 */
async function listenAt(house: House, gateway: Gateway, door: Door): Promise<TcpDoor> {
  const { bind, port, handshakeTimeoutMs } = house.loaded.config.gateway;
  // Read with each request. `Host` names are compared without their port.
  const hosts = () => house.loaded.config.gateway.allowedHosts.map((host) => host.replace(/:\d{1,5}$/, ''));
  try {
    return await listenTcp({
      addresses: bind.addresses,
      port,
      get hosts() {
        return hosts();
      },
      clock,
      sourceOf,
      clientSource: (facts) => positionOf(facts, gateway.rules).source,
      accept: gateway.accept,
      limits: { handshakeMs: handshakeTimeoutMs },
      tls: door.certificate ?? null,
      http: httpHandler({
        get hosts() {
          return hosts();
        },
        readiness: () => ({ ready: door.ready, started: door.started }),
      }),
    });
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') throw portTaken(error as PortTaken, house.stateDir);
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

/** The first of the signals that end a service; more of them change nothing: npm and the terminal may both send one. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
  });
}

function banner(stateDir: string, socket: string, { tcp, certificate }: Door): void {
  if (tcp === null) return;
  const again = `npx --no -- latchkey${placeFlag(stateDir)}`;
  const lines = [
    `Latchkey ${VERSION} on ${hostname()}`,
    `  address       ${urls(tcp).join('  ')}`,
    ...(certificate == null
      ? []
      : [`  tls           ${certificate.current.from}, sha256 ${certificate.current.fingerprint}`]),
    `  owner socket  ${socket}`,
    `  state         ${stateDir}`,
    '',
    'Try next, in another terminal:',
    `  ${again} agent -m hello`,
    `  ${again} status`,
    `  ${again} devices list`,
    `  ${again} gateway secret show`,
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
