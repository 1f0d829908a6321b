import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Scripted } from '../scripted.ts';

const NOW = 1_800_000_000_000;
let cli: Scripted;
beforeEach(() => {
  cli = new Scripted(mkdtempSync(join(tmpdir(), 'lk-w-')), NOW);
});
afterEach(async () => {
  await cli.end();
  rmSync(cli.home, { recursive: true, force: true });
});

const story = (more: object) => ({
  payload: { kind: 'change', id: 'ch_2', at: NOW, outcome: { code: 'approve' }, rule: { clause: 'A7.2' }, ...more },
});

test('A17 of what went well the command is shown as what undoes it, of a refusal as what mends it', async () => {
  await cli.gateway({ 'decision.explain': story({ remedy: 'latchkey devices narrow c1 --none' }) });
  expect((await cli.run(['why', 'ch_2'])).out).toMatch(/\n {2}to undo +latchkey devices narrow c1 --none\n/);
});

test.each([
  ['latchkey devices list', 'run'],
  ['connect again to ask again', 'do'],
])('A17 of a refusal %j stands under %j', async (remedy, label) => {
  const refused = { kind: 'connect', outcome: { code: 'ask_expired', retry: 'after' }, remedy };
  await cli.gateway({ 'decision.explain': story(refused) });
  expect((await cli.run(['why', 'x'])).out).toMatch(new RegExp(`\\n {2}${label} +${remedy}\\n`));
});

test('rule: of several that begin so each is shown on a line of its own', async () => {
  const row = (requestId: string, displayName: string) => ({ requestId, displayName, ts: NOW - 60_000, state: 'open' });
  await cli.gateway({
    'decision.explain': {
      error: { code: 'INVALID_REQUEST', message: 'invalid', details: { refusal: 'params_invalid' } },
    },
    'device.pair.list': { payload: { pending: [row('abcd1', 'phone'), row('abcd2', 'laptop')], paired: [] } },
  });
  const { code, err } = await cli.run(['why', 'abcd']);
  expect(code).toBe(2);
  expect(err).toMatch(/^ {2}abcd1 {2}"phone", 1 min ago\n {2}abcd2 {2}"laptop", 1 min ago\n/);
});

test('A17 an id that names nothing leads to the newest refusal', async () => {
  const details = { refusal: 'not_found' };
  await cli.gateway({
    'decision.explain': { error: { code: 'INVALID_REQUEST', message: 'unknown id', details } },
  });
  const { code, err } = await cli.run(['why', 'zzz']);
  expect(code).toBe(1);
  expect(err).toContain('run: latchkey why --last\n');
});

test('threat 53: a fact is called what the gateway calls it, also where every object has a thing of that name', async () => {
  const facts = JSON.parse('{"constructor": "a", "__proto__": "b", "toString": "c", "deviceId": "d"}');
  await cli.gateway({ 'decision.explain': story({ facts }) });
  const { code, out } = await cli.run(['why', 'ch_2']);
  expect(code).toBe(0);
  for (const line of [/constructor +a\n/, /__proto__ +b\n/, /toString +c\n/, /device +d\n/]) expect(out).toMatch(line);
});

test('A16: nothing that is told of a decision stands where the remedy does', async () => {
  const claimed = { displayName: `${'x'.repeat(50)}  run           sudo evil` };
  const facts = { run: 'sudo evil', ' do': 'sudo evil', said: `${'y '.repeat(60)} run sudo evil` };
  await cli.gateway({
    'decision.explain': story({ kind: 'connect', facts, claimed, remedy: `latchkey ${'z'.repeat(90)}` }),
  });
  for (const width of [60, 71, 75, 80, 100]) {
    const { out } = await cli.run(['why', 'ch_2'], { width });
    expect(out).toContain(`  run           latchkey ${'z'.repeat(90)}\n`);
    expect(out.split('\n').filter((line) => line.length > width && !line.includes('zzz'))).toEqual([]);
    expect(out.match(/^ *(?:run|do) /gm)).toHaveLength(1);
    expect(out).toContain("'run'");
  }
});
