import { existsSync } from 'node:fs';
import { join } from 'node:path';
import pkg from '../../package.json' with { type: 'json' };
import { Authority } from '../authority/authority.ts';
import { LiveConfig } from '../config/live.ts';
import { configPath, type LoadedConfig, type LoadOptions, loadConfig } from '../config/load.ts';
import type { RequestId } from '../core/authz/principal.ts';
import { isBusy, isOutOfRoom } from '../store/sqlite/failure.ts';
import { openSqlite } from '../store/sqlite/open.ts';
import { openTrace } from '../store/sqlite/trace.ts';
import { type Store, StoreUnavailable, type Trace } from '../store/store.ts';
import { systemClock as clock } from '../system/clock.ts';
import { EXIT, Failure } from '../system/failure.ts';
import { type GatewayIdentity, identityPath, openGatewayIdentity } from '../system/identity.ts';
import type { Log } from '../system/log.ts';
import { newId } from '../system/random.ts';
import { listenerOf } from './config.ts';
import { Secrets } from './secrets.ts';

export const VERSION = pkg.version;

export interface HouseOptions {
  readonly stateDir: string;
  readonly port?: number;
  readonly bind?: string;
  readonly profile?: string | null;
  /** The profile was named on the command line: an inherited configuration path doesn't count (T18). */
  readonly explicitProfile?: boolean;
}

/** Everything of a state directory that decides: the same for a gateway and for a command without one (A11). */
export interface House {
  readonly stateDir: string;
  /** The configuration in force now. */
  readonly loaded: LoadedConfig;
  readonly live: LiveConfig;
  readonly load: LoadOptions;
  readonly store: Store;
  readonly identity: GatewayIdentity;
  readonly secrets: Secrets;
  readonly authority: Authority;
  readonly trace: Trace;
  readonly log: Log;
  /** A15: who is asked which requests a socket waits at. */
  waitedAt: () => ReadonlySet<RequestId>;
  /** Told when what is in force may be other rules. */
  rulesChanged: () => void;
  close(): Promise<void>;
}

function loadOptions(options: HouseOptions): LoadOptions {
  return {
    path: configPath(options.stateDir, process.env, options.explicitProfile),
    port: options.port,
    bind: options.bind,
    profile: options.profile,
  };
}

/** The configuration of a state directory. @throws Failure 78 naming file, line and key */
export function configOf(options: HouseOptions): LiveConfig {
  const load = loadOptions(options);
  return new LiveConfig(loadConfig(load), { load, env: process.env, clock });
}

/**
 * Opens the truth, the identity and what decides by them. The caller holds the lock.
 * @param fresh a gateway: it makes what a new state directory lacks, and brings an older store up to date
 * @throws Failure 78 or 75, with the command that mends it
 */
export async function openHouse(
  options: HouseOptions,
  live: LiveConfig,
  { log, fresh }: { readonly log: Log; readonly fresh: boolean },
): Promise<House> {
  const { stateDir } = options;
  // A command decides without the secret: one that only the gateway's environment holds must not stop it.
  let secrets: Secrets | null = null;
  let opened: House | null = null;
  const rulesChanged = () => opened?.rulesChanged();
  live.listen(listenerOf(log, () => secrets, rulesChanged));
  if (fresh) await live.resolve();
  const store = await openStore(stateDir, fresh);
  try {
    const storeExists = !fresh || (await hasHistory(store));
    const identity = openGatewayIdentity(stateDir, { storeExists, needsSecret: fresh && !live.namesSecret });
    const shared = new Secrets(stateDir, live, identity.secret, log);
    secrets = shared;
    for (const warning of live.warnings) log.warn(warning);
    const trace = openTrace(join(stateDir, 'state', 'trace.sqlite'));
    const house = {
      waitedAt: () => new Set<RequestId>() as ReadonlySet<RequestId>,
      get loaded() {
        return live.now;
      },
    };
    const authority = await Authority.open({
      store,
      now: () => clock.now(),
      freshId: newId,
      secretScopes: () => live.now.config.gateway.auth.sharedSecretScopes,
      waitedAt: () => house.waitedAt(),
      after: clock.after,
    });
    const close = async () => {
      live.close();
      authority.close();
      trace.close();
      await store.close();
    };
    const load = loadOptions(options);
    const parts = { stateDir, live, load, store, identity, secrets: shared, authority, trace, log, close };
    opened = Object.assign(house, parts, { rulesChanged: () => {} });
    return opened;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The truth is never made anew beside an identity: an empty store would lock out every device that was paired. */
async function openStore(stateDir: string, fresh: boolean): Promise<Store> {
  const file = join(stateDir, 'state', 'latchkey.sqlite');
  try {
    return await openSqlite({
      file,
      backupsDir: join(stateDir, 'backups'),
      now: () => clock.now(),
      create: fresh && !existsSync(identityPath(stateDir)),
      migrate: fresh,
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

/** A store in which something was ever decided or said. */
async function hasHistory(store: Store): Promise<boolean> {
  return store.read(
    async (tx) =>
      (await tx.changes.list(1)).length > 0 ||
      (await tx.devices.list()).length > 0 ||
      (await tx.sessions.list({ limit: 1 })).length > 0 ||
      (await tx.runs.list({ limit: 1 })).length > 0,
  );
}
