// Calls that wait: what they hold while they do, who is still served beside them, and when they end.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import type { Identity } from '../partner/identity.ts';
import { type Payload, until } from '../partner/peer.ts';
import { type SlowModel, startSlowModel } from '../slowmodel.ts';
import { ADMIN, paired, READ, session, WRITE } from './act.ts';

const MIB = 1024 * 1024;
/** With its frame, just under the largest message. */
const PADDING = 'x'.repeat(22 * MIB);
const RUN = 'never-ends';
const LONG = { runId: RUN, timeoutMs: 600_000 };

let model: SlowModel;
let gateway: Gateway;
beforeAll(async () => {
  model = await startSlowModel();
  const lab = { kind: 'openai-compatible', baseUrl: model.url, models: [{ id: 'slow' }] };
  gateway = await start({
    config: {
      models: { local: { enabled: false }, providers: { lab } },
      agents: { defaults: { model: { primary: 'lab/slow' } } },
    },
  });
  const owner = await gateway.owner();
  await owner.ask('chat.send', { sessionKey: 'main', message: 'go on', idempotencyKey: RUN });
});
afterAll(async () => {
  await gateway?.stop();
  await model?.stop();
});

const open: { end(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.end();
});

const scopes = [READ, WRITE];
const device = async (held: readonly string[] = scopes) => paired(await gateway.owner(), held);
async function socketOf(identity: Identity, held: readonly string[] = scopes) {
  const { partner } = await session(gateway, identity, held);
  open.push(partner);
  return partner;
}

function rssMiB(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'))?.[1]) / 1024;
}

it('threat 37: six sockets that wait with all that fits beside it shut nobody out', { timeout: 120_000 }, async () => {
  const identity = await device();
  const refusals: Payload[] = [];
  for (let n = 0; n < 6; n += 1) {
    const peer = await socketOf(identity);
    const wait = peer.call('agent.wait', { ...LONG, padding: PADDING }, { timeoutMs: 60_000 });
    wait.then(
      (answer) => refusals.push(answer),
      () => {},
    );
    // Read, and waiting, where it may.
    await until('the frame', async () => refusals.length > n || (await peer.call('health')).ok, 60_000);
  }
  const owner = await gateway.owner();
  await owner.ask('device.pair.list', { padding: PADDING });
  const other = await socketOf(await device());
  await other.ask('sessions.list', {});
  await until('their answers', () => refusals.length === 6, 60_000);
  for (const refusal of refusals) {
    expect(refusal).toMatchObject({ ok: false, error: { message: expect.stringContaining('4096 characters') } });
  }
  const upgrade = await other.call('device.scopes.waitUpgrade', { requestId: 'r', padding: 'x'.repeat(5_000) });
  expect(upgrade).toMatchObject({ ok: false, error: { message: expect.stringContaining('4096 characters') } });
});

it('threat 38: what waits for a second answer keeps nothing of its frame', { timeout: 240_000 }, async () => {
  const peer = await socketOf(await device());
  const params = { message: 'go on', sessionKey: 'side', idempotencyKey: 'repeated', junk: PADDING };
  for (let n = 0; n < 30; n += 1) {
    expect(await peer.call('agent', params, { timeoutMs: 60_000 })).toMatchObject({ ok: true });
  }
  await until('little memory', async () => (await peer.call('health')).ok && rssMiB() < 300, 30_000);
});

it('threat 38: 64 calls of one device wait, and those of a connection end with it', { timeout: 120_000 }, async () => {
  const identity = await device();
  const [one, two] = [await socketOf(identity), await socketOf(identity)];
  const wait = (peer: typeof one) => peer.call('agent.wait', LONG, { timeoutMs: 100_000 }).catch(() => {});
  for (let n = 0; n < 32; n += 1) for (const peer of [one, two]) void wait(peer);
  const at = await socketOf(identity);
  const now = async () => {
    const answer = await at.call('agent.wait', { runId: RUN, timeoutMs: 0 });
    return answer.ok ? answer.payload.status : answer.error.details?.refusal;
  };
  await until('all wait', async () => (await now()) === 'busy', 60_000);
  const key = { message: 'too many', sessionKey: 'side', idempotencyKey: 'too-many' };
  expect(await at.call('agent', key)).toMatchObject({ ok: false, error: { retryable: true } });
  // Somebody else may.
  const other = await socketOf(await device());
  expect(await other.ask('agent.wait', { runId: RUN, timeoutMs: 0 })).toMatchObject({ status: 'timeout' });
  one.end();
  await until('a place', async () => (await now()) === 'timeout', 60_000);
});

it('A9: who may no longer call when the wait is over is not told what came of it', { timeout: 60_000 }, async () => {
  const identity = await device();
  const peer = await socketOf(identity);
  const owner = await gateway.owner();
  await peer.ask('chat.send', { sessionKey: 'apart', message: 'go on', idempotencyKey: 'apart' });
  const answer = peer.call('agent.wait', { runId: 'apart', timeoutMs: 60_000 }, { timeoutMs: 60_000 });
  await peer.ask('health');
  await owner.ask('device.grant.narrow', { deviceId: identity.id, role: 'operator', scopes: [READ] });
  await owner.ask('chat.abort', { sessionKey: 'apart' });
  expect(await answer).toMatchObject({
    ok: false,
    error: { message: expect.stringContaining('missing scope: operator.write') },
  });
});

it('A1: the model of a run is chosen by who may choose that of a session', { timeout: 60_000 }, async () => {
  const peer = await socketOf(await device());
  const params = { message: 'x', sessionKey: 'chosen', model: 'lab/slow', idempotencyKey: 'chosen' };
  expect(await peer.call('agent', params)).toMatchObject({
    ok: false,
    error: { message: expect.stringContaining('missing scope: operator.admin') },
  });
  const admin = await socketOf(await device([ADMIN]), [ADMIN]);
  expect(await admin.ask('agent', params)).toMatchObject({ runId: 'chosen', status: 'accepted' });
  await admin.ask('chat.abort', { sessionKey: 'chosen' });
});

it('threat 37: large calls that take long are bounded in bytes: the second is told to come again', {
  timeout: 120_000,
}, async () => {
  const owner = await gateway.owner();
  const params = { provider: 'lab', timeoutMs: 10_000, padding: PADDING };
  owner.call('models.probe', params, { timeoutMs: 60_000 }).catch(() => {});
  const second = await owner.call('models.probe', params, { timeoutMs: 60_000 });
  expect(second).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE', details: { code: 'BUSY' } } });
  owner.end();
});
