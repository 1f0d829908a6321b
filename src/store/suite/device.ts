import { expect, test } from 'vitest';
import { OUTCOMES_MAX } from '../limit.ts';
import { StaleRevision } from '../store.ts';
import type { Held } from '../suite.ts';
import {
  change,
  device,
  deviceId,
  fullDevice,
  grant,
  HARD,
  NOON,
  OWNER,
  rejection,
  request,
  requestId,
} from './sample.ts';

export function deviceRules(held: Held): void {
  test('S9 a device comes back as it was saved: every field, NUL and all of Unicode', async () => {
    const states = [fullDevice(1), device(2), device(3, { node: { grant: grant(OWNER) } })];
    await held.store.write(async (tx) => {
      for (const state of states) await tx.devices.save(state, 0);
    });
    for (const again of [false, true]) {
      if (again) await held.reopen();
      for (const state of states) {
        expect(await held.store.read((tx) => tx.devices.load(state.device))).toStrictEqual(state);
      }
      expect(await held.store.read((tx) => tx.devices.list())).toStrictEqual(states);
    }
    expect(await held.store.read((tx) => tx.devices.load(deviceId(4)))).toBeNull();
  });

  test('S10 a save that judged by an older revision is refused and changes nothing', async () => {
    await held.store.write((tx) => tx.devices.save(device(1, {}, 2), 0));
    for (const expected of [0, 1]) {
      const stale = held.store.write((tx) => tx.devices.save({ ...device(1, {}, 4), name: 'late' }, expected));
      await expect(stale).rejects.toBeInstanceOf(StaleRevision);
    }
    const unknown = held.store.write((tx) => tx.devices.save(device(2, {}, 4), 3));
    await expect(unknown).rejects.toBeInstanceOf(StaleRevision);
    expect(await held.store.read((tx) => tx.devices.list())).toStrictEqual([device(1, {}, 2)]);
    await held.store.write((tx) => tx.devices.save(device(1, {}, 3), 2));
    expect((await held.store.read((tx) => tx.devices.load(deviceId(1))))?.revision).toBe(3);
  });

  test('S10 a revision that does not rise is refused', async () => {
    await expect(held.store.write((tx) => tx.devices.save(device(1, {}, 0), 0))).rejects.toThrow(RangeError);
    await held.store.write((tx) => tx.devices.save(device(1), 0));
    await expect(held.store.write((tx) => tx.devices.save(device(1), 1))).rejects.toThrow(RangeError);
  });

  wholeRules(held);
  requestRules(held);
  dropRules(held);
}

function wholeRules(held: Held): void {
  test('S11 nobody changes the store through an object that went in or came out', async () => {
    const mine = structuredClone(fullDevice(1));
    await held.store.write((tx) => tx.devices.save(mine, 0));
    (mine.roles.operator.grant?.entries as unknown[]).length = 0;
    Object.assign(mine, { name: 'changed' });
    const theirs = await held.store.read((tx) => tx.devices.load(deviceId(1)));
    try {
      (theirs?.roles.operator.request?.scopes as string[])[0] = 'changed';
    } catch {
      // A driver may also hand out what can't be changed.
    }
    expect(await held.store.read((tx) => tx.devices.load(deviceId(1)))).toStrictEqual(fullDevice(1));
  });

  test('S12 a save replaces all of the device: what is no longer in it is gone', async () => {
    await held.store.write(async (tx) => {
      await tx.devices.save(fullDevice(1), 0);
      await tx.devices.save(device(1, {}, 10), 9);
    });
    await held.store.read(async (tx) => {
      expect(await tx.devices.load(deviceId(1))).toStrictEqual(device(1, {}, 10));
      for (const id of ['q1', 'x1', 'y1']) expect(await tx.devices.find(requestId(id))).toBeNull();
      expect(await tx.devices.nextEnd()).toBeNull();
      expect(await tx.devices.due(NOON * 2)).toEqual([]);
      expect(await tx.devices.givenBy(deviceId(7))).toEqual([]);
    });
  });

  test('S13 the list is by id, whatever the order of saving', async () => {
    await held.store.write(async (tx) => {
      for (const n of [3, 0xff, 1, 0x10, 2]) await tx.devices.save(device(n), 0);
    });
    const ids = (await held.store.read((tx) => tx.devices.list())).map((d) => d.device);
    expect(ids).toEqual([1, 2, 3, 0x10, 0xff].map(deviceId));
  });
}

function requestRules(held: Held): void {
  test('S14 a request or rejection is found by its id, and no other', async () => {
    await held.store.write(async (tx) => {
      await tx.devices.save(device(1, { node: { request: request('q1') } }), 0);
      await tx.devices.save(device(2, { operator: { rejection: rejection(HARD.slice(0, 4)), decided: 1 } }), 0);
    });
    await held.store.read(async (tx) => {
      expect(await tx.devices.find(requestId('q1'))).toStrictEqual({ device: deviceId(1), role: 'node' });
      expect(await tx.devices.find(requestId('a\0b '))).toStrictEqual({ device: deviceId(2), role: 'operator' });
      // A driver that cuts text at NUL finds too much.
      for (const id of ['q', 'Q1', 'q1 ', 'a', 'a\0']) expect(await tx.devices.find(requestId(id))).toBeNull();
    });
  });

  test('S15 how a request ended is remembered, the last word counting', async () => {
    await held.store.write(async (tx) => {
      await tx.devices.close(requestId('q1'), 'superseded', NOON);
      await tx.devices.close(requestId('q2'), 'rejected', NOON);
      await tx.devices.close(requestId('q2'), 'approved', NOON + 1);
    });
    await held.reopen();
    await held.store.read(async (tx) => {
      expect(await tx.devices.past(requestId('q1'))).toBe('superseded');
      expect(await tx.devices.past(requestId('q2'))).toBe('approved');
      expect(await tx.devices.past(requestId('q3'))).toBeNull();
    });
  });

  test('S15 it is remembered for 30 days, and of the last 10,000', async () => {
    const days = (n: number) => NOON + n * 86_400_000;
    const past = (id: string) => held.store.read((tx) => tx.devices.past(requestId(id)));
    await held.store.write(async (tx) => {
      await tx.devices.close(requestId('old'), 'expired', days(0));
      await tx.devices.close(requestId('younger'), 'expired', days(1));
      await tx.devices.close(requestId('now'), 'expired', days(30));
    });
    expect([await past('old'), await past('younger'), await past('now')]).toEqual([null, 'expired', 'expired']);
    await held.store.write(async (tx) => {
      await tx.devices.close(requestId('first'), 'ended', days(30));
      for (let i = 0; i < OUTCOMES_MAX - 1; i += 1) await tx.devices.close(requestId(`n${i}`), 'ended', days(30));
    });
    expect([await past('now'), await past('first'), await past('n0')]).toEqual([null, 'ended', 'ended']);
  });
}

function dropRules(held: Held): void {
  test('S19 a key of which nothing is left to know is forgotten, with the changes that say that it asked', async () => {
    await held.store.write(async (tx) => {
      await tx.devices.save(device(1, {}, 3), 0);
      await tx.devices.save(device(2), 0);
      await tx.changes.add(change(1, 1, { what: 'ask', by: null }));
      await tx.changes.add(change(2, 1, { what: 'reject' }));
      await tx.changes.add(change(3, 2, { what: 'ask', by: null }));
    });
    const stale = held.store.write((tx) => tx.devices.drop(deviceId(1), 2));
    await expect(stale).rejects.toBeInstanceOf(StaleRevision);
    await held.store.write((tx) => tx.devices.drop(deviceId(1), 3));
    await held.store.read(async (tx) => {
      expect((await tx.devices.list()).map((d) => d.device)).toEqual([deviceId(2)]);
      expect((await tx.changes.list(9)).map((c) => c.id)).toEqual(['ch_3', 'ch_2']);
    });
    await held.store.write((tx) => tx.devices.save(device(1), 0));
  });

  test('S19 a key with any mark is never forgotten', async () => {
    const marked = [
      device(1, { operator: { epoch: 1 } }),
      device(2, { node: { decided: 4 } }),
      device(3, { node: { grant: grant(OWNER) } }),
      device(4, { operator: { request: request('q4') } }),
      device(5, { operator: { decided: 4, gone: 4 } }),
      { ...device(6), name: 'desk' },
    ];
    for (const state of marked) {
      await held.store.write((tx) => tx.devices.save(state, 0));
      await expect(held.store.write((tx) => tx.devices.drop(state.device, 1))).rejects.toThrow(RangeError);
    }
    expect(await held.store.read((tx) => tx.devices.list())).toHaveLength(marked.length);
  });
}
