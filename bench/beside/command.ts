// Whole commands: each product's program against its own gateway.
import { writeFileSync } from 'node:fs';
import { newIdentity } from '../../test/partner/identity.ts';
import { type Command, type Cost, commandCost, median } from '../measure.ts';
import { CLI, environment, type Place } from '../place.ts';
import { eachOf, type PeerExtent, type PeerFigure, type Row } from './figure.ts';
import { type Gate, latchkeyGate, openclawGate } from './gate.ts';

/** As many as a person's list is long. */
const DEVICES = 8;
/** Runs of Latchkey's program in one batch: it takes so little that the shell's rounding would be seen. */
const BATCH = 5;

interface Line {
  readonly args: readonly string[];
  /** How many times less CPU is wanted; absent: it opens no connection. */
  readonly timesLess?: number;
}

const LINES: readonly Line[] = [
  { args: ['--version'] },
  { args: ['devices', 'list'], timesLess: 10 },
  { args: ['status'], timesLess: 50 },
  { args: ['status', '--deep'], timesLess: 10 },
  { args: ['health'], timesLess: 10 },
  { args: ['gateway', 'probe'], timesLess: 10 },
  { args: ['gateway', 'call', 'health'], timesLess: 10 },
  { args: ['logs'], timesLess: 10 },
];

type Way = (args: readonly string[]) => Command;

async function populated<G extends Gate>(gate: G): Promise<G> {
  for (let i = 0; i < DEVICES; i += 1) await gate.pair(newIdentity());
  return gate;
}

/** Medians; in words when the command fails, seen in a run that isn't counted. */
type Outcome = { readonly cpuMs: number | string; readonly wallMs: number | string };

class Runner {
  readonly #command: Command;
  readonly #times: number;
  readonly #costs: Cost[] = [];
  #failed = false;

  constructor(command: Command, times: number) {
    this.#command = command;
    this.#times = times;
  }

  #run(times: number): Cost | null {
    try {
      return commandCost(this.#command, times);
    } catch {
      this.#failed = true;
      return null;
    }
  }

  /** Once first: what a program writes when it has never run here isn't what is measured. */
  warmUp(): void {
    this.#run(1);
  }

  turn(): void {
    const cost = this.#failed ? null : this.#run(this.#times);
    if (cost !== null) this.#costs.push(cost);
  }

  get outcome(): Outcome {
    if (this.#failed) return { cpuMs: 'fails', wallMs: 'fails' };
    return { cpuMs: median(this.#costs.map((c) => c.cpuMs)), wallMs: median(this.#costs.map((c) => c.wallMs)) };
  }
}

function rowsOf({ args, timesLess }: Line, [own, remote, newer, older]: readonly Outcome[]): Row[] {
  const name = `\`${args.join(' ')}\``;
  const none = { cpuMs: '', wallMs: '' };
  const row = (figure: string, of: keyof Outcome, ours: Outcome = none, aim?: number): Row => ({
    figure,
    unit: 'ms',
    latchkey: ours[of],
    peers: [(newer ?? none)[of], (older ?? none)[of]],
    ...(aim === undefined ? {} : { aim: { timesLess: aim } }),
  });
  const rows = [row(`${name}: CPU`, 'cpuMs', own, timesLess), row(`${name}: wall`, 'wallMs', own)];
  // The program opens a connection only where it has something to ask.
  if (timesLess === undefined) return rows;
  return [...rows, row(`${name} over WebSocket: CPU`, 'cpuMs', remote, timesLess)];
}

async function measure(place: Place, { isQuick, releases, say }: PeerExtent) {
  const rounds = isQuick ? 1 : 7;
  const latchkey = await populated(await latchkeyGate(place));
  const peers = await eachOf(releases, async (release) => populated(await openclawGate(place, release)));
  const tokenFile = place.path('token');
  writeFileSync(tokenFile, latchkey.token, { mode: 0o600 });
  const own = environment(place.folder);
  const ours =
    (...more: string[]): Way =>
    (args) => ({ argv: [process.execPath, CLI, ...args, ...more], env: own, cwd: place.folder });
  const remote = ['--url', `ws://127.0.0.1:${latchkey.port}`, '--token-file', tokenFile];
  const ways: readonly (readonly [Way, number])[] = [
    [ours('--state-dir', latchkey.stateDir), BATCH],
    [ours(...remote), BATCH],
    ...peers.map(({ installation }): [Way, number] => [(args) => installation.command(args), 1]),
  ];
  const rows: Row[] = [];
  for (const line of LINES) {
    say(`  ${line.args.join(' ')}`);
    const runners = ways.map(([way, times]) => new Runner(way(line.args), times));
    for (const runner of runners) runner.warmUp();
    for (let round = 0; round < rounds; round += 1) for (const runner of runners) runner.turn();
    rows.push(
      ...rowsOf(
        line,
        runners.map(({ outcome }) => outcome),
      ),
    );
  }
  for (const gate of [latchkey, ...peers]) await gate.stop();
  return {
    title: 'Whole commands',
    how: [
      `CPU (user + system of the process tree) and wall time of one run, output discarded; medians of ${rounds} alternating turns after one run to warm up. A turn is ${BATCH} runs of Latchkey's program, their mean, and one run of each of OpenClaw's, which take seconds. All run under the same Node.`,
      `Each program asks its own gateway on the same host, with ${DEVICES} devices paired, as it does by itself: OpenClaw's over WebSocket on loopback with the shared secret of its configuration, Latchkey's over its owner socket.`,
      "The owner socket spares a handshake with signatures, so each command is there a second time: Latchkey's program over WebSocket, by `--url ws://… --token-file …`, with proofs of both sides.",
      '`--version` opens no connection; nothing is demanded of it here.',
    ],
    rows,
  };
}

export const commands: PeerFigure = { name: 'commands', measure };
