// T5, A11: a command that decides with no gateway running, killed before or after any of its writes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newIdentity } from '../partner/identity.ts';
import { READ } from '../scenario/act.ts';
import { byCommand, killedAtEach, removeCopy } from './every.ts';
import { type Ground, makeGround } from './operation.ts';

const COMMANDS: Readonly<Record<string, (ground: Ground) => readonly string[]>> = {
  approve: (g) => ['devices', 'approve', g.requestOf(g.strangers[0])],
  ensure: () => ['devices', 'ensure', '--key', newIdentity().publicKey, '--scope', READ, '--name', 'kitchen'],
};

describe('T5 a command without a gateway and kill -9', () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await makeGround();
  });
  afterAll(() => removeCopy(ground.template));

  it.each(Object.keys(COMMANDS))(
    'T5 A11 devices %s, killed before each write',
    async (name) => {
      const { template, wall } = ground;
      const subject = { template, wall, attempt: byCommand(wall, COMMANDS[name]?.(ground) ?? []) };
      const writes = await killedAtEach({ ...subject, again: true }, 'before');
      expect(writes).toContain('COMMIT latchkey.sqlite');
      const commit = writes.indexOf('COMMIT latchkey.sqlite');
      expect(commit).toBeLessThan(writes.length - 1);
    },
    120_000,
  );
});
