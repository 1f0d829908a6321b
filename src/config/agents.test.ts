import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { changedKeys, writtenBetween } from './apply.ts';
import { configOf } from './load.ts';
import { patched } from './patch.ts';

const PATH = '/nowhere/latchkey.json';
const load = (agents: unknown, more: object = {}) => configOf(JSON.stringify({ agents, ...more }), { path: PATH });
const agents = (value: unknown, more: object = {}) => load(value, more).config.agents.list;

function refusal(value: unknown): string {
  try {
    load(value);
  } catch (error) {
    const { what, why } = error as { what: string; why: string };
    return `${what}: ${why}`;
  }
  return '';
}

test('rule: with nothing set up there is main, with the usual of everything', () => {
  const main = {
    id: 'main',
    name: 'Latchkey',
    workspace: null,
    model: null,
    queue: 'collect',
    budget: { tokensPerDay: null, usdPerDay: null },
    budgetKeys: { tokensPerDay: null, usdPerDay: null },
    identity: {},
  };
  expect(agents(undefined)).toEqual([main]);
  expect(agents({ list: [] })).toEqual([main]);
});

test('rule: what an agent does not say is as the defaults have it, each part by itself', () => {
  const [main, work, night] = agents({
    defaults: {
      model: { primary: 'offline/echo', fallbacks: ['openai/x'] },
      workspace: '~/w',
      queue: 'followup',
      budget: { tokensPerDay: 10, usdPerDay: 2 },
    },
    list: [
      { id: 'main' },
      { id: 'work', name: 'Work', model: 'openai/y', workspace: 'here', queue: 'steer', budget: { tokensPerDay: 3 } },
      {
        id: 'night',
        name: 'N',
        identity: { name: 'Night', emoji: '👩‍💻' },
        model: { primary: 'offline/echo', fallbacks: ['a/b'] },
      },
    ],
  });
  expect(main).toMatchObject({ workspace: join(homedir(), 'w'), model: null, queue: 'followup' });
  expect(work).toMatchObject({
    name: 'Work',
    workspace: '/nowhere/here',
    // What stands in for the default model does not stand in for this one: it may have been chosen for being private.
    model: { primary: 'openai/y', fallbacks: [] },
    queue: 'steer',
    budget: { tokensPerDay: 3, usdPerDay: 2 },
    budgetKeys: { tokensPerDay: 'agents.list[1].budget.tokensPerDay', usdPerDay: 'agents.defaults.budget.usdPerDay' },
  });
  expect(night).toMatchObject({
    name: 'Night',
    workspace: null,
    model: { primary: 'offline/echo', fallbacks: ['a/b'] },
    budget: { tokensPerDay: 10, usdPerDay: 2 },
  });
});

test.each([
  [[{ id: 'work' }], ['main', 'work']],
  [
    [{ id: 'work' }, { id: 'main' }],
    ['main', 'work'],
  ],
  [[{ id: 'work', default: true }], ['work']],
  [
    [{ id: 'main' }, { id: 'work', default: true }],
    ['work', 'main'],
  ],
  [
    [
      { id: 'work', default: false },
      { id: 'main', default: true },
    ],
    ['main', 'work'],
  ],
  [[{ id: 'constructor' }], ['main', 'constructor']],
])('rule: main is there unless another agent is the default one: %j', (list, ids) => {
  expect(agents({ list }).map(({ id }) => id)).toEqual(ids);
});

test('rule: where OpenClaw would take the first of the list for the default agent, that is said', () => {
  expect(load({ list: [{ id: 'work' }] }).warnings.join()).toContain("it is 'main', not the first (work)");
  expect(load({ list: [{ id: 'main' }, { id: 'work' }] }).warnings).toEqual([]);
  expect(load({ list: [{ id: 'work', default: true }] }).warnings).toEqual([]);
});

const BAD: readonly (readonly [unknown, RegExp])[] = [
  ...['', '../x', 'a/b', 'a:b', 'Work', 'a\u0000', '__proto__', '-a', '.', 'a.b', 'é', 'a'.repeat(65), ' a'].map(
    (id) => [[{ id }], /list\[?\.?0\]?\.id.*must be a name of a to z/s] as const,
  ),
  [[{}], /must be|id/],
  [[{ id: 'a' }, { id: 'b' }, { id: 'a' }], /an agent of this id stands in the list already/],
  [
    [
      { id: 'a', default: true },
      { id: 'b', default: true },
    ],
    /another agent is the default one already/,
  ],
  [[{ id: 'a', nmae: 'x' }], /did you mean 'name'/],
  [[{ id: 'a', agentDir: '/x' }], /there is no such key/],
  [[{ id: 'a', name: 'x\nAGENTS.md' }], /one line of text/],
  [[{ id: 'a', name: '\u202eevil' }], /one line of text/],
  [[{ id: 'a', identity: { name: ' ' } }], /identity\.name.*one line of text/s],
  [[{ id: 'a', identity: { avatar: '../../identity/gateway.json' } }], /must be a picture/],
  [[{ id: 'a', identity: { avatar: 'file:///etc/passwd' } }], /must be a picture/],
  [[{ id: 'a', identity: { avatar: 'javascript:alert(1)' } }], /must be a picture/],
  [[{ id: 'a', identity: { avatar: 'data:image/svg+xml;base64,AAAA' } }], /must be a picture/],
  [[{ id: 'a', identity: { avatar: 'https://u:p@x/y.png' } }], /must be a picture/],
  [[{ id: 'a', workspace: '/x\u0000y' }], /workspace.*one line of text/s],
  [[{ id: 'a', workspace: '' }], /must be the path of a directory/],
  [[{ id: 'a', budget: { tokensPerDay: 0 } }], /tokens/],
  [[{ id: 'a', queue: 'later' }], /"steer", "followup"/],
  [[{ id: 'a', model: { fallbacks: ['x/y'] } }], /must be "provider\/model", or/],
  [{ main: {} }, /must be a list of agents/],
];

test.each(BAD)('rule: a bad list of agents is refused with its key: %j', (list, why) => {
  expect(refusal({ list })).toMatch(why);
});

test('rule: a model of an agent that leads nowhere is a warning that names the agent', () => {
  const { warnings } = load({
    list: [{ id: 'main' }, { id: 'work', model: { primary: 'nix/a', fallbacks: ['fast'] } }],
  });
  expect(warnings).toEqual([
    expect.stringContaining("'work' names the provider 'nix'"),
    expect.stringContaining("'work' names 'fast', which is neither"),
  ]);
});

const writers = (before: unknown, after: unknown) =>
  writtenBetween({ agents: { list: before } }, { agents: { list: after } }).map(
    ({ key, writer }) => `${key} ${writer}`,
  );

test('A11: of an agent a workspace is the owner’s, which agents there are and what they may spend is an admin’s without an end', () => {
  const one = [{ id: 'main' }, { id: 'work', name: 'W', workspace: '/w' }];
  const changed = (more: object) => writers(one, [{ id: 'main' }, { ...one[1], ...more }]);
  expect(changed({})).toEqual([]);
  expect(changed({ name: 'X' })).toEqual(['agents.list.*.name admin']);
  expect(changed({ model: 'a/b', queue: 'steer', identity: { emoji: 'x' } })).toEqual([
    'agents.list.*.model admin',
    'agents.list.*.queue admin',
    'agents.list.*.identity admin',
  ]);
  expect(changed({ default: true })).toEqual(['agents.list.*.default permanent']);
  expect(changed({ budget: { usdPerDay: 1 } })).toEqual(['agents.list.*.budget permanent']);
  expect(changed({ workspace: '/etc' })).toEqual(['agents.list.*.workspace owner']);
  expect(writers(one, [...one, { id: 'new' }])).toEqual(['agents.list.*.id permanent']);
  // Not by taking it out and putting another one in, nor by another order, nor by what comes with a new one.
  expect(writers(one, [{ id: 'main' }])).toEqual([
    'agents.list.*.id permanent',
    'agents.list.*.name admin',
    'agents.list.*.workspace owner',
  ]);
  expect(writers(one, [...one, { id: 'new', workspace: '/x' }])).toContain('agents.list.*.workspace owner');
  expect(writers(one, [...one].reverse())).toEqual([]);
  expect(
    writers(one, [
      { id: 'main', workspace: '/w' },
      { id: 'work', name: 'W' },
    ]),
  ).toEqual(['agents.list.*.workspace owner']);
});

test('A11: a directory that the owner named goes to no other agent, whichever keys would make it so', () => {
  const config = (list: unknown, workspace: unknown = '/private') => ({ agents: { defaults: { workspace }, list } });
  const beyond = (before: unknown, after: unknown) =>
    writtenBetween(before, after).some(({ key, writer }) => key === 'agents.list.*.workspace' && writer === 'owner');
  const two = config([{ id: 'main' }, { id: 'x' }]);
  const marked = config([{ id: 'main' }, { id: 'x', default: true }]);
  expect(beyond(two, marked)).toBe(true);
  expect(beyond(marked, two)).toBe(true);
  // Neither by a new one that is the default, nor by taking away the one that it was.
  expect(beyond({ agents: { defaults: { workspace: '/private' } } }, config([{ id: 'y', default: true }]))).toBe(true);
  expect(beyond(marked, config([{ id: 'main' }]))).toBe(true);
  // Nor where the default one has its own, and another one without becomes it.
  const owned = config([{ id: 'main', workspace: '/w' }, { id: 'x' }]);
  expect(
    beyond(
      owned,
      config([
        { id: 'main', workspace: '/w' },
        { id: 'x', default: true },
      ]),
    ),
  ).toBe(true);
  // Where nothing is named, each keeps its own: that is no change of one.
  const [bare, other] = [two, marked].map(({ agents: { list } }) => ({ agents: { list } }));
  expect(beyond(bare, other)).toBe(false);
  expect(beyond(two, config([{ id: 'x', name: 'X' }, { id: 'main' }]))).toBe(false);
});

test('A11: writing main down changes nothing, taking it away by another default one does', () => {
  expect(writers(undefined, [{ id: 'main' }])).toEqual([]);
  expect(writers([{ id: 'main' }], [])).toEqual([]);
  expect(writers(undefined, [{ id: 'main', name: 'X' }])).toEqual(['agents.list.*.name admin']);
  expect(writers([{ id: 'main' }, { id: 'a' }], [{ id: 'a', default: true }])).toContain('agents.list.*.id permanent');
});

test('rule: a change of one agent is a change of the key agents.list, and a patch replaces the list whole', () => {
  expect(changedKeys({ agents: { list: [{ id: 'a' }] } }, { agents: { list: [{ id: 'b' }] } })).toEqual([
    'agents.list',
  ]);
  const text = patched('{ agents: { list: [{ id: "a" }] } }', { agents: { list: [{ id: 'b' }] } });
  expect(configOf(text, { path: PATH }).parsed.agents?.list).toEqual([{ id: 'b' }]);
  expect(() => configOf(patched('{}', JSON.parse('{"agents":{"__proto__":{"x":1}}}')), { path: PATH })).toThrow();
});
