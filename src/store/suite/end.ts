import { expect, test } from 'vitest';
import type { Held } from '../suite.ts';
import { byCode, byDevice, device, deviceId, grant, NOON, OWNER, rejection, request } from './sample.ts';

export function endRules(held: Held): void {
  test('S17 what ends is due from its instant on, and the next end is the earliest', async () => {
    expect(await held.store.read((tx) => tx.devices.nextEnd())).toBeNull();
    await held.store.write(async (tx) => {
      await tx.devices.save(device(1, { operator: { grant: grant(OWNER, {}, { until: NOON + 30 }) } }), 0);
      await tx.devices.save(device(2, { node: { request: request('q2', { expiresAt: NOON + 20 }) } }), 0);
      await tx.devices.save(device(3, { node: { rejection: rejection('x3', { until: NOON + 10 }), decided: 1 } }), 0);
      await tx.devices.save(device(4, { operator: { grant: grant(OWNER, {}) } }), 0);
    });
    await held.reopen();
    const due = (at: number) => held.store.read((tx) => tx.devices.due(at));
    expect(await held.store.read((tx) => tx.devices.nextEnd())).toBe(NOON + 10);
    expect(await due(NOON + 9)).toEqual([]);
    expect(await due(NOON + 10)).toEqual([deviceId(3)]);
    expect(await due(NOON + 20)).toEqual([deviceId(2), deviceId(3)]);
    expect(await due(NOON + 99)).toEqual([deviceId(1), deviceId(2), deviceId(3)]);
  });

  test('S18 what a device gave is known: the pairing or a scope, by itself or by its code', async () => {
    await held.store.write(async (tx) => {
      await tx.devices.save(device(1, { operator: { grant: grant(byDevice(9)) } }), 0);
      await tx.devices.save(device(2, { node: { grant: grant(OWNER, {}, { by: byDevice(9) }) } }), 0);
      await tx.devices.save(device(3, { operator: { grant: grant(OWNER, { by: byCode(byDevice(9)) }) } }), 0);
      await tx.devices.save(device(4, { operator: { grant: grant(byCode(OWNER), { by: byDevice(8) }) } }), 0);
      await tx.devices.save(device(5, { operator: { rejection: rejection('x', { by: byDevice(9) }), decided: 1 } }), 0);
    });
    const givenBy = (n: number) => held.store.read((tx) => tx.devices.givenBy(deviceId(n)));
    expect(await givenBy(9)).toEqual([deviceId(1), deviceId(2), deviceId(3)]);
    expect(await givenBy(8)).toEqual([deviceId(4)]);
    expect(await givenBy(7)).toEqual([]);
  });
}
