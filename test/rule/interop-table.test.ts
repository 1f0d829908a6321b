// What `npm run interop` is judged by must itself be right: its committed tables are read back as they were written,
// a worse row fails, and its judge knows every failure that people have reported. Nothing of OpenClaw is needed here.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repeatedLines } from '../interop/aftermath.ts';
import { gatewayPart, readingCommands } from '../interop/command.ts';
import { type Facts, judge } from '../interop/judge.ts';
import type { Ran } from '../interop/openclaw.ts';
import { outcomeOf } from '../interop/outcome.ts';
import { type Column, columnOf, compare, type Page, parse, render, withColumn } from '../interop/table.ts';
import type { Finding, Verdict } from '../interop/verdict.ts';

const finding = (verdict: Verdict, says = ''): Finding => ({ verdict, says });

const page: Page = {
  title: 'A title',
  made: 'Made by a test,\nin two lines.',
  date: '2026-01-31',
  tables: [
    {
      name: 'one',
      about: 'What it shows:\n\nin two paragraphs.',
      rows: new Map([
        ['plain', { '2026.9.6': finding('works'), '2026.3.13': finding('degraded', 'says: this') }],
        [
          'a | b \\',
          {
            '2026.9.6': finding('fails', 'bars | and \\| slashes \\\\ and\nlines'),
            '2026.2.19': finding('not yet', 'X'),
          },
        ],
        ['not run', { '2026.2.19': finding('not run') }],
      ]),
    },
    { name: 'two', about: 'Nothing yet.', rows: new Map([['r', { '2026.3.13': finding('works', 'with words') }]]) },
  ],
};

describe('rule: the tables of interop', () => {
  it('rule: what is written is read back exactly, bars and backslashes too', () => {
    expect(parse(render(page))).toEqual(page);
    expect(render(parse(render(page)))).toBe(render(page));
  });

  it.each(['EXPECTED.md', 'PROOFS.md'])('rule: the committed %s is what it would be written as', (name) => {
    const file = join(import.meta.dirname, '..', 'interop', name);
    expect(existsSync(file)).toBe(true);
    const text = readFileSync(file, 'utf8');
    expect(render(parse(text))).toBe(text);
  });

  it('rule: a cell that begins with no verdict is refused', () => {
    expect(() => parse(render(page).replace('| works |', '| fine |'))).toThrow('no verdict');
  });

  it('rule: an update replaces its own column whole and keeps the others', () => {
    const [table] = page.tables;
    if (table === undefined) throw new Error('no table');
    const next = withColumn(table, '2026.9.6', new Map([['new', finding('works')]]));
    expect([...next.rows.keys()]).toEqual(['new', 'plain', 'a | b \\', 'not run']);
    expect([...columnOf(next, '2026.9.6').keys()]).toEqual(['new']);
    expect(columnOf(next, '2026.2.19')).toEqual(columnOf(table, '2026.2.19'));
  });

  it.each<[string, Finding | null, Finding | null, string[]]>([
    ['equal', finding('works'), finding('works'), []],
    ['worse', finding('works'), finding('degraded', 'x'), ['worse']],
    ['worse still', finding('not yet'), finding('fails', 'x'), ['worse']],
    ['can be run no more', finding('works'), finding('not run'), ['worse']],
    ['better', finding('fails', 'x'), finding('works'), ['better']],
    ['can be run now', finding('not run'), finding('works'), ['better']],
    ['other words', finding('fails', 'x'), finding('fails', 'y'), ['says']],
    ['not expected', null, finding('works'), ['unexpected']],
    ['not found', finding('works'), null, ['missing']],
  ])('rule: a row that is %s is told as such', (_, was, is, kinds) => {
    const column = (one: Finding | null): Column => new Map(one === null ? [] : [['row', one]]);
    expect(compare(column(was), column(is), true).map(({ kind }) => kind)).toEqual(kinds);
    const quick = kinds.filter((kind) => kind !== 'missing');
    expect(compare(column(was), column(is), false).map(({ kind }) => kind)).toEqual(quick);
  });
});

describe('rule: how a run of interop ends', () => {
  const run = (expected: Column, found: Column) => [{ part: 'one', release: '2026.9.6', expected, found } as const];
  const of = (...rows: readonly (readonly [string, Verdict])[]): Column =>
    new Map(rows.map(([row, verdict]) => [row, finding(verdict)]));

  it('rule: the last line counts each row once', () => {
    const expected = of(['same', 'works'], ['up', 'fails'], ['down', 'works'], ['gone', 'works']);
    const { verdict, isGood, lines } = outcomeOf(
      run(expected, of(['same', 'works'], ['up', 'works'], ['down', 'fails'], ['new', 'works'])),
      true,
    );
    expect(verdict).toBe('1 rows as expected, 1 better, 1 worse, 1 without expectation, 1 expected and not found');
    expect(isGood).toBe(false);
    expect(lines).toHaveLength(4);
  });

  it('rule: a column without any expectation fails, whole and quick', () => {
    for (const whole of [true, false]) {
      const { isGood, verdict, lines } = outcomeOf(run(of(), of(['a', 'works'], ['b', 'works'])), whole);
      expect(isGood).toBe(false);
      expect(verdict).toBe('0 rows as expected, 0 better, 0 worse, 2 without expectation');
      expect(lines[0]).toContain('nothing is expected: one, 2026.9.6');
    }
  });

  it('rule: in a quick look a row without expectation is told, and does not fail', () => {
    const [expected, found] = [of(['a', 'works'], ['long', 'works']), of(['a', 'works'], ['new', 'works'])];
    const { isGood, lines } = outcomeOf(run(expected, found), false);
    expect(isGood).toBe(true);
    expect(lines).toEqual(['without expectation: one, 2026.9.6, new: works']);
    expect(outcomeOf(run(expected, found), true).isGood).toBe(false);
  });

  it('rule: other words are as expected, and told; nothing that ran is no pass', () => {
    const column = (says: string): Column => new Map([['a', finding('fails', says)]]);
    const { isGood, isNews, verdict } = outcomeOf(run(column('x'), column('y')), true);
    expect({ isGood, isNews }).toEqual({ isGood: true, isNews: true });
    expect(verdict).toBe('1 rows as expected (1 in other words), 0 better, 0 worse, 0 without expectation');
    expect(outcomeOf([], true).isGood).toBe(false);
  });
});

const facts: Facts = {
  kind: 'latchkey',
  port: 4_711,
  version: '0.1.0',
  token: 'a-secret',
  homePath: '/a-home',
  witness: { id: 'a'.repeat(64), name: 'witness' },
};

const ran = (stdout: string, more: Partial<Ran> = {}): Ran => ({
  args: [],
  code: 0,
  stdout,
  stderr: '',
  wallMs: 1,
  timedOut: false,
  ...more,
});

const STATUS = '│ Gateway │ local · reachable 8ms · auth token · vm app │\n│         │ 0.1.0 linux │';

function command(line: string) {
  const found = readingCommands('2026.9.6').find((one) => one.line === line);
  if (found === undefined) throw new Error(`no command ${line}`);
  return found;
}

const verdict = (line: string, one: Ran) => judge(one, command(line), facts).finding;

describe('rule: the judge of interop', () => {
  it('rule: a status that shows this gateway works, and in a wrapped column too', () => {
    expect(verdict('status', ran(STATUS))).toEqual(finding('works'));
  });

  it.each([
    'gateway connect failed: Error: pairing required',
    'unreachable (missing scope: operator.read)',
    'Connect: ok · Capability: connect-only · Read probe: limited - missing scope: operator.read',
    'gateway closed (1008): device identity required',
    'gateway closed (1000 normal closure): no close reason',
    'unauthorized: device token mismatch (rotate/reissue device token)',
    'gateway token missing (set gateway.remote.token)',
    'scope upgrade pending approval (requestId: x)',
    'Gateway not reachable: unknown method: channels.status',
    'connect ECONNREFUSED 127.0.0.1:4711',
    'Gateway agent failed; falling back to embedded',
  ])('rule: whoever says "%s" does not work, with and without the rest', (text) => {
    expect(verdict('status', ran(STATUS, { stderr: text })).verdict).toBe('degraded');
    expect(verdict('status', ran(text)).verdict).toBe('fails');
    expect(verdict('status', ran(STATUS, { stderr: text, code: 1 })).verdict).toBe('fails');
  });

  it('rule: an answer that another gateway could have given is no answer', () => {
    expect(verdict('status', ran(STATUS.replace('0.1.0', '2026.9.6'))).says).toContain('no answer of this gateway');
    expect(verdict('devices list', ran('Paired (1)\n│ other │')).verdict).toBe('fails');
    expect(verdict('devices list --json', ran('{"pending":[],"paired":[{"deviceId":"b"}]}')).verdict).toBe('fails');
    expect(verdict('devices list --json', ran(`{"pending":[],"paired":[{"deviceId":"${'a'.repeat(64)}"}]}`))).toEqual(
      finding('works'),
    );
    expect(verdict('health', ran('')).verdict).toBe('fails');
  });

  it('rule: what the log of the gateway says is not what the command says', () => {
    const log = 'Log file: DIR/gateway.jsonl\ninfo gateway ready\nwarn gateway pairing required';
    expect(verdict('logs', ran(log))).toEqual(finding('works'));
    expect(verdict('logs', ran(log, { stderr: 'pairing required' })).verdict).toBe('degraded');
  });

  it('rule: a secret in the configuration that is told fails', () => {
    const told = (token: string) => `{"valid":true,"path":"/s/latchkey.json","config":{"token":"${token}"}}`;
    expect(verdict('gateway call config.get', ran(told('hidden')))).toEqual(finding('works'));
    expect(verdict('gateway call config.get', ran(told('a-secret'))).says).toContain('no secret in it');
  });

  it('rule: an unknown method is "not yet" only for a row of an issue to come', () => {
    const text = ran('', { code: 1, stderr: 'unknown method: cron.list' });
    const later = { evidence: () => null, later: true };
    expect(judge(text, later, facts).finding).toEqual(finding('not yet', 'unknown method: cron.list'));
    expect(judge(text, { evidence: () => null }, facts).finding.verdict).toBe('fails');
    expect(judge(ran('pairing required', { code: 1 }), later, facts).finding.verdict).toBe('fails');
  });

  it('rule: only who ran out of time and says nothing else is tried again', () => {
    const late = (stderr: string) => judge(ran('', { code: 1, stderr }), command('status'), facts).isLate;
    expect(late('gateway timeout after 10000ms')).toBe(true);
    expect(late('gateway timeout after 10000ms: pairing required')).toBe(false);
    expect(judge(ran(STATUS, { timedOut: true, code: null }), command('status'), facts)).toEqual({
      finding: finding('fails', 'did not end'),
      isLate: true,
    });
  });

  it('rule: of doctor the gateway’s part is judged, whatever memory and channels lack', () => {
    const box = (title: string, text: string) => `◇  ${title} ────╮\n│  ${text}  │\n├────────╯\n`;
    const other = box('Channel warnings', 'unknown method: channels.status') + box('Gateway', 'Gateway not running');
    expect(gatewayPart(other)).not.toContain('unknown method');
    expect(gatewayPart(other)).toContain('Gateway not running');
    expect(gatewayPart(`${box('Memory search', 'x: unknown method: y')}Session store (main)`)).toContain(
      'Session store',
    );
  });

  it('rule: a log line that comes twice is found, whatever its time, ids and device', () => {
    const line = (time: string, device: string, message: string) =>
      JSON.stringify({ time, device, message, what: 'pair' });
    const logs = ['Latchkey 0.1.0', line('1', 'x', 'refused'), line('2', 'y', 'refused'), line('3', 'z', 'other')];
    expect(repeatedLines(logs.join('\n'), new Set())).toHaveLength(1);
    expect(repeatedLines(logs.join('\n'), new Set(['"y"']))).toEqual([]);
    expect(repeatedLines(logs.slice(2).join('\n'), new Set())).toEqual([]);
  });
});
