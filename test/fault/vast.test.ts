import { afterEach, expect, test } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { connected } from '../partner/client.ts';
import { newIdentity } from '../partner/identity.ts';
import { asking, READ } from '../scenario/act.ts';

let gateway: Gateway | undefined;
afterEach(() => gateway?.stop());

test('threat 2: the largest frame, full of wrong values, from a session without a scope: refused, and nobody else notices', async () => {
  gateway = await start();
  const { port, token } = gateway;
  const { partner } = await connected({ port }, asking([], { auth: { token } }), { identity: newIdentity() });
  const { partner: other } = await connected({ port }, asking([READ], { auth: { token } }), {
    identity: newIdentity(),
  });
  for (const values of [100_000, 12_000_000]) {
    const scopes = Array.from({ length: values }, () => 0);
    await expect(partner.ask('device.scopes.requestUpgrade', { scopes })).rejects.toThrow('holds more values');
    expect((await other.ask('health')).ok).toBe(true);
  }
  partner.end();
  other.end();
});
