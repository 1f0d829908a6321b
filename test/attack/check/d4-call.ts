// D4: what those who are let in can do to the others: not read, send too much, ask what is refused, hurt parsers.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Partner } from '../../partner/client.ts';
import { newIdentity } from '../../partner/identity.ts';
import { until } from '../../partner/peer.ts';
import { descriptors, residentBytes } from '../../process.ts';
import { ADMIN, asking, PAIRING, READ, WRITE } from '../../scenario/act.ts';
import { assert, type Check, equal, matches } from '../check.ts';
import { gistOf, type Target } from '../target.ts';

/** Reads nothing any more; its end shows when writing fails. */
function deaf(partner: Partner): { gone: boolean } {
  const { socket } = partner.ws;
  const fate = { gone: false };
  const end = () => {
    fate.gone = true;
  };
  socket.pause();
  socket.on('error', end).on('close', end);
  return fate;
}

/** Keeps asking, until the connection is gone or enough was asked. */
async function gorge(partner: Partner, method: string, fate: { gone: boolean }, most: number): Promise<number> {
  let asked = 0;
  while (!fate.gone && asked < most) {
    for (let i = 0; i < 4; i += 1) {
      asked += 1;
      partner.send({ type: 'req', id: `g${asked}`, method, params: {} });
    }
    await sleep(10);
  }
  return asked;
}

const MIB = 2 ** 20;

/** Events of a megabyte each for who subscribed, until the connection is gone or enough was told. */
async function shout(target: Target, partner: Partner, fate: { gone: boolean }, mostBytes: number): Promise<number> {
  const admin = await target.admin();
  let told = 0;
  for (; !fate.gone && told < mostBytes; told += MIB) {
    await admin.ask('chat.inject', { sessionKey: 'main', message: 'x'.repeat(MIB - 1) });
    partner.send({ type: 'req', id: `s${told}`, method: 'health', params: {} });
    await sleep(10);
  }
  // Its close frame stands behind all that is unread, so it is cut after a grace.
  for (let i = 0; i < 100 && !fate.gone; i += 1) {
    partner.send({ type: 'req', id: `e${i}`, method: 'health', params: {} });
    await sleep(50);
  }
  return told;
}

/** Calls may be left unread by it or be left unasked by the gateway; of events there is no end but closing. */
async function slowConsumer(target: Target): Promise<string> {
  const { pid } = target.options;
  const sloth = (await target.session(await target.pair([ADMIN, READ]), [ADMIN, READ])).partner;
  const devices = Array.from({ length: target.methods.includes('device.pair.ensure') ? 120 : 20 }, () => newIdentity());
  for (const device of devices) await target.give(target.adopt(device), [READ]);
  const admin = await target.admin();
  const bound = (await target.session(await target.pair([READ]), [READ])).hello.policy.maxBufferedBytes;
  const answerBytes = JSON.stringify(await admin.ask('device.pair.list', {})).length;
  const before = pid === undefined ? null : { bytes: residentBytes(pid), fds: descriptors(pid) };
  const canary = await target.watch();
  let most = 0;
  const timer = setInterval(() => {
    if (pid !== undefined) most = Math.max(most, residentBytes(pid));
  }, 50);
  const hasEvents = target.methods.includes('chat.inject') && target.methods.includes('sessions.rows');
  if (hasEvents) await sloth.ask('sessions.subscribe', {});
  const fate = deaf(sloth);
  // Three times the bound would be unread; who isn't ended by then has no bound.
  const asked = await gorge(
    sloth,
    'device.pair.list',
    fate,
    Math.ceil((3 * bound) / answerBytes) + (target.quick ? 400 : 4_000),
  );
  const byCalls = before === null ? 0 : most - before.bytes;
  if (!fate.gone && hasEvents) assert(byCalls < bound, `memory grew by ${byCalls} bytes of answers`);
  const told = fate.gone || !hasEvents ? 0 : await shout(target, sloth, fate, 2 * bound);
  clearInterval(timer);
  await canary.stop();
  const what = `${asked} answers of ${answerBytes} bytes asked for and ${told / MIB} MiB of events`;
  assert(fate.gone, `${what}, unread, and the connection stands`);
  assert(canary.slowestMs < 1.5 * target.servedMs, `the canary waited ${Math.round(canary.slowestMs)} ms`);
  const grown = before === null ? 0 : most - before.bytes;
  assert(grown < 8 * bound, `memory grew by ${grown} bytes`);
  return `ended after ${what}, memory +${Math.round(grown / MIB)} MiB, canary slowest ${Math.round(canary.slowestMs)} ms`;
}

/** One socket sends calls as fast as it can, large ones among them; the others don't notice. */
async function eventFlood(target: Target): Promise<string> {
  const { partner } = await target.session(await target.pair([READ]), [READ]);
  const canary = await target.watch(50);
  const calls = target.quick ? 5_000 : 100_000;
  const text = JSON.stringify({ type: 'req', id: 'x', method: 'health', params: {} });
  let sent = 0;
  while (sent < calls && !partner.ws.socket.destroyed) {
    for (let i = 0; i < 500; i += 1) {
      sent += 1;
      partner.ws.sendText(text.replace('"x"', `"n${sent}"`));
    }
    await new Promise((done) => setImmediate(done));
  }
  const large = target.quick ? 4 : 20;
  for (let i = 0; i < large && !partner.ws.socket.destroyed; i += 1) {
    const params = { filler: 'x'.repeat(20 * 2 ** 20) };
    const answer = await Promise.race([partner.call('health', params, { timeoutMs: 30_000 }), partner.closed]);
    if ('code' in answer) break;
    matches(gistOf(answer), /^(ok|UNAVAILABLE|INVALID_REQUEST)/, 'a call of 20 MiB');
  }
  await canary.stop();
  assert(canary.slowestMs < 1.5 * target.servedMs, `the canary waited ${Math.round(canary.slowestMs)} ms`);
  const end = partner.ws.socket.destroyed ? 'ended by the gateway' : 'served to the end';
  return `${sent} calls and ${large} of 20 MiB: ${end}; canary slowest ${Math.round(canary.slowestMs)} ms`;
}

async function refusedCalls(target: Target): Promise<string> {
  const known = await target.pair([READ]);
  const canary = await target.watch();
  const sockets = target.quick ? 10 : 100;
  let most = 0;
  const offend = async () => {
    const { partner } = await target.session(known, [READ]);
    let calls = 0;
    while (!partner.ws.socket.destroyed && calls < 200) {
      calls += 1;
      const answer = await Promise.race([partner.call('device.pair.list', {}), partner.closed.then(() => null)]);
      if (answer === null) break;
      assert(!answer.ok, 'a device that may only read listed the devices');
    }
    most = Math.max(most, calls);
    assert(calls < 200, '200 refused calls in a row, and the connection stands');
    equal((await partner.closed).code, 1008, 'its close');
  };
  await Promise.all(Array.from({ length: sockets }, offend));
  await canary.stop();
  return `${sockets} sockets, ended after at most ${most} refused calls`;
}

/** Texts and objects that have cost parsers and patterns seconds. */
function probes(): readonly unknown[] {
  const n = 30_000;
  const collisions = Object.fromEntries(Array.from({ length: n }, (_, i) => [`__proto__${i}`, 0]));
  const integers = Object.fromEntries(Array.from({ length: n }, (_, i) => [String(i * 1_048_576), 0]));
  return [
    { filter: `${'a'.repeat(n)}!`, pattern: '(a+)+$', scopes: [`${'a.'.repeat(n)}!`] },
    { requestId: `${' '.repeat(n)}x`, deviceId: `${'0'.repeat(n)}g`, name: `${'\t \u00a0'.repeat(n / 4)}x` },
    { requestId: '\u200d'.repeat(n), name: 'e\u0301'.repeat(n), deviceId: '=-'.repeat(n) },
    collisions,
    integers,
    Array.from({ length: n }, () => ({})),
    { list: JSON.parse(`${'['.repeat(1_000)}${']'.repeat(1_000)}`) },
  ];
}

const BLOCKED_MS = 100;

async function parserProbes(target: Target): Promise<string> {
  const identity = await target.pair([READ, PAIRING]);
  const watcher = (await target.session(await target.pair([READ]), [READ])).partner;
  const methods = ['device.pair.approve', 'device.pair.list', 'device.scopes.requestUpgrade', 'config.get', 'health'];
  let worst = 0;
  let worstOf = '';
  for (const [i, params] of probes().entries()) {
    for (const method of methods) {
      // The least of three: what the machine did beside is nobody's fault here.
      let least = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 3; round += 1) {
        const { partner } = await target.session(identity, [READ, PAIRING]);
        partner.send({ type: 'req', id: 'probe', method, params });
        // The next turn of the loop is behind the probe.
        const began = performance.now();
        await Promise.race([
          until('answer', () => partner.received.some((t) => t.includes('"probe"'))),
          partner.closed,
        ]);
        await watcher.ask('health');
        least = Math.min(least, performance.now() - began);
        partner.end();
      }
      if (least > worst) [worst, worstOf] = [least, `probe ${i} to ${method}`];
    }
  }
  const before = await connectProbes(target, watcher);
  const blockedMs = BLOCKED_MS * target.options.patience;
  assert(worst < blockedMs, `${worstOf}: ${Math.round(worst)} ms`);
  assert(before < blockedMs, `a probe before hello: ${Math.round(before)} ms`);
  return `slowest ${Math.round(worst)} ms (${worstOf}), before hello ${Math.round(before)} ms`;
}

/** The same before hello, where 64 KiB are all there is. */
async function connectProbes(target: Target, watcher: Partner): Promise<number> {
  let worst = 0;
  const fields = ['locale', 'userAgent', 'role'] as const;
  for (const text of [`${'a'.repeat(50_000)}!`, `${' '.repeat(50_000)}x`, '\u202e'.repeat(15_000)]) {
    for (const field of fields) {
      let least = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 3; round += 1) {
        const partner = await target.open();
        const began = performance.now();
        partner.send({ type: 'req', id: '1', method: 'connect', params: asking([READ], { [field]: text }) });
        await Promise.race([partner.closed, until('answer', () => partner.received.length > 1)]);
        await watcher.ask('health');
        least = Math.min(least, performance.now() - began);
        partner.end();
      }
      worst = Math.max(worst, least);
    }
  }
  return worst;
}

/** A client that asks for more than it holds, again and again. */
async function pairingLoop(target: Target): Promise<string> {
  const known = await target.pair([READ]);
  const stranger = target.adopt(newIdentity());
  const watcher = (await target.session(await target.pair([READ, PAIRING, ADMIN]), [READ, PAIRING, ADMIN])).partner;
  // A stranger's ask is over after ten minutes (A15).
  const seconds = target.quick ? 3 : 540;
  const began = performance.now();
  let rounds = 0;
  const waits: number[] = [];
  while (performance.now() - began < seconds * 1_000) {
    for (const identity of [known, stranger]) {
      const params = asking([READ, WRITE], target.credential(identity));
      const { gist, payload, partner } = await target.connect(params, { identity });
      matches(gist, /^(ok|NOT_PAIRED)/, 'a too wide ask');
      if (identity === stranger && typeof payload?.retryAfterMs === 'number') waits.push(payload.retryAfterMs);
      partner?.end();
    }
    rounds += 1;
    await sleep(50);
  }
  for (const identity of [known, stranger]) {
    const open = await target.pending(identity);
    equal(open.length, 1, `open requests after ${rounds} connects`);
  }
  const of = (id: string) =>
    watcher.events.filter((e) => e.event === 'device.pair.requested' && e.payload.deviceId === id).length;
  for (const { id } of [known, stranger]) assert(of(id) <= 1, `${of(id)} notices of one request`);
  return `${rounds} rounds in ${seconds} s, one request and at most one notice for each`;
}

export const CALL_CHECKS: readonly Check[] = [
  {
    id: 'D4.34',
    title: 'a client that reconnects with a too wide ask makes one request and one notice',
    quick: true,
    needs: ['token'],
    run: pairingLoop,
  },
  {
    id: 'D4.36',
    title: 'who stops reading is ended at the bound, and nobody else waits',
    quick: true,
    needs: ['token'],
    run: slowConsumer,
  },
  {
    id: 'D4.37',
    title: 'a flood of calls, and of calls of 20 MiB, from one who is let in leaves the others served',
    quick: true,
    needs: ['token'],
    run: eventFlood,
  },
  {
    id: 'D4.38',
    title: 'refused calls one after the other end the session',
    quick: true,
    needs: ['token'],
    run: refusedCalls,
  },
  {
    id: 'D4.40',
    title: 'texts and objects that hurt patterns and parsers block nobody for 100 ms',
    quick: true,
    needs: ['token'],
    run: parserProbes,
  },
];
