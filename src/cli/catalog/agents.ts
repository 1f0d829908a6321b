import type { Command } from 'commander';
import type { Group } from '../command.ts';
import { dollars, tokens } from '../option.ts';

const shown = (c: Command) =>
  c
    .option('--usd-per-day <number>', 'US dollars that it may take in a day; "default": as all agents may', dollars)
    .option('--tokens-per-day <number>', 'tokens that it may take in a day; "default": as all agents may', tokens)
    .option('--emoji <emoji>', 'an emoji for people')
    .option('--default', 'the default one from now on');

export const agents: Group = {
  name: 'agents',
  summary: 'the agents: each with a model, a workspace and conversations of its own',
  commands: [
    {
      name: 'list',
      summary: 'the agents there are, the default one first, and what each may take in a day',
      example: { line: 'latchkey agents list', exit: 0, field: 'agents.0.id' },
      calls: ['agents.list'],
      offline: true,
      load: async () => (await import('../command/agents-list.ts')).agentsList,
    },
    {
      name: 'add <name>',
      summary: 'another agent; its id is made of the name',
      example: { line: 'latchkey agents add NAME --model offline/echo', exit: 0, field: 'ok', value: true },
      calls: ['agents.create'],
      offline: true,
      options: (c) =>
        shown(
          c
            .option('--id <id>', 'its id: a to z, 0 to 9, dashes and underlines')
            .option('--model <model>', 'what it thinks with: PROVIDER/MODEL or an alias')
            .option('--workspace <dir>', 'the directory whose AGENTS.md, SOUL.md and MEMORY.md it is told'),
        ),
      load: async () => (await import('../command/agents.ts')).add,
    },
    {
      name: 'update <id>',
      summary: 'change what is set for one agent',
      example: { line: 'latchkey agents update AGENT --emoji 🔑', exit: 0, field: 'changed', value: true },
      calls: ['agents.update'],
      offline: true,
      options: (c) =>
        shown(
          c
            .option('--name <name>', 'what it is called')
            .option('--model <model>', 'what it thinks with; "default": as other agents do')
            .option('--workspace <dir>', 'the directory whose files it is told'),
        ),
      load: async () => (await import('../command/agents.ts')).update,
    },
    {
      name: 'remove <id>',
      summary: 'an agent less: what it does is aborted, what was said stays readable',
      example: { line: 'latchkey agents remove AGENT', exit: 0, field: 'ok', value: true },
      calls: ['agents.delete'],
      offline: true,
      options: (c) => c.option('--delete-files', 'also delete its sessions and the workspace of its own'),
      load: async () => (await import('../command/agents.ts')).remove,
    },
  ],
};
