// Memory of an idle gateway.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newStateDir, removeStateDir, statusOf } from '../../test/gateway.ts';
import { type Memory, median, memoryOf } from '../measure.ts';
import { CLI, ended, environment, type Place } from '../place.ts';
import type { Figure } from './figure.ts';

const IDLE_MS = 10_000;
const READY_MS = 20_000;

async function ready(stateDir: string, pid: number | undefined): Promise<void> {
  for (const began = performance.now(); performance.now() - began < READY_MS; await sleep(25)) {
    try {
      const run = JSON.parse(readFileSync(join(stateDir, 'run', 'gateway.json'), 'utf8'));
      if (run.pid === pid && (await statusOf(run.port, '/readyz')) === 200) return;
    } catch {
      // Not there yet, or still the last one's.
    }
  }
  throw new Error('the gateway was not ready');
}

async function gatewayMemory(place: Place, node: string, stateDir: string): Promise<Memory> {
  const child = spawn(node, [CLI, 'gateway', 'run', '--port', '0', '--state-dir', stateDir], {
    env: environment(place.folder),
    cwd: place.folder,
    stdio: 'ignore',
  });
  place.atEnd(() => ended(child));
  await ready(stateDir, child.pid);
  await sleep(IDLE_MS);
  const memory = memoryOf(child.pid ?? 0);
  await ended(child);
  return memory;
}

async function limitMemory(place: Place, node: string): Promise<Memory> {
  const limit = await place.limit('bare', {}, node);
  await sleep(IDLE_MS);
  const memory = memoryOf(limit.pid);
  await limit.stop();
  return memory;
}

async function measure(place: Place, { isQuick }: { isQuick: boolean }) {
  const runs = isQuick ? 1 : 3;
  const stateDir = newStateDir();
  place.atEnd(() => removeStateDir(stateDir));
  const node = place.ownNode();
  const own: Memory[] = [];
  const bare: Memory[] = [];
  for (let run = 0; run < runs; run += 1) {
    bare.push(await limitMemory(place, node));
    own.push(await gatewayMemory(place, node, stateDir));
  }
  const row = (figure: string, of: keyof Memory) => ({
    figure,
    value: median(own.map((memory) => memory[of])),
    limit: median(bare.map((memory) => memory[of])),
    unit: 'MiB',
    target: { atMost: 1.6 },
  });
  return {
    title: 'Memory',
    how: [
      `\`smaps_rollup\` ${IDLE_MS / 1_000} s after ready, idle; medians of ${runs} alternating runs. Raw limit: \`node:http\` + \`ws\` on a loopback port, bundled the same way.`,
      'PSS counts a part of each shared page, so the same process shows less the more Nodes run beside it. Both sides run a copy of the binary that nobody else runs, one after the other: the figure is that of a machine whose only Node it is. Beside ever more Nodes it comes down to the anonymous part alone, which is the second row and held to the same ratio.',
    ],
    rows: [row('PSS idle', 'pss'), row('PSS idle, anonymous part', 'anonymous')],
  };
}

export const memory: Figure = { name: 'memory', measure };
