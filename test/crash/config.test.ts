// T5 for the configuration's file: whole as it was or whole as it was to be, with the gateway up or down.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byCommand, byGateway, killedAtEach, removeCopy } from './every.ts';
import { asOwner, type Ground, makeGround } from './operation.ts';

describe('T5 a change of the configuration and kill -9', () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await makeGround();
  });
  afterAll(() => removeCopy(ground.template));

  it.each(['before', 'torn'] as const)(
    'T5 config set with no gateway, killed %s each write',
    async (when) => {
      const { template, wall } = ground;
      const attempt = byCommand(wall, ['config', 'set', 'logging.level', 'debug']);
      const writes = await killedAtEach({ template, wall, attempt, again: true }, when);
      expect(writes.filter((write) => /^rename/.test(write))).toHaveLength(1);
    },
    120_000,
  );

  it.each(['before', 'torn'] as const)(
    'T5 config.patch in a gateway, killed %s each write',
    async (when) => {
      const { template, wall } = ground;
      const patch = asOwner('config.patch', { raw: '{ logging: { level: "debug" } }' });
      const writes = await killedAtEach({ template, wall, attempt: byGateway(wall, patch), again: true }, when);
      expect(writes.filter((write) => /^rename/.test(write))).toHaveLength(1);
    },
    120_000,
  );
});
