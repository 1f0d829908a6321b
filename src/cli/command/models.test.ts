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

/** Nothing moved a cursor, began a line, or stands in a command. */
function expectTame(out: string): void {
  expect(out).toContain('\\n');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  expect(out).not.toMatch(/^\s*run: latchkey pwned/m);
  for (const line of out.split('\n').filter((one) => /^\s*(run|do): /.test(one))) {
    expect(line).toMatch(/^\s*run: latchkey (--state-dir \S+ )?(models (list|status)|config get models\.providers)$/);
  }
}

test.each(['missing', 'unresolved', 'present', 'unneeded', 'unread', EVIL])(
  'threat 53: models status shows what a lying gateway says as text, and puts none of it into a command: key %j',
  async (state) => {
    const key = { state, from: EVIL, why: EVIL };
    const rows = [provider({ name: EVIL, kind: EVIL, baseUrl: EVIL, key }), provider({ unnamed: EVIL })];
    await cli.gateway({
      ...statusOf(rows, { model: EVIL, why: EVIL, fallbacks: [EVIL], problems: [EVIL] }),
      'models.probe': { payload: { probes: [{ model: EVIL, ok: false, failure: EVIL, why: EVIL }] } },
    });
    const { out } = await cli.run(['models', 'status', '--probe']);
    expectTame(out);
    expect(out.split('\n').length).toBeLessThan(20);
  },
);

test('threat 53: models list shows what a lying gateway says as text', async () => {
  const models = [{ id: EVIL, provider: EVIL, tags: [EVIL], local: true, available: true, cost: EVIL }];
  await cli.gateway({ 'models.list': { payload: { models } } });
  expectTame((await cli.run(['models', 'list'])).out);
  const { err } = await cli.run(['models', 'list', '--provider', EVIL.slice(1)]);
  expectTame(err.replace(/^ {2}why: .*\n/m, ''));
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
