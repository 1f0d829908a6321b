// Talking to an agent on the command line: the answer as it comes, what it exits with, and a gateway that dies meanwhile.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, type Gateway, NODE, newStateDir, removeStateDir, start } from '../gateway.ts';
import { startNobody } from '../modelserver.ts';
import { until } from '../partner/peer.ts';
import { type SlowModel, startSlowModel } from '../slowmodel.ts';

const local = { enabled: false };

/** A command that can be spoken to, and interrupted. */
function piped({ stateDir }: Gateway, args: readonly string[], input: string) {
  const child = spawn(NODE, [CLI, ...args, '--state-dir', stateDir], {
    env: { PATH: process.env.PATH, HOME: join(stateDir, '..'), NO_COLOR: '1' },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.end(input);
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }));
  return { child, ended, said: () => stdout };
}

const lab = (baseUrl: string) => ({
  models: { local, providers: { lab: { kind: 'openai-compatible', baseUrl, models: [{ id: 'm' }] } } },
  agents: { defaults: { model: { primary: 'lab/m' } } },
});

// biome-ignore lint/suspicious/noExplicitAny: an answer is looked into as it comes
const linesOf = (stdout: string): any[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('latchkey agent', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start({ config: { models: { local } } });
  });
  afterAll(() => gateway?.stop());

  it('rule: prints the answer and nothing else; with --json one object a line, the last says that it is done', async () => {
    const { code, stdout, stderr } = await gateway.cli(['agent', '-m', '/say one two']);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'one two\n', stderr: '' });
    const json = await gateway.cli(['agent', '-m', '/say one two', '--session', 'other', '--json']);
    const lines = linesOf(json.stdout);
    expect(lines[0]).toMatchObject({ event: 'accepted', status: 'started' });
    expect(lines.at(-1)).toMatchObject({ done: true, status: 'ok', text: 'one two' });
    const said = lines.filter(({ event }) => event === 'text').map(({ text }) => text);
    expect(said.join('')).toBe('one two');
  });

  it('T19: the same message under one id is said once', async () => {
    const args = ['agent', '-m', 'hello', '--session', 'twice', '--id', 'one-id'];
    expect((await gateway.cli(args)).code).toBe(0);
    expect((await gateway.cli(args)).code).toBe(0);
    const { stdout } = await gateway.cli(['sessions', 'tail', 'twice', '--json']);
    expect(linesOf(stdout).filter(({ role }) => role === 'user')).toHaveLength(1);
  });

  it('T19: what was said already is answered with what it was, in its words', async () => {
    const args = ['agent', '-m', '/say one two', '--session', 'old', '--id', 'old-id'];
    expect((await gateway.cli(args)).stdout).toBe('one two\n');
    await gateway.cli(['agent', '-m', '/say three', '--session', 'old']);
    const again = await gateway.cli(args);
    expect([again.code, again.stdout]).toEqual([0, 'one two\n']);
    expect(again.stderr).toContain('said already, under the id old-id');
  });

  it('rule: what comes from standard input has no line end of its own; files go with it', async () => {
    const file = join(gateway.stateDir, 'note.md');
    writeFileSync(file, '# mine\n');
    const args = ['agent', '-m', '-', '--session', 'in', '--attach', file];
    const { code, stdout } = await piped(gateway, args, 'hello\n\n').ended;
    expect([code, stdout]).toEqual([0, expect.stringContaining('# mine')]);
    const tail = await gateway.cli(['sessions', 'tail', 'in', '--json']);
    const said = linesOf(tail.stdout).find(({ role }) => role === 'user');
    expect(said.content).toMatchObject([{ text: 'hello\n' }, { name: 'note.md', mimeType: 'text/markdown', bytes: 7 }]);
  });

  it('A16: a misspelt agent is named as it was meant, also by what it is called', async () => {
    await gateway.cli(['agents', 'add', 'Work Bot']);
    for (const name of ['wrok-bot', 'Work Bot']) {
      const { code, stderr } = await gateway.cli(['agent', '--agent', name, '-m', 'x']);
      expect([name, code]).toEqual([name, 1]);
      expect(stderr).toMatch(/did you mean work-bot\?\n {2}run: latchkey agent --agent work-bot -m x /);
    }
  });

  it('A16: what cannot be said exits 1 and says what, why and what to do', async () => {
    const { code, stderr } = await gateway.cli(['agent', '--agent', 'nobody', '-m', 'x']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/unknown_agent[\s\S]*why: [\s\S]*run: latchkey .*agents list\n/);
    expect((await gateway.cli(['agent', '-m', ' '])).code).toBe(2);
    expect((await gateway.cli(['sessions', 'show', 'nosuch'])).code).toBe(1);
  });

  it('A11: with no gateway the sessions can be read, and nobody thinks', async () => {
    const stateDir = newStateDir({ models: { local } });
    try {
      const own = await start({ stateDir });
      await own.cli(['agent', '-m', 'hello']);
      await own.halt();
      const listed = await own.cli(['sessions', 'list', '--json']);
      expect(JSON.parse(listed.stdout)).toMatchObject({ count: 1, sessions: [{ key: 'agent:main:main', rows: 2 }] });
      const said = await own.cli(['agent', '-m', 'x']);
      expect(said.code).toBe(75);
      expect(said.stderr).toContain('gateway run');
    } finally {
      removeStateDir(stateDir);
    }
  });
});

describe('an agent that does not come to its end', () => {
  let model: SlowModel;
  beforeAll(async () => {
    model = await startSlowModel();
  });
  afterAll(() => model?.stop());

  it('A16: a model that is away is said so, with exit 1', async () => {
    const dead = await startNobody();
    const gateway = await start({ config: lab(`http://127.0.0.1:${dead.port}/v1`) });
    try {
      const { code, stdout, stderr } = await gateway.cli(['agent', '-m', 'hello', '--json']);
      expect(code).toBe(1);
      expect(linesOf(stdout).at(-1)).toMatchObject({ done: true, status: 'error', outcome: 'error' });
      expect(stderr).toMatch(/the agent did not finish\n {2}why: [^\n]+\n {2}run: latchkey [^\n]+\n$/);
    } finally {
      await gateway.stop();
      dead.stop();
    }
  });

  it('rule: Ctrl-C leaves the agent at work and says so, and what stops it; a bound ends a run by itself', async () => {
    const gateway = await start({ config: lab(model.url) });
    try {
      const saying = piped(gateway, ['agent', '-m', 'go on', '--session', 'long', '--id', 'run 1'], '');
      await until('it says something', () => saying.said().includes('word'), 20_000);
      saying.child.kill('SIGINT');
      const { signal, stderr } = await saying.ended;
      expect(signal).toBe('SIGINT');
      const flag = `latchkey --state-dir ${gateway.stateDir}`;
      expect(stderr).toContain('latchkey: the agent works on\n');
      expect(stderr).toContain(`run: ${flag} agent --abort --session long --id 'run 1'\n`);
      expect(stderr).toContain(`${flag} sessions tail long)`);
      expect(model.open()).toBe(1);
      const other = await gateway.cli(['agent', '--abort', '--session', 'other']);
      expect([other.stdout, model.open()]).toEqual(['Nothing was at work there, and nothing waited.\n', 1]);
      const stopped = await gateway.cli(['agent', '--abort', '--session', 'long', '--id', 'run 1']);
      expect(stopped).toMatchObject({ code: 0, stdout: expect.stringContaining('Aborted: one run.') });
      await until('the model is hung up on', () => model.open() === 0, 20_000);
      const bounded = await gateway.cli(['agent', '-m', 'go on', '--timeout', '2s', '--json']);
      expect(bounded.code).toBe(1);
      expect(linesOf(bounded.stdout).at(-1)).toMatchObject({ done: true, status: 'error', code: 'timeout' });
    } finally {
      await gateway.stop();
    }
  });

  it('T19: kill -9 in the middle: the command waits for the gateway, and says that it was interrupted', async () => {
    const stateDir = newStateDir(lab(model.url));
    try {
      const first = await start({ stateDir });
      const saying = first.cli(['agent', '-m', 'go on', '--json']);
      await until('the model is asked', () => model.open() === 1, 20_000);
      await first.kill();
      const second = await start({ stateDir });
      const { code, stdout, stderr } = await saying;
      expect(code).toBe(1);
      expect(linesOf(stdout).at(-1)).toMatchObject({ done: true, outcome: 'interrupted' });
      expect(stderr).toContain('the gateway went away');
      await second.halt();
    } finally {
      removeStateDir(stateDir);
    }
  });
});
