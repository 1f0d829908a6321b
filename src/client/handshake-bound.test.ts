// What a gateway that nobody trusts yet can make grow here, or make a person read again and again.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HandshakeOptions, Waiting } from './handshake.ts';
import { connectTo, ScriptedGateway, type Visit } from './node/scripted.ts';

let gateway: ScriptedGateway;
beforeEach(async () => {
  gateway = new ScriptedGateway();
  await gateway.listen();
});
afterEach(() => gateway.end());

const connect = (more: Partial<HandshakeOptions> = {}) => connectTo(gateway, more);

test('rule: of what comes before hello little is kept; who sends more is hung up on', async () => {
  const flood = (text: string, times: number) => (visit: Visit) => {
    for (let i = 0; i < times; i += 1) visit.event('tick', text);
  };
  for (const send of [flood('x', 65), flood('x'.repeat(60_000), 9)]) {
    gateway.script = { connect: (visit) => send(visit) };
    await expect(connect()).rejects.toMatchObject({ name: 'Distrust', kind: 'foreign' });
  }
  // A few are no harm, and answers to nobody are not kept at all.
  gateway.script = {
    connect(visit) {
      flood('x', 60)(visit);
      for (let i = 0; i < 500; i += 1) visit.send({ type: 'res', id: `x${i}`, ok: true, payload: 'x'.repeat(1_000) });
      visit.answer(gateway.hello());
    },
  };
  const session = await connect();
  const heard: unknown[] = [];
  session.listen((event) => heard.push(event.payload));
  expect(heard).toHaveLength(60);
  session.client.close();
});

test('rule: between hello and whoever listens no more is kept either', async () => {
  let more = () => {};
  gateway.script = {
    connect(visit) {
      visit.answer(gateway.hello());
      more = () => {
        for (let i = 0; i < 65; i += 1) visit.event('tick', i);
      };
    },
  };
  const session = await connect();
  const lost = new Promise<string>((done) => {
    session.client.onClosed = (why) => done(why.message);
  });
  more();
  expect(await lost).toContain('events without end');
});

test('A8: a wait is told again only where it changed, and who says it again and again is hung up on', async () => {
  const told: (string | null)[] = [];
  const onWaiting = (waiting: Waiting) => {
    told.push(waiting.requestId);
    return 5_000;
  };
  const waits = (ids: readonly string[]) => {
    gateway.script = {
      connect(visit, params) {
        for (const requestId of ids) {
          visit.event('connect.waiting', gateway.waiting(visit, params, { requestId }));
        }
        setTimeout(() => visit.answer(gateway.hello()), 50);
      },
    };
  };
  waits(['a', 'a', 'a', 'b', 'b']);
  (await connect({ onWaiting })).client.close();
  expect(told.splice(0)).toEqual(['a', 'b']);
  waits(Array.from({ length: 50 }, (_, i) => `r-${i}`));
  await expect(connect({ onWaiting })).rejects.toMatchObject({ name: 'Distrust', kind: 'foreign' });
  expect(told.length).toBeLessThanOrEqual(5);
});

test('rule: what a gateway names is bounded before anybody is shown it', async () => {
  const told: Waiting[] = [];
  gateway.script = {
    connect(visit, params) {
      const more = { asked: [...Array(900).fill('s'), 'x'.repeat(5_000)], expiresAt: 1e300 };
      visit.event('connect.waiting', gateway.waiting(visit, params, more));
      setTimeout(() => visit.answer(gateway.hello({ deviceToken: 't'.repeat(5_000), missing: ['y'.repeat(500)] })), 20);
    },
  };
  const { hello, client } = await connect({ onWaiting: (waiting) => told.push(waiting) * 5_000 });
  expect(told[0]?.asked).toHaveLength(100);
  expect(told[0]?.expiresAtMs).toBeLessThan(1_700_000_000_000 + 9 * 86_400_000);
  expect(hello).toMatchObject({ deviceToken: null, missing: [] });
  client.close();
});
