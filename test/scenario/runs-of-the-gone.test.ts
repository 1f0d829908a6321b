// What devices said to an agent, once they may not any more: what they began goes on and is named, what waited is not begun.
import { afterEach, expect, test } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import { type Identity, newIdentity } from '../partner/identity.ts';
import { type Peer, until as untilBy } from '../partner/peer.ts';
import { type SlowModel, startSlowModel } from '../slowmodel.ts';
import { ADMIN, ensure, narrow, PAIRING, paired, READ, remove, revoke, session, WRITE } from './act.ts';

const LONG_MS = 120_000;
const until = (what: string, isSo: () => boolean | Promise<boolean>) => untilBy(what, isSo, LONG_MS);
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const KEY = 'agent:main:main';
const NO = { status: 'error', outcome: 'error', code: 'not_allowed', remedy: 'latchkey devices list' };
const RUNS = { runs: [{ runId: 'first', sessionKey: KEY }], runsTotal: 1 };

interface Scene {
  readonly gateway: Gateway;
  readonly owner: Peer;
  readonly model: SlowModel;
  readonly device: Identity;
  /** Its session. */
  readonly own: Peer;
}

/** A device has said two messages to a model that never ends: the first is with it, the second waits. */
async function scene(): Promise<Scene> {
  const model = await startSlowModel();
  ends.push(() => model.stop());
  const lab = { kind: 'openai-compatible', baseUrl: model.url, models: [{ id: 'm', contextWindow: 64_000 }] };
  const models = { local: { enabled: false }, providers: { lab } };
  const gateway = await start({ config: { models, agents: { defaults: { model: 'lab/m' } } } });
  ends.push(() => gateway.stop());
  const owner = await gateway.owner();
  const device = await paired(owner, [WRITE]);
  const { partner } = await session(gateway, device, [WRITE]);
  ends.push(() => partner.end());
  for (const id of ['first', 'second']) {
    const message = `${id} of the device`;
    await partner.ask('chat.send', { sessionKey: 'main', message, idempotencyKey: id });
  }
  await until('the first is with the model', () => model.open() === 1);
  return { gateway, owner, model, device, own: partner };
}

const waitFor = (owner: Peer, runId: string) => owner.ask('agent.wait', { runId, timeoutMs: 5_000 });
const isOpen = async (owner: Peer, runId: string) => (await owner.ask('agent.wait', { runId, timeoutMs: 0 })).status;

/** It goes on until somebody ends it, by the command that was named; then it is the second one's turn. */
async function firstGoesOnThenEnds({ gateway, owner, model }: Scene): Promise<void> {
  expect([model.open(), await isOpen(owner, 'first')]).toEqual([1, 'timeout']);
  const aborted = await gateway.cli(['agent', '--abort', '--session', KEY, '--id', 'first']);
  expect(aborted).toMatchObject({ code: 0, stdout: expect.stringContaining('Aborted: one run.') });
  expect(await waitFor(owner, 'first')).toMatchObject({ outcome: 'aborted' });
}

/** The agent was never told, and nor is whoever reads along. */
async function secondIsNowhere({ owner, model }: Scene): Promise<void> {
  expect(await waitFor(owner, 'second')).toMatchObject(NO);
  // What is said next is told without it.
  await owner.ask('chat.send', { sessionKey: 'main', message: 'the owner speaks', idempotencyKey: 'third' });
  await until('the next one is with the model', () => model.heard().includes('the owner speaks'));
  expect(model.heard()).not.toContain('second of the device');
  const history = JSON.stringify(await owner.ask('chat.history', { sessionKey: 'main' }));
  expect(history).toContain('first of the device');
  expect(history).not.toContain('second of the device');
}

const payloadOf = async (answer: ReturnType<typeof revoke>) => {
  const given = await answer;
  return given.ok ? given.payload : given.error;
};

test.each([
  ['revoked', ({ owner, device }: Scene) => revoke(owner, device)],
  ['removed', ({ owner, device }: Scene) => remove(owner, device)],
  ['narrowed below operator.write', ({ owner, device }: Scene) => narrow(owner, device, [READ])],
  // What it holds afterwards would not let it read the names.
  ['narrowed by itself', ({ own, device }: Scene) => narrow(own, device, ['operator.talk'])],
] as const)(
  'A9, A12 a device is %s: its run goes on and is named, what waits is not begun',
  {
    timeout: LONG_MS,
  },
  async (_, decide) => {
    const now = await scene();
    expect(await payloadOf(decide(now))).toMatchObject(RUNS);
    await firstGoesOnThenEnds(now);
    await secondIsNowhere(now);
  },
);

test('A9 the command line names what goes on and what ends it, and not to whom may not read', {
  timeout: LONG_MS,
}, async () => {
  const now = await scene();
  const { gateway, owner, device } = now;
  const { code, stdout } = await gateway.cli(['devices', 'narrow', device.id, '--scope', READ]);
  const command = /One run that it began goes on\. To end it: latchkey (.*)\n/.exec(stdout)?.[1]?.split(' ') ?? [];
  expect({ code, command: command.slice(-6).join(' ') }).toEqual({
    code: 0,
    command: `agent --abort --session ${KEY} --id first`,
  });
  const approver = await paired(owner, [PAIRING, WRITE]);
  const { partner } = await session(gateway, approver, [PAIRING]);
  ends.push(() => partner.end());
  // It may decide about the device, and its session does not read.
  expect(await payloadOf(remove(partner, device))).toMatchObject({ runs: [], runsTotal: 1 });
  await firstGoesOnThenEnds(now);
  await secondIsNowhere(now);
  // With no gateway nothing is at work.
  await gateway.halt();
  const offline = await gateway.cli(['devices', 'remove', approver.id, '--json']);
  expect(JSON.parse(offline.stdout)).toMatchObject({ runs: [], runsTotal: 0 });
});

test('A9 of many runs the first fifty are named, and how many there are', { timeout: LONG_MS }, async () => {
  const { owner, model, device, own } = await scene();
  for (let n = 0; n < 49; n += 1) {
    await own.ask('chat.send', { sessionKey: 'main', message: `and ${n}.`, idempotencyKey: `more-${n}` });
  }
  await owner.ask('chat.abort', { sessionKey: 'main', runId: 'first' });
  await own.ask('chat.send', { sessionKey: 'other', message: 'hello', idempotencyKey: 'hello' });
  await until('they are with the model', () => model.heard().includes('and 48.') && model.open() === 2);
  const { runs, runsTotal } = await payloadOf(revoke(owner, device));
  expect([runs.length, runsTotal]).toEqual([50, 51]);
});

test('A9 the runs of all that goes with a device are named', { timeout: LONG_MS }, async () => {
  const { gateway, owner, model } = await scene();
  const [admin, device] = [await paired(owner, [ADMIN]), newIdentity()];
  const { partner } = await session(gateway, admin, [ADMIN]);
  ends.push(() => partner.end());
  await ensure(partner, device, [WRITE]);
  const other = (await session(gateway, device, [WRITE])).partner;
  ends.push(() => other.end());
  await other.ask('chat.send', { sessionKey: 'other', message: 'hello', idempotencyKey: 'hello' });
  await until('it is with the model', () => model.open() === 2);
  expect(await owner.ask('device.pair.remove', { deviceId: admin.id, withAll: true })).toMatchObject({
    runs: [{ runId: 'hello', sessionKey: 'agent:main:other' }],
    runsTotal: 1,
  });
});

test('A12, A20 what waits is not begun once the time of its giver is over', { timeout: LONG_MS }, async () => {
  const now = await scene();
  const { owner, device } = now;
  const { publicKey } = device;
  const untilMs = (await owner.ask('health')).ts + 500;
  await owner.ask('device.pair.ensure', { publicKey, role: 'operator', scopes: [WRITE], untilMs });
  await until('its time is over', async () => (await owner.ask('health')).ts > untilMs);
  await firstGoesOnThenEnds(now);
  await secondIsNowhere(now);
});

test('A12 what waited is not begun by the next gateway either', { timeout: LONG_MS }, async () => {
  const { gateway, owner, model, device, own } = await scene();
  await payloadOf(revoke(owner, device));
  await gateway.kill();
  const again = await start({ stateDir: gateway.stateDir });
  ends.push(() => again.halt());
  const next = await again.owner();
  expect(await waitFor(next, 'first')).toMatchObject({ outcome: 'interrupted' });
  await secondIsNowhere({ gateway: again, owner: next, model, device, own });
});

test('A12 a device that is given its leave back before its turn has it', { timeout: LONG_MS }, async () => {
  const now = await scene();
  const { owner, device, model } = now;
  await payloadOf(revoke(owner, device));
  await ensure(owner, device, [WRITE]);
  await firstGoesOnThenEnds(now);
  await until('the second is with the model', () => model.heard().includes('second of the device'));
  expect(await isOpen(owner, 'second')).toBe('timeout');
  // It may still talk: nothing goes on without it.
  expect(await payloadOf(narrow(owner, device, [WRITE]))).toMatchObject({ runs: [], runsTotal: 0 });
});
