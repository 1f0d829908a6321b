// Where the commands are run: a gateway of its own, fresh, and a home directory that knows it.
import { start } from '../gateway.ts';
import { newIdentity } from '../partner/identity.ts';
import type { Owner } from '../partner/owner.ts';
import { READ } from '../scenario/act.ts';
import { foreignGateway } from './foreign.ts';
import type { Facts } from './judge.ts';
import { Home } from './openclaw.ts';
import type { Release } from './release.ts';

export type Kind = Facts['kind'];

export interface Site {
  readonly release: Release;
  readonly home: Home;
  /** The owner socket; `null` at a gateway that has none. */
  readonly owner: Owner | null;
  /** Devices that the run itself brought: what is open or logged about them is not the commands' doing. */
  readonly brought: Set<string>;
  readonly hasConfig: boolean;
  facts(): Facts;
  /** From now on one device is paired that every list must show. Does nothing where the owner can't be asked. */
  bringWitness(): Promise<void>;
  /** Ends the gateway; what it wrote stays. */
  halt(): Promise<{ readonly logs: string; readonly stateDir: string | null }>;
  /** Removes all that is left. */
  end(): Promise<void>;
}

/** The secret and the port in the environment, and no file at all. */
function bareHome(port: number, token: string): Home {
  return new Home(null, { OPENCLAW_GATEWAY_TOKEN: token, OPENCLAW_GATEWAY_PORT: String(port) });
}

export async function latchkeySite(release: Release, bare: boolean): Promise<Site> {
  const gateway = await start();
  const { port, token } = gateway;
  const owner = await gateway.owner();
  const home = bare ? bareHome(port, token) : Home.local(port, token);
  const version = String((await owner.ask('status')).runtimeVersion);
  const brought = new Set<string>();
  let witness: Facts['witness'] = null;
  return {
    release,
    home,
    owner,
    brought,
    hasConfig: !bare,
    facts: () => ({ kind: 'latchkey', port, token, version, homePath: home.path, witness }),
    async bringWitness() {
      const identity = newIdentity();
      const name = 'witness';
      const { publicKey, id } = identity;
      await owner.ask('device.pair.ensure', { publicKey, role: 'operator', scopes: [READ], displayName: name });
      brought.add(id);
      witness = { id, name };
    },
    async halt() {
      await gateway.halt();
      return { logs: gateway.logs(), stateDir: gateway.stateDir };
    },
    async end() {
      await gateway.stop();
      home.end();
    },
  };
}

/** The release's own gateway, in a home of its own; the commands have another one. */
export async function openclawSite(release: Release, bare: boolean): Promise<Site> {
  const gateway = await foreignGateway(release);
  const { port, token } = gateway;
  const home = bare ? bareHome(port, token) : Home.local(port, token);
  return {
    release,
    home,
    owner: null,
    brought: new Set(),
    hasConfig: !bare,
    facts: () => ({ kind: 'openclaw', port, token, version: release.name, homePath: home.path, witness: null }),
    bringWitness: async () => {},
    async halt() {
      await gateway.halt();
      return { logs: gateway.logs(), stateDir: null };
    },
    async end() {
      await gateway.stop();
      home.end();
    },
  };
}
