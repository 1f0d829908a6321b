// What a person sees of runs that came to nothing, and of what they typed: on a real process, from its command line.
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, newStateDir, removeStateDir, start } from '../gateway.ts';
import { until } from '../partner/peer.ts';

/** Looks like a key: it is in nothing that is told. */
const SECRET = 'sk-test-4711aaaabbbbccccddddeeee';
const MODELS = ['fast', 'slow', 'gone', 'shut'];

/** A server of models: `fast` answers, `slow` never ends, `gone` is a 404, `shut` a 401 that repeats its key. */
class Models {
  asked = 0;
  words = 0;
  readonly open = new Set<ServerResponse>();
  readonly #server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text) => {
      body += text;
    });
    request.on('end', () => this.#answer(JSON.parse(body || '{}').model, response));
  });

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(model: string, response: ServerResponse): void {
    this.asked += 1;
    if (model === 'gone' || model === 'shut') {
      response.writeHead(model === 'gone' ? 404 : 401, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message: `no: ${SECRET}` } }));
      return;
    }
    const say = (content: string, finish: string | null = null) =>
      response.write(
        `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 0, model, choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`,
      );
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (model === 'fast') {
      say('hello there');
      say('', 'stop');
      response.end('data: [DONE]\n\n');
      return;
    }
    this.open.add(response);
    const timer = setInterval(() => {
      this.words += 1;
      say('word ');
    }, 20);
    response.on('close', () => {
      clearInterval(timer);
      this.open.delete(response);
    });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: an answer is looked into as it comes
type Any = any;
const linesOf = (text: string): Any[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

const models = new Models();
let config: Readonly<Record<string, unknown>>;
beforeAll(async () => {
  const baseUrl = await models.start();
  config = {
    models: {
      local: { enabled: false },
      providers: { lab: { kind: 'openai-compatible', baseUrl, models: MODELS.map((id) => ({ id })) } },
    },
    agents: {
      defaults: { model: { primary: 'lab/fast' } },
      list: [{ id: 'main' }, ...MODELS.map((id) => ({ id, model: `lab/${id}` }))],
    },
  };
});
afterAll(() => models.stop());

const stateOf = async (gateway: Gateway, key: string): Promise<Any> => {
  const { stdout } = await gateway.cli(['sessions', 'list', '--json']);
  return JSON.parse(stdout).sessions.find((row: Any) => row.key === key);
};

/** Says it and lets it go on; resolves once the model is asked. */
async function goOn(gateway: Gateway, session: string): Promise<void> {
  const before = models.open.size;
  const said = await gateway.cli(['agent', '--agent', 'slow', '--session', session, '-m', 'go on', '--detach']);
  expect(said.code, said.stderr).toBe(0);
  await until('the model is asked', () => models.open.size > before, 60_000);
  // The first words are on their way before anybody can ask for anything else.
  const { words } = models;
  await until('it says something', () => models.words > words + 5, 60_000);
}

describe('runs that come to nothing', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await start({ config });
  });
  afterAll(() => gateway?.stop());

  it('A16: a run that failed is seen in list, show, tail, an export and the log: why, and what to run', async () => {
    for (const [id, why] of [
      ['gone', 'there is no such model'],
      ['shut', 'the key is refused'],
    ] as const) {
      expect((await gateway.cli(['agent', '--agent', id, '-m', 'hello'])).code).toBe(1);
      const key = `agent:${id}:main`;
      expect(await stateOf(gateway, key)).toMatchObject({ state: 'failed', status: 'failed' });
      expect((await gateway.cli(['sessions', 'list'])).stdout).toMatch(new RegExp(`${key} .* failed\\n`));
      const shown = [
        (await gateway.cli(['sessions', 'show', key])).stdout,
        (await gateway.cli(['sessions', 'tail', key])).stdout,
        (await gateway.cli(['sessions', 'export', key, '--format', 'markdown'])).stdout,
      ];
      for (const text of shown)
        expect(text).toMatch(new RegExp(`the run failed: lab/${id}: ${why}[\\s\\S]*run: latchkey --state-dir `));
      expect(shown[0]).toMatch(/^state {9}failed$/m);
      const rows = linesOf((await gateway.cli(['sessions', 'export', key])).stdout);
      expect(rows.at(-2)).toMatchObject({ type: 'run', kind: 'error', text: expect.stringContaining(why) });
      expect(linesOf((await gateway.cli(['sessions', 'tail', key, '--json'])).stdout).at(-2)).toMatchObject({
        event: 'run',
        kind: 'error',
      });
      const log = (await gateway.cli(['logs', '--level', 'warn'])).stdout;
      const warned = log.split('\n').filter((line) => line.includes(key));
      expect(warned).toHaveLength(1);
      expect(warned[0]).toMatch(/a run failed .*why="lab\/.*remedy="latchkey /);
      for (const text of [...shown, log]) expect(text).not.toContain(SECRET);
    }
  });

  it('A16: a run that works is running; /stop says what it dropped, and what was cut off is marked', async () => {
    await goOn(gateway, 'one');
    const key = 'agent:slow:one';
    expect(await stateOf(gateway, key)).toMatchObject({ state: 'running', status: 'running', hasActiveRun: true });
    const say = (text: string, ...more: string[]) =>
      gateway.cli(['agent', '--agent', 'slow', '--session', 'one', '-m', text, ...more]);
    await say('the first that waits', '--detach');
    await say(`the second that waits ${'x'.repeat(300)}`, '--detach');
    const asked = models.asked;
    const slip = await say('/stpo');
    expect(slip.code).toBe(1);
    expect(slip.stderr).toContain(
      'unknown command /stpo; did you mean /stop? (to say it as it is, put a space in front)',
    );
    const { stdout } = await say('/abort');
    expect(stdout).toMatch(
      /^Stopped: 3\. Of these waited, and were not said to the agent: 2\.\n {2}the first that waits\n {2}the second that waits x+…\n$/,
    );
    expect(models.asked).toBe(asked);
    expect(await stateOf(gateway, key)).toMatchObject({ state: 'aborted', status: 'killed', abortedLastRun: true });
    const tail = (await gateway.cli(['sessions', 'tail', key])).stdout;
    expect(tail).toMatch(
      /assistant\n {2}word [^\n]*\n\[cut off here\]\n\n\[the run was aborted: somebody stopped it\]\n\n/,
    );
    // Who said the command is told as well.
    expect(tail).toMatch(/user owner\n {2}\/abort\n/);
    const markdown = (await gateway.cli(['sessions', 'export', key, '--format', 'markdown'])).stdout;
    expect(markdown).toMatch(/> word [^\n]*\n\n\*Cut off here\.\*\n\n\n- `the run was aborted/);
    const rows = linesOf((await gateway.cli(['sessions', 'export', key])).stdout);
    expect(rows.filter(({ stop }) => stop !== undefined).map(({ stop }) => stop)).toEqual(['aborted']);
    // Somebody wished it: nothing to warn of.
    expect((await gateway.cli(['logs', '--level', 'warn'])).stdout).not.toContain(key);
  });

  it('rule: so many messages are printed as were asked for, with what came with them; of none there is said so', async () => {
    const owner = await gateway.owner();
    const attachments = [
      { fileName: 'notes.txt', mimeType: 'text/plain', content: Buffer.from('a'.repeat(2_048)).toString('base64') },
    ];
    await owner.ask('chat.send', { sessionKey: 'files', message: 'look', attachments, idempotencyKey: 'look-1' });
    await owner.ask('agent.wait', { runId: 'look-1', timeoutMs: 60_000 });
    for (let n = 0; n < 3; n += 1) await gateway.cli(['agent', '--session', 'files', '-m', '/queue']);
    const all = await gateway.cli(['sessions', 'tail', 'files']);
    expect(all.stdout).toContain('(attachment notes.txt, text/plain, 2.0 KiB)');
    const lines = linesOf((await gateway.cli(['sessions', 'tail', 'files', '--limit', '3', '--json'])).stdout);
    expect(lines.at(-1)).toEqual({ done: true, messages: 3 });
    for (const more of [[], ['--follow'], ['--json']]) {
      const none = await gateway.cli(['sessions', 'tail', 'nosuch', ...more]);
      expect(none.code).toBe(1);
      expect(none.stderr).toMatch(
        /there is no session nosuch\n {2}why: [^\n]+\n {2}run: latchkey [^\n]*sessions list\n$/,
      );
    }
    const keyless = await gateway.cli(['sessions', 'export']);
    expect([keyless.code, keyless.stderr]).toEqual([2, expect.stringMatching(/run: latchkey [^\n]*sessions list\n$/)]);
  });

  it('rule: an earlier conversation is named by sessions show, and read by its id', async () => {
    const say = (text: string) => gateway.cli(['agent', '--session', 'again', '-m', text]);
    await say('of the first one');
    await say('/new');
    await say('of the second one');
    const { stdout } = await gateway.cli(['sessions', 'show', 'again', '--json']);
    const { earlier, session } = JSON.parse(stdout);
    expect(earlier).toEqual([
      { sessionId: expect.any(String), resetAt: expect.any(Number), bytes: expect.any(Number) },
    ]);
    expect(earlier[0].sessionId).not.toBe(session.sessionId);
    const text = (await gateway.cli(['sessions', 'show', 'again'])).stdout;
    expect(text).toMatch(
      /^earlier {7}\S+ {2}reset \S+ \S+, \d+ bytes\n {14}to read one: latchkey [^\n]*sessions export again --id ID$/m,
    );
    const old = await gateway.cli(['sessions', 'export', 'again', '--id', earlier[0].sessionId]);
    expect(old.stdout).toContain('of the first one');
    expect(old.stdout).not.toContain('of the second one');
    expect((await gateway.cli(['sessions', 'export', 'files', '--id', earlier[0].sessionId])).code).toBe(1);
  });

  it('rule: what is thought, taken and summed up is asked for in the chat, without a model', async () => {
    const say = async (text: string) => (await gateway.cli(['agent', '--session', 'asked', '-m', text])).stdout;
    await say('hello');
    const asked = models.asked;
    expect(await say('/think')).toMatch(/^Thinking: off\. The model has off\. /);
    expect(await say('/think high')).toBe('Thinking: off.\n');
    expect(await stateOf(gateway, 'agent:main:asked')).toMatchObject({ thinkingLevel: 'high' });
    await say('/think default');
    expect(await stateOf(gateway, 'agent:main:asked')).not.toHaveProperty('thinkingLevel');
    expect(await say('/usage')).toMatch(
      /^This session: \d+ tokens in, \d+ out\nThe agent today: \d+ runs?, \d+ tokens, \$0\.00/,
    );
    expect(await say('/help')).toContain('/stop, /abort: ');
    expect(models.asked).toBe(asked);
    expect(await say('/compact')).toMatch(/summed up|nothing to sum up/);
  });
});

it('A16: a gateway that is killed leaves a trace: in status, also after a command without one, and in the log of the next', async () => {
  const stateDir = newStateDir(config);
  try {
    const first = await start({ stateDir });
    await goOn(first, 'cut');
    await first.kill();
    const last = new RegExp(`last gateway {4}pid ${first.pid} \\(latchkey gateway\\), gone\\n`);
    expect((await first.cli(['status'])).stdout).toMatch(last);
    expect(await stateOf(first, 'agent:slow:cut')).toMatchObject({ state: 'interrupted', status: 'failed' });
    expect((await first.cli(['status'])).stdout).toMatch(last);
    const second = await start({ stateDir });
    expect(await stateOf(second, 'agent:slow:cut')).toMatchObject({ state: 'interrupted', status: 'failed' });
    const log = (await second.cli(['logs', '--level', 'warn'])).stdout;
    expect(
      log.match(new RegExp(`the gateway before this one did not stop: it died itsPid=${first.pid}`, 'g')),
    ).toHaveLength(1);
    expect(log.match(/a run was interrupted[^\n]* session=agent:slow:cut/g)).toHaveLength(1);
    expect((await second.cli(['sessions', 'show', 'agent:slow:cut'])).stdout).toContain('the run was interrupted: ');
    await second.halt();
    // That one went as it should.
    const third = await start({ stateDir });
    expect((await third.cli(['logs', '--level', 'warn'])).stdout.match(/did not stop/g)).toHaveLength(1);
    await third.halt();
  } finally {
    removeStateDir(stateDir);
  }
});
