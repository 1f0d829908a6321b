// The TCP door behind a proxy: clients that share its address don't share its room.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { httpHandler } from '../../src/gateway/http/http.ts';
import { proxyList } from '../../src/gateway/listen/forwarded.ts';
import { listenTcp, type TcpDoor } from '../../src/gateway/listen/tcp.ts';
import { positionOf, sourceOf } from '../../src/gateway/proof.ts';
import { systemClock } from '../../src/system/clock.ts';
import { openWebSocket, type WebSocketConnection } from '../partner/websocket.ts';

const doors: TcpDoor[] = [];
const clients: WebSocketConnection[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await Promise.all(doors.splice(0).map((door) => door.close()));
});

async function open(trustedProxies: readonly string[]): Promise<TcpDoor> {
  const rules = { allowedOrigins: [], secretFrom: [], isProxy: proxyList(trustedProxies) };
  const door = await listenTcp({
    addresses: ['127.0.0.1'],
    port: 0,
    hosts: [],
    accept: () => ({ message: () => {}, closed: () => {} }),
    http: httpHandler({ readiness: () => ({ ready: true, started: true }), hosts: [] }),
    sourceOf,
    clientSource: (facts) => positionOf(facts, rules).source,
    clock: systemClock,
    limits: { silent: { total: 64, perSource: 4, graceMs: 20, queueMax: 64 } },
  });
  doors.push(door);
  return door;
}

async function silent(door: TcpDoor, from: string): Promise<{ isGone: () => boolean }> {
  const client = await openWebSocket({ port: door.port, headers: { 'X-Forwarded-For': from } });
  clients.push(client);
  let gone = false;
  client.closed.then(() => {
    gone = true;
  });
  return { isGone: () => gone };
}

it('threat 30: one silent client of a proxy takes no room of its others', async () => {
  const door = await open(['127.0.0.1']);
  const honest = await Promise.all([silent(door, '198.51.100.1'), silent(door, '198.51.100.2')]);
  const flood = await Promise.all(Array.from({ length: 20 }, () => silent(door, '127.0.0.1, 203.0.113.9')));
  for (let i = 0; i < 200 && flood.filter((one) => !one.isGone()).length > 4; i += 1) await sleep(10);
  expect(flood.filter((one) => !one.isGone())).toHaveLength(4);
  expect(honest.map((one) => one.isGone())).toEqual([false, false]);
  expect(door.counts().silent).toBe(6);
});

it('threat 25: who is no proxy makes no room for itself with such a header', async () => {
  const door = await open(['10.0.0.1']);
  const flood = await Promise.all(Array.from({ length: 20 }, (_, i) => silent(door, `203.0.113.${i}`)));
  for (let i = 0; i < 200 && flood.filter((one) => !one.isGone()).length > 4; i += 1) await sleep(10);
  expect(door.counts().silent).toBeLessThanOrEqual(4);
});
