import { Option } from 'commander';
import type { CommandLiteral, Group } from '../command.ts';

const LEVELS = 'off, minimal, low, medium, high, xhigh, adaptive';

const each = (text: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), text];

export const agent: CommandLiteral = {
  name: 'agent',
  summary: 'say something to an agent, and see its answer as it comes',
  example: { line: "latchkey agent -m 'hello'", exit: 0, field: 'done', value: true },
  calls: ['chat.send', 'agent.wait'],
  callsWith: { abort: ['chat.abort'] },
  options: (c) =>
    c
      .option('-m, --message <text>', 'what is said; - reads it from standard input')
      .option('--agent <id>', 'to whom; the default agent if not said')
      .option('--session <key>', 'in which conversation; the main one if not said')
      .option('--attach <file>', 'an image or a text file that goes with it; may be said several times', each)
      .option('--thinking <level>', `how much it thinks first, where its model can: ${LEVELS}`)
      // Of every command; here it also bounds the run.
      .option('--timeout <duration>', 'the run is ended after so long: 90s, 10m; as long as it takes if not said')
      .option('--id <id>', 'names the message: said twice under one id, it is said once')
      .option('--detach', 'end once it is accepted; the agent works on')
      .option('--abort', 'say nothing: end what is at work in the conversation, or the one run that --id names'),
  load: async () => (await import('../command/agent.ts')).agent,
};

export const usage: CommandLiteral = {
  name: 'usage',
  summary: 'what the agents took, day by day and by agent: runs, tokens, cost',
  example: { line: 'latchkey usage --days 7', exit: 0, field: 'days', value: 7 },
  calls: ['usage.cost'],
  offline: true,
  options: (c) => c.option('--days <number>', 'so many, 30 if not said').option('--agent <id>', 'only this agent'),
  load: async () => (await import('../command/usage.ts')).usage,
};

export const sessions: Group = {
  name: 'sessions',
  summary: 'the conversations with agents',
  commands: [
    {
      name: 'list',
      summary: 'the sessions, by their latest change',
      example: { line: 'latchkey sessions list', exit: 0, field: 'count' },
      calls: ['sessions.list'],
      offline: true,
      options: (c) =>
        c.option('--agent <id>', 'only those of this agent').option('--limit <number>', 'so many, 50 if not said'),
      load: async () => (await import('../command/sessions.ts')).list,
    },
    {
      name: 'show [key]',
      summary: 'one session: its model, how full it is, what it took',
      example: { line: 'latchkey sessions show SESSION', exit: 0, field: 'session.sessionId' },
      calls: ['sessions.describe'],
      offline: true,
      load: async () => (await import('../command/sessions.ts')).show,
    },
    {
      name: 'tail [key]',
      summary: 'the last messages of a session',
      example: { line: 'latchkey sessions tail SESSION', exit: 0, field: 'done', value: true },
      calls: ['chat.history'],
      offline: true,
      options: (c) =>
        c
          .option('--limit <number>', 'so many messages, 20 if not said')
          .option('--follow', 'go on with what comes, until Ctrl-C'),
      load: async () => (await import('../command/sessions-tail.ts')).tail,
    },
    {
      name: 'export <key>',
      summary: 'the whole transcript, also what is summed up for the model; to standard output, or to a file',
      example: { line: 'latchkey sessions export SESSION', exit: 0, field: 'type', value: 'session' },
      calls: ['sessions.rows'],
      callsWith: { attachments: ['sessions.attachment'] },
      offline: true,
      options: (c) =>
        c
          .addOption(
            new Option('--format <format>', 'jsonl or markdown').choices(['jsonl', 'markdown']).default('jsonl'),
          )
          .option('--id <id>', 'an earlier conversation, which sessions show names')
          .option('--out <file>', 'to this file, mode 600, which must not be there')
          .option('--force', 'replace the file')
          .option('--attachments <dir>', 'also write what came with messages, each file named by its SHA-256'),
      load: async () => (await import('../command/sessions-export.ts')).exportSession,
    },
    {
      name: 'reset <key>',
      summary: 'begin another conversation under the same key; what runs in it is aborted',
      example: { line: 'latchkey sessions reset SESSION', exit: 0, field: 'ok', value: true },
      calls: ['sessions.reset'],
      load: async () => (await import('../command/sessions.ts')).reset,
    },
    {
      name: 'delete <key>',
      summary: 'forget a session and all that was said in it',
      example: { line: 'latchkey sessions delete SESSION', exit: 0, field: 'deleted', value: true },
      calls: ['sessions.delete'],
      load: async () => (await import('../command/sessions.ts')).remove,
    },
  ],
};
