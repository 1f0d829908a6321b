// What one device takes up, from outside: seats at an agent, and room in what is kept.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { startSlowModel } from '../slowmodel.ts';
import { paired, session, WRITE } from './act.ts';

const LONG_MS = 120_000;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function writer(gateway: Gateway) {
  const { partner } = await session(gateway, await paired(await gateway.owner(), [WRITE]), [WRITE]);
  ends.push(() => partner.end());
  return partner;
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await sleep(20);
}

test('rule: a device that holds runs of a model that never ends keeps neither the owner nor another device waiting', {
  timeout: LONG_MS,
}, async () => {
  const model = await startSlowModel();
  ends.push(() => model.stop());
  const lab = { kind: 'openai-compatible', baseUrl: model.url, models: [{ id: 'm', contextWindow: 64_000 }] };
  const models = { local: { enabled: false }, providers: { lab } };
  const gateway = await start({ config: { models, agents: { defaults: { model: 'lab/m' } } } });
  ends.push(() => gateway.stop());
  const flood = await writer(gateway);
  for (let n = 0; n < 200; n += 1) {
    await flood.ask('chat.send', { sessionKey: `s${n}`, message: 'hold', idempotencyKey: `hold-${n}` });
  }
  await until(() => model.open() === 4);
  const owner = await gateway.owner();
  await owner.ask('agent', { sessionKey: 'main', message: 'the owner speaks', idempotencyKey: 'owner' });
  await until(() => model.open() === 5);
  const other = await writer(gateway);
  await other.ask('chat.send', { sessionKey: 'other', message: 'somebody speaks', idempotencyKey: 'other' });
  await until(() => model.open() === 6);
  const { sessions } = await owner.ask('sessions.list', { limit: 1_000 });
  const running = sessions.filter((row: { rows: number }) => row.rows > 0).map((row: { key: string }) => row.key);
  expect(running).toHaveLength(6);
  expect(running).toEqual(expect.arrayContaining(['agent:main:main', 'agent:main:other']));
});

test('rule: a device that begins more sessions than are kept loses its own, not those of others', {
  timeout: LONG_MS,
}, async () => {
  const kept = (maxEntries: number) => ({ session: { maintenance: { maxEntries } } });
  const gateway = await start({ config: kept(50) });
  ends.push(() => gateway.stop());
  const owner = await gateway.owner();
  await owner.ask('chat.send', { sessionKey: 'notes', message: 'precious', idempotencyKey: 'notes' });
  await owner.ask('agent.wait', { runId: 'notes' });
  const flood = await writer(gateway);
  for (let n = 0; n < 100; n += 1) await flood.ask('sessions.patch', { key: `spam${n}`, label: 'x' });
  // Other rules hold at once.
  await owner.ask('config.patch', { raw: JSON.stringify(kept(51)) });
  const count = async () => (await owner.ask('sessions.list', { limit: 1_000 })).sessions.length;
  await until(async () => (await count()) === 51);
  expect(await owner.ask('sessions.describe', { key: 'notes' })).toMatchObject({ session: { rows: 2 } });
});
