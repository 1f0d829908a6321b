// A11: where the owner socket can't be reached, whoever can read run/owner.key is the owner, on a direct socket.
import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
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
    ['somebody who listens where the gateway does not', { host: '[::1]:PORT' }],
    ['a tunnel from another port', { host: '127.0.0.1:1' }],
  ])('A11, A13 to %s none is offered, and a right one is not taken', async (_name, more) => {
    const { lk, ...rest } = { lk: true as const, ...more };
    const host = 'host' in rest ? { host: rest.host.replace('PORT', String(gateway.port)) } : {};
    const partner = await Partner.open({ port: gateway.port, ...rest, ...host, ...(lk === undefined ? {} : { lk }) });
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

  it('A11 a command tries what its gateway says that it listens at, and no other address', async () => {
    const one = await start();
    rmSync(one.socketPath);
    const list = async (addresses: readonly string[]) => {
      writeFileSync(join(one.stateDir, 'run', 'gateway.json'), JSON.stringify({ ...one.run, addresses }));
      return (await one.cli(['devices', 'list', '--timeout', '300ms'])).code;
    };
    expect(one.run.addresses).toContain('127.0.0.1');
    // The gateway is at 127.0.0.1 all the same; whoever were there instead would be asked nothing.
    for (const addresses of [[], ['192.0.2.1'], ['127.0.0.1.evil.test']]) expect(await list(addresses)).toBe(75);
    expect(await list(['192.0.2.1', '0.0.0.0'])).toBe(0);
    await one.stop();
  });

  it("A11 with another start's key a command sees that the gateway doesn't know it, and sends nothing", async () => {
    const one = await start();
    rmSync(one.socketPath);
    writeFileSync(keyFile(one.stateDir), `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
    expect((await one.cli(['devices', 'list', '--timeout', '300ms'])).code).toBe(75);
    await one.halt();
    const trace = new DatabaseSync(join(one.stateDir, 'state', 'trace.sqlite'), { readOnly: true });
    expect(trace.prepare("SELECT count(*) AS n FROM decision WHERE code = 'owner_proof'").get()).toEqual({ n: 0 });
    trace.close();
    await one.stop();
  });

  // A record that leads elsewhere: whoever listens there is told nothing, and gets no proof.
  it.each([
    ['proves nothing', (lk: string, nonce: string) => ({ nonce, lk })],
    [
      'sends a proof of its own making',
      (lk: string, nonce: string) => ({ nonce, lk, owner: proof('g', randomBytes(32), lk, nonce) }),
    ],
    ['hands on the real gateway, under its own address', null],
  ])('A11, A18 an impostor that %s is sent nothing', async (_name, challenge) => {
    const one = await start();
    const real = challenge === null ? await Partner.open({ port: one.port, lk: true }) : null;
    const heard: string[] = [];
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    server.on('connection', async (ws, request) => {
      ws.on('message', (data) => heard.push(String(data)));
      const lk = new URL(request.url ?? '/', 'ws://x').searchParams.get('lk') ?? '';
      const nonce = randomBytes(32).toString('base64url');
      const relayed = challenge === null ? (await Partner.open({ port: one.port, lk })).challenge : null;
      const payload = { ts: 0, ...(relayed ?? challenge?.(lk, nonce)) };
      ws.send(JSON.stringify({ type: 'event', event: 'connect.challenge', payload }));
    });
    await new Promise((listening) => server.once('listening', listening));
    const { port } = server.address() as AddressInfo;
    writeFileSync(join(one.stateDir, 'run', 'gateway.json'), JSON.stringify({ ...one.run, port }));
    rmSync(one.socketPath);
    const answer = await one.cli(['devices', 'list', '--timeout', '500ms']);
    expect(answer.code).toBe(75);
    expect(heard).toEqual([]);
    real?.end();
    for (const client of server.clients) client.terminate();
    await new Promise((closed) => server.close(closed));
    await one.stop();
  });
});
