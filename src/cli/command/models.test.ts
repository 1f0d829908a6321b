import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Context } from '../context.ts';
import { renderParts } from '../part.ts';
import { type Answer, Scripted } from '../scripted.ts';
import { foreignParts, foreignRows } from './status-foreign.ts';

let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-m-')), 1_800_000_000_000);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

/** What a gateway that lies says everywhere: a line of its own, a terminal's commands, a shell's words. */
const EVIL = "x; touch /tmp/pwn #\n  run: latchkey pwned\u001b[2J\u202e'$(id)`id`";

function provider(more: Record<string, unknown> = {}) {
  return {
    name: 'ollama',
    kind: 'openai-compatible',
    baseUrl: 'http://127.0.0.1:11434/v1',
    local: true,
    from: 'found',
    key: { state: 'unneeded', from: null, why: null },
    models: 1,
    ...more,
  };
}

function statusOf(providers: readonly unknown[], more: Record<string, unknown> = {}): Record<string, Answer> {
  const budget = { tokensPerDay: null, usdPerDay: null };
  const payload = { model: 'offline/echo', why: '', fallbacks: [], budget, aliases: {}, providers, problems: [] };
  return { 'models.status': { payload: { ...payload, ...more } } };
}

const DECLARE = 'do: declare the model in models.providers, with reasoning: true where it thinks: docs/models.md';

/** Nothing moved a cursor, began a line, or stands in a command. */
function expectTame(out: string): void {
  expect(out).toContain('\\n');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  expect(out).not.toMatch(/^\s*run: latchkey pwned/m);
  for (const line of out.split('\n').filter((one) => /^\s*(run|do): /.test(one))) {
    if (line.trim() === DECLARE) continue;
    expect(line).toMatch(
      /^\s*run: latchkey (--state-dir \S+ )?(models (list|status)|config get (models\.providers|agents))$/,
    );
  }
}

test.each(['missing', 'unresolved', 'present', 'unneeded', 'unread', EVIL])(
  'threat 53: models status shows what a lying gateway says as text, and puts none of it into a command: key %j',
  async (state) => {
    const key = { state, from: EVIL, why: EVIL };
    const evil = { name: EVIL, kind: EVIL, baseUrl: EVIL, key };
    const unlisted = (failure: string) => provider({ ...evil, unlisted: { failure, why: EVIL } });
    const rows = [provider(evil), provider({ unnamed: EVIL }), ...['auth', 'network', 'malformed', EVIL].map(unlisted)];
    const spent = { agentId: EVIL, tokens: 2, usd: 2, tokensPerDay: 1, usdPerDay: 1, tokensKey: EVIL, usdKey: EVIL };
    const more = { problems: [EVIL], warnings: [EVIL], spent: [spent], dayEndsAt: 1e300, zone: EVIL };
    const probes = ['auth', 'network', 'setup', 'budget', 'not_found', 'malformed', EVIL].map((failure) => {
      return { model: EVIL, ok: false, failure, why: EVIL };
    });
    await cli.gateway({
      ...statusOf(rows, { model: EVIL, why: EVIL, fallbacks: [EVIL], ...more }),
      'models.probe': { payload: { probes } },
    });
    const { out } = await cli.run(['models', 'status', '--probe']);
    expectTame(out);
    expect(out.split('\n').length).toBeLessThan(45);
  },
);

test('threat 53: models list shows what a lying gateway says as text', async () => {
  const models = [{ id: EVIL, provider: EVIL, tags: [EVIL], local: true, available: true, cost: EVIL }];
  const unlisted = [{ provider: EVIL, failure: 'auth', why: EVIL }];
  await cli.gateway({ 'models.list': { payload: { models, unlisted } } });
  expectTame((await cli.run(['models', 'list'])).out);
  const { err } = await cli.run(['models', 'list', '--provider', EVIL.slice(1)]);
  expectTame(err.replace(/^ {2}why: .*\n/m, ''));
});

test('threat 53: usage shows what a lying gateway says as text', async () => {
  const cost = { runs: 1, input: EVIL, missingCostEntries: 1 };
  const agents = [
    { agentId: EVIL, ...cost },
    { agentId: `${EVIL}2`, ...cost },
  ];
  const payload = { days: 1, daily: [{ date: EVIL, ...cost }], totals: cost, agents, zone: EVIL, wholeFrom: EVIL };
  await cli.gateway({ 'usage.cost': { payload } });
  expectTame((await cli.run(['usage'])).out);
});

test('threat 53: models set with hostile words refuses them as text', async () => {
  const { code, err } = await cli.run(['models', 'set', EVIL]);
  expect(code).not.toBe(0);
  expect(err).not.toMatch(/^\s*run: latchkey pwned/m);
  expect(err).not.toContain('\u001b');
});

test('threat 53: the status of a foreign gateway shows what it says as text', () => {
  const context = { globals: {}, command: 'latchkey' } as Context;
  const found = { answer: { runtimeVersion: EVIL }, list: null, why: `not told: ${EVIL}` };
  const shown =
    foreignRows(context, found).flat().join(' ') + renderParts(foreignParts(context, found, 1), (_, t) => t);
  expectTame(shown);
  expect(shown).toContain('no Latchkey');
  expect(
    foreignRows(context, { ...found, answer: { runtimeVersion: 'x'.repeat(9_000) } })
      .flat()
      .join('').length,
  ).toBeLessThan(2_000);
});

test('threat 53: what a part is called, says and advises is text on its own line', () => {
  const shown = renderParts([{ part: EVIL, state: 'fail', detail: EVIL.repeat(1_000), run: EVIL }], (_, text) => text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  expect(shown.split('\n')).toHaveLength(3);
  expect(shown.length).toBeLessThan(8_000);
});

test('threat: a server that was found and may be anybody is named with the command that chooses it', async () => {
  await cli.gateway(statusOf([provider({ unnamed: 'ollama/llama3.2:3b' })]));
  expect((await cli.run(['models', 'status'])).out).toMatch(
    /warn +ollama .*may be another user's.*\n +run: latchkey .*models set ollama\/llama3\.2:3b\n/,
  );
});

test('rule: a table of very many rows is a table', async () => {
  const models = Array.from({ length: 150_000 }, (_, n) => ({ id: String(n), provider: 'p' }));
  await cli.gateway({ 'models.list': { payload: { models } } });
  expect((await cli.run(['models', 'list'])).out).toContain('p/149999');
});

test('rule: where no gateway runs, a model that is not declared beside others is written with a word', async () => {
  const lab = '{kind: "openai-compatible", baseUrl: "http://127.0.0.1:9/v1", models: [{id: "big-1"}]}';
  await cli.run(['config', 'set', 'models.providers.lab', lab]);
  const { code, out, err } = await cli.run(['models', 'set', 'lab/bgi-1']);
  expect(code).toBe(0);
  expect(out).toContain('agents think with lab/bgi-1\n');
  expect(err).toMatch(/did you mean 'lab\/big-1'.*\n +run: latchkey .*models set lab\/big-1\n/);
  expect(await cli.run(['models', 'set', 'lab/big-1'])).toMatchObject({ code: 0, err: '' });
  const one = await cli.run(['models', 'set', 'big-1']);
  expect(one.err).toMatch(/did you mean 'lab\/big-1'.*\n +run: latchkey .*models set lab\/big-1\n/);
  await cli.run(['config', 'set', 'models.providers.other', lab]);
  const two = await cli.run(['models', 'set', 'big-1']);
  expect(two.err).toMatch(/several providers have one: lab\/big-1, other\/big-1\n +run: latchkey .*models list\n/);
});

test('rule: a provider may be called as a thing that every object has', async () => {
  const at = '{kind: "openai-compatible", baseUrl: "http://127.0.0.1:9/v1"}';
  expect(await cli.run(['config', 'set', 'models.providers.constructor', at])).toMatchObject({ code: 0 });
  // No gateway runs: whether it has a key is looked for here.
  expect(await cli.run(['models', 'set', 'constructor/m'])).toMatchObject({ code: 0, err: '' });
});
