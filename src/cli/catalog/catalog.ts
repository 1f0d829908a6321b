import type { Group } from '../command.ts';
import { level } from '../option.ts';
import { agents } from './agents.ts';
import { config } from './config.ts';
import { devices } from './devices.ts';
import { gateway } from './gateway.ts';
import { models } from './models.ts';
import { agent, sessions, usage } from './talk.ts';

/** Every command there is. The program, its help, completion, and the test of the examples are made from it. */
export const CATALOG: Group = {
  name: 'latchkey',
  summary: 'Self-hosted gateway for personal AI agents.',
  commands: [
    {
      name: 'status',
      summary: 'one screen: the gateway, your access, devices and open requests',
      example: { line: 'latchkey status', exit: 0, field: 'running', value: true },
      // The list of devices is shown to a session that holds it anyway.
      calls: ['status', 'health'],
      options: (c) => c.option('--deep', 'also look at each part, and say what to run where one fails'),
      load: async () => (await import('../command/status.ts')).status,
    },
    {
      name: 'health',
      summary: 'whether the gateway works',
      example: { line: 'latchkey health', exit: 0, field: 'ok', value: true },
      calls: ['health'],
      load: async () => (await import('../command/status.ts')).health,
    },
    agent,
    usage,
    {
      name: 'why [id]',
      summary: 'explain a decision, change, connection, request or device: facts, rule, outcome, remedy',
      example: { line: 'latchkey why DEVICE', exit: 0, field: 'outcome.code', value: 'paired' },
      calls: ['decision.explain'],
      offline: true,
      options: (c) => c.option('--last', 'the newest refusal, instead of an id'),
      load: async () => (await import('../command/why.ts')).why,
    },
    {
      name: 'logs',
      summary: 'the newest lines of the log; with no gateway running, from its files',
      example: { line: 'latchkey logs --limit 5', exit: 0, field: 'done', value: true },
      calls: ['logs.tail'],
      options: (c) =>
        level(c.option('--follow', 'go on with what comes, until Ctrl-C'))
          .option('--grep <text>', 'only lines that contain this text, letter by letter: it is no pattern')
          .option('--limit <number>', 'so many of the newest lines, 200 if not said'),
      load: async () => (await import('../command/logs.ts')).logs,
    },
    {
      name: 'completion <shell>',
      summary: 'print what completes commands in bash, zsh or fish',
      example: { line: 'latchkey completion bash', exit: 0, field: 'shell', value: 'bash' },
      calls: [],
      here: true,
      stateless: true,
      options: (c) => {
        c.registeredArguments[0]?.choices(['bash', 'zsh', 'fish']);
        return c;
      },
      load: async () => (await import('../command/completion.ts')).completion,
    },
  ],
  groups: [agents, sessions, devices, gateway, models, config],
};
