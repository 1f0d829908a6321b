// A11 and THREATS.md D4.36, D4.38: small questions with large answers. Whoever asks them often, over many connections and
// without reading, shuts out neither the owner nor another device, and makes the gateway hold little. Nothing here is judged
// by the clock: each flood is asked for in full, and then it is looked at who was answered what.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import type { Partner } from '../partner/client.ts';
import type { Identity } from '../partner/identity.ts';
import { type Answer, type Peer, until } from '../partner/peer.ts';
import { isLinux, residentBytes } from '../process.ts';
import { ADMIN, narrow, paired, READ, session, WRITE } from '../scenario/act.ts';
import { type SlowModel, startSlowModel } from '../slowmodel.ts';

const MIB = 1024 * 1024;
const PATIENCE = { timeoutMs: 120_000 };

let model: SlowModel;
let gateway: Gateway;
let owner: Peer;
let reader: Identity;
let asked = 0;

beforeAll(async () => {
  model = await startSlowModel();
  const lab = { kind: 'openai-compatible', baseUrl: model.url, models: [{ id: 'slow' }] };
  gateway = await start({
    config: { models: { providers: { lab } }, agents: { defaults: { queue: 'followup' } } },
  });
  owner = await gateway.owner();
  reader = await paired(owner, [READ]);
}, 60_000);
afterAll(async () => {
  await gateway?.stop();
  await model?.stop();
});

const open: Partner[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.end();
});

async function socketOf(identity: Identity, scopes: readonly string[] = [READ]): Promise<Partner> {
  const { partner } = await session(gateway, identity, scopes);
  open.push(partner);
  return partner;
}
const sockets = (identity: Identity, count: number) =>
  Promise.all(Array.from({ length: count }, () => socketOf(identity)));

const send = (peer: Peer, sessionKey: string, message: string) => {
  asked += 1;
  return peer.call('chat.send', { sessionKey, message, idempotencyKey: `large-${asked}` }, PATIENCE);
};
const codeOf = (answer: Answer) => (answer.ok ? 'ok' : answer.error.details?.refusal);

/** Most that the process held while `work` was done. */
async function mostBytes(work: () => Promise<void>): Promise<number> {
  let most = residentBytes(gateway.pid);
  const timer = setInterval(() => {
    most = Math.max(most, residentBytes(gateway.pid));
  }, 20);
  await work().finally(() => clearInterval(timer));
  return most;
}

describe.skipIf(!isLinux)('large answers', () => {
  it('A11, threat 36: a device that asks for all sessions and reads nothing holds up nobody, and little is held', {
    timeout: 240_000,
  }, async () => {
    for (let from = 0; from < 400; from += 50) {
      const keys = Array.from({ length: 50 }, (_, n) => `${from + n}${'k'.repeat(400)}`);
      await Promise.all(keys.map((key) => owner.call('sessions.patch', { key, label: 'l'.repeat(64) }, PATIENCE)));
    }
    const one = (await owner.ask('sessions.list', { limit: 1_000 })).sessions;
    expect(one.length).toBeGreaterThanOrEqual(400);
    const before = residentBytes(gateway.pid);
    const lazy = await sockets(reader, 8);
    for (const { ws } of lazy) ws.socket.pause();
    const most = await mostBytes(async () => {
      for (const partner of lazy) {
        for (let n = 0; n < 240; n += 3) {
          partner.send({ type: 'req', id: `${n}`, method: 'sessions.list', params: { limit: 1_000 } });
          partner.send({ type: 'req', id: `${n + 1}`, method: 'sessions.subscribe', params: { limit: 1_000 } });
          partner.send({ type: 'req', id: `${n + 2}`, method: 'sessions.usage', params: { limit: 1_000 } });
        }
      }
      const honest = await socketOf(await paired(owner, [READ]));
      for (let n = 0; n < 10; n += 1) {
        expect(codeOf(await owner.call('health', {}, PATIENCE))).toBe('ok');
        expect(codeOf(await honest.call('sessions.list', { limit: 5 }, PATIENCE))).toBe('ok');
      }
    });
    console.log(`threat 36: memory +${Math.round((most - before) / MIB)} MiB`);
    // Unanswered, all of it would be a gigabyte.
    expect(most - before).toBeLessThan(250 * MIB);
  });

  it('threat 38: one device with many connections and calls leaves the others their history', {
    timeout: 240_000,
  }, async () => {
    const keys = Array.from({ length: 12 }, (_, n) => `large${n}`);
    for (const key of keys) expect((await send(owner, key, 'x'.repeat(1_000_000))).ok).toBe(true);
    const victim = await socketOf(await paired(owner, [READ]));
    const greedy = await sockets(reader, 12);
    let left = 0;
    for (const partner of greedy) {
      for (let n = 0; n < 9; n += 1) {
        left += 1;
        const answer = partner.call('sessions.preview', { keys, limit: 50, maxChars: 20 }, PATIENCE);
        answer.then(() => (left -= 1)).catch(() => {});
      }
    }
    // Behind all of it in time, and not in turn.
    for (let n = 0; n < 5; n += 1) {
      expect(codeOf(await victim.call('chat.history', { sessionKey: 'large0', limit: 1 }, PATIENCE))).toBe('ok');
      expect(codeOf(await victim.call('logs.tail', {}, PATIENCE))).toBe('ok');
    }
    expect(left).toBeGreaterThan(0);
  });

  it('threat 36: pages that are never read are held for their reader alone, and not without end', {
    timeout: 240_000,
  }, async () => {
    for (let n = 0; n < 7; n += 1) await send(owner, 'page', 'y'.repeat(1_000_000));
    const before = residentBytes(gateway.pid);
    const lazy = await sockets(reader, 14);
    for (const { ws } of lazy) ws.socket.pause();
    const victim = await socketOf(await paired(owner, [READ]));
    const most = await mostBytes(async () => {
      for (const partner of lazy) {
        for (const id of ['a', 'b', 'c'])
          partner.send({ type: 'req', id, method: 'chat.history', params: { sessionKey: 'page', limit: 1_000 } });
      }
      for (let n = 0; n < 20; n += 1) {
        expect(codeOf(await victim.call('chat.history', { sessionKey: 'page', limit: 1 }, PATIENCE))).toBe('ok');
      }
    });
    console.log(`threat 36: memory +${Math.round((most - before) / MIB)} MiB`);
    expect(most - before).toBeLessThan(250 * MIB);
  });

  it('threat 36: who asks for everything at once and reads slowly is answered everything, and holds up no other program', {
    timeout: 240_000,
  }, async () => {
    for (let n = 0; n < 7; n += 1) await send(owner, 'opened', 'z'.repeat(1_000_000));
    const slow = await socketOf(reader);
    slow.ws.socket.pause();
    const methods = ['sessions.list', 'agents.list', 'models.list', 'status', 'sessions.usage', 'logs.tail'];
    const answers = [
      slow.call('chat.history', { sessionKey: 'opened', limit: 1_000 }, PATIENCE),
      ...methods.flatMap((method) => [slow.call(method, {}, PATIENCE), slow.call(method, {}, PATIENCE)]),
      ...Array.from({ length: 60 }, (_, n) => slow.call('chat.history', { sessionKey: `none${n}` }, PATIENCE)),
    ];
    const other = await socketOf(reader);
    for (let n = 0; n < 3; n += 1) expect(codeOf(await other.call('sessions.list', { limit: 5 }, PATIENCE))).toBe('ok');
    slow.ws.socket.resume();
    expect((await Promise.all(answers)).map(codeOf)).toEqual(Array(answers.length).fill('ok'));
  });

  it('threat 36: what waits in a session is told by its beginning: whoever fills it makes it unreadable for nobody', {
    timeout: 240_000,
  }, async () => {
    const writer = await socketOf(await paired(owner, [WRITE]), [WRITE]);
    await owner.ask('sessions.patch', { key: 'filled', model: 'lab/slow', queueMode: 'followup' });
    expect((await send(writer, 'filled', 'hold')).ok).toBe(true);
    const large = '\u0001'.repeat(MIB - 10);
    for (let n = 0; n < 9; n += 1) expect((await send(writer, 'filled', large)).ok).toBe(true);
    for (const peer of [await socketOf(reader), owner]) {
      const { items, total } = (await peer.ask('chat.history', { sessionKey: 'filled', limit: 1 })).pendingInputs;
      // The first one may have begun, or not.
      expect([9, 10]).toContain(total);
      expect(items.filter((item: { text: string }) => item.text.length === 240)).toHaveLength(9);
      expect(codeOf(await peer.call('health', {}, PATIENCE))).toBe('ok');
    }
    await owner.ask('chat.abort', { sessionKey: 'filled' });
  });

  it('A9: who is narrowed while its calls wait for their turn is told nothing that was said since', {
    timeout: 240_000,
  }, async () => {
    const held = [READ, 'operator.talk'];
    const identity = await paired(owner, held);
    const peer = await socketOf(identity, held);
    const keys = Array.from({ length: 12 }, (_, n) => `large${n}`);
    const slow = Array.from({ length: 5 }, () =>
      peer.call('sessions.preview', { keys, limit: 50, maxChars: 20 }, PATIENCE),
    );
    const late = ['chat.history', 'sessions.list'].map((method) =>
      peer.call(method, method === 'chat.history' ? { sessionKey: 'main' } : { includeLastMessage: true }, PATIENCE),
    );
    const done: string[] = [];
    for (const answer of [...slow, ...late]) void answer.then((one) => done.push(String(codeOf(one))));
    await until('the first', () => done.length > 0, 60_000);
    expect((await narrow(owner, identity, ['operator.talk'])).ok).toBe(true);
    await owner.ask('chat.inject', { sessionKey: 'main', message: 'said afterwards' });
    const answers = await Promise.all(late);
    expect(answers.map(codeOf)).toEqual(['missing_scope', 'missing_scope']);
    expect(JSON.stringify(answers)).not.toContain('said afterwards');
    // It was allowed when it asked: that is no reason to end the session.
    expect(codeOf(await peer.call('health', {}, PATIENCE))).toBe('ok');
  });

  it('A7: a label that two sessions have is answered with neither of them', { timeout: 60_000 }, async () => {
    await owner.ask('sessions.patch', { key: 'real', label: 'Taxes' });
    const writer = await socketOf(await paired(owner, [ADMIN]), [ADMIN]);
    expect((await owner.ask('sessions.resolve', { label: 'Taxes' })).key).toBe('agent:main:real');
    await writer.ask('sessions.patch', { key: 'fake', label: 'Taxes' });
    const answer = await owner.call('sessions.resolve', { label: 'Taxes' });
    expect(answer).toMatchObject({
      ok: false,
      error: { message: expect.stringMatching(/2 sessions have it.*agent:main:fake, agent:main:real/) },
    });
  });
});
