// T5: a first start that is killed is begun anew by the next.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { newStateDir, removeStateDir } from '../gateway.ts';
import { newIdentity } from '../partner/identity.ts';
import { asking, once, READ } from '../scenario/act.ts';
import { HAS_CONTENT } from './every.ts';
import { House } from './house.ts';
import { kept } from './state.ts';

describe('T5 the first start and kill -9', () => {
  const dirs: string[] = [];
  afterAll(() => dirs.forEach(removeStateDir));
  const fresh = () => {
    const dir = newStateDir({ gateway: { auth: { token: undefined } } });
    dirs.push(dir);
    return dir;
  };

  it.each(['before', 'torn'] as const)(
    'T5 killed %s each of its writes: the next start goes on as if it were the first',
    async (when) => {
      const whole = fresh();
      const reference = await (await House.start(whole, { armed: true })).stop('SIGKILL');
      const points = reference.writes.length;
      expect(reference.writes.join('\n')).toMatch(/latchkey\.sqlite\.new[\s\S]*gateway\.json/);
      for (let at = 1; at <= points; at += 1) {
        if (when === 'torn' && !HAS_CONTENT.test(reference.writes[at - 1] ?? '')) continue;
        const dir = fresh();
        const args = ['gateway', 'run', '--port', '0'];
        const killed = await new House(dir, args, { at, when, armed: true }).ended;
        const place = `killed ${when} write ${at}, ${killed.writes.at(-1)}`;
        expect(killed.signal, place).toBe('SIGKILL');
        const house = await House.start(dir).catch((error: unknown) => {
          throw new Error(`${place}: ${error}`);
        });
        const owner = await house.owner();
        expect(await owner.ask('device.pair.list', {}), place).toEqual({ pending: [], paired: [] });
        expect((await once({ port: house.port }, asking([READ]), { identity: newIdentity() })).ok, place).toBe(false);
        expect((await house.stop()).code, place).toBe(0);
        expect(existsSync(join(dir, 'identity', 'gateway.json')), place).toBe(true);
        expect(kept(dir), place).toEqual(kept(whole));
      }
    },
    120_000,
  );
});
