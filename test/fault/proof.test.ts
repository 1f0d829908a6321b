// THREATS.md D1 and D2 against a real process, beyond what test/wire holds: what a proof is worth twice, elsewhere or
// later, keys that prove nothing, and properties that nobody has heard of.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ANY, SMALL } from '../attack/forgery.ts';
import { type Gateway, start } from '../gateway.ts';
import { Partner, plainParams } from '../partner/client.ts';
import {
  deviceBlock,
  type Identity,
  newIdentity,
  type SignatureVersion,
  signature,
  signedText,
} from '../partner/identity.ts';
import { type Answer, type Peer, until } from '../partner/peer.ts';
import { encodeFrame, openWebSocket } from '../partner/websocket.ts';
import { ADMIN, asking, gist, granted, once, PAIRING, paired, READ, rows, session } from '../scenario/act.ts';

let gateway: Gateway;
let owner: Peer;
let known: Identity;
let admin: Identity;

beforeAll(async () => {
  gateway = await start();
  owner = await gateway.owner();
  known = await paired(owner, [READ]);
  admin = await paired(owner, [ADMIN]);
});
afterAll(() => gateway?.stop());

const place = () => ({ port: gateway.port });
const NONCES = 20_000;

describe('threat 3: unknown properties', () => {
  /** The answer to one text, or the code of the close that came instead. */
  async function answerTo(partner: Partner, frame: Record<string, unknown>): Promise<string> {
    const from = partner.received.length;
    partner.send(frame);
    const answer = async () => {
      const is = (text: string) => JSON.parse(text).type === 'res';
      await until('answer', () => partner.received.slice(from).some(is));
      return gist(JSON.parse(partner.received.slice(from).find(is) ?? '') as Answer);
    };
    return Promise.race([answer(), partner.closed.then((close) => `closed ${close.code}`)]);
  }

  const extra: readonly object[] = [
    { as: 'owner' },
    { constructor: 1 },
    { toString: 1 },
    { principal: { kind: 'owner' } },
    { seq: 1 },
  ];

  it.each(extra)('threat 3 the envelope is closed before and after the proof: %j', async (more) => {
    const before = await Partner.open(place());
    const params = before.signed(asking([READ]), { identity: known });
    expect(await answerTo(before, { type: 'req', id: '1', method: 'connect', params, ...more })).toBe('closed 1008');
    const { partner } = await session(gateway, known);
    expect(await answerTo(partner, { type: 'req', id: '1', method: 'health', ...more })).toBe('INVALID_REQUEST');
    // Refused is the request; the session is what it was.
    expect(gist(await partner.call('health'))).toBe('ok');
    partner.end();
    const line = await gateway.owner();
    line.sendRaw(`${JSON.stringify({ type: 'req', id: '1', method: 'health', ...more })}\n`);
    await until('answer', () => line.received.length > 0);
    expect(gist(JSON.parse(line.received[0] ?? ''))).toBe('INVALID_REQUEST');
    line.end();
  });

  const connectWith = async (change: (params: Record<string, unknown>) => Record<string, unknown>) =>
    gist(await once(place(), asking([READ]), { identity: known, tamper: change }));

  it.each(['trust', 'constructor', 'Signature', 'scopes'])('threat 3 device is closed: %s', async (name) => {
    const result = await connectWith((p) => ({ ...p, device: { ...(p.device as object), [name]: 'x' } }));
    expect(result).toBe('INVALID_REQUEST');
  });

  it.each(['trust', 'constructor', 'Token', 'role'])('threat 3 auth is closed: %s', async (name) => {
    expect(await connectWith((p) => ({ ...p, auth: { [name]: 'x' } }))).toBe('INVALID_REQUEST');
  });

  it('threat 3 elsewhere what nobody knows is ignored, in connect and in calls alike', async () => {
    expect(await connectWith((p) => ({ ...p, isOwner: true, as: 'owner', constructor: { admin: true } }))).toBe('ok');
    expect(await connectWith((p) => ({ ...p, client: { ...(p.client as object), trusted: true } }))).toBe('ok');
    const { partner } = await session(gateway, known);
    for (const params of [{ as: 'owner' }, { constructor: 1, scopes: [ADMIN] }]) {
      expect(gist(await partner.call('health', params))).toBe('ok');
      // Ignored is ignored: it gives nothing.
      expect(gist(await partner.call('device.pair.list', params))).toMatch(/MISSING_SCOPE/);
    }
    partner.end();
    const line = await gateway.owner();
    expect(gist(await line.call('device.pair.list', { as: 'nobody' }))).toBe('ok');
    line.end();
  });

  it('threat 3 __proto__ in a frame is a key like any other, never a prototype', async () => {
    const partner = await Partner.open(place());
    const params = JSON.stringify(partner.signed(asking([READ]), { identity: known }));
    // What it would bring if it were one: a wider ask, another role.
    const spoilt = `${params.slice(0, -1)},"__proto__":{"scopes":["${ADMIN}"],"role":"operator","auth":{"token":"${gateway.token}"}}}`;
    partner.ws.sendText(`{"type":"req","id":"1","method":"connect","params":${spoilt}}`);
    await until('answer', () => partner.received.length > 1);
    const answer = JSON.parse(partner.received[1] ?? '');
    expect(answer.ok).toBe(true);
    expect(answer.payload.auth.scopes).toEqual([READ]);
    partner.end();
  });
});

describe('threat 8: one identity a socket', () => {
  it('threat 8 whatever a later connect brings, the session stays who it is', async () => {
    const { partner } = await session(gateway, known);
    const who = async () => (await partner.ask('status')).latchkey.access;
    const before = await who();
    expect(before.kind).toBe('device');
    expect(before.scopes.map((row: { scope: string }) => row.scope)).not.toContain(ADMIN);
    for (const again of [
      partner.signed(asking([ADMIN]), { identity: admin }),
      partner.signed(asking([READ]), { identity: known }),
      { ...plainParams({ scopes: [ADMIN], auth: { token: gateway.token } }) },
      {},
      null,
    ]) {
      expect((await partner.call('connect', again)).ok).toBe(false);
      expect(await who()).toEqual(before);
    }
    partner.end();
  });

  it('threat 8 an id that is still in use is refused, and the call that has it is answered', async () => {
    const asker = await paired(owner, [READ]);
    const { partner } = await session(gateway, asker);
    const { requestId } = await partner.ask('device.scopes.requestUpgrade', { scopes: [PAIRING] });
    const frame = (method: string, params: unknown) => partner.send({ type: 'req', id: 'same', method, params });
    frame('device.scopes.waitUpgrade', { requestId, timeoutMs: 20_000 });
    frame('health', {});
    const answers = () => partner.received.map((text) => JSON.parse(text)).filter((f) => f.id === 'same');
    await until('refusal', () => answers().length === 1);
    expect(answers()[0].ok).toBe(false);
    await owner.ask('device.pair.approve', { requestId });
    await until('answer', () => answers().length === 2);
    expect(answers()[1]).toMatchObject({ ok: true, payload: { status: 'approved', requestId } });
    // Answered, the id is free again.
    expect(gist(await partner.call('health', {}, { id: 'same' }))).toBe('ok');
    partner.end();
  });
});

describe('threat 10: a proof is worth one connect', () => {
  /** Sends several connects in one write and returns what each came to. */
  async function together(partner: Partner, all: readonly Record<string, unknown>[]): Promise<readonly string[]> {
    const frames = all.map((params, i) => ({ type: 'req', id: `c${i}`, method: 'connect', params }));
    partner.ws.sendBytes(Buffer.concat(frames.map((frame) => encodeFrame(Buffer.from(JSON.stringify(frame))))));
    const answers = () => partner.received.map((text) => JSON.parse(text)).filter((frame) => frame.type === 'res');
    await Promise.race([partner.closed, until('answers', () => answers().length === all.length)]);
    return answers().map((answer) => `${answer.id} ${gist(answer)}`);
  }

  it('threat 10 the same connect twice in one packet lets in once', async () => {
    const partner = await Partner.open(place());
    const params = partner.signed(asking([READ]), { identity: known });
    const [first, second] = await together(partner, [params, params]);
    expect(first).toBe('c0 ok');
    expect(second).toMatch(/^c1 INVALID_REQUEST/);
    partner.end();
  });

  it('threat 10 a refused connect uses the nonce up: a good one behind it opens nothing', async () => {
    const stranger = newIdentity();
    const partner = await Partner.open(place());
    const bad = { ...partner.signed(asking([READ]), { identity: known }), role: 'node' };
    const good = partner.signed(asking([READ]), { identity: known });
    const results = await together(partner, [bad, good]);
    expect(results).toEqual(['c0 INVALID_REQUEST DEVICE_AUTH_SIGNATURE_INVALID']);
    expect((await partner.closed).code).toBe(1008);
    const other = await Partner.open(place());
    const asks = other.signed(asking([READ]), { identity: stranger });
    const mine = other.signed(asking([READ]), { identity: known });
    expect(await together(other, [asks, mine])).toEqual(['c0 NOT_PAIRED PAIRING_REQUIRED']);
  });

  it("threat 10 a proof for one live socket opens no other, and that socket's own still stands", async () => {
    const mine = await Partner.open(place());
    const theirs = await Partner.open(place());
    const captured = mine.signed(asking([READ]), { identity: known });
    expect(gist(await theirs.call('connect', captured))).toBe('INVALID_REQUEST DEVICE_AUTH_NONCE_MISMATCH');
    expect(gist(await mine.call('connect', captured))).toBe('ok');
    mine.end();
  });

  it('threat 10 a proof from before a restart opens nothing after it', async () => {
    const first = await start();
    let second: Gateway | undefined;
    try {
      const identity = await paired(await first.owner(), [READ]);
      const before = await Partner.open({ port: first.port });
      const captured = before.signed(asking([READ]), { identity });
      await first.kill();
      second = await start({ stateDir: first.stateDir });
      const after = await Partner.open({ port: second.port });
      expect(gist(await after.call('connect', captured))).toBe('INVALID_REQUEST DEVICE_AUTH_NONCE_MISMATCH');
      expect(gist(await once({ port: second.port }, asking([READ]), { identity }))).toBe('ok');
    } finally {
      await second?.halt();
      await first.stop();
    }
  });
});

describe('threat 11: nonces', () => {
  it(`threat 11 ${NONCES} nonces: all different, and every one of their 256 bits is set in half of them`, async () => {
    const nonces = new Set<string>();
    const take = async () => {
      while (nonces.size < NONCES) {
        const ws = await openWebSocket(place());
        const nonce = await new Promise<string>((done) => {
          ws.onText = (text) => done(JSON.parse(text).payload.nonce);
        });
        if (nonces.has(nonce)) throw new Error(`twice: ${nonce}`);
        nonces.add(nonce);
        // A reset leaves no port behind that has to wait.
        ws.socket.resetAndDestroy();
      }
    };
    await Promise.all(Array.from({ length: 32 }, take));
    const ones = new Array<number>(256).fill(0);
    for (const nonce of nonces) {
      const bytes = Buffer.from(nonce, 'base64url');
      expect(bytes).toHaveLength(32);
      for (let bit = 0; bit < 256; bit += 1) ones[bit] = (ones[bit] ?? 0) + (((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1);
    }
    // Seven standard deviations: once in 10^9 runs by chance, and never for a counter, a clock or a constant.
    const most = 3.5 * Math.sqrt(nonces.size);
    for (const [bit, count] of ones.entries())
      expect(Math.abs(count - nonces.size / 2), `bit ${bit}`).toBeLessThan(most);
  }, 60_000);
});

describe('threats 12 to 18', () => {
  it.each([-1, Number.MIN_SAFE_INTEGER])('threat 12 A3 signedAt %d is covered and never judged', async (signedAt) => {
    expect(gist(await once(place(), asking([READ]), { identity: known, signedAt }))).toBe('ok');
  });

  it.each([-3_600_000, -121_000, -119_000, 119_000, 121_000, 3_600_000])(
    'threat 12 A3 a clock that is %d ms off locks nobody out',
    async (offMs) => {
      const partner = await Partner.open(place());
      const signedAt = partner.challenge.ts + offMs;
      expect(gist(await partner.connect(asking([READ]), { identity: known, signedAt }))).toBe('ok');
      partner.end();
    },
  );

  it('threat 13 of two paired devices neither passes for the other', async () => {
    const before = await rows(owner);
    const signing = (nonce: string) => ({ version: 'v3' as const, nonce, signedAt: 1 });
    const mixes = [
      (mine: object, theirs: object) => ({ ...mine, id: (theirs as { id: string }).id }),
      (mine: object, theirs: object) => ({ ...mine, publicKey: (theirs as { publicKey: string }).publicKey }),
      (mine: object, theirs: object) => ({ ...theirs, signature: (mine as { signature: string }).signature }),
    ];
    for (const mix of mixes) {
      const partner = await Partner.open(place());
      const params = asking([ADMIN]);
      const mine = deviceBlock(known, params, signing(partner.challenge.nonce));
      const theirs = deviceBlock(admin, params, signing(partner.challenge.nonce));
      const answer = await partner.call('connect', { ...params, device: mix(mine, theirs) });
      expect(gist(answer)).toMatch(/^INVALID_REQUEST DEVICE_AUTH_(DEVICE_ID_MISMATCH|SIGNATURE_INVALID)$/);
    }
    expect((await rows(owner)).paired.map((row) => [row.deviceId, row.scopes])).toEqual(
      before.paired.map((row) => [row.deviceId, row.scopes]),
    );
    expect(await granted(owner, known)).toEqual([READ]);
  });

  it('threat 15 keys of small order, for which anybody can sign, prove nothing, paired or not', async () => {
    const { createHash } = await import('node:crypto');
    for (const hex of SMALL) {
      const raw = Buffer.from(hex, 'hex');
      const device = { id: createHash('sha256').update(raw).digest('hex'), publicKey: raw.toString('base64url') };
      // R of small order with S = 0 satisfies the equation for such a key one time in eight, ANY for every text, where
      // the verifier doesn't look at the key.
      const forgeries = [...SMALL.map((r) => Buffer.concat([Buffer.from(r, 'hex'), Buffer.alloc(32)])), ANY];
      for (const forgery of forgeries) {
        const partner = await Partner.open(place());
        const forged = forgery.toString('base64url');
        const answer = await partner.call('connect', {
          ...asking([READ]),
          device: { ...device, signature: forged, signedAt: 1, nonce: partner.challenge.nonce },
        });
        partner.end();
        expect(gist(answer), `${hex} ${forged}`).toMatch(/^INVALID_REQUEST DEVICE_AUTH_/);
      }
    }
    const ids = new Set(SMALL.map((hex) => Buffer.from(hex, 'hex').toString('base64url')));
    const all = await rows(owner);
    expect([...all.open, ...all.paired].filter((row) => ids.has(row.publicKey))).toEqual([]);
  });

  it.each(['v1', 'v4', 'lk1', 'V3', ''])('threat 18 a text of version %j passes for no other', async (version) => {
    const partner = await Partner.open(place());
    const params = asking([READ]);
    const block = deviceBlock(known, params, { version: 'v3', nonce: partner.challenge.nonce, signedAt: 7 });
    const text = (v: string, of: SignatureVersion) =>
      signedText(known.id, params, { version: of, nonce: partner.challenge.nonce, signedAt: 7 }).replace(
        `${of}|`,
        `${v}|`,
      );
    const answer = await partner.call('connect', {
      ...params,
      device: { ...block, signature: signature(known, text(version, version === 'v1' ? 'v1' : 'v3')) },
    });
    expect(gist(answer)).toBe('INVALID_REQUEST DEVICE_AUTH_SIGNATURE_INVALID');
    expect((await partner.closed).code).toBe(1008);
  });

  it('threat 18 A18 whoever names the gateway signs the text that does: no other is taken beside it', async () => {
    const partner = await Partner.open({ ...place(), lk: true });
    const latchkey = {
      gatewayKey: partner.challenge.gateway?.key ?? '',
      host: `127.0.0.1:${gateway.port}`,
      r: Buffer.alloc(32, 3).toString('base64url'),
    };
    const answer = await partner.connect(asking([READ]), { identity: known, version: 'v3', latchkey });
    expect(gist(answer)).toBe('INVALID_REQUEST DEVICE_AUTH_SIGNATURE_INVALID');
    const other = await Partner.open({ ...place(), lk: true });
    const stripped = await other.connect(asking([READ]), {
      identity: known,
      version: 'lk1',
      latchkey: { ...latchkey, gatewayKey: other.challenge.gateway?.key ?? '' },
      tamper: (params) => {
        const { latchkey: _none, ...device } = params.device as Record<string, unknown>;
        return { ...params, device };
      },
    });
    expect(gist(stripped)).toBe('INVALID_REQUEST DEVICE_AUTH_SIGNATURE_INVALID');
  });
});
