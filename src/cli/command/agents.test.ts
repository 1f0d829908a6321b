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
