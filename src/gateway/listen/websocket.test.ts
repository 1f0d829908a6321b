import type { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { ScriptedClock } from '../../system/clock.ts';
import type { TransportFacts } from './pipe.ts';
import { WebSocketPipe } from './websocket.ts';

/** A peer that always says that it is there, and takes what it is sent when it is told to. */
function peer(messageBytes = 1) {
  const unread: (() => void)[] = [];
  const frames: { readonly text: string; readonly fin: boolean }[] = [];
  let pings = 0;
  const said = new Map<string, (...args: unknown[]) => void>();
  const ws = {
    OPEN: 1,
    readyState: 1,
    get bufferedAmount() {
      return unread.length * messageBytes;
    },
    send: (data: string | Buffer, ...rest: unknown[]) => {
      const [{ fin }] = (rest.length === 2 ? rest : [{ fin: true }]) as [{ fin: boolean }];
      frames.push({ text: data.toString(), fin });
      unread.push(rest.at(-1) as () => void);
    },
    ping: () => {
      pings += 1;
    },
    isPaused: false,
    pause() {
      ws.isPaused = true;
    },
    resume() {
      ws.isPaused = false;
    },
    close: () => void frames.push({ text: 'close', fin: true }),
    terminate: () => {},
    _receiver: { _maxPayload: 0 },
    on: (event: string, run: (...args: unknown[]) => void) => void said.set(event, run),
    once: (event: string, run: (...args: unknown[]) => void) => void said.set(event, run),
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
  const pong = () => said.get('pong')?.();
  const gone = () => {
    ws.readyState = 3;
    said.get('close')?.(1006, Buffer.alloc(0));
  };
  const look = { isPaused: () => ws.isPaused, frames, pings: () => pings, unread: () => unread.length };
  return { pipe, clock, talk, pong, gone, take: () => unread.shift()?.(), ...look };
}

const PIECE = 256 * 1024;
const PROBE_MS = 25_000;

test('threat 39: a large answer leaves in pieces, and who takes a piece of it now and then stays', () => {
  const { pipe, take, unread, frames, talk } = peer();
  const large = 'x'.repeat(6 * PIECE - 1);
  pipe.send(large);
  pipe.send('after');
  for (let n = 0; n < 6; n += 1) {
    expect(unread()).toBe(n < 5 ? 1 : 2);
    for (let more = 0; more < 2; more += 1) {
      talk();
      expect(pipe.probe()).toBe(true);
    }
    take();
  }
  expect(frames.slice(0, 6).map(({ text, fin }) => [text.length, fin])).toEqual([
    ...Array(5).fill([PIECE, false]),
    [PIECE - 1, true],
  ]);
  expect(frames.slice(6)).toEqual([{ text: 'after', fin: true }]);
});

test('threat 36: what waits to leave is counted as unread, and a piece in the middle of a character breaks nothing', () => {
  const { pipe, take, unread, frames } = peer();
  const sent = ['\u6f22'.repeat(PIECE), 'small', 'y'.repeat(PIECE + 1)];
  for (const text of sent) pipe.send(text);
  expect(pipe.buffered()).toBe(3 * PIECE + 5 + PIECE + 1 - PIECE + 1);
  while (unread() > 0) take();
  expect(pipe.buffered()).toBe(0);
  expect(frames.map(({ fin }) => fin)).toEqual([false, false, true, true, false, true]);
});

test('rule: a close comes after what was sent before it, however large; a cut waits for nothing', () => {
  const { pipe, take, unread, frames } = peer();
  for (const text of ['x'.repeat(3 * PIECE), 'y'.repeat(2 * PIECE)]) pipe.send(text);
  pipe.close(1000, '');
  expect(frames.map(({ text, fin }) => [text[0], text.length, fin])).toEqual([
    ['x', PIECE, false],
    ['x', 2 * PIECE, true],
    ['y', 2 * PIECE, true],
    ['c', 5, true],
  ]);
  while (unread() > 0) take();
  expect(frames).toHaveLength(4);
  const other = peer();
  other.pipe.send('x'.repeat(3 * PIECE));
  other.pipe.cut();
  while (other.unread() > 0) other.take();
  expect([other.frames.length, other.pipe.buffered()]).toEqual([1, 0]);
});

test('threat 39: a pong is due once the peer had time for what stands before the ping, and not later', () => {
  const { pipe, clock, take, unread, pong, pings } = peer();
  const probe = () => {
    clock.advance(PROBE_MS);
    return pipe.probe();
  };
  // Four megabytes stand in buffers of the system: 256 s of the slowest that counts as reading.
  pipe.send('x'.repeat(4 * 1024 * 1024));
  while (unread() > 0) take();
  expect(Array.from({ length: 11 }, probe)).toEqual(Array(11).fill(true));
  expect(pings()).toBe(1);
  pong();
  // Nothing was sent since: this one is due at the next probe.
  expect([probe(), probe()]).toEqual([true, false]);
  expect(pings()).toBe(2);
  const dead = peer();
  dead.pipe.send('x'.repeat(4 * 1024 * 1024));
  while (dead.unread() > 0) dead.take();
  const probes = Array.from({ length: 14 }, () => {
    dead.clock.advance(PROBE_MS);
    return dead.pipe.probe();
  });
  expect(probes.indexOf(false)).toBe(11);
});

test('threat 38: a pipe tells once that some of it was taken, and that it is gone', async () => {
  const { pipe, take, gone } = peer();
  const told: boolean[] = [];
  const watch = () => pipe.watch((isGone) => void told.push(isGone));
  watch();
  for (let n = 0; n < 3; n += 1) pipe.send('answer');
  expect(told).toEqual([]);
  take();
  take();
  expect(told).toEqual([false]);
  watch();
  gone();
  expect(told).toEqual([false, true]);
  watch();
  await Promise.resolve();
  expect(told).toEqual([false, true, true]);
});

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

test('threat 39: who was not read from is asked anew once it is, and not judged by what it could not say', () => {
  const { pipe, take, unread } = peer(1024 * 1024);
  expect(pipe.probe()).toBe(true);
  for (let n = 0; n < 2; n += 1) pipe.send('answer');
  expect(pipe.probe()).toBe(true);
  while (unread() > 0) take();
  expect([pipe.probe(), pipe.probe()]).toEqual([true, false]);
});
