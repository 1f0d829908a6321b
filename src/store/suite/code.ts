import { expect, test } from 'vitest';
import { StaleRevision } from '../store.ts';
import type { Held } from '../suite.ts';
import { byCode, byDevice, code, codeId, deviceId, NOON } from './sample.ts';

export function codeRules(held: Held): void {
  const load = (n: number) => held.store.read((tx) => tx.codes.load(codeId(n)));

  test('S20 a code comes back as it was saved', async () => {
    const codes = [
      code(1),
      code(2, { role: 'node', scopes: ['camera.snap', 'canvas.present'], maker: byDevice(1), made: 77, revision: 4 }),
      code(3, { maker: { kind: 'token', name: 'a\0b' }, usedBy: deviceId(2), ended: true }),
    ];
    await held.store.write(async (tx) => {
      for (const c of codes) await tx.codes.save(c, 0);
    });
    await held.reopen();
    for (const [i, c] of codes.entries()) expect(await load(i + 1)).toStrictEqual(c);
    expect(await load(4)).toBeNull();
  });

  test('S20 a code is used once: a save that judged by an older revision is refused', async () => {
    await held.store.write((tx) => tx.codes.save(code(1), 0));
    const use = (n: number) =>
      held.store.write((tx) => tx.codes.save(code(1, { usedBy: deviceId(n), revision: 2 }), 1));
    const both = await Promise.allSettled([use(1), use(2)]);
    expect(both.map((b) => b.status)).toEqual(['fulfilled', 'rejected']);
    expect((await load(1))?.usedBy).toBe(deviceId(1));
    await expect(held.store.write((tx) => tx.codes.save(code(1), 0))).rejects.toBeInstanceOf(StaleRevision);
    await expect(held.store.write((tx) => tx.codes.save(code(1, { revision: 2 }), 2))).rejects.toThrow(RangeError);
  });

  test("S20 a maker's unused codes end with it, and no others", async () => {
    await held.store.write(async (tx) => {
      await tx.codes.save(code(1, { maker: byDevice(9) }), 0);
      await tx.codes.save(code(2, { maker: byDevice(9), usedBy: deviceId(1) }), 0);
      await tx.codes.save(code(3, { maker: byDevice(8) }), 0);
      await tx.codes.save(code(4, { maker: byCode(byDevice(9)) }), 0);
      await tx.codes.endBy(deviceId(9));
      await tx.codes.endBy(deviceId(9));
    });
    const ended = await Promise.all([1, 2, 3, 4].map(load));
    expect(ended.map((c) => [c?.ended, c?.revision])).toEqual([
      [true, 2],
      [false, 1],
      [false, 1],
      [true, 2],
    ]);
  });

  test("S20 what the shared secret's sessions made ends with the secret, and nothing else", async () => {
    await held.store.write(async (tx) => {
      await tx.codes.save(code(1, { maker: { kind: 'secret' } }), 0);
      await tx.codes.save(code(2, { maker: { kind: 'secret' }, usedBy: deviceId(1) }), 0);
      await tx.codes.save(code(3, { maker: { kind: 'owner' } }), 0);
      await tx.codes.endBy('secret');
    });
    const ended = await Promise.all([1, 2, 3].map(load));
    expect(ended.map((c) => c?.ended)).toEqual([true, false, false]);
  });

  test('S20 codes that expired are dropped, others stay', async () => {
    await held.store.write(async (tx) => {
      await tx.codes.save(code(1, { expiresAt: NOON }), 0);
      await tx.codes.save(code(2, { expiresAt: NOON + 1 }), 0);
      await tx.codes.drop(NOON);
    });
    expect([await load(1), (await load(2))?.id]).toEqual([null, codeId(2)]);
  });
}
