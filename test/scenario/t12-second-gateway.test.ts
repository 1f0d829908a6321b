// T12: two gateways on one state directory. In OpenClaw both ran, and each undid what the other wrote.
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Gateway, latchkey, start, statusOf } from '../gateway.ts';
import { asking, once, paired, READ } from './act.ts';

describe('T12 a second gateway on the state directory', () => {
  let gateway: Gateway | undefined;
  afterEach(async () => {
    await gateway?.stop();
    gateway = undefined;
  });

  const second = (first: Gateway) =>
    latchkey(['gateway', 'run', '--port', '0', '--state-dir', first.stateDir], { home: join(first.stateDir, '..') });

  it('T12 exits 78, names the first by pid and address, and leaves it alone', async () => {
    gateway = await start();
    const identity = await paired(await gateway.owner(), [READ]);
    const refused = await second(gateway);
    expect(refused.code, refused.stderr).toBe(78);
    expect(refused.stderr).toContain(String(gateway.pid));
    expect(refused.stderr).toContain(String(gateway.port));
    expect(await statusOf(gateway.port, '/readyz')).toBe(200);
    expect((await once({ port: gateway.port }, asking([READ]), { identity })).ok).toBe(true);
    // The loser did not unlink the winner's socket (A11).
    await (await gateway.owner()).ask('health');
  });

  it('T12 of five started at once on a fresh directory one runs', async () => {
    gateway = await start();
    const stateDir = gateway.stateDir;
    await gateway.halt();
    const started = await Promise.allSettled(Array.from({ length: 5 }, () => start({ stateDir })));
    const up = started.flatMap((s) => (s.status === 'fulfilled' ? [s.value] : []));
    const down = started.flatMap((s) => (s.status === 'rejected' ? [String(s.reason)] : []));
    gateway = up[0];
    for (const other of up.slice(1)) await other.halt();
    expect(up, down.join('\n')).toHaveLength(1);
    for (const reason of down) expect(reason).toContain('ended with 78');
  }, 60_000);

  it('T12 after kill -9 the next start needs no cleaning up', async () => {
    gateway = await start();
    const { stateDir, pid } = gateway;
    const identity = await paired(await gateway.owner(), [READ]);
    await gateway.kill();
    gateway = await start({ stateDir });
    expect(gateway.pid).not.toBe(pid);
    expect((await once({ port: gateway.port }, asking([READ]), { identity })).ok).toBe(true);
  });
});
