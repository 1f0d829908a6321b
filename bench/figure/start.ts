// From spawning the gateway to its first answer on the owner socket.
import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { newIdentity } from '../../test/partner/identity.ts';
import { median } from '../measure.ts';
import { CLI, ended, environment, type Place } from '../place.ts';
import type { Figure } from './figure.ts';

const LIMIT_MS = 20_000;

function dial(path: string): Promise<Socket | null> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => done(socket)).once('error', () => done(null));
  });
}

/** Asks as soon as somebody listens; looked for every millisecond, which is a percent of what is measured. */
async function firstAnswer(socketPath: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (performance.now() < deadline && child.exitCode === null) {
    const socket = await dial(socketPath);
    if (socket === null) {
      await new Promise((done) => setTimeout(done, 1));
      continue;
    }
    const answer = new Promise<string>((done) => socket.setEncoding('utf8').once('data', done));
    socket.write('{"type":"req","id":"1","method":"health","params":{}}\n');
    const { ok } = JSON.parse((await answer).split('\n')[0] ?? '');
    socket.destroy();
    if (ok !== true) throw new Error('health was refused on the owner socket');
    return;
  }
  throw new Error('no answer on the owner socket');
}

async function gatewayMs(place: Place, stateDir: string, socketPath: string): Promise<number> {
  const began = performance.now();
  const child = spawn(process.execPath, [CLI, 'gateway', 'run', '--port', '0', '--state-dir', stateDir], {
    env: environment(place.folder),
    cwd: place.folder,
    stdio: 'ignore',
  });
  place.atEnd(() => ended(child));
  await firstAnswer(socketPath, child);
  const tookMs = performance.now() - began;
  await ended(child);
  return tookMs;
}

async function nodeMs(place: Place): Promise<number> {
  const began = performance.now();
  const child = spawn(process.execPath, ['-e', '0'], { env: environment(place.folder), stdio: 'ignore' });
  await new Promise((done) => child.once('exit', done));
  return performance.now() - began;
}

async function measure(place: Place, { isQuick }: { isQuick: boolean }) {
  const runs = isQuick ? 4 : 20;
  // A first life makes the state directory, with keys, store and a few devices.
  const gateway = await place.gateway();
  const owner = await gateway.owner();
  for (let i = 0; i < 8; i += 1) {
    const { publicKey } = newIdentity();
    await owner.ask('device.pair.ensure', { publicKey, role: 'operator', scopes: ['operator.read'] });
  }
  await gateway.halt();
  const own: number[] = [];
  const bare: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    bare.push(await nodeMs(place));
    own.push(await gatewayMs(place, gateway.stateDir, gateway.socketPath));
  }
  await gateway.stop();
  return {
    title: 'Start',
    how: [
      `Wall time from spawn to the answer to \`health\` on the owner socket; medians of ${runs} alternating runs.`,
      '`node dist/cli.cjs gateway run --port 0 --state-dir …` on an existing state directory with 8 devices; raw limit: `node -e 0`, spawn to exit.',
    ],
    rows: [
      {
        figure: 'spawn to first answer',
        value: median(own),
        limit: median(bare),
        unit: 'ms',
        target: { atMost: 6 },
      },
    ],
  };
}

export const startup: Figure = { name: 'start', measure };
