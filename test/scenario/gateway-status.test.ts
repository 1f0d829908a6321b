// `gateway status` and `status --deep` on real processes, in every state that a gateway can be in.
import { spawn } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { NOBODY, nobodyRuns } from '../fault/process.ts';
import { type Gateway, latchkey, start } from '../gateway.ts';
import { Partner } from '../partner/client.ts';
import { paired, READ, session } from './act.ts';

const open: Gateway[] = [];
async function gatewayAt(options: Parameters<typeof start>[0] = {}): Promise<Gateway> {
  const gateway = await start(options);
  open.push(gateway);
  return gateway;
}
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.stop();
});

async function json(gateway: Gateway, ...args: readonly string[]) {
  const { code, stdout, stderr } = await gateway.cli([...args, '--json']);
  expect(stderr).toBe('');
  return { code, found: JSON.parse(stdout) };
}

/** Everything below a directory: names, sizes, times of change, and what stands in small files. */
function everything(folder: string): string {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return names
    .map((name) => {
      const stat = statSync(join(folder, name));
      const text =
        stat.isFile() && !/trace|-shm$|\.jsonl$/.test(name) ? readFileSync(join(folder, name)).toString('base64') : '';
      return `${name} ${stat.isFile() && !/trace|-shm$|\.jsonl$/.test(name) ? stat.mtimeMs : ''} ${text}`;
    })
    .join('\n');
}

describe('rule: what can not be written', () => {
  it.skipIf(!nobodyRuns)(
    'rule: a read-only state directory is a matter of permission: 77, and what mends it (as root alone: it is tried as another user)',
    async () => {
      const gateway = await gatewayAt({ uid: NOBODY });
      expect(await gateway.halt()).toBe(0);
      const run = (...args: readonly string[]) =>
        latchkey([...args, '--state-dir', gateway.stateDir], { home: join(gateway.stateDir, '..'), uid: NOBODY });
      const parts = [gateway.stateDir, join(gateway.stateDir, 'run')];
      for (const part of parts) chmodSync(part, 0o500);
      for (const args of [
        ['devices', 'list'],
        ['config', 'set', 'logging.level', 'debug'],
      ]) {
        const { code, stderr } = await run(...args);
        expect([args, code], stderr).toEqual([args, 77]);
        expect(stderr).toMatch(/read-only|permission denied for user/);
        expect(stderr).toMatch(/run: (chmod u\+rwx|ls -ld) /);
      }
      for (const part of parts) chmodSync(part, 0o700);
    },
  );
});

describe('T12: latchkey gateway status', () => {
  it('T12 of one that runs: process, listener, configuration and members, and exit 0', async () => {
    const gateway = await gatewayAt();
    const { code, found } = await json(gateway, 'gateway', 'status');
    expect(found).toMatchObject({
      ok: true,
      process: { state: 'running', pid: gateway.pid, isStopped: false },
      gateway: { ownerSocket: gateway.socketPath, addresses: [`ws://127.0.0.1:${gateway.port}`, expect.any(String)] },
      listener: { state: 'ok', where: `ws://127.0.0.1:${gateway.port}` },
      configuration: { path: join(gateway.stateDir, 'latchkey.json'), from: 'the state directory', problem: null },
      command: { stateDir: gateway.stateDir, from: '--state-dir', profile: null },
    });
    if (process.platform === 'linux') {
      expect(found.members).toEqual([expect.objectContaining({ pid: gateway.pid, isHolder: true, hasOpen: true })]);
    }
    expect(code).toBe(0);
    const { stdout } = await gateway.cli(['gateway', 'status']);
    expect(stdout).not.toContain('FAIL');
    expect(stdout.split('\n').length).toBeLessThan(24);
  });

  it('T20 of one that hangs: it is there, stopped, and what lets it go on', async () => {
    const gateway = await gatewayAt();
    process.kill(gateway.pid, 'SIGSTOP');
    try {
      const { code, found } = await json(gateway, 'gateway', 'status', '--timeout', '500ms');
      expect(found.process).toMatchObject({ state: 'hanging', pid: gateway.pid });
      expect(found.listener.state).toBe('busy');
      expect(code).toBe(1);
      const { stdout } = await gateway.cli(['gateway', 'status', '--timeout', '500ms']);
      if (process.platform === 'linux') expect(stdout).toContain(`kill -CONT ${gateway.pid}`);
    } finally {
      process.kill(gateway.pid, 'SIGCONT');
    }
    expect((await json(gateway, 'gateway', 'status')).code).toBe(0);
  });

  it('T14 of one that is gone: exit 1, and neither it nor status --deep writes anything', async () => {
    const gateway = await gatewayAt();
    await gateway.kill();
    const before = everything(gateway.stateDir);
    const { code, found } = await json(gateway, 'gateway', 'status');
    expect(found).toMatchObject({ ok: false, process: { state: 'down', pid: null }, gateway: null, members: [] });
    expect(code).toBe(1);
    expect((await gateway.cli(['status', '--deep'])).code).toBe(1);
    expect((await gateway.cli(['status'])).code).toBe(0);
    expect(everything(gateway.stateDir)).toBe(before);
  });

  it('T14 of one that runs: looking writes nothing to the truth, the identity or run/', async () => {
    const gateway = await gatewayAt();
    const before = everything(gateway.stateDir);
    for (const args of [['gateway', 'status'], ['status', '--deep'], ['status']]) await gateway.cli(args);
    expect(everything(gateway.stateDir)).toBe(before);
  });

  it('rule: a configuration that went bad is said with its line, and what the gateway started with stays in force', async () => {
    const gateway = await gatewayAt();
    writeFileSync(join(gateway.stateDir, 'latchkey.json'), '{\n  gateway: { prot: 1 }\n}');
    const up = await json(gateway, 'gateway', 'status');
    expect(up.found.configuration.problem.what).toContain('line 2: gateway.prot');
    expect(up.code).toBe(0);
    await gateway.kill();
    const down = await json(gateway, 'gateway', 'status');
    expect(down.found.configuration.problem.what).toContain('line 2: gateway.prot');
    expect(down.code).toBe(1);
  });

  it('T18 a configuration that another environment names is noticed', async () => {
    const gateway = await gatewayAt();
    const elsewhere = join(gateway.stateDir, 'other.json');
    writeFileSync(elsewhere, '{gateway: {port: 4711}}');
    const { stdout } = await gateway.cli(['gateway', 'status'], { LATCHKEY_CONFIG_PATH: elsewhere });
    expect(stdout).toContain(`the gateway runs with ${join(gateway.stateDir, 'latchkey.json')}`);
    expect(stdout).toContain('named by LATCHKEY_CONFIG_PATH');
    expect(stdout).toContain('ws://127.0.0.1:4711');
  });

  it('A18 another gateway at the port of this state directory is not taken for its own', async () => {
    const other = await gatewayAt();
    const gateway = await gatewayAt({ config: { gateway: { port: other.port } } });
    await gateway.kill();
    const { code, found } = await json(gateway, 'gateway', 'status');
    expect(found.listener).toMatchObject({ state: 'foreign', detail: expect.stringContaining('another gateway') });
    expect(code).toBe(1);
    if (process.platform === 'linux') {
      const told = found.others.find((one: { pid: number }) => one.pid === other.pid);
      expect(told).toMatchObject({ kind: 'latchkey', stateDir: other.stateDir, port: other.port });
    }
  });

  it.runIf(process.platform === 'linux')(
    'T12 a second process on the state directory is told beside the first',
    async () => {
      const gateway = await gatewayAt();
      // A program of that name which was told this directory, and has neither its lock nor its store.
      const program = join(gateway.stateDir, '..', 'cli.cjs');
      writeFileSync(program, 'setInterval(() => {}, 1000); process.stdout.write("up");');
      const second = spawn(process.execPath, [program, 'gateway', 'run', `--state-dir=${gateway.stateDir}`]);
      try {
        await new Promise((up) => second.stdout.once('data', up));
        const { found } = await json(gateway, 'gateway', 'status');
        expect(found.members).toHaveLength(2);
        expect(found.members).toContainEqual(expect.objectContaining({ pid: gateway.pid, isHolder: true }));
        expect(found.members).toContainEqual(
          expect.objectContaining({ pid: second.pid, isHolder: false, hasOpen: false }),
        );
      } finally {
        second.kill('SIGKILL');
      }
    },
  );
});

describe('T20: latchkey status --deep', () => {
  it('T20 each part of a gateway that is well is ok, and the port is known to be its own', async () => {
    const gateway = await gatewayAt();
    const { code, found } = await json(gateway, 'status', '--deep');
    const states = Object.fromEntries(found.deep.parts.map((p: { part: string; state: string }) => [p.part, p.state]));
    expect(states).toMatchObject({
      'owner socket': 'ok',
      port: 'ok',
      lock: 'ok',
      store: 'ok',
      disk: expect.any(String),
    });
    expect(found.deep.ok).toBe(true);
    expect(code).toBe(0);
  });

  it('A18 a port that speaks TLS is looked at through it, and a code that leads there pins its certificate', async () => {
    const gateway = await gatewayAt({ config: { gateway: { tls: { enabled: true } } } });
    const { code, found } = await json(gateway, 'status', '--deep');
    const port = found.deep.parts.find(({ part }: { part: string }) => part === 'port');
    expect(port).toMatchObject({ state: 'ok', detail: expect.stringContaining(`wss://127.0.0.1:${gateway.port}`) });
    expect(code).toBe(0);
    expect((await json(gateway, 'gateway', 'status')).found.listener.state).toBe('ok');
    const { found: made } = await json(gateway, 'devices', 'code');
    const setup = JSON.parse(Buffer.from(made.setupCode, 'base64url').toString());
    expect(setup).toMatchObject({
      url: `wss://127.0.0.1:${gateway.port}`,
      tlsFingerprint: found.latchkey.tls.fingerprint,
    });
  });

  it('T12 a run/gateway.json that somebody took away is a failure with a remedy', async () => {
    const gateway = await gatewayAt();
    rmSync(join(gateway.stateDir, 'run', 'gateway.json'));
    const { stdout, code } = await gateway.cli(['status', '--deep']);
    expect(stdout).toMatch(/FAIL {2}run {13}.*gateway\.json/);
    expect(code).toBe(1);
  });

  it('A7 what --deep sees needs operator.read; a nonce is this gateway’s only while its socket waits', async () => {
    const gateway = await gatewayAt();
    const owner = await gateway.owner();
    const { partner: none } = await session(gateway, await paired(owner, []));
    const refused = await none.call('status', { deep: true });
    expect(!refused.ok && refused.error.message).toContain('missing scope: operator.read');
    expect((await none.call('health', {})).ok).toBe(true);
    none.end();
    const { partner } = await session(gateway, await paired(owner, [READ]));
    const { latchkey } = await partner.ask('status', { deep: true });
    expect(latchkey.deep).toMatchObject({ store: { problem: null, isWhole: true }, place: null });
    const waiting = await Partner.open({ port: gateway.port });
    const known = async (nonce: string) => (await partner.ask('status', { challenge: nonce })).latchkey.isOwnChallenge;
    expect(await known(waiting.challenge.nonce)).toBe(true);
    expect(await known('x'.repeat(43))).toBe(false);
    waiting.end();
    await waiting.closed;
    await expect.poll(() => known(waiting.challenge.nonce)).toBe(false);
    partner.end();
  });

  it('T20 with no gateway, a port that is taken is said with who has it', async () => {
    const gateway = await gatewayAt();
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as { port: number };
    try {
      writeFileSync(join(gateway.stateDir, 'latchkey.json'), JSON.stringify({ gateway: { port } }));
      await gateway.kill();
      const { stdout, code } = await gateway.cli(['status', '--deep']);
      if (process.platform === 'linux') expect(stdout).toContain(`(pid ${process.pid}) listens at ${port}`);
      expect(code).toBe(1);
    } finally {
      await new Promise((done) => server.close(done));
    }
  });
});
