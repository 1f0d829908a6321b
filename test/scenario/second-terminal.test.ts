// Another terminal does not know the state directory that the first one named: it is told, and what is pasted works.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type CommandResult, type Gateway, latchkey, start } from '../gateway.ts';
import { newIdentity } from '../partner/identity.ts';
import { asking, once, READ, WRITE } from './act.ts';

describe('rule: a second terminal', () => {
  const opened: Gateway[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.stop();
  });
  const started = async (options: Parameters<typeof start>[0] = {}): Promise<Gateway> => {
    const gateway = await start(options);
    opened.push(gateway);
    return gateway;
  };
  const homeOf = ({ stateDir }: Gateway) => join(stateDir, '..');
  /** The command line behind `run:`, without the program. */
  const remedy = ({ stderr }: CommandResult): string[] =>
    (/^ {2}run: (?:npx --no -- )?latchkey (.*?)(?: {3}\(.*)?$/m.exec(stderr)?.[1] ?? '').split(' ');

  it.skipIf(process.platform !== 'linux')(
    'rule: a command without the state directory names the gateway that runs',
    async () => {
      const gateway = await started();
      const home = homeOf(gateway);
      const lost = await latchkey(['devices', 'list', '--json'], { home });
      expect(lost.code).toBe(75);
      expect(lost.stderr).toContain(`pid ${gateway.pid}, state ${gateway.stateDir}`);
      expect(remedy(lost)).toEqual(['gateway', 'run']);
      const [, again = ''] = /look at it first: latchkey (.*)\)$/m.exec(lost.stderr) ?? [];
      expect(again).toBe(`--state-dir ${gateway.stateDir} status`);
      expect(await latchkey(again.split(' '), { home })).toMatchObject({ code: 0 });
      const { stdout } = await latchkey(['status'], { home });
      expect(stdout).toContain(`state ${gateway.stateDir}`);
      expect(stdout).toContain(`latchkey --state-dir ${gateway.stateDir} status`);
    },
  );

  it.each([
    ['sessions', 'delete', 'main'],
    ['sessions', 'reset', 'main'],
    ['agent', '-m', 'hello'],
    ['agent', '--abort'],
  ])('rule: %s %s: what changes or spends something is never led to another installation', async (...args) => {
    const gateway = await started();
    const home = homeOf(gateway);
    const lost = await latchkey(args, { home });
    expect(lost.code).toBe(75);
    expect(remedy(lost)).toEqual(['gateway', 'run']);
    expect(lost.stderr).not.toMatch(/latchkey --state-dir \S+ (sessions|agent)/);
  });

  it('rule: what may be a secret is not repeated', async () => {
    const gateway = await started();
    const lost = await latchkey(['gateway', 'call', 'health', '--params', '{"x":"hush"}'], { home: homeOf(gateway) });
    expect(lost.code).toBe(75);
    expect(lost.stderr).not.toContain('hush');
  });

  it('rule: who named the state directory is told how to start it', async () => {
    const gateway = await started();
    const lost = await latchkey(['health', '--profile', 'work'], { home: homeOf(gateway) });
    expect(remedy(lost)).toEqual(['--profile', 'work', 'gateway', 'run']);
  });

  it('rule: what is decided beside a gateway that runs elsewhere is said to be', async () => {
    const running = await started();
    const home = homeOf(running);
    const stateDir = join(home, '.latchkey');
    mkdirSync(stateDir, { mode: 0o700 });
    const config = { gateway: { bind: 'loopback', auth: { mode: 'token', token: running.token } } };
    writeFileSync(join(stateDir, 'latchkey.json'), JSON.stringify(config), { mode: 0o600 });
    const usual = await started({ stateDir });
    await usual.halt();
    opened.pop();
    const listed = await latchkey(['devices', 'list'], { home });
    expect(listed.code).toBe(0);
    expect(listed.stderr).toContain(`working on ${stateDir} itself`);
    if (process.platform === 'linux') expect(listed.stderr).toContain(`state ${running.stateDir}`);
    // Who named it knows which one is meant.
    const named = await latchkey(['devices', 'list', '--state-dir', stateDir], { home });
    expect(named.stderr).not.toContain('another Latchkey');
  });

  it('rule: what to try next names the state directory', async () => {
    const gateway = await started();
    await expect.poll(() => gateway.logs()).toContain('gateway secret show');
    const { stateDir } = gateway;
    expect(gateway.logs()).toContain(`npx --no -- latchkey --state-dir ${stateDir} devices list`);
    expect(gateway.logs()).toContain(`terminal:\n  npx --no -- latchkey --state-dir ${stateDir} agent -m hello\n`);
  });

  it.skipIf(process.platform !== 'linux')(
    'rule: a port that another Latchkey has is said to be, by its state',
    async () => {
      const gateway = await started();
      const other = join(homeOf(gateway), 'other');
      const args = ['gateway', 'run', '--state-dir', other, '--port', String(gateway.port)];
      const taken = await latchkey(args, { home: homeOf(gateway) });
      expect(taken.code).toBe(78);
      expect(taken.stderr).toContain(`another Latchkey (pid ${gateway.pid}, state ${gateway.stateDir}) listens there`);
      expect(taken.stderr).toContain(`run: latchkey --state-dir ${other} gateway run --port ${gateway.port + 1}`);
      const env = { npm_lifecycle_event: 'start', npm_package_name: 'latchkey' };
      const byNpm = await latchkey(args, { home: homeOf(gateway), env });
      expect(byNpm.stderr).toContain(`run: npm start -- --state-dir ${other} --port ${gateway.port + 1}`);
    },
  );

  it('A5, A15 lists tell a part that was left out from a rejection, and who has no name', async () => {
    const gateway = await started();
    const identity = newIdentity();
    const refused = await once({ port: gateway.port }, asking([READ, WRITE]), { identity });
    const id = refused.ok ? '' : String(refused.error.details?.requestId);
    expect((await gateway.cli(['status'])).stdout).toMatch(new RegExp(`${id} {2}(?:"[^"]+"|no name) \\(`));
    expect((await gateway.cli(['devices', 'approve', id, '--scope', READ])).code).toBe(0);
    const left = await gateway.cli(['devices', 'list']);
    expect(left.stdout).toContain('1 left out of an approval');
    expect(left.stdout).toMatch(/left out +of an approval by the owner/);
    expect(left.stdout).not.toContain('rejected');
    const other = newIdentity();
    const second = await once({ port: gateway.port }, asking([READ]), { identity: other });
    await gateway.cli(['devices', 'reject', second.ok ? '' : String(second.error.details?.requestId)]);
    const both = await gateway.cli(['devices', 'list']);
    expect(both.stdout).toContain('2 rejected or left out of an approval');
    expect(both.stdout).toMatch(/rejected +by the owner/);
  });

  it('A5 an id that a larger ask has taken the place of: the new one is named', async () => {
    const gateway = await started();
    const identity = newIdentity();
    const ask = async (scopes: string[]) => {
      const answer = await once({ port: gateway.port }, asking(scopes), { identity });
      return answer.ok ? '' : String(answer.error.details?.requestId);
    };
    const old = await ask([READ]);
    const next = await ask([READ, WRITE]);
    expect(next).not.toBe(old);
    const late = await gateway.cli(['devices', 'approve', old]);
    expect(late.code).toBe(1);
    expect(late.stderr).toContain(`asks now under the id ${next}`);
    const no = await gateway.cli(['devices', 'reject', old]);
    expect(no.code).toBe(1);
    expect(no.stderr).toContain(`asks now under the id ${next}`);
  });
});
