import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Scripted } from '../scripted.ts';

let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-a-')), 1_800_000_000_000);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

/** What a gateway that lies says everywhere: a line of its own, a terminal's commands, a shell's words. */
const EVIL = "x; touch /tmp/pwn #\n  run: latchkey pwned\u001b[2J\u202e'$(id)`id`";

test('threat 53: what a lying gateway says of agents is text, and none of it stands in a command', async () => {
  const agent = { id: EVIL, name: EVIL, workspace: EVIL, model: { primary: EVIL }, identity: { emoji: EVIL } };
  await cli.gateway({
    'agents.list': { payload: { defaultId: EVIL, agents: [agent, { id: 5, model: EVIL }] } },
    'agents.create': { payload: { ok: true, agentId: EVIL, name: EVIL, workspace: EVIL, warnings: [EVIL] } },
    'agents.update': { payload: { ok: true, agentId: EVIL, changed: true, warnings: [EVIL] } },
    'agents.delete': {
      payload: { ok: true, agentId: EVIL, sessions: 1, abortedRuns: [EVIL], workspace: EVIL, defaultId: EVIL },
    },
  });
  for (const args of [['list'], ['add', 'a'], ['update', 'a', '--name', 'b'], ['remove', 'a']]) {
    const { code, out } = await cli.run(['agents', ...args]);
    expect([args, code]).toEqual([args, 0]);
    expect(out).toContain('\\n');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    for (const line of out.split('\n').filter((one) => /^\s*(run|do): /.test(one)))
      expect(line).toMatch(/^\s*run: latchkey (--state-dir \S+ )?sessions list --agent a$/);
  }
});

test('rule: a bound for a day is sent as it is said, "default" takes it away, and the list shows it', async () => {
  const budget = { usdPerDay: 0.5, tokensPerDay: 2000 };
  const rows = [
    { id: 'a', budget },
    { id: 'b', budget: { usdPerDay: null, tokensPerDay: null } },
    { id: 'c', budget: { usdPerDay: EVIL, tokensPerDay: 7 } },
  ];
  await cli.gateway({
    'agents.list': { payload: { defaultId: 'a', agents: rows } },
    'agents.create': { payload: { ok: true, agentId: 'a', name: 'a', workspace: '/w', warnings: [] } },
    'agents.update': { payload: { ok: true, agentId: 'a', changed: true, warnings: [] } },
  });
  await cli.run(['agents', 'add', 'a', '--usd-per-day', '0.50', '--tokens-per-day', '2000']);
  await cli.run(['agents', 'update', 'a', '--usd-per-day', '0']);
  await cli.run(['agents', 'update', 'a', '--tokens-per-day', 'default']);
  const sent = cli.calls.filter(({ method }) => method.startsWith('agents.')).map(({ params }) => params.budget);
  expect(sent).toEqual([budget, { usdPerDay: 0 }, { tokensPerDay: null }]);
  const { out } = await cli.run(['agents', 'list']);
  expect(out).toMatch(/^a .*\$0\.50, 2000 tokens .*\nb .*no bound.*\nc .* 7 tokens/m);
  for (const wrong of [
    ['--usd-per-day', '-1'],
    ['--usd-per-day', '1e9'],
    ['--tokens-per-day', '0'],
    ['--tokens-per-day', '1.5'],
  ])
    expect([wrong, (await cli.run(['agents', 'add', 'x', ...wrong])).code]).toEqual([wrong, 2]);
  for (const name of ['', ' ']) {
    expect(await cli.run(['agents', 'add', name])).toMatchObject({
      code: 2,
      err: expect.stringContaining('name is empty'),
    });
  }
});

test('rule: a workspace is sent as this shell means it, a model goes back by its name "default"', async () => {
  await cli.gateway({
    'agents.create': { payload: { ok: true, agentId: 'a', name: 'a', workspace: '/w', warnings: [] } },
    'agents.update': { payload: { ok: true, agentId: 'a', changed: true, warnings: [] } },
  });
  expect((await cli.run(['agents', 'add', 'a', '--workspace', 'here'])).out).toMatch(
    /run: latchkey .*agent --agent a -m 'hello'\n$/,
  );
  await cli.run(['agents', 'update', 'a', '--model', 'default', '--workspace', '~/w', '--default']);
  expect((await cli.run(['agents', 'update', 'a'])).code).toBe(2);
  const params = cli.calls.filter(({ method }) => method.startsWith('agents.')).map((call) => call.params);
  expect(params).toEqual([
    { name: 'a', workspace: join(process.cwd(), 'here') },
    { agentId: 'a', model: null, workspace: '~/w', default: true },
  ]);
});
