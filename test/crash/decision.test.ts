// T5: a gateway that is killed before or after any write of a decision leaves the state before or the state after it,
// and what it has answered is there.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connected } from '../partner/client.ts';
import { asking, READ } from '../scenario/act.ts';
import { byGateway, copyOf, killedAtEach, removeCopy, TURNS } from './every.ts';
import { House } from './house.ts';
import { DECISIONS, type Ground, makeGround } from './operation.ts';

describe('T5 a decision and kill -9', () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await makeGround();
  });
  afterAll(() => removeCopy(ground.template));

  it.each(Object.keys(DECISIONS))(
    'T5 %s, killed before each write and after those that end something',
    async (name) => {
      const run = DECISIONS[name]?.(ground);
      if (run === undefined) throw new Error(name);
      const { template, wall } = ground;
      const subject = { template, wall, attempt: byGateway(wall, run) };
      const writes = await killedAtEach(subject, 'before');
      expect(writes).toContain('COMMIT latchkey.sqlite');
      expect(await killedAtEach(subject, 'after', TURNS)).toEqual(writes);
    },
    120_000,
  );

  it('T5 A9 removing with all ends what the device approved too, says so, and leaves the rest', async () => {
    const dir = copyOf(ground.template);
    const house = await House.start(dir);
    try {
      const owner = await house.owner();
      const { partner: child } = await connected({ port: house.port }, asking([READ]), { identity: ground.child });
      const { partner: decider } = await connected({ port: house.port }, asking([READ]), { identity: ground.decider });
      const done = await owner.ask('device.pair.remove', { deviceId: ground.decider.id, withAll: true });
      expect(done).toMatchObject({ changed: true, approved: [], closedSessions: 2 });
      expect(done.changeIds.length).toBeGreaterThanOrEqual(2);
      await Promise.all([child.closed, decider.closed]);
      const { paired } = await owner.ask('device.pair.list', {});
      expect(paired.map((row: { deviceId: string }) => row.deviceId)).toEqual([ground.reader.id]);
      expect(await owner.call('device.pair.remove', { deviceId: 'no such device', withAll: true })).toMatchObject({
        ok: false,
      });
    } finally {
      await house.stop();
      removeCopy(dir);
    }
  });
});
