import { expect, test } from 'vitest';
import type { Change } from '../../core/authz/command.ts';
import type { Held } from '../suite.ts';
import { byCode, byDevice, change, deviceId, NOON } from './sample.ts';

export function changeRules(held: Held): void {
  const add = (...changes: readonly Change[]) =>
    held.store.write(async (tx) => {
      const ids: string[] = [];
      for (const c of changes) ids.push(await tx.changes.add(c));
      return ids;
    });

  test('S21 a change is found by its id, as it was recorded', async () => {
    const plain = change(3, 1);
    const wide = change(3, 2, {
      what: 'redeem',
      role: 'node',
      by: byCode(byDevice(4)),
      request: null,
      scopes: [
        { scope: 'camera.snap', until: NOON },
        { scope: 'canvas.present', until: null },
      ],
    });
    const bare = change(4, 1, { what: 'rename', role: null, by: null, scopes: [] });
    expect(await add(plain, wide, bare)).toEqual(['ch_3', 'ch_3.2', 'ch_4']);
    expect(await add(change(3, 5))).toEqual(['ch_3.3']);
    await held.reopen();
    await held.store.read(async (tx) => {
      expect(await tx.changes.find('ch_3')).toStrictEqual({ ...plain, id: 'ch_3' });
      expect(await tx.changes.find('ch_3.2')).toStrictEqual({ ...wide, id: 'ch_3.2' });
      expect(await tx.changes.find('ch_4')).toStrictEqual({ ...bare, id: 'ch_4' });
      for (const id of [
        'ch_5',
        'ch_3.1',
        'ch_3.9',
        'ch_03',
        '3',
        'ch_',
        'ch_3 ',
        "ch_3' OR 1",
        'ch_9999999999999999999',
      ]) {
        expect(await tx.changes.find(id), id).toBeNull();
      }
    });
  });

  test('S21 changes are listed newest first, of all or of one device', async () => {
    await add(change(1, 1), change(2, 2), change(2, 1), change(10, 2), change(9, 1));
    const list = async (limit: number, n?: number) => {
      const found = await held.store.read((tx) =>
        n === undefined ? tx.changes.list(limit) : tx.changes.list(limit, deviceId(n)),
      );
      return found.map((c) => c.id);
    };
    expect(await list(99)).toEqual(['ch_10', 'ch_9', 'ch_2.2', 'ch_2', 'ch_1']);
    expect(await list(2)).toEqual(['ch_10', 'ch_9']);
    expect(await list(99, 1)).toEqual(['ch_9', 'ch_2.2', 'ch_1']);
    expect(await list(0)).toEqual([]);
    expect(await list(5, 7)).toEqual([]);
  });
}
