// A driver process: takes one job, then rounds of it.
import { approvals } from './approval.ts';
import { calls } from './call.ts';
import { handshakes } from './handshake.ts';
import type { FromDriver, Job, Load, ToDriver } from './load.ts';
import { pairings } from './pairing.ts';
import { storm } from './storm.ts';
import { streams } from './stream.ts';

function loadOf(job: Job): Load {
  switch (job.kind) {
    case 'handshake':
      return handshakes(job);
    case 'call':
      return calls(job);
    case 'approval':
      return approvals(job);
    case 'pairing':
      return pairings(job);
    case 'storm':
      return storm(job);
    case 'stream':
      return streams(job);
  }
}

let load: Load | null = null;

async function answer(message: ToDriver): Promise<FromDriver> {
  if (message.kind === 'job') {
    load = loadOf(message.job);
    return { kind: 'ready' };
  }
  if (load === null) throw new Error('a round before its job');
  if (message.kind === 'prepare') {
    await load.prepare(message.operations);
    return { kind: 'ready' };
  }
  const began = performance.now();
  const result = await load.run();
  return { kind: 'ran', wallMs: performance.now() - began, ...result };
}

process.on('message', (message: ToDriver) => {
  answer(message).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ kind: 'failed', reason: String(error) } satisfies FromDriver),
  );
});
// Without its runner it has nothing to do.
process.on('disconnect', () => process.exit(0));
