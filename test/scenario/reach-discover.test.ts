// `gateway discover` and what it finds: a gateway of another machine of the wire, and somebody who claims to be one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newStateDir, removeStateDir } from '../gateway.ts';
import { makeWire, noWire, type Wire } from '../namespace.ts';
import { because, ended, type Running, run } from '../program.ts';

const why = noWire();

const CLI = join(process.env.LATCHKEY_TEST_DIST ?? join(import.meta.dirname, '..', '..', 'dist'), 'cli.cjs');
const LIAR = join(import.meta.dirname, '..', 'liar.ts');

describe.skipIf(why !== null)(`rule: docs/reach.md, gateway discover${because(why)}`, () => {
  let wire: Wire;
  let running: Running[] = [];
  let stateDirs: string[] = [];

  beforeAll(() => {
    wire = makeWire();
  });
  afterEach(async () => {
    for (const one of running) await one.stop();
    for (const stateDir of stateDirs) removeStateDir(stateDir);
    running = [];
    stateDirs = [];
  });
  afterAll(() => wire?.remove());

  async function gateway(config: Record<string, unknown>, until: string): Promise<{ stateDir: string; one: Running }> {
    const stateDir = newStateDir(config);
    stateDirs.push(stateDir);
    const command = wire.host.inside(process.execPath, CLI, 'gateway', 'run', '--state-dir', stateDir);
    const one = await run(command, {
      env: { HOME: join(stateDir, '..'), NO_COLOR: '1' },
      ready: (logs) => logs.includes(until),
    });
    running.push(one);
    return { stateDir, one };
  }

  function discovered(...more: string[]) {
    const command = wire.guest.inside(process.execPath, CLI, 'gateway', 'discover', '--timeout', '1500ms', ...more);
    return ended(command, { HOME: '/nonexistent', NO_COLOR: '1' });
  }

  it('rule: finds a gateway with its address, encryption and key, and none any more once it has gone', async () => {
    const { stateDir, one } = await gateway({ gateway: { bind: 'lan', tls: { enabled: true } } }, 'announced on');
    const { stdout: text, code } = await discovered('--json');
    expect(code).toBe(0);
    const { fingerprint } = JSON.parse(
      readFileSync(join(stateDir, 'logs', 'gateway.jsonl'), 'utf8')
        .split('\n')
        .find((l) => l.includes('certificate made')) ?? '',
    );
    const { gateways, asked } = JSON.parse(text);
    expect(asked).toEqual([wire.guest.address]);
    expect(gateways).toEqual([
      {
        answeredFrom: wire.host.address,
        claims: {
          name: expect.stringMatching(/^Latchkey on /),
          host: expect.stringMatching(/\.local$/),
          addresses: [wire.host.address],
          port: 18789,
          url: `wss://${wire.host.address}:18789`,
          tls: true,
          tlsFingerprint: fingerprint,
          gatewayKey: expect.stringMatching(/^[\w-]{43}$/),
        },
      },
    ]);
    await one.stop();
    expect(JSON.parse((await discovered('--json')).stdout).gateways).toEqual([]);
    const { stdout: none } = await discovered();
    expect(none).toContain(`no gateway answered within 1500 ms; asked from ${wire.guest.address}`);
  });

  it('rule: the announcing process that is killed takes nothing with it', async () => {
    const { one } = await gateway({ gateway: { bind: 'lan' } }, 'announced on');
    const children = readFileSync(`/proc/${one.pid}/task/${one.pid}/children`, 'utf8').trim().split(/\s+/);
    const announcing = children.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('announce.cjs'));
    expect(announcing).toHaveLength(1);
    // It holds no more of the gateway's surroundings than it needs.
    expect(readFileSync(`/proc/${announcing[0]}/environ`, 'utf8')).not.toContain('HOME=');
    process.kill(Number(announcing[0]), 'SIGKILL');
    for (let i = 0; i < 100 && !one.logs().includes('not announced on the network'); i += 1) await sleep(50);
    expect(one.logs()).toContain('not announced on the network');
    expect(() => process.kill(one.pid, 0)).not.toThrow();
  });

  it('rule: nothing is announced where that is off, and from loopback nothing either', async () => {
    for (const config of [
      { gateway: { bind: 'lan' }, discovery: { mdns: { mode: 'off' } } },
      { gateway: { bind: 'loopback' } },
    ]) {
      const { one } = await gateway(config, '"ready"');
      expect(JSON.parse((await discovered('--json')).stdout).gateways).toEqual([]);
      expect(readFileSync(`/proc/${one.pid}/task/${one.pid}/children`, 'utf8').trim()).toBe('');
      await one.stop();
    }
  });

  it('rule: names from the network are escaped and bounded, nonsense is left out, and all of it is called a claim', async () => {
    running.push(
      await run(wire.host.inside(process.execPath, LIAR, wire.host.address), {
        ready: (logs) => logs.includes('listening'),
      }),
    );
    const { stdout: text, code } = await discovered();
    expect(code).toBe(0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    expect(text).toContain('\\u001b[2J');
    expect(text).toContain('\\u202e');
    expect(text).toContain('claims');
    expect(text).toContain('Anybody on the network can say this.');
    const { gateways } = JSON.parse((await discovered('--json')).stdout);
    expect(gateways.length).toBeLessThanOrEqual(64);
    const [evil] = gateways.filter((g: { claims: { name: string } }) => g.claims.name.includes('evil'));
    expect(evil.answeredFrom).toBe(wire.host.address);
    expect(evil.claims).toMatchObject({ tls: true, tlsFingerprint: null, gatewayKey: null });
    // An address that it didn't give comes from the kernel.
    expect(evil.claims.url).toBe(`wss://${wire.host.address}:7`);
  });
});
