// T5 at every point there is, those too that only repeat another: see TURNS in every.ts.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byGateway, killedAtEach, removeCopy } from './every.ts';
import { DECISIONS, type Ground, makeGround, PAIRINGS } from './operation.ts';

const OPERATIONS = { ...DECISIONS, ...PAIRINGS };

describe('T5 kill -9 after every write', () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await makeGround();
  });
  afterAll(() => removeCopy(ground.template));

  it.each(Object.keys(OPERATIONS))(
    'T5 %s, killed after each write',
    async (name) => {
      const run = OPERATIONS[name]?.(ground);
      if (run === undefined) throw new Error(name);
      const { template, wall } = ground;
      const writes = await killedAtEach({ template, wall, attempt: byGateway(wall, run) }, 'after');
      expect(writes).toContain('COMMIT latchkey.sqlite');
    },
    120_000,
  );
});
