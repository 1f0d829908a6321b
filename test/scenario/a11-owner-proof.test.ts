// A11: where the owner socket can't be reached, whoever can read run/owner.key is the owner, on a direct socket.
import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { type OpenOptions, Partner, plainParams } from '../partner/client.ts';
import { newIdentity } from '../partner/identity.ts';
import { asking, gist, paired, READ } from './act.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await start();
});
afterAll(() => gateway?.stop());

const keyFile = (stateDir: string) => join(stateDir, 'run', 'owner.key');
const keyOf = (stateDir: string) => Buffer.from(readFileSync(keyFile(stateDir), 'utf8').trim(), 'base64url');

/** PROTOCOL.md §9, written from that text alone. */
function proof(side: 'g' | 'c', key: Buffer, lk: string, nonce: string): string {
  return createHmac('sha256', key).update(`latchkey-owner-${side}|${lk}|${nonce}`).digest('base64url');
}

async function open(more: Partial<OpenOptions> = {}): Promise<Partner> {
  return Partner.open({ port: gateway.port, lk: true, ...more });
}

/** What comes of a proof made with `key`, on this socket or with another one's nonce. */
async function attempt(partner: Partner, key: Buffer, nonce = partner.challenge.nonce) {
  const { scopes: _none, ...params } = plainParams();
  const answer = await partner.connect({
    ...params,
    auth: { ownerProof: proof('c', key, partner.lk ?? '', nonce) },
  });
  return answer;
}

describe('A11 the owner proof', () => {
  it('A11 the key is private, new at each start, and gone with the gateway', async () => {
    const one = await start();
    const stat = statSync(keyFile(one.stateDir));
    const first = keyOf(one.stateDir);
    expect([stat.mode & 0o777, first.length]).toEqual([0o600, 32]);
    await one.halt();
    expect(existsSync(keyFile(one.stateDir))).toBe(false);
    const two = await start({ stateDir: one.stateDir });
    expect(keyOf(two.stateDir).equals(first)).toBe(false);
    await two.kill();
    const three = await start({ stateDir: one.stateDir });
    expect(keyOf(three.stateDir)).toHaveLength(32);
    await three.stop();
  });

  it('A11 the gateway proves itself first; then whoever knows the key is the owner, without token or pairing', async () => {
    const partner = await open();
    const key = keyOf(gateway.stateDir);
    expect(partner.challenge.owner).toBe(proof('g', key, partner.lk ?? '', partner.challenge.nonce));
    const answer = await attempt(partner, key);
    expect(answer.ok).toBe(true);
    const ensured = await partner.call('device.pair.ensure', {
      publicKey: newIdentity().publicKey,
      role: 'node',
      scopes: [],
    });
    expect(gist(ensured)).toBe('ok');
    partner.end();
  });

  it('A11 the key itself is in no frame', async () => {
    const partner = await open();
    const key = keyOf(gateway.stateDir);
    const answer = await attempt(partner, key);
    expect(JSON.stringify([partner.challenge, answer])).not.toContain(key.toString('base64url'));
    partner.end();
  });

  const refused = 'INVALID_REQUEST AUTH_UNAUTHORIZED';
  it('A3, A11 a wrong proof is refused: another key, another nonce, the gateway’s own proof, none', async () => {
    const key = keyOf(gateway.stateDir);
    const other = await open();
    const tries: (readonly [string, (partner: Partner) => Promise<unknown>])[] = [
      ['another key', (p) => attempt(p, randomBytes(32))],
      ["another socket's nonce", (p) => attempt(p, key, other.challenge.nonce)],
      [
        'its own proof sent back',
        (p) => p.connect({ ...plainParams(), auth: { ownerProof: p.challenge.owner ?? '' } }),
      ],
    ];
    for (const [name, attempting] of tries) {
      const partner = await open();
      expect([name, gist((await attempting(partner)) as never)]).toEqual([name, refused]);
      partner.end();
    }
    other.end();
  });

  it('A11 beside a right proof of a moment ago: it is used up', async () => {
    const key = keyOf(gateway.stateDir);
    const first = await open();
    expect((await attempt(first, key)).ok).toBe(true);
    const second = await open({ lk: first.lk ?? true });
    expect(gist(await attempt(second, key, first.challenge.nonce))).toBe(refused);
    first.end();
    second.end();
  });

  it.each([
    ['a page', { origin: 'http://127.0.0.1:9' }],
    ['a proxy', { headers: { 'X-Forwarded-For': '127.0.0.1' } }],
    ['no client nonce', { lk: undefined }],
  ])('A11, A13 to %s none is offered, and a right one is not taken', async (_name, more) => {
    const { lk, ...rest } = { lk: true as const, ...more };
    const partner = await Partner.open({ port: gateway.port, ...rest, ...(lk === undefined ? {} : { lk }) });
    expect(partner.challenge.owner).toBeUndefined();
    const answer = await attempt(partner, keyOf(gateway.stateDir));
    expect(answer.ok).toBe(false);
    partner.end();
  });

  it('A4, A11 beside a device key it counts for nothing, and is named', async () => {
    const identity = await paired(await gateway.owner(), [READ]);
    const partner = await open();
    const auth = { ownerProof: proof('c', keyOf(gateway.stateDir), partner.lk ?? '', partner.challenge.nonce) };
    const answer = await partner.connect(asking([READ], { auth }), { identity });
    if (!answer.ok) throw new Error(gist(answer));
    expect(answer.payload.auth).toMatchObject({ scopes: [READ], ignored: ['ownerProof'] });
    partner.end();
  });

  it.each([
    ['in clear', {}],
    ['with TLS', { gateway: { tls: { enabled: true } } }],
  ])('A11 a command whose socket is gone proves itself by the key, %s', async (_name, config) => {
    const one = await start({ config });
    rmSync(one.socketPath);
    const listed = await one.cli(['devices', 'list', '--json']);
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    expect((await one.cli(['devices', 'ensure', '--key', newIdentity().publicKey, '--scope', READ])).code).toBe(0);
    // Without socket and key there is only the gateway itself to ask for a restart: nothing is decided beside it.
    rmSync(keyFile(one.stateDir));
    expect((await one.cli(['devices', 'list', '--timeout', '300ms'])).code).toBe(75);
    await one.stop();
  });
});
