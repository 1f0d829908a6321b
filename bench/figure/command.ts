// Whole commands against the start of Node alone.
import { newIdentity } from '../../test/partner/identity.ts';
import { type Command, commandCpuMs, median } from '../measure.ts';
import { CLI, environment, type Place, SHIM } from '../place.ts';
import type { Row } from '../report.ts';
import type { Figure } from './figure.ts';

/** As many as a person's list is long. */
const DEVICES = 8;

async function measure(place: Place, { isQuick }: { isQuick: boolean }) {
  const runs = isQuick ? 4 : 20;
  const times = isQuick ? 2 : 5;
  const gateway = await place.gateway();
  const owner = await gateway.owner();
  for (let i = 0; i < DEVICES; i += 1) {
    const { publicKey } = newIdentity();
    await owner.ask('device.pair.ensure', { publicKey, role: 'operator', scopes: ['operator.read'] });
  }
  owner.end();
  const command = (...argv: string[]): Command => ({ argv, env: environment(place.folder), cwd: place.folder });
  const at = ['--state-dir', gateway.stateDir];
  const node = command(process.execPath, '-e', '0');
  const commands = [
    { figure: '`latchkey --version`', command: command(process.execPath, CLI, '--version'), atMost: 1.4 },
    { figure: '`latchkey devices list`', command: command(process.execPath, CLI, 'devices', 'list', ...at), atMost: 2 },
    { figure: '`latchkey status`', command: command(process.execPath, CLI, 'status', ...at), atMost: 2 },
    {
      figure: '`latchkey status --deep`',
      command: command(process.execPath, CLI, 'status', '--deep', ...at),
      atMost: 2.5,
    },
    { figure: '`latchkey --version`, by bin/latchkey', command: command(SHIM, '--version') },
    { figure: '`latchkey devices list`, by bin/latchkey', command: command(SHIM, 'devices', 'list', ...at) },
    { figure: '`latchkey status`, by bin/latchkey', command: command(SHIM, 'status', ...at) },
  ];
  const rows: Row[] = [];
  for (const { figure, command, atMost } of commands) {
    const own: number[] = [];
    const bare: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      bare.push(commandCpuMs(node, times));
      own.push(commandCpuMs(command, times));
    }
    const target = atMost === undefined ? {} : { target: { atMost } };
    rows.push({ figure, value: median(own), limit: median(bare), unit: 'ms', ...target });
  }
  await gateway.stop();
  return {
    title: 'Whole commands',
    how: [
      `CPU (user + system of the process tree) of one run; medians of ${runs} alternating batches of ${times} runs each.`,
      '`node dist/cli.cjs …` by the absolute path of that Node, output discarded; raw limit: `node -e 0`.',
      `\`devices list\` and \`status\` ask a running gateway with ${DEVICES} devices over its owner socket.`,
      '`bin/latchkey` is the shell script that finds the Node, for what it adds.',
    ],
    rows,
  };
}

export const commands: Figure = { name: 'commands', measure };
