import { expect, test } from 'vitest';
import type { Room } from '../../core/authz/command.ts';
import { ROOM } from '../../core/authz/decide.ts';
import type { Instant } from '../../core/base/instant.ts';
import { RECENT_MS } from '../room.ts';
import type { Held } from '../suite.ts';
import { device, deviceId, grant, NOON, OWNER, request, requestId } from './sample.ts';

export function roomRules(held: Held): void {
  const room = (source: string, at: Instant, ...waitedAt: readonly string[]): Promise<Room> =>
    held.store.read((tx) => tx.devices.room(source, at, new Set(waitedAt.map(requestId))));

  test('S16 room counts live requests of roles without a grant, by source and in all', async () => {
    await held.store.write(async (tx) => {
      await tx.devices.save(device(1, { operator: { request: request('q1') }, node: { request: request('q2') } }), 0);
      await tx.devices.save(device(2, { operator: { request: request('q3', { source: '192.0.2.1' }) } }), 0);
      await tx.devices.save(device(3, { operator: { grant: grant(OWNER), request: request('q4') } }), 0);
      await tx.devices.save(
        device(4, { operator: { grant: grant(OWNER, {}) }, node: { request: request('q5', { source: '192.0.2.1' }) } }),
        0,
      );
      await tx.devices.save(device(5, { operator: { request: request('q6', { expiresAt: NOON + 1 }) } }), 0);
    });
    expect(await room('loopback', NOON + 1)).toMatchObject({ fromSource: 2, total: 4, freeAt: NOON + 1 });
    expect(await room('192.0.2.1', NOON)).toMatchObject({ fromSource: 2, total: 5 });
    expect(await room('loopback', NOON + 600_000)).toMatchObject({ fromSource: 0, total: 0, oldest: null });
  });

  test("S16 a source's oldest request that nobody waits at makes room", async () => {
    await held.store.write(async (tx) => {
      for (const n of [1, 2, 3]) {
        const open = request(`q${n}`, { openedAt: NOON + n, expiresAt: NOON + 100 * n });
        await tx.devices.save(device(n, { node: { request: open } }), 0);
      }
      await tx.devices.save(device(4, { node: { request: request('q4', { source: 'else', openedAt: 0 }) } }), 0);
    });
    const oldest = (n: number) => ({ device: deviceId(n), role: 'node', id: requestId(`q${n}`) });
    expect((await room('loopback', NOON)).oldest).toStrictEqual(oldest(1));
    expect((await room('loopback', NOON, 'q1')).oldest).toStrictEqual(oldest(2));
    // One that makes room makes it now; where all are waited at, the first that ends does.
    expect((await room('loopback', NOON, 'q1')).freeAt).toBe(NOON);
    expect(await room('loopback', NOON, 'q1', 'q2', 'q3')).toMatchObject({ oldest: null, freeAt: NOON + 100 });
    expect(await room('loopback', NOON + 100, 'q2', 'q3')).toMatchObject({ fromSource: 2, freeAt: NOON + 100 });
  });

  test('S16 when all room is taken, there is room again once enough of it has ended', async () => {
    await held.store.write(async (tx) => {
      for (let n = 1; n <= ROOM.total + 2; n += 1) {
        const open = request(`q${n}`, { source: `s${n}`, expiresAt: NOON + n });
        await tx.devices.save(device(n, { operator: { request: open } }), 0);
      }
    });
    expect(await room('s0', NOON)).toMatchObject({ fromSource: 0, total: ROOM.total + 2, freeAt: NOON + 3 });
  });

  test('S16 requests count as recent for ten minutes', async () => {
    const ask = (at: Instant, times: number) =>
      held.store.write(async (tx) => {
        for (let i = 0; i < times; i += 1) await tx.devices.countAsk(at);
      });
    await ask(NOON, 2);
    await ask(NOON + 5, 1);
    const recent = async (at: Instant) => (await room('s', at)).recent;
    expect(await recent(NOON - 1)).toBe(0);
    expect(await recent(NOON)).toBe(2);
    await held.reopen();
    expect(await recent(NOON + 5)).toBe(3);
    expect(await recent(NOON + RECENT_MS - 1)).toBe(3);
    expect(await recent(NOON + RECENT_MS)).toBe(1);
    expect(await recent(NOON + RECENT_MS + 5)).toBe(0);
    await ask(NOON + 5, ROOM.recent - 3);
    expect(await room('s', NOON + 5)).toMatchObject({ recent: ROOM.recent, freeAt: NOON + RECENT_MS });
    await ask(NOON + 6, 2);
    expect(await room('s', NOON + 6)).toMatchObject({ recent: ROOM.recent + 2, freeAt: NOON + 5 + RECENT_MS });
  });
}
