// THREATS.md D1.2: ten thousand connects, each spoilt in its own way. FUZZ_SEED=n runs another ten thousand, FUZZ_ONLY=i
// only the i-th of them.

import { createPublicKey, verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { plainParams } from '../partner/client.ts';
import { type ConnectParams, deviceBlock, type Identity, namedIdentity, signedText } from '../partner/identity.ts';
import { until, within } from '../partner/peer.ts';
import { type Closed, openWebSocket } from '../partner/websocket.ts';
import { Random } from '../random.ts';
import { ensure, granted, READ } from '../scenario/act.ts';
import { mutated } from './mutation.ts';
import { Canary, descriptors, isLinux, residentBytes } from './process.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_260_219);
const ONLY = process.env.FUZZ_ONLY === undefined ? null : Number(process.env.FUZZ_ONLY);
const FRAMES = 10_000;
const AT_ONCE = 48;
const GROWTH_MAX_BYTES = 200 * 1024 * 1024;

/** Every kind of connect there is: without a key, with an unknown one, with one that holds a grant, with the secret. */
const BASES = ['keyless', 'stranger', 'known', 'known v2', 'wrong secret', 'secret'] as const;

let gateway: Gateway;
let known: Identity;
let stranger: Identity;

beforeAll(async () => {
  // A16 slows wrong secrets; here each is answered at once, so that ten thousand frames take seconds.
  gateway = await start({ config: { gateway: { auth: { rateLimit: { lockoutMs: 0 } } } } });
  known = namedIdentity('fuzz known');
  stranger = namedIdentity('fuzz stranger');
  const owner = await gateway.owner();
  await ensure(owner, known, [READ]);
});
afterAll(() => gateway?.stop());

function frameOf(base: (typeof BASES)[number], nonce: string): unknown {
  const auth =
    base === 'secret' ? { token: gateway.token } : base === 'wrong secret' ? { token: 'not the secret' } : undefined;
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
function mayEnter(text: string, nonce: string): boolean {
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
  if (device === undefined) return auth?.token === gateway.token || auth?.password === gateway.token;
  return isRecord(device) && isProven(params as unknown as ConnectParams, device, nonce);
}

function isProven(params: ConnectParams, device: Record<string, unknown>, nonce: string): boolean {
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

interface Outcome {
  readonly index: number;
  readonly base: string;
  readonly text: string;
  readonly answers: readonly string[];
  readonly close: Closed | null;
  readonly may: boolean;
}

/** `spoilt` false: the base as it is. */
async function play(index: number, spoilt = true): Promise<Outcome> {
  const dice = new Random(Math.imul(SEED, 1_000_003) + index);
  const base = dice.pick(BASES);
  const ws = await openWebSocket({ port: gateway.port });
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
    const frame = frameOf(base, nonce);
    const text = spoilt ? mutated(frame, dice) : JSON.stringify(frame);
    ws.sendText(text);
    const close = await within(Promise.race([ws.closed, entered]), `frame ${index}: ${text.slice(0, 300)}`);
    return { index, base, text, answers, close, may: mayEnter(text, nonce) };
  } finally {
    ws.destroy();
  }
}

/** What is wrong with an outcome; `null`: nothing. */
function fault({ answers, close, may }: Outcome): string | null {
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

describe.skipIf(!isLinux)('threat 2: mutated connects', () => {
  it('threat 2 the control: bases that prove something are let in, the others are not', async () => {
    const seen = new Map<string, boolean>();
    for (let index = 0; seen.size < BASES.length; index += 1) {
      const outcome = await play(index, false);
      expect(fault(outcome), outcome.base).toBeNull();
      seen.set(outcome.base, outcome.close === null);
    }
    expect(Object.fromEntries(seen)).toEqual({
      keyless: false,
      stranger: false,
      known: true,
      'known v2': true,
      'wrong secret': false,
      secret: true,
    });
  });

  it(`threat 2 ${FRAMES} of seed ${SEED}: each is refused or closed, and nobody else notices`, async () => {
    console.log(`threat 2: FUZZ_SEED=${SEED}`);
    const canary = await Canary.start(gateway);
    const before = { bytes: residentBytes(gateway.pid), descriptors: descriptors(gateway.pid) };
    let most = before.bytes;
    let next = ONLY ?? 0;
    const end = ONLY === null ? FRAMES : ONLY + 1;
    const faults: string[] = [];
    const count = { answered: 0, closed: 0, entered: 0 };
    const worker = async () => {
      while (next < end && faults.length < 10) {
        const index = next;
        next += 1;
        const outcome = await play(index);
        const wrong = fault(outcome);
        if (wrong !== null) {
          const { base, text } = outcome;
          faults.push(`FUZZ_SEED=${SEED} FUZZ_ONLY=${index} (${base}): ${wrong}: ${text.slice(0, 600)}`);
        }
        if (outcome.close === null) count.entered += 1;
        else if (outcome.answers.length > 0) count.answered += 1;
        else count.closed += 1;
        if (index % 250 === 0) most = Math.max(most, residentBytes(gateway.pid));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    expect(faults).toEqual([]);
    await canary.stop();
    console.log(
      `threat 2: ${JSON.stringify(count)}, canary ${canary.answers} answers, slowest ${Math.round(canary.slowestMs)} ms`,
    );
    if (ONLY === null) {
      // The generator reaches every layer: some frames are no JSON, some are judged, some are still as good as before.
      for (const [name, times] of Object.entries(count)) expect(times, name).toBeGreaterThan(100);
      expect(canary.answers).toBeGreaterThan(20);
    }
    expect(most - before.bytes).toBeLessThan(GROWTH_MAX_BYTES);
    await until('descriptors back', () => descriptors(gateway.pid) <= before.descriptors + 2);
    // Nothing was given on the way.
    const owner = await gateway.owner();
    expect(await granted(owner, known)).toEqual([READ]);
    expect(await granted(owner, stranger)).toBeNull();
    expect(gateway.logs()).not.toMatch(/uncaught|unhandled/i);
  }, 120_000);
});
