import { statSync } from 'node:fs';
import pkg from '../../package.json' with { type: 'json' };
import { main } from '../cli/main.ts';
import { processOutput } from '../cli/output.ts';
import { systemClock } from '../system/clock.ts';

/** The command line's composition root. */
const { env } = process;

/** Loaded on use: it brings half of Node's network code along. */
const isTerminal = (file: number) => process.getBuiltinModule('node:tty').isatty(file);

main({
  argv: process.argv.slice(2),
  env,
  clock: systemClock,
  version: pkg.version,
  output: ({ json, color }) =>
    processOutput({
      colour: () => color && !json && !env.NO_COLOR && env.TERM !== 'dumb' && isTerminal(1),
      interactive: () => !json && isTerminal(0) && isTerminal(2),
      // One that doesn't say how wide it is says 0.
      width: () => (isTerminal(1) ? process.stdout.columns || 80 : null),
      errorWidth: () => (isTerminal(2) ? process.stderr.columns || 80 : null),
    }),
  ask: async (question) => (await import('../cli/ask.ts')).ask(question),
  runGateway: async (options) => (await import('./gateway.ts')).runGateway(options),
  async loadAll(stateDir) {
    const owner = statSync(stateDir, { throwIfNoEntry: false })?.uid ?? 0;
    if (owner === 0) return;
    await Promise.all([
      import('./gateway.ts'),
      import('../cli/remote.ts'),
      import('../client/node/ws.ts'),
      import('../config/load.ts'),
      import('../config/direct.ts'),
      import('../system/qr.ts'),
      import('../cli/failed.ts'),
      import('../cli/refused.ts'),
      import('../cli/offline.ts'),
      import('../cli/owner-proof.ts'),
      import('../cli/command/status-deep.ts'),
      import('../cli/command/status-down.ts'),
    ]);
  },
  openOffline: async (options, lock) => (await import('./gateway.ts')).openOffline(options, lock),
}).then((code) => {
  // Everything is written by now; what is still open (a socket on its way out) need not be waited for.
  process.exit(code);
});
