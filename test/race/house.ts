import { Authority } from '../../src/authority/authority.ts';
import type { DeviceId, Principal } from '../../src/core/authz/principal.ts';
import { OPERATOR_SCOPES, type Scope } from '../../src/core/authz/scope.ts';
import { Gateway, type GatewayOptions } from '../../src/gateway/gateway.ts';
import type { TransportFacts } from '../../src/gateway/listen/pipe.ts';
import { keysOf } from '../../src/main/keys.ts';
import type { Store, Trace } from '../../src/store/store.ts';
import { ScriptedClock } from '../../src/system/clock.ts';
import { SigningKey } from '../../src/system/crypto.ts';
import { Line, OWNER_DOOR, Stamps } from './line.ts';
import { paced, type Schedule } from './schedule.ts';

const OWNER: Principal = { kind: 'owner' };
export const SECRET = 'the shared secret of the races';
export const KEYS = keysOf(
  { signingKey: new SigningKey(Buffer.alloc(32, 1)), tokenKey: Buffer.alloc(32, 2), secret: SECRET },
  null,
);

/** Expendable by its contract (A17), and nothing is asked of it here. */
const NO_TRACE: Trace = {
  note: () => null,
  seen: () => undefined,
  lastSeen: () => null,
  find: () => null,
  list: () => [],
  flush: () => undefined,
  close: () => undefined,
};

const unasked = (what: string) => (): never => {
  throw new Error(`nobody asks for ${what} here`);
};

/** A whole gateway in this process but for its listeners: lines stand in their place, and the clock stands still. */
export class House {
  readonly clock = new ScriptedClock();
  readonly stamps = new Stamps();
  readonly store: Store;
  readonly authority: Authority;
  readonly gateway: Gateway;
  /** Every id that was handed out, used or not. */
  readonly ids: string[];
  /** What went wrong inside: nothing may. */
  readonly errors: string[];
  /** An owner who listens to everything. */
  readonly watcher: Line;

  private constructor(parts: Pick<House, 'store' | 'authority' | 'ids' | 'errors' | 'clock'>) {
    const { store, authority, ids, errors, clock } = parts;
    this.store = store;
    this.authority = authority;
    this.ids = ids;
    this.errors = errors;
    this.clock = clock;
    this.gateway = new Gateway(optionsOf(authority, clock, errors));
    this.watcher = this.line(OWNER_DOOR);
  }

  static async open(store: Store, schedule: Schedule): Promise<House> {
    const clock = new ScriptedClock();
    const ids: string[] = [];
    const errors: string[] = [];
    let house: House | null = null;
    const authority = await Authority.open({
      store: paced(store, schedule),
      now: () => clock.now(),
      after: (delayMs, run) => clock.after(delayMs, run),
      freshId: () => {
        ids.push(`id${ids.length + 1}`);
        return `id${ids.length}`;
      },
      secretScopes: () => OPERATOR_SCOPES,
      waitedAt: () => house?.gateway.waitedAt() ?? new Set(),
    });
    house = new House({ store, authority, ids, errors, clock });
    const client = { id: 'watcher', version: '1', platform: 'linux', mode: 'cli' };
    await house.watcher.ask('connect', { minProtocol: 3, maxProtocol: 4, role: 'operator', client });
    return house;
  }

  line(facts: TransportFacts): Line {
    return new Line(this.gateway.accept, facts, this.stamps);
  }

  async ensure(device: DeviceId, key: string, scopes: readonly Scope[]): Promise<void> {
    const held = scopes.map((scope) => ({ scope, until: null }));
    const { reply } = await this.authority.decide(
      OWNER,
      { kind: 'ensure', role: 'operator', scopes: held },
      device,
      key,
    );
    if (reply.kind !== 'done') throw new Error(JSON.stringify(reply));
  }

  close(): void {
    this.authority.close();
  }
}

function optionsOf(authority: Authority, clock: ScriptedClock, errors: string[]): GatewayOptions {
  let ids = 0;
  let codes = 0;
  const rules: ReturnType<GatewayOptions['rules']> = {
    allowedOrigins: [],
    secretFrom: [],
    secret: () => SECRET,
    authMode: 'token',
    askMode: 'open',
    guesses: { maxAttempts: 10, windowMs: 60_000, maxDelayMs: 5_000 },
  };
  return {
    authority,
    clock,
    keys: KEYS,
    trace: NO_TRACE,
    rules: () => rules,
    diary: {
      info: () => undefined,
      rarely: () => undefined,
      error: (event, error) => void errors.push(`${event}: ${error instanceof Error ? error.stack : String(error)}`),
    },
    version: '0',
    bootId: 'boot',
    handshakeMs: 60_000,
    newId: () => `line${++ids}`,
    freshCode: () => `code-${++codes}`,
    facts: () => ({
      version: '0',
      stateDir: '/nowhere',
      addresses: [],
      ownerSocket: '',
      store: 'memory',
      authMode: 'token',
      configPath: '',
      agents: ['main', 'second'],
    }),
    config: {
      view: unasked('the configuration'),
      change: unasked('a change of the configuration'),
      schema: unasked('the schema'),
      lookup: unasked('the schema of a key'),
      agents: {
        create: unasked('another agent'),
        update: unasked('a change of an agent'),
        remove: unasked('an agent less'),
        clear: unasked("an agent's files"),
      },
      state: () => ({ path: '', pending: [], problem: null }),
    },
    models: { list: unasked('models'), status: unasked('the models in use'), probe: unasked('a probe') },
    conversations: {
      books: {
        // Nothing was said in this house: `health` and `status` ask that.
        agents: async () => [],
        spenders: async () => [],
        newest: async () => [],
        conversation: unasked('a conversation'),
        earlier: unasked('earlier conversations'),
        ends: async () => new Map(),
        rows: unasked('rows'),
        content: unasked('an attachment'),
        clean: (text) => text,
        kept: unasked('what is kept'),
        days: unasked('what was used'),
      },
      agents: unasked('agents'),
      thinker: unasked('a model'),
      send: unasked('what is said'),
      command: unasked('a command'),
      wait: unasked('a run'),
      answer: unasked('an answer'),
      abort: unasked('the end of a run'),
      session: unasked('a session'),
      sessions: async () => [],
      tail: unasked('rows'),
      open: unasked('open runs'),
      // Nobody speaks in this house, so nothing goes on.
      atWork: () => [],
      reset: unasked('a reset'),
      patch: unasked('a patch'),
      delete: unasked('a deletion'),
      compact: unasked('a compaction'),
      inject: unasked('a note'),
      subscribe: () => () => undefined,
    },
    reach: unasked('addresses'),
    inspect: unasked('a look at it'),
    newSecret: unasked('a new secret'),
  };
}
