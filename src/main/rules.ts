import type { LoadedConfig } from '../config/load.ts';
import type { GatewayOptions } from '../gateway/gateway.ts';
import { proxyList } from '../gateway/listen/forwarded.ts';
import type { TcpDoor } from '../gateway/listen/tcp.ts';
import { certificateWarning, type LiveCertificate } from '../system/certificate.ts';
import { systemClock as clock } from '../system/clock.ts';
import { newId, randomBytes } from '../system/random.ts';
import { pinOf } from './certificate.ts';
import { Desk } from './config.ts';
import { conversationsOf, type Tended } from './conversations.ts';
import { type House, VERSION } from './house.ts';
import { inspector } from './inspect.ts';
import { keysOf } from './keys.ts';
import { Models } from './models.ts';
import { Probing } from './probing.ts';
import { reachOf } from './reach.ts';
import { boundOf, spentToday } from './spending.ts';

/** The TCP door of a gateway; a command that is a gateway for one moment has none. */
export interface Door {
  tcp: TcpDoor | null;
  /** What TLS is spoken with; absent or `null`: no TLS, or no door. */
  certificate?: LiveCertificate | null;
  ready: boolean;
  readonly started: boolean;
  /** A11: where the owner socket is; empty: there is none. */
  ownerSocket: string;
  /** A11: this start's; `null`: there is no door at which it could be proved. */
  readonly ownerKey: Buffer | null;
}

/** What the gateway is made of, from an open house, a door, and what its agents think and talk with. */
export function gatewayOptions(house: House, door: Door, { models, conversations }: Minds): GatewayOptions {
  const { live, load, identity, secrets, log, stateDir, store, authority, trace } = house;
  let rules: (ReturnType<typeof doorRules> & { readonly open: TcpDoor | null; readonly by: LoadedConfig }) | null =
    null;
  return {
    authority,
    trace,
    clock,
    newId,
    keys: keysOf(identity, door.ownerKey),
    rules: () => {
      // Own origins are known once the door is open; until then nobody comes through it.
      if (rules === null || rules.open !== door.tcp || rules.by !== live.now)
        rules = { ...doorRules(house, door), open: door.tcp, by: live.now };
      return rules;
    },
    diary: {
      info: (event, fields) => log.info(event, fields),
      rarely: (key, event, fields) => log.onceAMinute(key, 'warn', event, fields),
      error: (event, error) =>
        log.error(event, { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    },
    version: VERSION,
    handshakeMs: live.now.config.gateway.handshakeTimeoutMs,
    bootId: newId(),
    freshCode: () => randomBytes(16).toString('base64url'),
    facts: () => ({
      version: VERSION,
      stateDir,
      addresses: door.tcp === null ? [] : urls(door.tcp),
      ownerSocket: door.ownerSocket,
      store: store.describe,
      authMode: live.now.config.gateway.auth.mode,
      configPath: live.now.path,
      tls: tlsFacts(door),
      agents: live.now.config.agents.list.map(({ id }) => id),
      warnings: [...live.warnings, ...certificateWarnings(door)],
    }),
    inspect: inspector(house, () => door.ownerSocket),
    reach: () =>
      reachOf({
        addresses: door.tcp?.addresses ?? live.now.config.gateway.bind.addresses,
        port: door.tcp?.port ?? live.now.config.gateway.port,
        bind: live.now.config.gateway.bind.spec,
        fingerprint: pinOf(house, door.certificate ?? null),
      }),
    models,
    conversations,
    config: new Desk({
      live,
      load,
      key: identity.tokenKey,
      log,
      version: VERSION,
      stateDir,
      isServing: door.started,
    }),
    newSecret: () => secrets.renew(),
  };
}

export interface Minds {
  readonly models: Models;
  /** Not started: whoever opens the doors does that. */
  readonly conversations: Tended;
}

export function mindsOf(house: House): Minds {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const models = new Models({
    live: house.live,
    env: process.env,
    clock,
    hide: (secret) => house.log.hide(secret),
    probing: new Probing({
      store: house.store,
      clock,
      newId,
      payer: () => {
        const [agent] = house.live.now.config.agents.list;
        return { id: agent.id, bound: boundOf(agent) };
      },
      zone,
    }),
    spent: spentToday({ store: house.store, clock, zone }),
  });
  return { models, conversations: conversationsOf(house, models) };
}

function doorRules({ loaded, secrets }: House, door: Door): ReturnType<GatewayOptions['rules']> {
  const { gateway: config } = loaded.config;
  return {
    allowedOrigins: [...config.controlUi.allowedOrigins, ...ownOrigins(door.tcp)],
    secretFrom: config.auth.sharedSecretFrom,
    isProxy: proxyList(config.trustedProxies),
    secret: () => secrets.now(),
    authMode: config.auth.mode,
    askMode: config.pairing.ask,
    guesses: config.auth.rateLimit,
  };
}

function tlsFacts({ certificate }: Door) {
  if (certificate == null) return null;
  const { fingerprint, notAfterMs, from } = certificate.current;
  return { fingerprint, notAfterMs, from };
}

function certificateWarnings({ certificate }: Door): readonly string[] {
  const warning = certificate == null ? null : certificateWarning(certificate.current, clock.now());
  return warning === null ? [] : [warning];
}

export function urls(tcp: TcpDoor): readonly string[] {
  return tcp.addresses.map((a) => `${tcp.secure ? 'wss' : 'ws'}://${a.includes(':') ? `[${a}]` : a}:${tcp.port}`);
}

/** The gateway's own pages: what they are served from is exact, and a page elsewhere can't claim it. */
function ownOrigins(tcp: TcpDoor | null): readonly string[] {
  if (tcp === null) return [];
  const hosts = tcp.addresses.map((a) => (a.includes(':') ? `[${a}]` : a));
  return [...new Set([...hosts, ...(hosts.includes('127.0.0.1') ? ['localhost'] : [])])].map(
    (h) => `${tcp.secure ? 'https' : 'http'}://${h}:${tcp.port}`,
  );
}
