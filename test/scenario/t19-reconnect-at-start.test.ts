// T19: the gateway is killed in a conversation and started again, and stands still or is killed once more in its start, at
// its lock, at its owner socket, at its port. Clients come back all through it. Every message has an id and is said until
// it is accepted: it stands in the transcript once, in the same session. What is counted is tries and their order.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ScriptedGateway } from '../../src/client/node/scripted.ts';
import { systemClock as clock } from '../../src/system/clock.ts';
import {
  CLI,
  type CommandResult,
  type Gateway,
  NODE,
  newStateDir,
  removeStateDir,
  start,
  statusOf,
} from '../gateway.ts';
import { type Payload, until } from '../partner/peer.ts';
import { paired, READ, rows, WRITE } from './act.ts';
import { Foreign, Linked, LONG_MS, type Talker } from './talker.ts';

/** Words that a failure of access is known by. */
const ACCESS = /pairing|token|secret|scope|unauthori|mismatch|identity|denied/i;

/** A port that no outgoing connection is given, so that it is still free when the gateway comes back. */
async function quietPort(): Promise<number> {
  for (let port = 20_000 + (process.pid % 10_000); ; port += 1) {
    const server = createServer();
    const isFree = await new Promise<boolean>((done) => {
      server.once('error', () => done(false)).listen(port, '127.0.0.1', () => done(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

type Moment = 'its lock' | 'its owner socket' | 'its port';
const MOMENTS: readonly Moment[] = ['its lock', 'its owner socket', 'its port'];

/** A gateway that stands still as soon as its lock says that it is so far. */
async function halfStarted(stateDir: string, port: number, moment: Moment): Promise<ChildProcess> {
  const args = [CLI, 'gateway', 'run', '--state-dir', stateDir, '--port', String(port)];
  const env = { PATH: process.env.PATH ?? '', HOME: join(stateDir, '..'), NO_COLOR: '1' };
  const child = spawn(NODE, args, { env, stdio: 'ignore' });
  const file = join(stateDir, 'run', 'gateway.json');
  const isSo = () => {
    try {
      const run = JSON.parse(readFileSync(file, 'utf8'));
      if (run.pid !== child.pid) return false;
      return moment === 'its lock' || (moment === 'its owner socket' ? run.socket : run.port) != null;
    } catch {
      return false;
    }
  };
  const deadline = performance.now() + LONG_MS;
  while (!isSo()) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`it did not come as far as ${moment}`);
    await sleep(1);
  }
  child.kill('SIGSTOP');
  return child;
}

interface Round {
  readonly moment: Moment;
  readonly isKilled: boolean;
  /** `latchkey agent`, called while the gateway stood still in its start. */
  readonly command: CommandResult;
  /** The same line again, once a gateway was there. */
  readonly again: CommandResult;
  /** Answers of the startup probe, the same in a row once. */
  readonly probed: readonly number[];
}

describe('T19 clients reconnect while the gateway starts', () => {
  const stateDir = newStateDir({ models: { local: { enabled: false } } });
  const talkers: Talker[] = [];
  const rounds: Round[] = [];
  const ids: string[] = [];
  const answers: Payload[] = [];
  const sessions = new Set<string>();
  let linked: Linked;
  let gateway: Gateway;
  let history: readonly Payload[] = [];
  let open: readonly Payload[] = [];

  const place = () => ({ stateDir, args: ['--port', String(port)] });
  let port = 0;

  /** Everybody says something; the gateway dies before it has answered, or after. */
  async function round(moment: Moment, isKilled: boolean): Promise<void> {
    const saying = talkers.map((talker, n) => {
      const id = `${moment} ${isKilled} ${n}`;
      ids.push(id);
      return talker.say(id, id).then((answer) => answers.push({ ...answer, id }));
    });
    if (isKilled) await Promise.all(saying);
    await gateway.kill();
    const before = talkers.map((talker) => talker.tries());
    await until('everybody tried twice', () => talkers.every((t, n) => t.tries() >= (before[n] ?? 0) + 2), LONG_MS);

    const probed: number[] = [];
    let isOver = false;
    const probing = (async () => {
      while (!isOver) {
        const status = await statusOf(port, '/startupz');
        if (probed.at(-1) !== status) probed.push(status);
        await sleep(5);
      }
    })();
    const half = await halfStarted(stateDir, port, moment);
    const line = ['agent', '-m', `typed at ${moment} ${isKilled}`, '--id', `typed ${moment} ${isKilled}`, '--json'];
    ids.push(`typed at ${moment} ${isKilled}`);
    const typed = gateway.cli(line);
    const meanwhile = talkers.map((talker) => talker.tries());
    // Where the port is open already, one try of each hangs in the half-started gateway.
    const isThrough = (t: Talker, n: number) => t.tries() > (meanwhile[n] ?? 0) || moment === 'its port';
    await until('everybody tried again', () => talkers.every(isThrough), LONG_MS);
    // Long enough for the command to be on its way; on a machine where it isn't it finds no gateway, which is judged too.
    await sleep(400);
    if (isKilled) half.kill('SIGKILL');
    const gone = once(half, 'exit');
    half.kill('SIGCONT');
    if (isKilled) {
      await gone;
      gateway = await start(place());
    }
    await Promise.all(saying);
    await until('everybody is back', () => talkers.every((talker) => talker.isConnected()), LONG_MS);
    const command = await typed;
    const again = await gateway.cli(line);
    isOver = true;
    await probing;
    rounds.push({ moment, isKilled, command, again, probed });
    if (!isKilled) {
      half.kill('SIGTERM');
      await gone;
      gateway = await start(place());
    }
    const peer = await gateway.owner();
    sessions.add((await peer.ask('chat.history', { sessionKey: 'main' })).sessionId);
  }

  beforeAll(async () => {
    port = await quietPort();
    gateway = await start(place());
    const owner = await gateway.owner();
    linked = new Linked(port, await paired(owner, [READ, WRITE]));
    talkers.push(linked, new Foreign(port, await paired(owner, [READ, WRITE])));
    await until('everybody is connected', () => talkers.every((talker) => talker.isConnected()), LONG_MS);
    for (const moment of MOMENTS) for (const isKilled of [false, true]) await round(moment, isKilled);
    const last = await gateway.owner();
    const isAnswered = async () => {
      const { sessions: all } = await last.ask('sessions.list', {});
      return all.every(({ hasActiveRun, status }: Payload) => hasActiveRun !== true && status !== 'running');
    };
    await until('nobody works any more', isAnswered, LONG_MS);
    history = (await last.ask('chat.history', { sessionKey: 'main', limit: 500 })).messages;
    open = (await rows(last)).open;
  }, 600_000);

  afterAll(async () => {
    for (const talker of talkers) talker.end();
    await gateway?.stop();
    removeStateDir(stateDir);
  });

  const textOf = ({ content }: Payload): string => content.map(({ text }: Payload) => text).join('');

  it('T19 every message is there once, those that were accepted and those that were said again', () => {
    const users = history.filter(({ role }) => role === 'user').map(textOf);
    expect([...users].sort()).toEqual([...ids].sort());
    expect(answers).toHaveLength(MOMENTS.length * 2 * talkers.length);
    for (const { runId, id } of answers) expect(runId).toBe(id);
    const numbers = history.map(({ __openclaw }) => __openclaw.seq);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  });

  it('T19 the session is the same after every start', () => {
    expect(sessions.size).toBe(1);
  });

  it('T19 A16 tries are bounded: one socket at a time, one pause after each failure, and pauses that grow', () => {
    expect(linked.mostOpen).toBe(1);
    let failures = 0;
    for (const [n, state] of linked.states.entries()) {
      const next = linked.states[n + 1]?.kind;
      if (state.kind === 'connecting') expect(next).toMatch(/connected|pausing/);
      if (state.kind === 'pausing') {
        // A session that lived for a while begins anew; the shortest of pauses is half of the nominal one.
        const isFirst = linked.states[n - 1]?.kind === 'connected' && state.forMs === 500;
        failures = isFirst ? 1 : failures + 1;
        expect(state.forMs).toBe(Math.min(1_000 * 2 ** (failures - 1), 60_000) / 2);
        expect(next ?? 'connecting').toBe('connecting');
      }
    }
    expect(linked.states.filter(({ kind }) => kind === 'pausing').length).toBeGreaterThan(2 * rounds.length);
  });

  it('T19 the reason is told each time, and it is never one of access', () => {
    for (const { reasons, name } of talkers) {
      expect(reasons.length, name).toBeGreaterThan(rounds.length);
      expect(
        reasons.filter((reason) => reason.trim() === '' || ACCESS.test(reason)),
        name,
      ).toEqual([]);
    }
    expect(open).toEqual([]);
  });

  it('T19 a command waits for a gateway that starts; one that died in its start is told, and can be said again', () => {
    expect(rounds).toHaveLength(MOMENTS.length * 2);
    for (const { moment, isKilled, command, again } of rounds) {
      const about = `${moment}, ${isKilled}: ${command.stderr}`;
      if (command.code !== 0) {
        expect(isKilled, about).toBe(true);
        expect(command.code, about).toBe(75);
        expect(command.stderr, about).toMatch(/latchkey: [^\n]+\n {2}why: [^\n]+\n {2}(run|do): [^\n]+/);
        expect(command.stderr).not.toMatch(ACCESS);
      }
      expect(again.code, `${about}${again.stderr}`).toBe(0);
    }
  });

  it('T19 the startup probe refuses or says 200: nobody is told to come who is then refused', () => {
    for (const { probed, moment } of rounds) {
      expect(probed.at(-1), moment).toBe(200);
      expect(
        probed.filter((status) => status !== 0 && status !== 200),
        moment,
      ).toEqual([]);
    }
  });
});

describe('T19 a gateway that says itself that it is starting', () => {
  it('T19 A16 is asked again, never earlier than it said, and the reason is its own', async () => {
    const stateDir = newStateDir({ models: { local: { enabled: false } } });
    const port = await quietPort();
    const starting = new ScriptedGateway();
    starting.script = {
      challenge: ({ nonce }) => ({ nonce, ts: clock.now() }),
      connect: (visit) =>
        visit.refuse(
          {
            code: 'UNAVAILABLE',
            message: 'gateway starting; retry shortly',
            details: { reason: 'startup-sidecars' },
            retryable: true,
            retryAfterMs: 3_000,
          },
          1013,
        ),
    };
    let gateway: Gateway | null = null;
    let linked: Linked | null = null;
    try {
      gateway = await start({ stateDir, args: ['--port', String(port)] });
      linked = new Linked(port, await paired(await gateway.owner(), [READ, WRITE]));
      const { states } = linked;
      await linked.say('one', 'before');
      await gateway.kill();
      await starting.listen(port);
      await until('asked three times', () => starting.visits.length >= 3, LONG_MS);
      await starting.end();
      gateway = await start({ stateDir, args: ['--port', String(port)] });
      expect(await linked.say('one', 'before')).toMatchObject({ runId: 'one' });
      expect(starting.mostOpen).toBe(1);
      const told = states.flatMap((state) => (state.kind === 'pausing' && state.why.afterMs !== null ? [state] : []));
      expect(told.length).toBeGreaterThanOrEqual(2);
      for (const { why, forMs } of told) {
        expect(why).toMatchObject({ retry: 'after', afterMs: 3_000, why: expect.stringContaining('gateway starting') });
        expect(forMs).toBeGreaterThanOrEqual(3_000);
      }
      const { messages } = await (await gateway.owner()).ask('chat.history', { sessionKey: 'main' });
      expect(messages.filter(({ role }: Payload) => role === 'user')).toHaveLength(1);
    } finally {
      linked?.end();
      await starting.end().catch(() => {});
      await gateway?.stop();
      removeStateDir(stateDir);
    }
  }, 120_000);
});

describe('T19 a gateway that is cut off in the upgrade', () => {
  it('T19 A16 is asked again: it was away, and is not taken for another program', async () => {
    const stateDir = newStateDir({ models: { local: { enabled: false } } });
    const port = await quietPort();
    let cut = 0;
    const dying = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        cut += 1;
        socket.resetAndDestroy();
      });
    });
    let gateway: Gateway | null = null;
    let linked: Linked | null = null;
    try {
      gateway = await start({ stateDir, args: ['--port', String(port)] });
      const identity = await paired(await gateway.owner(), [READ, WRITE]);
      await gateway.halt();
      await once(dying.listen(port, '127.0.0.1'), 'listening');
      linked = new Linked(port, identity);
      await until('cut off three times', () => cut >= 3, LONG_MS);
      dying.close();
      await once(dying, 'close');
      gateway = await start({ stateDir, args: ['--port', String(port)] });
      expect(await linked.say('one', 'at last')).toMatchObject({ runId: 'one' });
      expect(linked.reasons.length).toBeGreaterThanOrEqual(3);
      expect(linked.reasons.filter((reason) => !/ECONN/.test(reason))).toEqual([]);
    } finally {
      linked?.end();
      dying.close();
      await gateway?.stop();
      removeStateDir(stateDir);
    }
  }, 120_000);
});
