// THREATS.md D2: the proof of a key. Whatever is wrong with it, the answer is a refusal with its code, never weaker proof.
import { createHash, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALTERED, delimited } from '../attack/forgery.ts';
import { type Gateway, start } from '../gateway.ts';
import { type ConnectOptions, Partner } from '../partner/client.ts';
import { type DeviceBlock, deviceBlock, type Identity, newIdentity, signedText } from '../partner/identity.ts';
import type { Peer } from '../partner/peer.ts';
import { asking, attempt, gist, granted, once, paired, READ, rows } from '../scenario/act.ts';

let gateway: Gateway;
let owner: Peer;
let known: Identity;

beforeAll(async () => {
  gateway = await start();
  owner = await gateway.owner();
  known = await paired(owner, [READ]);
});
afterAll(() => gateway?.stop());

/** Connects as `known`, with its device block changed after it was signed. */
async function tampered(change: (device: Record<string, unknown>) => unknown, more: ConnectOptions = {}) {
  const { partner, answer } = await attempt(
    { port: gateway.port },
    asking([READ], { auth: { token: gateway.token } }),
    {
      identity: known,
      tamper: (params) => ({ ...params, device: change(params.device as Record<string, unknown>) }),
      ...more,
    },
  );
  if (!answer.ok) expect((await partner.closed).code, gist(answer)).toBe(1008);
  partner.end();
  return gist(answer);
}

describe('A3 v2, v3 and lk1', () => {
  it.each(['v2', 'v3'] as const)('A3 a %s signature is accepted', async (version) => {
    expect(gist(await once({ port: gateway.port }, asking([READ]), { identity: known, version }))).toBe('ok');
  });

  it('A3 a v1 payload has no nonce: refused, with the time after which to try again', async () => {
    const answer = await once({ port: gateway.port }, asking([READ]), { identity: known, version: 'v1' });
    expect(gist(answer)).toBe('INVALID_REQUEST DEVICE_AUTH_NONCE_REQUIRED');
    expect(!answer.ok && (answer.error.retryAfterMs ?? answer.error.details?.retryAfterMs)).toBe(250);
  });

  it('A18 the challenge proves the gateway over both nonces and the host, and lk1 signs what it named', async () => {
    const partner = await Partner.open({ port: gateway.port, lk: true });
    const { gateway: proof, nonce } = partner.challenge;
    if (proof === undefined) throw new Error('no proof of the gateway');
    const host = `127.0.0.1:${gateway.port}`;
    const { createPublicKey, verify } = await import('node:crypto');
    const key = createPublicKey({
      key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(proof.key, 'base64url')]),
      format: 'der',
      type: 'spki',
    });
    const text = (h: string) => Buffer.from(`latchkey-gw-1|${partner.lk}|${nonce}|${h}`);
    expect(verify(null, text(host), key, Buffer.from(proof.signature, 'base64url'))).toBe(true);
    expect(verify(null, text('127.0.0.1:1'), key, Buffer.from(proof.signature, 'base64url'))).toBe(false);
    const latchkey = { gatewayKey: proof.key, host, r: Buffer.alloc(32, 1).toString('base64url') };
    const answer = await partner.connect(asking([READ]), { identity: known, version: 'lk1', latchkey });
    expect(gist(answer)).toBe('ok');
    partner.end();
  });

  it.each([
    ['another gateway key', { gatewayKey: Buffer.alloc(32, 5).toString('base64url') }],
    ['another host', { host: 'other.example:443' }],
  ])('A18 a signature that names %s is refused: it was made for somebody else', async (_name, wrong) => {
    const partner = await Partner.open({ port: gateway.port, lk: true });
    const latchkey = {
      gatewayKey: partner.challenge.gateway?.key ?? '',
      host: `127.0.0.1:${gateway.port}`,
      r: Buffer.alloc(32, 1).toString('base64url'),
      ...wrong,
    };
    const answer = await partner.connect(asking([READ]), { identity: known, version: 'lk1', latchkey });
    expect(answer.ok).toBe(false);
    expect((await partner.closed).code).toBe(1008);
  });

  it('A19 the nonce commits to s, which comes with the request; both sides can compute the code', async () => {
    const identity = newIdentity();
    const partner = await Partner.open({ port: gateway.port, lk: true });
    const latchkey = {
      gatewayKey: partner.challenge.gateway?.key ?? '',
      host: `127.0.0.1:${gateway.port}`,
      r: Buffer.alloc(32, 2).toString('base64url'),
    };
    const answer = await partner.connect(asking([READ]), { identity, version: 'lk1', latchkey });
    expect(gist(answer)).toBe('NOT_PAIRED PAIRING_REQUIRED');
    const s = answer.ok ? '' : String(answer.error.details?.s);
    const commitments = [s, Buffer.from(s, 'base64url')].map((v) => createHash('sha256').update(v).digest('base64url'));
    expect(commitments).toContain(partner.challenge.nonce);
    const [row] = (await rows(owner, identity)).open;
    expect(row.code).toMatch(/^\d{4}[ -]?\d{4}$/);
    const plain = newIdentity();
    await once({ port: gateway.port }, asking([READ]), { identity: plain });
    expect((await rows(owner, plain)).open[0].code).toBeNull();
  });
});

describe('threats 10 to 18', () => {
  it('threat 10 a captured connect is worth nothing on another socket, nor twice on the same', async () => {
    const partner = await Partner.open({ port: gateway.port });
    const captured = partner.signed(asking([READ]), { identity: known });
    expect(gist(await partner.call('connect', captured))).toBe('ok');
    expect((await partner.call('connect', captured)).ok).toBe(false);
    partner.end();
    const thief = await Partner.open({ port: gateway.port });
    expect(gist(await thief.call('connect', captured))).toBe('INVALID_REQUEST DEVICE_AUTH_NONCE_MISMATCH');
    expect((await thief.closed).code).toBe(1008);
  });

  it('threat 11 the nonce: absent, blank, padded, of another live socket, huge', async () => {
    const other = await Partner.open({ port: gateway.port });
    const results = [
      await tampered(({ nonce: _none, ...device }) => device),
      await tampered((device) => device, { nonce: '' }),
      await tampered((device) => device, { nonce: '   ' }),
      await tampered((device) => ({ ...device, nonce: ` ${device.nonce} ` })),
      await tampered((device) => device, { nonce: other.challenge.nonce }),
    ];
    // Too long to be read as one at all.
    expect(await tampered((device) => device, { nonce: 'n'.repeat(40_000) })).toBe('INVALID_REQUEST');
    other.end();
    for (const result of results) expect(result).toMatch(/^INVALID_REQUEST DEVICE_AUTH_NONCE_(REQUIRED|MISMATCH)$/);
  });

  it('threat 11 nonces are unique and hold at least 128 bits', async () => {
    const nonces = new Set<string>();
    for (let round = 0; round < 10; round += 1) {
      const partners = await Promise.all(Array.from({ length: 20 }, () => Partner.open({ port: gateway.port })));
      for (const partner of partners) {
        nonces.add(partner.challenge.nonce);
        expect(partner.challenge.nonce).toMatch(/^[A-Za-z0-9_-]{43}$/);
        partner.end();
      }
    }
    expect(nonces.size).toBe(200);
  });

  it.each([0, 1, 1_000_000_000_000, 4_102_444_800_000, Number.MAX_SAFE_INTEGER])(
    'A3 threat 12 signedAt %d is covered and never judged: a wrong clock locks nobody out',
    async (signedAt) => {
      expect(gist(await once({ port: gateway.port }, asking([READ]), { identity: known, signedAt }))).toBe('ok');
    },
  );

  it('threat 12 signedAt that is no integer, or not the one that was signed', async () => {
    for (const signedAt of ['1', 1.5, null, true, 1e300])
      expect(await tampered((device) => ({ ...device, signedAt })), String(signedAt)).toMatch(/^INVALID_REQUEST/);
    expect(await tampered((device) => ({ ...device, signedAt: Number(device.signedAt) + 1 }))).toBe(
      'INVALID_REQUEST DEVICE_AUTH_SIGNATURE_INVALID',
    );
  });

  it('threat 13 the id of one device with the key of another', async () => {
    const stranger = newIdentity();
    const before = await granted(owner, known);
    expect(await tampered((device) => ({ ...device, publicKey: stranger.publicKey }))).toBe(
      'INVALID_REQUEST DEVICE_AUTH_DEVICE_ID_MISMATCH',
    );
    expect(await tampered((device) => ({ ...device, id: stranger.id }))).toBe(
      'INVALID_REQUEST DEVICE_AUTH_DEVICE_ID_MISMATCH',
    );
    const params = asking([READ]);
    const partner = await Partner.open({ port: gateway.port });
    const signing = { version: 'v3' as const, nonce: partner.challenge.nonce, signedAt: 1 };
    const forged = sign(null, Buffer.from(signedText(known.id, params, signing)), stranger.privateKey);
    const answer = await partner.call('connect', {
      ...params,
      device: { ...deviceBlock(known, params, signing), signature: forged.toString('base64url') },
    });
    expect(gist(answer)).toBe('INVALID_REQUEST DEVICE_AUTH_SIGNATURE_INVALID');
    expect(await granted(owner, known)).toEqual(before);
    expect((await rows(owner, stranger)).paired).toEqual([]);
  });

  it.each([
    ['the id in upper case', (d: DeviceBlock) => ({ ...d, id: d.id.toUpperCase() })],
    ['the key padded', (d: DeviceBlock) => ({ ...d, publicKey: `${d.publicKey}=` })],
    ['the key with spaces', (d: DeviceBlock) => ({ ...d, publicKey: ` ${d.publicKey}` })],
    ['the key of 31 bytes', (d: DeviceBlock) => ({ ...d, publicKey: d.publicKey.slice(0, 42) })],
    ['the key all zero', (d: DeviceBlock) => ({ ...d, publicKey: Buffer.alloc(32).toString('base64url') })],
    ['the key a number', (d: DeviceBlock) => ({ ...d, publicKey: 1 })],
    ['an unknown field', (d: DeviceBlock) => ({ ...d, trust: 'me' })],
  ])('A3 encodings are canonical: %s', async (_name, change) => {
    expect(await tampered((device) => change(device as unknown as DeviceBlock))).toMatch(/^INVALID_REQUEST/);
  });

  it.each(ALTERED)('threat 15 a signature %s', async (_name, change) => {
    const result = await tampered((device) => ({
      ...device,
      signature: change(Buffer.from(String(device.signature), 'base64url')).toString('base64url'),
    }));
    expect(result).toMatch(/^INVALID_REQUEST( DEVICE_AUTH_SIGNATURE_INVALID)?$/);
  });

  it('threat 15 a signature in an encoding of its own', async () => {
    for (const encode of [
      (s: string) => `${s}==`,
      (s: string) => Buffer.from(s, 'base64url').toString('base64'),
      (s: string) => Buffer.from(s, 'base64url').toString('hex'),
      (s: string) => ` ${s}`,
    ])
      expect(await tampered((device) => ({ ...device, signature: encode(String(device.signature)) }))).toMatch(
        /^INVALID_REQUEST/,
      );
  });

  it('threat 17 what would move a delimiter of the signed text is refused', async () => {
    for (const params of delimited()) {
      const fresh = newIdentity();
      const answer = await once({ port: gateway.port }, params, { identity: fresh });
      expect(answer.ok, JSON.stringify(params)).toBe(false);
      const asked = (await rows(owner, fresh)).open.flatMap((row) => row.scopes);
      expect(asked.filter((scope) => scope !== READ)).toEqual([]);
    }
  });

  it('A3 a device block that is present and wrong is refused, though the secret beside it is right', async () => {
    for (const device of [null, 1, 'device', [], {}, { id: known.id }])
      expect(await tampered(() => device), JSON.stringify(device)).toMatch(/^INVALID_REQUEST/);
  });

  it('A3 every signed field is the field that was sent', async () => {
    const swap = (change: (params: Record<string, unknown>) => Record<string, unknown>) =>
      once({ port: gateway.port }, asking([READ]), { identity: known, tamper: change });
    for (const change of [
      (p: Record<string, unknown>) => ({ ...p, scopes: ['operator.admin'] }),
      (p: Record<string, unknown>) => ({ ...p, scopes: undefined }),
      (p: Record<string, unknown>) => ({ ...p, role: 'node' }),
      (p: Record<string, unknown>) => ({ ...p, auth: { token: gateway.token } }),
      (p: Record<string, unknown>) => ({ ...p, client: { ...(p.client as object), id: 'gateway-client' } }),
      (p: Record<string, unknown>) => ({ ...p, client: { ...(p.client as object), mode: 'backend' } }),
      (p: Record<string, unknown>) => ({ ...p, client: { ...(p.client as object), platform: 'darwin' } }),
    ])
      expect(gist(await swap(change)), change.toString()).toBe('INVALID_REQUEST DEVICE_AUTH_SIGNATURE_INVALID');
  });

  it('rule a client of neither protocol is told so and closed with 1002', async () => {
    for (const [minProtocol, maxProtocol] of [
      [1, 2],
      [5, 9],
    ]) {
      const { partner, answer } = await attempt({ port: gateway.port }, asking([READ], { minProtocol, maxProtocol }), {
        identity: known,
      });
      expect(gist(answer)).toBe('INVALID_REQUEST PROTOCOL_MISMATCH');
      expect(await partner.closed).toEqual({ code: 1002, reason: 'protocol mismatch' });
    }
  });
});
