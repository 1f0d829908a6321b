// What one agent may take in a day, and what is said of an agent that can't be made.
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Gateway, start } from '../gateway.ts';
import type { Peer } from '../partner/peer.ts';
import { gist } from './act.ts';

let gateway: Gateway;
let owner: Peer;
beforeEach(async () => {
  gateway = await start({ config: { models: { local: { enabled: false } } } });
  owner = await gateway.owner();
});
afterEach(() => gateway?.stop());

const file = () => join(gateway.stateDir, 'latchkey.json');
const list = async () => (await owner.ask('agents.list')).agents as readonly Record<string, unknown>[];

it('rule: its bound is set, shown, and taken away again, and what others have stays', async () => {
  await owner.ask('config.patch', { raw: JSON.stringify({ agents: { defaults: { budget: { usdPerDay: 5 } } } }) });
  await owner.ask('agents.create', { name: 'a', budget: { tokensPerDay: 9 } });
  const entry = async () => (await owner.ask('config.get')).config.agents.list[1];
  expect(await entry()).toEqual({ id: 'a', name: 'a', budget: { tokensPerDay: 9 } });
  const bounds = async () => (await list()).map(({ budget }) => budget);
  const usual = { tokensPerDay: null, usdPerDay: 5 };
  expect(await bounds()).toEqual([usual, { tokensPerDay: 9, usdPerDay: 5 }]);
  const changed = await gateway.cli(['agents', 'update', 'a', '--usd-per-day', '0.5']);
  expect(changed).toMatchObject({ code: 0, stderr: '' });
  const { stdout } = await gateway.cli(['agents', 'list']);
  expect(stdout).toMatch(/^main .*\$5\.00 /m);
  expect(stdout).toMatch(/^a .*\$0\.50, 9 tokens /m);
  await owner.ask('agents.update', { agentId: 'a', budget: { tokensPerDay: null } });
  expect(await entry()).toEqual({ id: 'a', name: 'a', budget: { usdPerDay: 0.5 } });
  await gateway.cli(['agents', 'update', 'a', '--usd-per-day', 'default']);
  // Nothing empty is left behind.
  expect([await entry(), await bounds()]).toEqual([{ id: 'a', name: 'a' }, [usual, usual]]);
  for (const budget of [{ usdPerDay: -1 }, { tokensPerDay: 0 }, { tokensPerDay: 1.5 }, { usdPerDay: '1' }])
    expect(gist(await owner.call('agents.update', { agentId: 'a', budget }))).toContain('INVALID_REQUEST');
});

it('A16: what is wrong with an id or a workspace is said of what was typed', async () => {
  const id = await gateway.cli(['agents', 'add', 'y', '--id', 'Bad Id']);
  expect(id.stderr).toContain("'Bad Id' can be no id");
  const taken = await gateway.cli(['agents', 'add', 'y', '--workspace', file()]);
  expect(taken.stderr).toContain(`${file()} can't be made: a file stands there`);
  const below = await gateway.cli(['agents', 'add', 'y', '--workspace', join(file(), 'below')]);
  expect(below.stderr).toContain("can't be made: a file stands there, or above it");
});

it('A11: an agent that is added with no gateway running is not told to anybody before one is started', async () => {
  await gateway.halt();
  const { stdout } = await gateway.cli(['agents', 'add', 'day']);
  expect(stdout).toMatch(
    / {2}run: latchkey \S+ \S+ gateway run\n {7}\(.*: latchkey .* agent --agent day -m 'hello'\)\n$/,
  );
});
