import { viewConfig } from '../config/redact.ts';
import type { GatewayOptions } from '../gateway/gateway.ts';
import type { TcpDoor } from '../gateway/listen/tcp.ts';
import { systemClock as clock } from '../system/clock.ts';
import { hmacSha256 } from '../system/crypto.ts';
import { newId, randomBytes } from '../system/random.ts';
import { type House, VERSION } from './house.ts';
import { keysOf } from './keys.ts';

/** The TCP door of a gateway; a command that is a gateway for one moment has none. */
export interface Door {
  tcp: TcpDoor | null;
  ready: boolean;
  readonly started: boolean;
  /** A11: where the owner socket is; empty: there is none. */
  ownerSocket: string;
  /** A11: this start's; `null`: there is no door at which it could be proved. */
  readonly ownerKey: Buffer | null;
}

/** What the gateway is made of, from an open house and a door. */
export function gatewayOptions(house: House, door: Door): GatewayOptions {
  const { loaded, identity, secrets, log, stateDir, store, authority, trace } = house;
  const { gateway: config } = loaded.config;
  let rules: (ReturnType<typeof doorRules> & { readonly open: TcpDoor | null }) | null = null;
  return {
    authority,
    trace,
    clock,
    newId,
    keys: keysOf(identity, door.ownerKey),
    rules: () => {
      // Own origins are known once the door is open; until then nobody comes through it.
      if (rules === null || rules.open !== door.tcp) rules = { ...doorRules(house, door), open: door.tcp };
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
      stateDir,
      addresses: door.tcp === null ? [] : urls(door.tcp),
      ownerSocket: door.ownerSocket,
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

function doorRules({ loaded, secrets }: House, door: Door): ReturnType<GatewayOptions['rules']> {
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

export function urls(tcp: TcpDoor): readonly string[] {
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
