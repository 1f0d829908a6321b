// A7, A20: a name that ensure doesn't know is refused: a misspelt end would have given for good.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { newIdentity } from '../partner/identity.ts';
import { gist, granted, READ } from './act.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await start();
});
afterAll(() => gateway?.stop());

it('A20 ensure with a misspelt end gives nothing', async () => {
  const owner = await gateway.owner();
  const identity = newIdentity();
  const params = { publicKey: identity.publicKey, role: 'operator', scopes: [READ] };
  const { ts } = await owner.ask('health');
  expect(gist(await owner.call('device.pair.ensure', { ...params, untilMS: ts + 60_000 }))).toMatch(/^INVALID_REQUEST/);
  expect(await granted(owner, identity)).toBeNull();
  expect(gist(await owner.call('device.pair.ensure', { ...params, untilMs: ts + 60_000 }))).toBe('ok');
  expect(await granted(owner, identity)).toEqual([READ]);
});
