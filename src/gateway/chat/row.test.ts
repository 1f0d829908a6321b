import { expect, it } from 'vitest';
import { gate, MAIN, ScriptedModel, stage, until } from '../../../test/talk.ts';
import type { RunId } from '../../core/lane/lane.ts';
import { openMemory } from '../../store/memory/memory.ts';
import { sessionRowOf } from './row.ts';

type Staged = Awaited<ReturnType<typeof stage>>;

async function rowOf({ talk }: Pick<Staged, 'talk'>) {
  const session = await talk.session(MAIN);
  if (session === null) throw new Error('nothing was said');
  return sessionRowOf(talk, session, await talk.agents());
}

it('rule: a session says how its last run ended, in its own words and in those of OpenClaw', async () => {
  const failing = await stage({ model: new ScriptedModel(() => ({ text: 'half', fail: 'auth' })) });
  await failing.send('r1', 'hello');
  await failing.ended('r1');
  const failed = await rowOf(failing);
  expect(failed).toMatchObject({ state: 'failed', status: 'failed', abortedLastRun: false, lastRunId: 'r1' });
  expect(failed.lastRunEnd).toMatchObject({ kind: 'error', code: 'auth', text: expect.any(String) });
  expect(failed.lastRunEnd?.remedy).toMatch(/^latchkey /);

  const never = new Promise<void>(() => {});
  const held = await stage({ model: new ScriptedModel(() => ({ text: 'once', hold: never })) });
  await held.send('r1', 'hello', { timeoutMs: 1_000 });
  await until(() => held.of('r1').some(({ kind }) => kind === 'text'));
  held.clock.advance(1_000);
  await held.ended('r1');
  expect(await rowOf(held)).toMatchObject({ state: 'failed', status: 'timeout', lastRunEnd: { code: 'timeout' } });

  await held.send('r2', 'again');
  await until(() => held.of('r2').some(({ kind }) => kind === 'text'));
  await held.talk.abort(MAIN, null);
  const aborted = { state: 'aborted', status: 'killed', abortedLastRun: true, lastRunEnd: { kind: 'aborted' } };
  expect(await rowOf(held)).toMatchObject(aborted);
  // What the gateway answers itself, such as the /stop of it, is no run of the agent.
  const said = { giver: { kind: 'owner' }, from: { kind: 'person', name: null }, key: MAIN, text: '/stop' } as const;
  await held.talk.command({ ...said, id: 'c1' as RunId }, async () => 'Stopped: 1.');
  expect(await rowOf(held)).toMatchObject(aborted);

  const fine = await stage();
  await fine.send('r1', 'hello');
  await fine.ended('r1');
  const done = await rowOf(fine);
  expect(done).toMatchObject({ state: 'done', status: 'done', abortedLastRun: false });
  expect(done).not.toHaveProperty('lastRunEnd');
});

it('rule: a session is running once its run has begun, and waits before that', async () => {
  const { open, let: go } = gate();
  const staged = await stage({ model: new ScriptedModel(() => ({ text: 'hm', hold: open })), atWorkMax: 1 });
  const other = MAIN.replace('main:main', 'main:other') as typeof MAIN;
  await staged.send('r1', 'one', { key: other });
  await until(() => staged.of('r1').some(({ kind }) => kind === 'text'));
  // There is one seat, and it is taken.
  await staged.send('r2', 'two');
  expect(await rowOf(staged)).toMatchObject({ state: 'queued', status: 'running', hasActiveRun: true });
  await staged.talk.abort(other, null);
  await until(() => staged.of('r2').some(({ kind }) => kind === 'text'));
  await staged.send('r3', 'three');
  expect(await rowOf(staged)).toMatchObject({ state: 'running', status: 'running', activeRunIds: ['r2', 'r3'] });
  expect(staged.talk.open(MAIN).map(({ startedAt }) => startedAt === null)).toEqual([false, true]);
  go();
  await staged.ended('r3');
  expect(await rowOf(staged)).toMatchObject({ state: 'done', status: 'done', hasActiveRun: false });
});

it('rule: a run that the gateway died with is told as interrupted, also while none has started since', async () => {
  const store = openMemory();
  const never = new Promise<void>(() => {});
  const first = await stage({ store, model: new ScriptedModel(() => ({ text: 'once', hold: never })) });
  await first.send('r1', 'hello');
  await until(() => first.of('r1').some(({ kind }) => kind === 'text'));
  // As a command has them, that runs without a gateway; then the next gateway.
  const interrupted = { state: 'interrupted', status: 'failed', lastRunEnd: { kind: 'interrupted' } };
  expect(await rowOf(await stage({ store, isStarted: false }))).toMatchObject({ ...interrupted, hasActiveRun: false });
  expect(await rowOf(await stage({ store }))).toMatchObject(interrupted);
  const { ends } = (await stage({ store })).talk.books;
  expect([...(await ends(['r1' as RunId, 'r2' as RunId]))]).toEqual([['r1', { kind: 'interrupted' }]]);
});
