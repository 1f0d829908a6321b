import type { Authority, ConnectInput, Decided } from '../authority/authority.ts';
import type { Ignored, Refusal, Reply } from '../core/authz/command.ts';
import type { CodeId, DeviceId, Principal } from '../core/authz/principal.ts';
import { ASK_MAX, isKnown, ROLES, type Role, type Scope, scopeSet } from '../core/authz/scope.ts';
import type { Comparison, DeviceState, Label } from '../core/authz/state.ts';
import type { ConnectParams, Protocol } from '../core/protocol/connect.ts';
import type { ErrorContext } from '../core/protocol/error.ts';
import { signedText, signedToken } from '../core/protocol/signed.ts';
import type { TransportFacts } from './listen/pipe.ts';
import { mayProveOwner, type Position, type PositionRules, positionOf } from './proof.ts';

/** Cryptography as this file needs it; wired by the composition root from system/crypto.ts. */
export interface Keys {
  /** Ed25519 over UTF-8 text; false for anything that isn't canonical. `key`, `signature`: unpadded base64url. */
  verify(key: string, text: string, signature: string): boolean;
  /** Lower-case hex SHA-256 of the raw key, `null` where `key` isn't 32 canonical base64url bytes. */
  deviceId(key: string): DeviceId | null;
  /** A14: lower-case hex SHA-256 of a setup code. */
  codeId(code: string): CodeId;
  /** Constant time in the contents, whatever the lengths. */
  same(a: string, b: string): boolean;
  /** A10 */
  deviceToken(device: DeviceId, role: Role, epoch: number): string;
  /** A19: eight digits. */
  comparison(deviceKey: string, r: string, s: string): string;
  /** A18: base64url of the gateway's raw key. */
  readonly gatewayKey: string;
  /** A11: base64url HMAC with this start's owner key; `null`: no owner proof is taken. */
  readonly ownerProof: ((side: 'gateway' | 'client', lk: string, nonce: string) => string) | null;
}

export interface DoorRules extends PositionRules {
  /** A13: the secret now; throws where the configured source can't be read (fails closed). */
  secret(): string;
  readonly authMode: 'token' | 'password';
  readonly askMode: 'open' | 'secret' | 'closed';
  /** A16: wrong secrets beside this device's key were so many that they are not looked at for a while. */
  tired(device: DeviceId): boolean;
  /** Counts one. */
  wrongBeside(device: DeviceId): void;
}

/** This socket's challenge. The nonce is used up by the first connect that names it (A3). */
export interface Challenge {
  readonly nonce: string;
  /** base64url; `nonce` is base64url SHA-256 of it (A19). */
  readonly s: string;
}

/** Why a connect was not let in, before any rule was asked. */
export type ProofFailure =
  | 'role'
  | 'device_id'
  | 'public_key'
  | 'nonce_required'
  | 'nonce_mismatch'
  | 'signature'
  | 'gateway_key'
  | 'owner_proof'
  | 'secret_unavailable';

/** Which credential beside the key counted as absent; named to the client (A4). */
export type Stale = Ignored | 'token' | 'deviceToken' | 'ownerProof';

export type Verdict =
  | {
      readonly kind: 'session';
      readonly principal: Principal;
      readonly state: DeviceState | null;
      readonly reply: Extract<Reply, { kind: 'connected' }> | null;
      readonly stored: boolean;
      readonly deviceToken: string | null;
      readonly ignored: readonly Stale[];
      readonly method: 'owner' | 'device' | 'token' | 'password';
    }
  | {
      readonly kind: 'waiting';
      readonly request: Extract<Reply, { kind: 'waiting' }>['request'];
      readonly state: DeviceState;
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly state: DeviceState | null }
  | { readonly kind: 'unproven'; readonly failure: ProofFailure };

/** What one connect is judged by, gathered from a frame and a socket. Decides nothing (DESIGN §3). */
export interface ConnectFacts {
  readonly params: ConnectParams;
  readonly transport: TransportFacts;
  readonly challenge: Challenge | null;
  readonly position: Position;
  readonly label: Label;
  readonly role: Role;
  /** Known scopes asked; `null`: none named, so the grant. */
  readonly asked: readonly Scope[] | null;
  /** Names that no scope has: reported, not kept. */
  readonly unknown: readonly string[];
}

/** Names that are told back; a client that sent more knows them. */
const UNKNOWN_MAX = 32;
/** Nearly every name is one that has nothing to be cleaned of. */
const PLAIN = /^[!-~](?:[ -~]{0,62}[!-~])?$/;
const TOKEN_SHAPE = /^[A-Za-z0-9_-]{43}$/;

export function gather(
  params: ConnectParams,
  transport: TransportFacts,
  challenge: Challenge | null,
  rules: DoorRules,
): ConnectFacts | ProofFailure {
  const role = params.role ?? 'operator';
  if (!(ROLES as readonly string[]).includes(role)) return 'role';
  const position = positionOf(transport, rules);
  // A node's authority is its commands; an operator's its scopes.
  const names = role === 'node' ? params.commands : params.scopes;
  // A5: an ask has a bound; what is over it is named with the unknown, and not kept.
  const known = names?.filter((n) => isKnown(role as Role, n)).slice(0, ASK_MAX);
  return {
    params,
    transport,
    challenge,
    position,
    label: labelOf(params, position),
    role: role as Role,
    asked: known === undefined ? (role === 'node' ? [] : null) : scopeSet(known),
    unknown: names?.filter((n) => known?.includes(n) !== true).slice(0, UNKNOWN_MAX) ?? [],
  };
}

/** What a refusal of this connect speaks of. */
export function contextOf(params: ConnectParams, protocol: Protocol, authMode: DoorRules['authMode']): ErrorContext {
  return {
    protocol,
    authMode,
    clientId: params.client.id,
    clientMode: params.client.mode,
    role: params.role ?? 'operator',
    ...(params.device ? { deviceId: params.device.id } : {}),
    asked: params.scopes ?? [],
  };
}

/** A15: names are shown as claimed, at most 64 characters, without control or direction characters. */
export function claimed(text: string | undefined): string | null {
  if (text !== undefined && PLAIN.test(text)) return text;
  const clean = [...(text ?? '').replace(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').trim()].slice(0, 64).join('');
  return clean === '' ? null : clean;
}

function labelOf(params: ConnectParams, position: Position): Label {
  const { client } = params;
  return {
    name: claimed(client.displayName),
    platform: claimed(client.platform),
    family: claimed(client.deviceFamily),
    clientId: claimed(client.id) ?? 'unknown',
    clientMode: claimed(client.mode) ?? 'unknown',
    version: claimed(client.version) ?? 'unknown',
    remote: position.remote,
  };
}

/** A3: present and wrong is refused, never taken for weaker proof. */
function proveDevice(f: ConnectFacts, keys: Keys): ProofFailure | DeviceId {
  const { device, client, auth, scopes } = f.params;
  if (device === undefined) return 'signature';
  const id = keys.deviceId(device.publicKey);
  if (id === null) return 'public_key';
  if (id !== device.id) return 'device_id';
  if (device.nonce === undefined || device.nonce.trim() === '') return 'nonce_required';
  // Both sides were sent it in clear: nothing to hide in the time that it takes.
  if (device.nonce !== f.challenge?.nonce) return 'nonce_mismatch';
  const signed = {
    deviceId: device.id,
    clientId: client.id,
    clientMode: client.mode,
    role: f.params.role ?? 'operator',
    scopes: scopes ?? [],
    signedAt: device.signedAt,
    token: signedToken(auth),
    nonce: device.nonce,
  };
  const { latchkey } = device;
  if (latchkey !== undefined) {
    // A18: a signature made for another gateway, or for another name of it, opens nothing here.
    if (latchkey.gatewayKey !== keys.gatewayKey || latchkey.host !== (f.transport.host ?? '')) return 'gateway_key';
    return keys.verify(device.publicKey, signedText({ version: 'lk1', ...signed, latchkey }), device.signature)
      ? id
      : 'signature';
  }
  const v3 = signedText({ version: 'v3', ...signed, platform: client.platform, deviceFamily: client.deviceFamily });
  if (keys.verify(device.publicKey, v3, device.signature)) return id;
  return keys.verify(device.publicKey, signedText({ version: 'v2', ...signed }), device.signature) ? id : 'signature';
}

interface Credentials {
  /** `unknown`: the gateway's own can't be read now; granted keys need none (A4). */
  readonly secret: 'right' | 'wrong' | 'none' | 'unknown';
  readonly code: CodeId | null;
  /** What may be a device token: compared with the one that the device has now. */
  readonly tokens: readonly { readonly name: 'token' | 'deviceToken'; readonly value: string }[];
}

function readCredentials(f: ConnectFacts, rules: DoorRules, keys: Keys, tired: boolean): Credentials {
  const { auth, device } = f.params;
  // 9.6 may send the secret in either field; the configured mode's own field is the one that is spoken of.
  const fields = rules.authMode === 'token' ? [auth?.token, auth?.password] : [auth?.password, auth?.token];
  const brought = fields.filter((field) => field !== undefined);
  const [shared] = brought;
  const own = shared === undefined || tired ? null : secretOf(rules);
  const right = own !== null && brought.some((field) => keys.same(field, own));
  // A13: 2.19 and 3.13 send an old device token as auth.token: beside a key it is as if absent.
  const oldToken =
    !right &&
    device !== undefined &&
    auth?.token !== undefined &&
    auth.token === shared &&
    TOKEN_SHAPE.test(auth.token);
  return {
    secret:
      shared === undefined || oldToken
        ? 'none'
        : right
          ? 'right'
          : tired
            ? 'wrong'
            : own === null
              ? 'unknown'
              : 'wrong',
    code: auth?.bootstrapToken === undefined ? null : keys.codeId(auth.bootstrapToken),
    tokens: [
      ...(oldToken ? [{ name: 'token' as const, value: auth.token ?? '' }] : []),
      ...(auth?.deviceToken === undefined ? [] : [{ name: 'deviceToken' as const, value: auth.deviceToken }]),
    ],
  };
}

/** A13: fails closed: a secret that can't be read is nobody's. */
function secretOf(rules: DoorRules): string | null {
  try {
    return rules.secret();
  } catch {
    return null;
  }
}

/** Proof first, then authority: the verdict on one `connect`. */
export async function judge(f: ConnectFacts, rules: DoorRules, keys: Keys, authority: Authority): Promise<Verdict> {
  // A11: whoever can open the owner socket is the owner; nothing else it brings is looked at.
  if (f.transport.door === 'owner') return OWNER;
  if (f.position.origin === 'foreign')
    return { kind: 'refused', refusal: { code: 'origin', retry: 'never' }, state: null };
  const { device, auth } = f.params;
  if (device === undefined && auth?.ownerProof !== undefined) {
    return provesOwner(f, keys, auth.ownerProof) ? OWNER : { kind: 'unproven', failure: 'owner_proof' };
  }
  if (device === undefined) return keyless(f, readCredentials(f, rules, keys, false), rules, authority);
  const id = proveDevice(f, keys);
  if (isFailure(id)) return { kind: 'unproven', failure: id };
  // A13: to a key with a grant the secret adds nothing. It is looked at only to name a wrong one, and not for ever:
  // a paired key is no place to try secrets from.
  const granted = authority.peek(id as DeviceId)?.roles[f.role].grant != null;
  const credentials = readCredentials(f, rules, keys, granted && rules.tired(id as DeviceId));
  if (granted && credentials.secret === 'wrong') rules.wrongBeside(id as DeviceId);
  const known = id as DeviceId;
  const decided = await authority.connect(inputOf(f, credentials, rules, keys, known));
  return verdictOf(f, credentials, keys, decided);
}

/**
 * A11: the proof is over both sides' nonces, and the gateway gave its own first. Only where nobody stands between, who
 * could hand on both halves.
 */
function provesOwner(f: ConnectFacts, keys: Keys, proof: string): boolean {
  const { lk } = f.transport;
  if (!mayProveOwner(f.transport, f.position) || lk === null || f.challenge === null || keys.ownerProof === null)
    return false;
  return keys.same(proof, keys.ownerProof('client', lk, f.challenge.nonce));
}

const OWNER: Verdict = {
  kind: 'session',
  principal: { kind: 'owner' },
  state: null,
  reply: null,
  stored: true,
  deviceToken: null,
  ignored: [],
  method: 'owner',
};

const FAILURES: readonly string[] = [
  'device_id',
  'public_key',
  'nonce_required',
  'nonce_mismatch',
  'signature',
  'gateway_key',
];
function isFailure(value: string): value is ProofFailure {
  return FAILURES.includes(value);
}

function keyless(f: ConnectFacts, credentials: Credentials, rules: DoorRules, authority: Authority): Verdict {
  if (credentials.secret === 'unknown') return { kind: 'unproven', failure: 'secret_unavailable' };
  const { origin, direct } = f.position;
  const allowed = authority.keyless({ origin, direct, secret: credentials.secret, role: f.role });
  if (!allowed.ok) return { kind: 'refused', refusal: allowed.error, state: null };
  return {
    kind: 'session',
    principal: { kind: 'secret', asked: f.asked },
    state: null,
    reply: null,
    stored: true,
    deviceToken: null,
    ignored: [],
    method: rules.authMode,
  };
}

function inputOf(
  f: ConnectFacts,
  credentials: Credentials,
  rules: DoorRules,
  keys: Keys,
  device: DeviceId,
): ConnectInput {
  const { position, label, role, asked } = f;
  const key = f.params.device?.publicKey ?? '';
  return {
    device,
    key,
    role,
    asked,
    label,
    origin: position.origin,
    direct: position.direct,
    source: position.source,
    secret: credentials.secret === 'unknown' ? 'none' : credentials.secret,
    code: credentials.code,
    askMode: rules.askMode,
    waits: f.params.caps?.includes('latchkey.wait') ?? false,
    comparison: comparisonOf(f, keys, key),
  };
}

function comparisonOf(f: ConnectFacts, keys: Keys, key: string): Comparison | null {
  const r = f.params.device?.latchkey?.r;
  if (r === undefined || f.challenge === null) return null;
  return { r, s: f.challenge.s, code: keys.comparison(key, r, f.challenge.s) };
}

function verdictOf(f: ConnectFacts, credentials: Credentials, keys: Keys, decided: Decided): Verdict {
  const { reply, state } = decided;
  if (reply.kind === 'waiting') return { kind: 'waiting', request: reply.request, state };
  if (reply.kind === 'refused') return { kind: 'refused', refusal: reply.refusal, state };
  if (reply.kind !== 'connected') throw new Error(`a connect was answered ${reply.kind}`);
  const deviceToken = keys.deviceToken(state.device, f.role, state.roles[f.role].epoch);
  // A code that nobody knows comes to the core as none: it is named here.
  const code: readonly Stale[] = credentials.code !== null && reply.by !== 'code' ? ['code'] : [];
  const stale: readonly Stale[] = credentials.tokens.filter((t) => !keys.same(t.value, deviceToken)).map((t) => t.name);
  const owner: readonly Stale[] = f.params.auth?.ownerProof === undefined ? [] : ['ownerProof'];
  return {
    kind: 'session',
    principal: { kind: 'device', device: state.device, role: f.role, asked: f.asked },
    state,
    reply,
    stored: decided.stored,
    deviceToken,
    ignored: [...new Set([...reply.ignored, ...code, ...stale, ...owner])],
    method: 'device',
  };
}
