// D1.2: connects that are spoilt each in its own way, and what may be answered to them.
import { createPublicKey, verify } from 'node:crypto';
import { plainParams } from '../partner/client.ts';
import { type ConnectParams, deviceBlock, type Identity, signedText } from '../partner/identity.ts';
import { within } from '../partner/peer.ts';
import { type Closed, openWebSocket, type Upgrade } from '../partner/websocket.ts';
import { Random } from '../random.ts';
import { READ } from '../scenario/act.ts';
import { mutated } from './mutation.ts';

/** Every kind of connect there is: without a key, with an unknown one, with one that holds a grant, with the secret. */
export const BASES = ['keyless', 'stranger', 'known', 'known v2', 'wrong secret', 'secret'] as const;
export type Base = (typeof BASES)[number];

/** What the connects are made of. */
export interface Bait {
  readonly place: Upgrade;
  readonly token: string;
  /** Holds a grant. */
  readonly known: Identity;
  /** Holds none. */
  readonly stranger: Identity;
  readonly seed: number;
  readonly bases: readonly Base[];
}

function frameOf({ token, known, stranger }: Bait, base: Base, nonce: string): unknown {
  const auth = base === 'secret' ? { token } : base === 'wrong secret' ? { token: 'not the secret' } : undefined;
  const params = plainParams({
    scopes: [READ],
    locale: 'de-DE',
    userAgent: 'fuzz',
    ...(auth === undefined ? {} : { auth }),
  });
  const identity = base.startsWith('known') ? known : base === 'stranger' ? stranger : null;
  const version = base === 'known v2' ? ('v2' as const) : ('v3' as const);
  const device = identity === null ? undefined : deviceBlock(identity, params, { version, nonce, signedAt: 1_700_000 });
  return {
    type: 'req',
    id: 'f1',
    method: 'connect',
    params: { ...params, ...(device === undefined ? {} : { device }) },
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const only = (value: Record<string, unknown>, names: readonly string[]) =>
  Object.keys(value).every((name) => names.includes(name));
const label = (value: unknown) => typeof value === 'string' && !/[|\p{Cc}]/u.test(value);

/**
 * May this text be answered with hello-ok? Written from DESIGN.md A3, A13 and §3 alone: a request in a closed envelope,
 * closed `auth` and `device`, and either the secret without a device or this socket's nonce signed by the granted key
 * over exactly what was sent.
 */
function mayEnter({ token, known }: Bait, text: string, nonce: string): boolean {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return false;
  }
  if (!isRecord(frame) || !only(frame, ['type', 'id', 'method', 'params', 'traceparent', 'expectedProfileId']))
    return false;
  const { type, id, method, params } = frame;
  if (type !== 'req' || method !== 'connect' || typeof id !== 'string' || id === '' || !isRecord(params)) return false;
  const { auth, device, role, scopes, client, minProtocol, maxProtocol } = params;
  if (role !== undefined && role !== 'operator') return false;
  if (scopes !== undefined && !(Array.isArray(scopes) && scopes.every((s) => label(s) && !s.includes(','))))
    return false;
  if (!isRecord(client) || ![client.id, client.mode, client.version, client.platform].every(label)) return false;
  if (typeof minProtocol !== 'number' || typeof maxProtocol !== 'number' || minProtocol > 4 || maxProtocol < 3)
    return false;
  const credentials = ['token', 'password', 'deviceToken', 'bootstrapToken', 'approvalRuntimeToken'];
  const names = [...credentials, 'agentRuntimeIdentityToken', 'ownerProof'];
  if (auth !== undefined && !(isRecord(auth) && only(auth, names))) return false;
  if (device === undefined) return auth?.token === token || auth?.password === token;
  return isRecord(device) && isProven(known, params as unknown as ConnectParams, device, nonce);
}

function isProven(known: Identity, params: ConnectParams, device: Record<string, unknown>, nonce: string): boolean {
  if (!only(device, ['id', 'publicKey', 'signature', 'signedAt', 'nonce'])) return false;
  if (device.id !== known.id || device.publicKey !== known.publicKey || device.nonce !== nonce) return false;
  if (typeof device.signedAt !== 'number' || typeof device.signature !== 'string') return false;
  const signature = Buffer.from(device.signature, 'base64url');
  const key = createPublicKey(known.privateKey);
  return (['v3', 'v2'] as const).some((version) => {
    try {
      const signed = signedText(known.id, params, { version, nonce, signedAt: device.signedAt as number });
      return verify(null, Buffer.from(signed), key, signature);
    } catch {
      // A label that is no text can't have been signed.
      return false;
    }
  });
}

export interface Mutated {
  readonly index: number;
  readonly base: string;
  readonly text: string;
  readonly answers: readonly string[];
  readonly close: Closed | null;
  readonly may: boolean;
}

/** Plays the `index`-th connect of a seed. `spoilt` false: the base as it is. */
export async function play(bait: Bait, index: number, spoilt = true): Promise<Mutated> {
  const dice = new Random(Math.imul(bait.seed, 1_000_003) + index);
  const base = dice.pick(bait.bases);
  const ws = await openWebSocket(bait.place);
  const answers: string[] = [];
  let challenged: (nonce: string) => void = () => {};
  let answered: () => void = () => {};
  const challenge = new Promise<string>((done) => {
    challenged = done;
  });
  const entered = new Promise<null>((done) => {
    answered = () => done(null);
  });
  ws.onText = (text) => {
    const frame = JSON.parse(text);
    if (frame.event === 'connect.challenge') return challenged(frame.payload.nonce);
    answers.push(text);
    if (frame.ok === true) answered();
  };
  try {
    const nonce = await within(challenge, 'challenge');
    const frame = frameOf(bait, base, nonce);
    const text = spoilt ? mutated(frame, dice) : JSON.stringify(frame);
    ws.sendText(text);
    const close = await within(Promise.race([ws.closed, entered]), `frame ${index}: ${text.slice(0, 300)}`);
    return { index, base, text, answers, close, may: mayEnter(bait, text, nonce) };
  } finally {
    ws.destroy();
  }
}

/** What is wrong with an outcome; `null`: nothing. */
export function fault({ answers, close, may }: Mutated): string | null {
  for (const text of answers) {
    const frame = JSON.parse(text);
    const isHello = frame.type === 'res' && frame.ok === true && frame.payload?.type === 'hello-ok';
    // Events may follow.
    if (isHello && may) break;
    if (isHello) return 'hello-ok for what proves nothing';
    // Nothing but the answer is sent to whoever is not let in.
    if (frame.type !== 'res' || frame.ok !== false) return `neither refused nor closed: ${text.slice(0, 200)}`;
    if (typeof frame.error?.code !== 'string' || /stack|node:|\.ts:|\.cjs/.test(text))
      return `a leak: ${text.slice(0, 300)}`;
    if (frame.error.code === 'INTERNAL' || frame.error.code === 'INTERNAL_ERROR') return `foreseen by nobody: ${text}`;
  }
  if (close === null) return may ? null : 'left open';
  return [1000, 1002, 1007, 1008, 1009].includes(close.code) ? null : `closed with ${close.code} ${close.reason}`;
}
