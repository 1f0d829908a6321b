// From spawning the gateway to its first answer, and what it holds of memory when it has nothing to do.
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../test/interop/foreign.ts';
import type { Release } from '../../test/interop/release.ts';
import { type Memory, median } from '../measure.ts';
import { CLI, environment, type Place } from '../place.ts';
import { eachOf, type PeerExtent, type PeerFigure } from './figure.ts';
import { type Address, endTree, firstAnswer, Installation } from './openclaw.ts';
import { tree, treeMemory } from './tree.ts';

const IDLE_MS = 10_000;

interface Subject {
  readonly address: Address;
  spawn(): ChildProcess;
}

interface Lives {
  readonly readyMs: number;
  readonly memory: Memory;
  readonly processes: number;
}

/** The state directory is made by a first life, which isn't counted. */
async function lives({ address, spawn }: Subject, starts: number, idles: number): Promise<Lives> {
  const readyMs: number[] = [];
  const memory: Memory[] = [];
  let processes = 0;
  for (let life = 0; life <= starts; life += 1) {
    const began = performance.now();
    const child = spawn();
    await firstAnswer(address, child);
    if (life > 0) readyMs.push(performance.now() - began);
    if (life > 0 && life <= idles) {
      await sleep(IDLE_MS);
      memory.push(treeMemory(child.pid ?? 0));
      processes = tree(child.pid ?? 0).length;
    }
    await endTree(child);
  }
  const of = (name: keyof Memory) => median(memory.map((one) => one[name]));
  return { readyMs: median(readyMs), memory: { pss: of('pss'), anonymous: of('anonymous') }, processes };
}

async function latchkey(place: Place, node: string): Promise<Subject> {
  const gateway = await place.gateway();
  const { token, stateDir } = gateway;
  await gateway.halt();
  const port = await freePort();
  return {
    address: { port, token, protocol: 4 },
    spawn: () => {
      const args = [CLI, 'gateway', 'run', '--port', String(port), '--state-dir', stateDir];
      const child = spawn(node, args, { env: environment(place.folder), cwd: place.folder, stdio: 'ignore' });
      place.atEnd(() => endTree(child));
      return child;
    },
  };
}

async function openclaw(place: Place, release: Release, node: string): Promise<Subject> {
  const installation = await Installation.make(place, release);
  return { address: installation, spawn: () => installation.spawn(place, node) };
}

async function measure(place: Place, { isQuick, releases, say }: PeerExtent) {
  const [starts, idles] = isQuick ? [1, 1] : [5, 3];
  const node = place.ownNode();
  say('  latchkey');
  const own = await lives(await latchkey(place, node), isQuick ? 3 : 20, idles);
  const [newer, older] = await eachOf(releases, async (release) => {
    say(`  ${release.name}`);
    return lives(await openclaw(place, release, node), starts, idles);
  });
  const counts = [own, newer, older].map(({ processes }) => processes).join(', ');
  return {
    title: 'Start and memory',
    how: [
      `Start: wall time from spawn to the answer to \`health\` over WebSocket, in a session opened by the shared secret; medians of ${isQuick ? 3 : 20} starts of Latchkey and ${starts} of each OpenClaw, on a state directory that an earlier life made. A gateway that doesn't listen yet is tried again after 5 ms, one that says it is starting after 50 ms.`,
      `Memory: PSS of the process tree, ${IDLE_MS / 1_000} s after that answer; medians of ${idles}. Processes in the tree: ${counts}. All run a copy of Node that nobody else runs, one after the other.`,
    ],
    rows: [
      {
        figure: 'start to ready',
        unit: 'ms',
        latchkey: own.readyMs,
        peers: [newer.readyMs, older.readyMs] as const,
        aim: { timesLess: 10 },
      },
      {
        figure: 'PSS idle',
        unit: 'MiB',
        latchkey: own.memory.pss,
        peers: [newer.memory.pss, older.memory.pss] as const,
        aim: { timesLess: 4 },
      },
      {
        figure: 'PSS idle, anonymous part',
        unit: 'MiB',
        latchkey: own.memory.anonymous,
        peers: [newer.memory.anonymous, older.memory.anonymous] as const,
      },
    ],
  };
}

export const startup: PeerFigure = { name: 'start', measure };
