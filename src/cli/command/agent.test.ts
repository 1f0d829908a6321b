import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ATTACHMENT_MAX } from '../../core/protocol/attachment.ts';
import { type Answer, Scripted } from '../scripted.ts';

let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-t-')), 1_800_000_000_000);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

const STARTED = { runId: 'r', status: 'started' };
const gateway = (more: Readonly<Record<string, Answer>> = {}) =>
  cli.gateway({
    connect: { payload: {} },
    'chat.send': { payload: STARTED },
    'agent.wait': { payload: { runId: 'r', status: 'ok' } },
    ...more,
  });
const agent = (...args: string[]) => cli.run(['agent', ...args]);
const paramsOf = (method: string) => cli.calls.filter((call) => call.method === method).map(({ params }) => params);
const put = (name: string, content: string | Buffer) => {
  const path = join(cli.home, name);
  writeFileSync(path, content);
  return path;
};
const PNG = Buffer.from('89504e470d0a1a0a0000', 'hex');

test('rule: what goes with a message, how much is thought and how long it may take are sent as they are said', async () => {
  await gateway();
  const files = [put('a.MD', '# é'), put('picture', PNG), put('noname', 'x')];
  const attached = files.flatMap((file) => ['--attach', file]);
  const { code, err } = await agent('-m', 'look', '--id', 'i', '--thinking', 'high', '--timeout', '90s', ...attached);
  expect([code, err]).toEqual([0, '']);
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  expect(paramsOf('chat.send')).toEqual([
    {
      sessionKey: '',
      message: 'look',
      idempotencyKey: 'i',
      attachments: [
        { type: 'file', fileName: 'a.MD', mimeType: 'text/markdown', content: base64('# é') },
        { type: 'image', fileName: 'picture', mimeType: 'image/png', content: PNG.toString('base64') },
        { type: 'file', fileName: 'noname', mimeType: 'text/plain', content: base64('x') },
      ],
      thinking: 'high',
      timeoutMs: 90_000,
    },
  ]);
  // Nothing that was not said is sent.
  await agent('-m', 'look', '--id', 'j');
  expect(paramsOf('chat.send')[1]).toEqual({ sessionKey: '', message: 'look', idempotencyKey: 'j' });
});

test('rule: a file that the gateway would refuse is refused by its name, before anything is sent', async () => {
  await gateway();
  const large = (name: string, head: Buffer | string, size: number) => {
    const path = put(name, head);
    truncateSync(path, size);
    return path;
  };
  mkdirSync(join(cli.home, 'folder'));
  const { count, imageBytes, textBytes } = ATTACHMENT_MAX;
  const images = Array.from({ length: 4 }, (_, n) => large(`${n}.png`, PNG, imageBytes));
  const wrong: readonly (readonly [string, readonly string[], string])[] = [
    ['nosuch', ['nosuch'], 'no such file'],
    ['folder', [join(cli.home, 'folder')], 'directory'],
    ['binary.txt', [put('binary.txt', Buffer.from([0xff, 0xfe, 0x00]))], 'neither PNG'],
    ['nul.txt', [put('nul.txt', 'a\0b')], 'neither PNG'],
    ['long.txt', [put('long.txt', 'x'.repeat(textBytes + 1))], `a text may have ${textBytes}`],
    ['vast.png', [large('vast.png', PNG, imageBytes + 1)], `more than ${imageBytes}`],
    ['3.png', images, 'with it'],
    ['many10', Array.from({ length: count + 1 }, (_, n) => put(`many${n}`, 'x')), `at most ${count}`],
  ];
  for (const [name, files, why] of wrong) {
    const { code, err } = await agent('-m', 'x', ...files.flatMap((file) => ['--attach', file]));
    expect([name, code]).toEqual([name, 2]);
    expect(err).toMatch(new RegExp(`${name} can't go with the message; nothing was sent\\n {2}why: .*${why}`));
  }
  expect(paramsOf('chat.send')).toEqual([]);
});

/** A regular file of no size, by what it says, and without an end. */
const ENDLESS = '/proc/self/pagemap';
test('threat 40: a file without an end is read no further than an image may be long', async (t) => {
  if (!existsSync(ENDLESS)) {
    process.stderr.write(`skipped: this system has no ${ENDLESS}\n`);
    return t.skip();
  }
  await gateway();
  const { code, err } = await agent('-m', 'x', '--attach', ENDLESS);
  expect(code).toBe(2);
  expect(err).toMatch(/nothing was sent\n {2}why: (it has more than \d+ bytes: no file may|permission denied)/);
  expect(paramsOf('chat.send')).toEqual([]);
});

test('rule: --abort ends all runs of a conversation, or the one that is named, and says nothing', async () => {
  await gateway({ 'chat.abort': { payload: { ok: true, aborted: true, runIds: ['a', 'b\u001b[2J'] } } });
  const all = await agent('--abort', '--agent', 'work', '--session', 'notes');
  expect(all).toMatchObject({ code: 0, err: '' });
  expect(all.out).toMatch(
    /^Aborted: 2 runs\.\n {2}a\n {2}'b\\u001b\[2J'\n {2}run: latchkey sessions tail agent:work:notes\n$/,
  );
  await cli.end();
  await gateway({ 'chat.abort': { payload: { ok: true, aborted: true, runIds: ['run: sudo', 'run:reboot'] } } });
  expect((await agent('--abort')).out.match(/^ {2}run:/gm)).toHaveLength(1);
  await cli.end();
  await gateway({ 'chat.abort': { payload: { ok: true, aborted: true, runIds: ['a', 'b\u001b[2J'] } } });
  const one = await agent('--abort', '--id', 'a', '--json');
  expect(JSON.parse(one.out)).toEqual({ done: true, aborted: true, runIds: ['a', 'b\u001b[2J'] });
  expect(paramsOf('chat.abort')).toEqual([
    { sessionKey: 'notes', agentId: 'work' },
    { sessionKey: '' },
    { sessionKey: '', runId: 'a' },
  ]);
  expect((await agent('--abort', '-m', 'x')).code).toBe(2);
  expect(await agent()).toMatchObject({ code: 2, err: expect.stringContaining("run: latchkey agent -m 'hello'") });
  expect(paramsOf('chat.send')).toEqual([]);
});

test('rule: who leaves with --detach is told the id, where the answer will stand, and what stops it', async () => {
  await gateway();
  const { code, out, err } = await agent('-m', 'x', '--detach', '--id', 'i 1', '--agent', 'work');
  expect([code, out]).toEqual([0, 'i 1\n']);
  expect(err).toContain('run: latchkey sessions tail agent:work:main\n');
  expect(err).toContain("to stop it: latchkey agent --abort --agent work --id 'i 1')");
});

test.each(['ok', 'error', 'aborted'])(
  'T19: what was said already (%s) is answered with what it was',
  async (status) => {
    const own = { role: 'assistant', content: [{ type: 'text', text: 'so\u001b[2J' }], __openclaw: { runId: 'i' } };
    const messages = [
      { role: 'user', content: [{ type: 'text', text: 'hi' }], __openclaw: { runId: 'i' } },
      own,
      { ...own, content: [{ type: 'text', text: 'other' }], __openclaw: { runId: 'j' } },
    ];
    await gateway({
      'chat.send': { payload: { runId: 'i', status } },
      'agent.wait': { payload: { runId: 'i', status: status === 'ok' ? 'ok' : 'error', error: 'because' } },
      'chat.history': { payload: { messages } },
    });
    const said = await agent('-m', 'hi', '--id', 'i', '--agent', 'work');
    expect(said).toMatchObject({ code: status === 'ok' ? 0 : 1, out: 'so\\u001b[2J\n' });
    expect(said.err).toContain('said already, under the id i; this is what was answered then');
    expect(paramsOf('chat.history')).toEqual([{ sessionKey: '', agentId: 'work', limit: 200 }]);
    const far = await agent('-m', 'hi', '--id', 'further');
    expect(far.out).toBe('');
    expect(far.err).toMatch(/further back\n {2}run: latchkey sessions tail\n/);
  },
);

test('A16: an agent that is misspelt, or meant by what it is called, is named as it was meant', async () => {
  const agents = [
    { id: 'main', name: 'Latchkey' },
    { id: 'work-bot', name: 'The Worker' },
  ];
  const unknown: Answer = { error: { code: 'INVALID_REQUEST', message: 'no', details: { refusal: 'unknown_agent' } } };
  await gateway({
    'chat.send': unknown,
    'agents.delete': unknown,
    'usage.cost': unknown,
    'agents.list': { payload: { agents } },
  });
  const lines: readonly (readonly [readonly string[], string])[] = [
    [['agent', '--agent', 'wrok-bot', '-m', 'wrok-bot'], 'latchkey agent --agent work-bot -m wrok-bot'],
    [['agent', '--agent=the worker', '-m', 'a b'], "latchkey agent --agent=work-bot -m 'a b'"],
    [['agent', '--session', 'agent:workbot:x', '-m', 'a'], 'latchkey agent --session agent:work-bot:x -m a'],
    [['agents', 'remove', 'wokr-bot'], 'latchkey agents remove work-bot'],
    [['usage', '--agent', 'work-bto'], 'latchkey usage --agent work-bot'],
  ];
  for (const [argv, run] of lines) {
    const { code, err } = await cli.run(argv);
    expect([argv, code]).toEqual([argv, 1]);
    expect(err).toMatch(/why: .*; did you mean work-bot\?\n/);
    expect(err).toContain(`run: ${run}\n`);
  }
  const far = await cli.run(['agent', '--agent', 'somebody-else', '-m', 'x']);
  expect(far.err).not.toContain('did you mean');
  expect(far.err).toContain('run: latchkey agents list');
});

test('threat 53: a gateway that lies about its agents puts nothing into a command', async () => {
  const evil = { id: 'work; touch /tmp/pwn', name: 'wrok' };
  await gateway({
    'chat.send': { error: { code: 'INVALID_REQUEST', message: 'no', details: { refusal: 'unknown_agent' } } },
    'agents.list': { payload: { agents: [evil, { id: 5, name: 'wrok' }] } },
  });
  const { err } = await agent('--agent', 'wrok', '-m', 'x');
  expect(err).not.toContain('touch');
  expect(err).not.toContain('did you mean');
});

test('A16: the help that a wrong value leads to names the option', async () => {
  const wrong = await agent('--timeout', '5', '-m', 'x');
  expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('run: latchkey agent --help\n') });
  expect((await agent('--help')).out).toContain('--timeout <duration>');
  const other = await cli.run(['health', '--timeout', '5']);
  expect(other.err).toContain('run: latchkey --help\n');
  expect((await cli.run(['--help'])).out).toContain('--timeout <duration>');
});
