import type { Command } from 'commander';
import { expect, test } from 'vitest';
import type { SessionKey } from '../core/conversation/session.ts';
import { ERRORS, type ErrorCode, type ErrorContext, refuse, remedyFor } from '../core/protocol/error.ts';
import { spelled } from '../core/protocol/spelled.ts';
import {
  agentless,
  broken,
  conversationless,
  filtered,
  modelFailed,
  modelless,
  stepless,
  timedOut,
} from '../runtime/failed.ts';
import { FAILURES, type FailureKind, ModelFailure } from '../runtime/model/failure.ts';
import { systemClock } from '../system/clock.ts';
import type { Host } from './context.ts';
import { buildProgram } from './program.ts';
import { inWords } from './reason.ts';
import { otherScheme, readRemedy, remedyFields, remedyText, withPlace } from './remedy.ts';

const COMMAND = 'latchkey --profile work';
/** What a refusal may be about, from nothing to all. */
const CONTEXTS: readonly ErrorContext[] = [
  {},
  { command: COMMAND },
  {
    command: COMMAND,
    protocol: 4,
    method: 'config.patch',
    scopes: ['operator.read', 'operator.write'],
    requestId: '947ea31b-a673-475b-94f3-eb87856d43cf',
    deviceId: 'c1'.repeat(32),
    role: 'operator',
    subject: 'requestId',
    outcome: 'approved',
    authMode: 'password',
    text: 'at /x: something',
    retryAfterMs: 1_000,
  },
];

/** Whether the parser takes it: nothing is run. Help counts, it is what was asked for. */
async function parses(line: string): Promise<string> {
  const host = { version: '1', env: {}, argv: [], clock: systemClock } as unknown as Host;
  const program = buildProgram(host, () => {});
  const calm = (command: Command): void => {
    if (command.commands.length === 0) command.action(() => {});
    command.commands.forEach(calm);
  };
  calm(program);
  const [first, ...argv] = line.split(' ');
  if (first !== 'latchkey') return `${first} is another program`;
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 'ok';
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code === 'commander.helpDisplayed' ? 'ok' : message;
  }
}

test.each(Object.keys(ERRORS) as ErrorCode[])(
  'A16 %s: its remedy is a command that parses, or marked as advice',
  async (code) => {
    for (const context of CONTEXTS) {
      const { remedy, isAdvice } = remedyFor(code, context) ?? { remedy: '', isAdvice: false };
      expect(remedy).toMatch(/\S/);
      const read = readRemedy(remedy);
      expect([read.kind, read.note, read.isThere]).toEqual([isAdvice ? 'do' : 'run', null, false]);
      if (isAdvice) continue;
      expect(remedy.startsWith(`${context.command ?? 'latchkey'} `), remedy).toBe(true);
      expect([remedy, await parses(remedy)]).toEqual([remedy, 'ok']);
      // What other programs print is the same command, and says where.
      const { message } = spelled(refuse(code, context)).error;
      const inBrackets = message.slice(message.lastIndexOf(' (') + 2, -1);
      expect(readRemedy(inBrackets)).toEqual({ kind: 'run', text: remedy, isThere: true, note: null });
    }
  },
);

const KEY = 'agent:main:main' as SessionKey;
/** What no shell takes as it is. */
const ODD = "agent:main:it's $HOME" as SessionKey;

test.each([KEY, ODD])('rule: whatever a run failed of in %s, what helps is a command that parses', async (key) => {
  const failures = Object.keys(FAILURES) as FailureKind[];
  const facts = { model: 'lab/one', why: 'because' };
  const ends = [
    ...failures.map((kind) => modelFailed(key, new ModelFailure(kind, facts))),
    ...[timedOut(key, 5_000), filtered(key), stepless(key, 16), agentless('x'), modelless('x'), broken()],
    conversationless(),
  ];
  for (const { code, text, remedy = '' } of ends) {
    expect([code, readRemedy(remedy).kind, await parses(remedy)]).toEqual([code, 'run', 'ok']);
    expect(remedy).not.toContain('$');
    expect(text).not.toBe('');
  }
  expect(new Set(ends.map(({ code }) => code)).size).toBe(ends.length - 1);
});

test('rule: the check of remedies fails where one is no command', async () => {
  expect(await parses('latchkey devices approve a b c')).not.toBe('ok');
  expect(await parses('latchkey devices list shows them')).not.toBe('ok');
  expect(readRemedy('mend what gateway.auth names').kind).toBe('do');
});

test('rule: what can be pasted stands alone on its line; where and why stand beside it', () => {
  expect(remedyText('latchkey status')).toBe('  run: latchkey status');
  expect(remedyText('try again in a moment')).toBe('  do: try again in a moment');
  const there = "on the gateway's host: latchkey devices list   (approve what device c1 asks, nothing else)";
  expect(remedyText(there).split('\n')).toEqual([
    "  run on the gateway's host: latchkey devices list",
    '       (approve what device c1 asks, nothing else)',
  ]);
  expect(remedyFields(there)).toEqual({
    run: 'latchkey devices list',
    where: "the gateway's host",
    note: 'approve what device c1 asks, nothing else',
  });
  expect(remedyFields('try again')).toEqual({ do: 'try again' });
});

test('T18 what a deeper part advises names the state directory of this command line', () => {
  expect(withPlace('latchkey config schema', { stateDir: '/a b' })).toBe("latchkey --state-dir '/a b' config schema");
  expect(withPlace('latchkey --profile x status', { profile: 'y' })).toBe('latchkey --profile x status');
  const there = "on the gateway's host: latchkey status";
  expect(withPlace(there, { profile: 'y' })).toBe(there);
});

test('rule: the other scheme is the same command line, without a secret in it', () => {
  const at = (argv: string[], globals: object) =>
    otherScheme({ globals, host: { argv } as unknown as Host }, 'ws://h:1');
  expect(at(['--url', 'ws://h:1', 'status', '--deep'], { url: 'ws://h:1' })).toBe(
    'latchkey --url wss://h:1 status --deep',
  );
  expect(at(['status', '--url=ws://h:1'], { url: 'ws://h:1' })).toBe('latchkey status --url=wss://h:1');
  expect(at(['--url', 'ws://h:1', '--token', 'T', 'health'], { url: 'ws://h:1', token: 'T' })).not.toContain('T ');
  expect(at(['status'], {})).toBe('latchkey --url wss://h:1 status');
});

test('rule: what the system says is said in words, with its own name for it', () => {
  expect(inWords('connect ECONNREFUSED 127.0.0.1:1')).toBe('nobody listens there (ECONNREFUSED)');
  expect(inWords('getaddrinfo ENOTFOUND nowhere.example')).toBe('there is no such host (ENOTFOUND)');
  expect(inWords('ENOENT')).toBe('there is no such file or directory (ENOENT)');
  expect(inWords("EACCES: permission denied, open '/x'")).toMatch(/^permission denied for user \S.* \(EACCES\), open/);
  expect(inWords('nobody listens there (ECONNREFUSED)')).toBe('nobody listens there (ECONNREFUSED)');
  expect(inWords('the gateway says: ERROR of its own')).toBe('the gateway says: ERROR of its own');
});
