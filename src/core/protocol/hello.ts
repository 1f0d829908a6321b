import type { Instant } from '../base/instant.ts';
import type { Protocol } from './connect.ts';
import { EVENT_NAMES } from './event.ts';
import { POLICY } from './limit.ts';
import { METHOD_NAMES } from './registry.ts';

/** What a session is told about its authority. */
export interface HelloAuth {
  readonly method: 'owner' | 'device' | 'token' | 'password';
  readonly role: string;
  /** A1: what this connection holds. */
  readonly held: readonly string[];
  /** What its device was given in this role; the same as `held` where there is no device. */
  readonly granted: readonly string[];
  /** closure(held) ⊇ granted */
  readonly coversGrant: boolean;
  /** A10; `null` without a device. */
  readonly deviceToken: string | null;
  /** When the grant was made: the token is derived and has no time of its own. */
  readonly issuedAtMs: Instant;
  /** The client brought a device token that isn't this one. */
  readonly broughtStale: boolean;
  /** Asked and not held. */
  readonly missing: readonly string[];
  /** The open request, or the listed rejection, that covers `missing`. */
  readonly requestId: string | null;
  /** `missing` was rejected by a person. */
  readonly rejected: boolean;
  /** Names asked that no scope has. */
  readonly unknown: readonly string[];
  /** Credentials beside the key that counted as absent (A4): `secret`, `code`, `token`, `deviceToken`. */
  readonly ignored: readonly string[];
  /** The ask could not be stored and was left out (A4). */
  readonly notStored: boolean;
  /** A17: by which `latchkey why` explains it; `null`: it could not be noted. */
  readonly decision: string | null;
}

export interface HelloFacts {
  readonly protocol: Protocol;
  readonly version: string;
  readonly connId: string;
  /** New at each start of the gateway. */
  readonly bootId: string;
  readonly auth: HelloAuth;
  readonly mayRead: boolean;
  readonly isAdmin: boolean;
  readonly presence: readonly unknown[];
  readonly health: unknown;
  readonly stateVersion: { readonly presence: number; readonly health: number };
  readonly uptimeMs: number;
  readonly authMode: string;
  readonly configPath: string;
  readonly stateDir: string;
  /** The default one first; absent: `main` alone. For who may not read the default one is called `main` too. */
  readonly agents?: readonly string[];
}

const sessionDefaults = (agent = 'main') => ({
  defaultAgentId: agent,
  mainKey: 'main',
  mainSessionKey: `agent:${agent}:main`,
  scope: 'per-sender',
});

/** What Latchkey adds to `hello-ok.auth` (PROTOCOL.md §9); each only where there is something to say. */
function additions(auth: HelloAuth): Record<string, unknown> {
  return {
    ...(auth.missing.length === 0 ? {} : { missing: auth.missing }),
    ...(auth.requestId === null ? {} : { requestId: auth.requestId }),
    ...(auth.rejected ? { rejected: true } : {}),
    ...(auth.unknown.length === 0 ? {} : { unknown: auth.unknown }),
    ...(auth.ignored.length === 0 ? {} : { ignored: auth.ignored }),
    ...(auth.notStored ? { notStored: true } : {}),
    ...(auth.decision === null ? {} : { decision: auth.decision }),
  };
}

/**
 * PROTOCOL.md §9. v4: what the connection holds; the token only with the whole grant, because 9.6 stores the scopes
 * with it and asks for them next time: a narrow session would narrow the next one. A stale token is healed all the
 * same. v3: the grant, always with the token, as clients of 3.13 and 2.19 read a session's authority off the token.
 */
function authOf(protocol: Protocol, auth: HelloAuth): Record<string, unknown> | null {
  const token = auth.deviceToken === null ? null : { deviceToken: auth.deviceToken, issuedAtMs: auth.issuedAtMs };
  if (protocol === 3) {
    if (token === null) return null;
    return { ...token, role: auth.role, scopes: auth.granted, ...additions(auth) };
  }
  return {
    method: auth.method,
    role: auth.role,
    scopes: auth.held,
    ...(token !== null && (auth.coversGrant || auth.broughtStale) ? token : {}),
    ...additions(auth),
  };
}

function featuresOf(protocol: Protocol): Record<string, unknown> {
  return { methods: METHOD_NAMES, events: EVENT_NAMES, ...(protocol === 4 ? { capabilities: [] } : {}) };
}

/** Most of the answer, and the same for everybody. */
const FEATURES: Record<Protocol, string> = {
  3: JSON.stringify(featuresOf(3)),
  4: JSON.stringify(featuresOf(4)),
};

/** The payload that answers a `connect` (PROTOCOL.md §3.4). */
export function helloOk(f: HelloFacts): Record<string, unknown> {
  return { ...personal(f), features: featuresOf(f.protocol) };
}

/** `helloOk` as JSON. */
export function helloText(f: HelloFacts): string {
  return `${JSON.stringify(personal(f)).slice(0, -1)},"features":${FEATURES[f.protocol]}}`;
}

/** All that differs from one connection to the next. */
function personal(f: HelloFacts): Record<string, unknown> {
  const auth = authOf(f.protocol, f.auth);
  const { protocol } = f;
  return {
    type: 'hello-ok',
    protocol,
    // No buildId: with one, a control UI of another build would ask to be loaded anew.
    server: { version: f.version, connId: f.connId, ...(protocol === 4 ? { bootId: f.bootId } : {}) },
    snapshot: {
      presence: f.mayRead ? f.presence : [],
      health: f.health,
      stateVersion: f.stateVersion,
      uptimeMs: f.uptimeMs,
      sessionDefaults: sessionDefaults(f.mayRead ? f.agents?.[0] : undefined),
      authMode: f.authMode,
      ...(protocol === 4 ? { suspension: { phase: 'accepting' } } : {}),
      ...(f.isAdmin ? { configPath: f.configPath, stateDir: f.stateDir } : {}),
    },
    ...(auth === null ? {} : { auth }),
    policy: POLICY,
  };
}
