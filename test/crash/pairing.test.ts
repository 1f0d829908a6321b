// T5 for what makes authority: declaring, asking, codes, the secret.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byGateway, killedAtEach, removeCopy, type Subject, TURNS } from './every.ts';
import { asOwner, type Ground, makeGround, PAIRINGS } from './operation.ts';

describe('T5 a pairing and kill -9', () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await makeGround();
  });
  afterAll(() => removeCopy(ground.template));

  it.each(Object.keys(PAIRINGS))(
    'T5 %s, killed before each write and after those that end something',
    async (name) => {
      const run = PAIRINGS[name]?.(ground);
      if (run === undefined) throw new Error(name);
      const { template, wall } = ground;
      const subject = { template, wall, attempt: byGateway(wall, run) };
      const writes = await killedAtEach(subject, 'before');
      expect(writes).toContain('COMMIT latchkey.sqlite');
      expect(await killedAtEach(subject, 'after', TURNS)).toEqual(writes);
    },
    120_000,
  );

  it.each(['before', 'after', 'torn'] as const)(
    'T5 rotating the secret, killed %s each write: its codes end first, and it is one whole secret',
    async (when) => {
      const subject: Subject = {
        template: ground.template,
        wall: ground.wall,
        attempt: byGateway(ground.wall, asOwner('gateway.secret.rotate', {})),
        // Secret and codes lie in two files. Between them less is open than before, never more; doing it again ends it.
        between: (before, after) => [{ ...after, identity: before.identity ?? [] }],
      };
      const writes = await killedAtEach(subject, when);
      const place = (name: string) => writes.findIndex((write) => write.startsWith(name));
      expect(place('COMMIT latchkey.sqlite')).toBeGreaterThan(0);
      expect(place('renameSync gateway.json')).toBeGreaterThan(place('COMMIT latchkey.sqlite'));
      expect(place('fsyncSync gateway.json')).toBeLessThan(place('renameSync gateway.json'));
    },
    120_000,
  );
});
