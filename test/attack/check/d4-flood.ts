// D4: slow peers and floods of sockets. The canary of each check goes on being served throughout.
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Partner } from '../../partner/client.ts';
import { until } from '../../partner/peer.ts';
import { openWebSocket } from '../../partner/websocket.ts';
import { descriptors, residentBytes } from '../../process.ts';
import { asking, READ } from '../../scenario/act.ts';
import { assert, type Check, equal } from '../check.ts';
import type { Target } from '../target.ts';

/** How long after its deadline a socket may still be there: the gateway looks at them now and then. */
const GRACE_MS = 2_500;

/** Milliseconds until a socket ends; `null`: it did not within `patienceMs`. */
function lifetime(socket: Socket, patienceMs: number): Promise<number | null> {
  const began = performance.now();
  return new Promise((done) => {
    const timer = setTimeout(() => done(null), patienceMs);
    socket.once('close', () => {
      clearTimeout(timer);
      done(performance.now() - began);
    });
    socket.resume();
  });
}

async function slowloris(target: Target): Promise<string> {
  const { host, handshakeMs, pid } = target.options;
  const count = target.quick ? 80 : 2_000;
  const before = pid === undefined ? null : { fds: descriptors(pid), bytes: residentBytes(pid) };
  const canary = await target.watch(50);
  const upgrade = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n`;
  const kinds: readonly (readonly [string, string, string])[] = [
    ['nothing', '', ''],
    ['half an upgrade', upgrade, 'X'],
    ['a silent WebSocket', `${upgrade}\r\n`, ''],
    ['half a frame', `${upgrade}\r\n\x81\xff\x00\x00\x00\x00\x00\x00\x10\x00abcd`, 'x'],
  ];
  const timers: NodeJS.Timeout[] = [];
  const lives = Array.from({ length: count }, (_, i) => {
    const [name, start, more] = kinds[i % kinds.length] ?? ['', '', ''];
    const socket = target.dial();
    socket.once('connect', () => {
      if (start !== '') socket.write(start, 'latin1');
    });
    if (more !== '') timers.push(setInterval(() => socket.writable && socket.write(more), 1_000));
    return lifetime(socket, handshakeMs + GRACE_MS * target.options.patience).then((ms) => ({ name, ms }));
  });
  const ends = await Promise.all(lives).finally(() => timers.forEach(clearInterval));
  const left = ends.filter(({ ms }) => ms === null).map(({ name }) => name);
  equal([...new Set(left)], [], `sockets that were open ${handshakeMs} ms and more`);
  await canary.stop();
  assert(canary.slowestMs < target.servedMs, `the canary waited ${Math.round(canary.slowestMs)} ms`);
  if (pid !== undefined && before !== null) await until('descriptors back', () => descriptors(pid) <= before.fds + 2);
  const longest = Math.max(...ends.map(({ ms }) => ms ?? 0));
  return `${count} sockets, the last went after ${Math.round(longest)} ms, canary slowest ${Math.round(canary.slowestMs)} ms`;
}

async function silentFlood(target: Target): Promise<string> {
  const { pid, port, address } = target.options;
  const count = target.quick ? 3_500 : 5_000;
  const known = await target.pair([READ]);
  const canary = await target.watch(20);
  const before = pid === undefined ? 0 : residentBytes(pid);
  let slowestMs = 0;
  let most = before;
  // Linux takes every address of 127/8 as local; a gateway may see one source or many.
  const sources = process.platform === 'linux' && address === '127.0.0.1' ? 250 : 1;
  for (const many of sources > 1 ? [1, sources] : [1]) {
    const sockets: Socket[] = [];
    for (let i = 0; i < count; i += 1) {
      const socket = target.dial(many === 1 ? undefined : `127.0.${1 + (i % many)}.1`);
      const lines = `Host: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n`;
      socket.write(`GET / HTTP/1.1\r\n${lines}\r\n`);
      socket.resume();
      sockets.push(socket);
      if (i % Math.floor(count / 10) !== 0) continue;
      // Those before it have arrived, and hold what room they can.
      await sleep(100);
      const began = performance.now();
      const served = await target.enter(known, [READ]).then(
        ({ gist }) => gist,
        (error: unknown) => String(error),
      );
      equal(served, 'ok', 'a paired client in the flood');
      slowestMs = Math.max(slowestMs, performance.now() - began);
      if (pid !== undefined) most = Math.max(most, residentBytes(pid));
    }
    for (const socket of sockets) socket.destroy();
  }
  await canary.stop();
  assert(slowestMs < 2 * target.servedMs, `a paired client needed ${Math.round(slowestMs)} ms to connect`);
  assert(canary.slowestMs < target.servedMs, `the canary waited ${Math.round(canary.slowestMs)} ms`);
  assert(most - before < 400 * 2 ** 20, `memory grew by ${most - before} bytes`);
  return `${count} silent upgrades from ${sources} sources, connect at most ${Math.round(slowestMs)} ms, memory +${Math.round((most - before) / 2 ** 20)} MiB`;
}

async function churn(target: Target): Promise<string> {
  const { pid } = target.options;
  const count = target.quick ? 500 : 10_000;
  const known = await target.pair([READ]);
  const before = pid === undefined ? 0 : descriptors(pid);
  const canary = await target.watch(20);
  const place = { ...target.place(), trace: () => {} };
  let next = 0;
  const worker = async () => {
    while (next < count) {
      next += 1;
      // Gone at every stage: before the challenge, after it, in the middle of a frame, as a session.
      if (next % 4 === 0) {
        const socket = target.dial();
        socket.once('connect', () => socket.resetAndDestroy());
      } else if (next % 4 === 1) (await openWebSocket(place)).socket.resetAndDestroy();
      else {
        const partner = await Partner.open(place);
        if (next % 4 === 2) partner.ws.sendBytes(Buffer.from([0x81, 0xfe, 0x10]));
        else await partner.connect(asking([READ], target.credential(known)), { identity: known });
        partner.ws.socket.resetAndDestroy();
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  await canary.stop();
  assert(canary.slowestMs < target.servedMs, `the canary waited ${Math.round(canary.slowestMs)} ms`);
  if (pid !== undefined) await until('descriptors back', () => descriptors(pid) <= before + 3, 5_000);
  return `${count} sockets that vanish, canary slowest ${Math.round(canary.slowestMs)} ms`;
}

/** Longer than the ping interval and the wait for its answer together (PROTOCOL §1: 25 s each). */
const PING_LIMIT_MS = 60_000;

async function unanswered(target: Target): Promise<string> {
  const known = await target.pair([READ]);
  const dead = await target.open({ pong: false });
  const live = await target.open();
  for (const partner of [dead, live]) {
    const answer = await partner.connect(asking([READ], target.credential(known)), { identity: known });
    assert(answer.ok, 'a paired client was refused');
  }
  const ms = await lifetime(dead.ws.socket, PING_LIMIT_MS);
  assert(ms !== null, `a peer that answers no ping was there for ${PING_LIMIT_MS} ms`);
  assert((await live.call('health', {})).ok, 'a peer that answers pings was ended');
  return `gone after ${Math.round(ms / 1_000)} s`;
}

export const FLOOD_CHECKS: readonly Check[] = [
  {
    id: 'D4.29',
    title: 'sockets that say nothing, or a byte now and then, are gone at the handshake deadline',
    quick: true,
    needs: ['token'],
    run: slowloris,
  },
  {
    id: 'D4.30',
    title: 'silent upgrades from one source and from many take no room from clients that speak',
    quick: true,
    needs: ['token'],
    run: silentFlood,
  },
  {
    id: 'D4.39',
    title: 'sockets that vanish at every stage leave nothing behind',
    quick: true,
    needs: ['token'],
    run: churn,
  },
  {
    id: 'D4.39 ping',
    title: 'a peer that answers no ping is ended, one that does stays',
    quick: false,
    needs: ['token'],
    run: unanswered,
  },
];
