import type { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { ScriptedClock } from '../../system/clock.ts';
import type { TransportFacts } from './pipe.ts';
import { WebSocketPipe } from './websocket.ts';

/** A peer that always says that it is there, and takes what it is sent when it is told to. */
function peer(messageBytes = 1) {
  const unread: (() => void)[] = [];
  const said = new Map<string, (...args: unknown[]) => void>();
  const ws = {
    OPEN: 1,
    readyState: 1,
    get bufferedAmount() {
      return unread.length * messageBytes;
    },
    send: (_text: string, taken: () => void) => void unread.push(taken),
    ping: () => {},
    isPaused: false,
    pause() {
      ws.isPaused = true;
    },
    resume() {
      ws.isPaused = false;
    },
    close: () => {},
    _receiver: { _maxPayload: 0 },
    on: (event: string, run: (...args: unknown[]) => void) => void said.set(event, run),
    once: () => {},
  };
  const socket = { cork: () => {}, uncork: () => {} };
  const clock = new ScriptedClock(0);
  const pipe = new WebSocketPipe(ws as unknown as WebSocket, socket as unknown as Duplex, {} as TransportFacts, clock);
  pipe.open(
    () => ({ message: () => {}, closed: () => {} }),
    () => {},
    () => {},
  );
  const talk = () => said.get('message')?.(Buffer.from('{}'), false);
  return { pipe, talk, take: () => unread.shift()?.(), isPaused: () => ws.isPaused };
}

test('threat 39: who talks on and takes nothing of what it is sent is gone at the third probe', () => {
  const { pipe, talk } = peer();
  const probes = Array.from({ length: 4 }, () => {
    talk();
    pipe.send('answer');
    return pipe.probe();
  });
  expect(probes).toEqual([true, true, false, false]);
});

test('threat 39: who takes slowly, or has nothing to take, stays', () => {
  const { pipe, talk, take } = peer();
  for (let n = 0; n < 3; n += 1) pipe.send('answer');
  for (let n = 0; n < 3; n += 1) {
    for (let more = 0; more < 2; more += 1) {
      talk();
      expect(pipe.probe()).toBe(true);
    }
    take();
  }
  for (let n = 0; n < 6; n += 1) {
    talk();
    expect(pipe.probe()).toBe(true);
  }
});

test('threat 36: who leaves a megabyte unread is not read from before it has caught up, nor when it is judged', () => {
  const { pipe, take, isPaused } = peer(512 * 1024);
  for (const paused of [false, false, true, true]) {
    pipe.send('answer');
    expect(isPaused()).toBe(paused);
  }
  // It can't be heard, and is asked nothing; what it leaves unread is counted all the same.
  expect([pipe.probe(), pipe.probe(), pipe.probe()]).toEqual([true, true, false]);
  pipe.pause();
  pipe.resume();
  expect(isPaused()).toBe(true);
  take();
  take();
  expect(isPaused()).toBe(true);
  take();
  expect(isPaused()).toBe(false);
  for (let n = 0; n < 3; n += 1) pipe.send('answer');
  pipe.pause();
  for (let n = 0; n < 4; n += 1) take();
  expect(isPaused()).toBe(true);
  pipe.resume();
  expect(isPaused()).toBe(false);
});

test('rule: who is told to go is heard, so that it can say that it goes', () => {
  const { pipe, isPaused } = peer(2 * 1024 * 1024);
  pipe.send('answer');
  expect(isPaused()).toBe(true);
  pipe.close(1000, '');
  expect(isPaused()).toBe(false);
});
