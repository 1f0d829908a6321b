// One connect of a raw client, and everything that can be seen of what came of it: its answer, what it may call, and
// what the owner sees of it.
import type { Gateway } from '../../gateway.ts';
import { type ConnectOptions, type OpenOptions, Partner } from '../../partner/client.ts';
import { type ConnectParams, type Identity, newIdentity, type SignatureVersion } from '../../partner/identity.ts';
import type { Answer, Payload, Peer } from '../../partner/peer.ts';
import type { Labels, Proof } from './row.ts';

/** How a release speaks. */
export interface Dialect {
  readonly protocol: 3 | 4;
  readonly signature: SignatureVersion;
}

export const ALLOWED_ORIGIN = 'https://ui.example';
export const CALLS = ['health', 'status', 'device.pair.list'] as const;

export interface Observed {
  /** `connected`, or code, details and close of a refusal. */
  readonly answer: string;
  /** What hello says of scopes, in short, sorted; `null`: nothing. */
  readonly told: readonly string[] | null;
  readonly missing: readonly string[];
  readonly ignored: readonly string[];
  /** `ok`, or the code of the refusal, for each of `CALLS`. */
  readonly calls: Readonly<Record<string, string>>;
  /** What the owner sees that its key holds as an operator; `null`: it is not paired. */
  readonly paired: readonly string[] | null;
  /** Requests that are there and were not before. */
  readonly opened: number;
}

const short = (scopes: readonly string[]): string[] => scopes.map((scope) => scope.replace(/^operator\./, '')).sort();

function paramsOf(
  gateway: Gateway,
  labels: Labels,
  { role, asks, secret }: Proof,
  { protocol }: Dialect,
): ConnectParams {
  const wrong = '0'.repeat(gateway.token.length);
  const auth = {
    token: { token: gateway.token },
    password: { password: gateway.token },
    'wrong token': { token: wrong },
    'wrong password': { password: wrong },
    none: null,
  }[secret];
  return {
    minProtocol: protocol,
    maxProtocol: protocol,
    client: { ...labels, instanceId: '00000000-0000-4000-8000-000000000000' },
    role,
    ...(role === 'node' ? { scopes: [], commands: asks } : { scopes: asks.map((scope) => `operator.${scope}`) }),
    caps: [],
    ...(auth === null ? {} : { auth }),
  };
}

function openOf({ port }: Gateway, { origin }: Proof): OpenOptions {
  const origins = {
    none: null,
    own: `http://127.0.0.1:${port}`,
    allowed: ALLOWED_ORIGIN,
    foreign: 'https://evil.example',
  };
  const name = origins[origin];
  return name === null ? { port } : { port, origin: name };
}

/** A key in the state that a row begins with. */
export async function keyOf(gateway: Gateway, owner: Peer, proof: Proof, dialect: Dialect): Promise<Identity | null> {
  if (proof.key === 'none') return null;
  const identity = newIdentity();
  if (proof.key === 'read') {
    const scopes = ['operator.read'];
    await owner.ask('device.pair.ensure', { publicKey: identity.publicKey, role: 'operator', scopes });
  }
  if (proof.key === 'node') {
    // As an admin approves it: it asks, and what it asked is approved.
    const node: Proof = {
      role: 'node',
      asks: ['system.run', 'system.which'],
      key: 'new',
      secret: 'none',
      origin: 'none',
    };
    const labels: Labels = { id: 'node-host', mode: 'node', version: '1', platform: 'linux' };
    const partner = await Partner.open(openOf(gateway, node));
    await partner.connect(paramsOf(gateway, labels, node, dialect), { identity, version: dialect.signature });
    partner.end();
    const { pending } = await owner.ask('device.pair.list', {});
    const own = pending.find((row: Payload) => row.deviceId === identity.id);
    await owner.ask('device.pair.approve', { requestId: own?.requestId });
  }
  return identity;
}

function answerText(answer: Answer, close: number | null): string {
  if (answer.ok) return 'connected';
  const { code, details } = answer.error;
  const words = [code, details?.code, details?.reason].filter((word) => typeof word === 'string');
  return `${words.join(' ')}, close ${close}`;
}

async function callsOf(partner: Partner): Promise<Record<string, string>> {
  const calls: Record<string, string> = {};
  for (const method of CALLS) {
    const answer = await partner.call(method, {});
    calls[method] = answer.ok ? 'ok' : String(answer.error.details?.refusal ?? answer.error.code);
  }
  return calls;
}

/** Connects once, and looks. */
export async function observe(
  gateway: Gateway,
  owner: Peer,
  { labels, proof }: { readonly labels: Labels; readonly proof: Proof },
  dialect: Dialect,
  identity: Identity | null,
): Promise<Observed> {
  const idsOf = async () => (await owner.ask('device.pair.list', {})) as Payload;
  const before = new Set((await idsOf()).pending.map((row: Payload) => row.requestId));
  const partner = await Partner.open(openOf(gateway, proof));
  const options: ConnectOptions = identity === null ? {} : { identity, version: dialect.signature };
  try {
    const answer = await partner.connect(paramsOf(gateway, labels, proof, dialect), options);
    const close = answer.ok ? null : (await partner.closed).code;
    const auth = answer.ok ? (answer.payload.auth ?? {}) : {};
    const calls = answer.ok ? await callsOf(partner) : {};
    const after = await idsOf();
    const held = after.paired.find((row: Payload) => row.deviceId === identity?.id && row.roles?.includes('operator'));
    return {
      answer: answerText(answer, close),
      told: Array.isArray(auth.scopes) ? short(auth.scopes) : null,
      missing: short(auth.missing ?? []),
      ignored: [...(auth.ignored ?? [])],
      calls,
      paired: held === undefined ? null : short(held.scopes),
      opened: after.pending.filter((row: Payload) => !before.has(row.requestId)).length,
    };
  } finally {
    partner.end();
  }
}
