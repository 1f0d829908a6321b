// THREATS.md D6.56 and 62: how a gateway ends, in order and out of it, and what is there when it starts again.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { type Gateway, removeStateDir, start } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import { type Answer, within } from '../partner/peer.ts';
import { asking, attempt, gist, granted, once, PAIRING, paired, READ, rows, session } from '../scenario/act.ts';

let gateway: Gateway | undefined;
const open: Partner[] = [];
afterEach(async () => {
  for (const partner of open.splice(0)) partner.end();
  await gateway?.stop();
  gateway = undefined;
});

async function fresh(): Promise<Gateway> {
  gateway = await start();
  return gateway;
}

function signal(which: NodeJS.Signals): void {
  process.kill(gateway?.pid ?? 0, which);
}

const RESTART = { code: 1012, reason: 'service restart' };

describe.skipIf(process.platform === 'win32')('threat 62: SIGTERM', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'threat 62 %s: everybody is told, closed with 1012, and it ends with 0',
    async (which) => {
      const up = await fresh();
      const line = await up.owner();
      const known = await paired(line, [READ]);
      await line.ask('connect', asking([READ]));
      const one = (await session(up, known)).partner;
      const keyless = await attempt({ port: up.port }, asking([READ], { auth: { token: up.token } }));
      // One that has said nothing yet, and one that waits for approval.
      const silent = await Partner.open({ port: up.port });
      const waiting = await Partner.open({ port: up.port });
      const waits = waiting.connect(asking([READ], { caps: ['latchkey.wait'] }), { identity: newIdentity() });
      await waiting.event('connect.waiting');
      open.push(one, keyless.partner, silent, waiting);
      signal(which);
      for (const peer of [one, keyless.partner, line]) {
        const { payload } = await peer.event('shutdown');
        expect(payload.reason).toBe('service restart');
      }
      for (const partner of [one, keyless.partner]) expect(await partner.closed).toEqual(RESTART);
      expect((await silent.closed).code).toBe(1012);
      // A8: a waiting socket is answered however it ends, and its request is still there for the next start.
      const answer = await waits;
      expect(answer.ok).toBe(false);
      expect((await waiting.closed).code).toBe(1012);
      await line.closed;
      expect(await up.halt()).toBe(0);
      for (const name of ['gateway.sock', 'gateway.json'])
        expect(existsSync(join(up.stateDir, 'run', name))).toBe(false);
      expect(up.logs()).not.toMatch(/unhandled|uncaught|\n\s+at /i);
    },
  );

  it('threat 62 more signals on the way change nothing', async () => {
    const up = await fresh();
    const one = (await session(up, await paired(await up.owner(), [READ]))).partner;
    open.push(one);
    for (const which of ['SIGTERM', 'SIGTERM', 'SIGINT', 'SIGTERM'] as const) signal(which);
    expect(await one.closed).toEqual(RESTART);
    expect(await up.halt()).toBe(0);
  });

  it('threat 62 a call that waits is answered before the close', async () => {
    const up = await fresh();
    const identity = await paired(await up.owner(), [READ]);
    const { partner } = await session(up, identity);
    open.push(partner);
    const { requestId } = await partner.ask('device.scopes.requestUpgrade', { scopes: [PAIRING] });
    const call = partner.call('device.scopes.waitUpgrade', { requestId, timeoutMs: 60_000 }, { timeoutMs: 20_000 });
    // Answered behind it, so the wait has begun.
    await partner.ask('health');
    signal('SIGTERM');
    const answer = await within(Promise.race([call, partner.closed.then(() => null)]), 'an answer', 20_000);
    expect(answer, 'closed without an answer').not.toBeNull();
    expect(await partner.closed).toEqual(RESTART);
  }, 30_000);

  it('threat 62 of a thousand calls in flight, what is answered is kept and what is refused says: try again', async () => {
    const up = await fresh();
    const line = await up.owner();
    const devices = Array.from({ length: 1_000 }, () => newIdentity());
    const answers = devices.map((identity) =>
      line
        .call(
          'device.pair.ensure',
          { publicKey: identity.publicKey, role: 'operator', scopes: [READ] },
          { timeoutMs: 60_000 },
        )
        .catch((): null => null),
    );
    await Promise.race(answers);
    signal('SIGTERM');
    await line.closed;
    expect(await up.halt()).toBe(0);
    const settled = await Promise.all(
      answers.map((answer) => Promise.race([answer, new Promise<null>((d) => setImmediate(d, null))])),
    );
    const kept = devices.filter((_, i) => settled[i]?.ok === true);
    expect(kept.length).toBeGreaterThan(0);
    for (const answer of settled.filter((a): a is Answer & { ok: false } => a?.ok === false)) {
      expect(gist(answer)).toMatch(/^UNAVAILABLE/);
      expect(answer.error.retryable).toBe(true);
      expect(answer.error.retryAfterMs).toBeGreaterThan(0);
    }
    gateway = await start({ stateDir: up.stateDir });
    await everyOne(gateway, kept);
  }, 90_000);
});

/** Each of the devices holds what it was given. */
async function everyOne(up: Gateway, devices: readonly Identity[]): Promise<void> {
  const { paired: list } = await rows(await up.owner());
  const held = new Map(list.map((row) => [row.deviceId, row.scopes]));
  for (const identity of devices) expect(held.get(identity.id)).toEqual([READ]);
}

describe('threat 56: SIGKILL', () => {
  it('threat 56 A11 the next start replaces the socket that was left, with the same state, tokens and keys', async () => {
    const first = await fresh();
    const identity = await paired(await first.owner(), [READ]);
    const before = (await session(first, identity)).hello;
    const asks = newIdentity();
    await once({ port: first.port }, asking([READ]), { identity: asks });
    const [request] = (await rows(await first.owner(), asks)).open;
    const keys = readFileSync(join(first.stateDir, 'identity', 'gateway.json'), 'utf8');
    await first.kill();
    expect(statSync(first.socketPath).isSocket()).toBe(true);
    const second = await start({ stateDir: first.stateDir });
    try {
      expect(second.socketPath).toBe(first.socketPath);
      const after = (await session(second, identity)).hello;
      // A10: nothing about it was in memory only.
      // The same but for the id of the decision, which is each connect's own (A17).
      expect({ ...after.auth, decision: null }).toEqual({ ...before.auth, decision: null });
      expect(readFileSync(join(first.stateDir, 'identity', 'gateway.json'), 'utf8')).toBe(keys);
      const owner = await second.owner();
      expect((await rows(owner, asks)).open).toEqual([request]);
      await owner.ask('device.pair.approve', { requestId: request.requestId });
      expect(await granted(owner, asks)).toEqual([READ]);
    } finally {
      await second.halt();
    }
  });

  it('threat 56 killed in the middle of writing, again and again, it has all that it answered, and starts', async () => {
    const first = await fresh();
    const { stateDir } = first;
    const kept: Identity[] = [];
    let up = first;
    for (let round = 0; round < 6; round += 1) {
      const line = await up.owner();
      const devices = Array.from({ length: 300 }, () => newIdentity());
      const done = new Set<Identity>();
      let atLeast: () => void = () => {};
      const enough = new Promise<void>((go) => {
        atLeast = go;
      });
      for (const identity of devices) {
        const params = { publicKey: identity.publicKey, role: 'operator', scopes: [READ] };
        void line.call('device.pair.ensure', params, { timeoutMs: 60_000 }).then(
          (answer) => {
            if (answer.ok) done.add(identity);
            if (done.size > round * 7) atLeast();
          },
          () => {},
        );
      }
      await enough;
      await up.kill();
      kept.push(...done);
      const db = new DatabaseSync(join(stateDir, 'state', 'latchkey.sqlite'));
      expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
      db.close();
      up = await start({ stateDir });
      gateway = up;
      await everyOne(up, kept);
    }
    await up.halt();
    expect(kept.length).toBeGreaterThan(20);
  }, 90_000);
});

describe('rule: ending', () => {
  it('rule a state directory is left without anything passing, and can be removed', async () => {
    const up = await start();
    expect(await up.halt()).toBe(0);
    expect(existsSync(join(up.stateDir, 'state', 'latchkey.sqlite-wal'))).toBe(false);
    removeStateDir(up.stateDir);
    expect(existsSync(up.stateDir)).toBe(false);
  });
});
