import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ScriptedClock } from './clock.ts';
import { claimed, createLog, type Entry, type LogSink, renderJson, renderPretty } from './log.ts';
import { FileSink } from './log-sink.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function setUp(level: LogSink['level'] = 'trace') {
  const clock = new ScriptedClock();
  const entries: Entry[] = [];
  const sink: LogSink = { level, write: (entry) => entries.push(entry), flush() {} };
  const log = createLog({ clock, sinks: [sink] });
  return { clock, log, entries, text: () => entries.map(renderJson).join('\n') };
}

const SECRET = 'c0rrect+horse/battery=staple';

test.each([
  ['in the message', (s: string) => [`said ${s}!`, {}] as const],
  ['in a field', (s: string) => ['m', { host: `x${s}y` }] as const],
  ['deep in a field', (s: string) => ['m', { a: { b: [s] } }] as const],
  ['as a key of a field', (s: string) => ['m', { url: `http://h/?x=${encodeURIComponent(s)}` }] as const],
  ['as base64', (s: string) => ['m', { header: Buffer.from(s).toString('base64') }] as const],
  ['as hex', (s: string) => ['m', { dump: Buffer.from(s).toString('hex') }] as const],
  ['in an error', (s: string) => ['m', { error: new Error(`no ${s}`, { cause: new Error(s) }) }] as const],
  ['as JSON', (s: string) => ['m', { body: JSON.stringify({ k: s }) }] as const],
  ["in a client's words", (s: string) => ['m', { agent: claimed(`ua ${s}`) }] as const],
  ['behind a kilobyte', (s: string) => ['m', { agent: claimed(`${'x'.repeat(250)}${s}`) }] as const],
])('threat 52: a registered secret is in no line: %s', (_where, line) => {
  const { log, text } = setUp();
  log.hide(SECRET);
  const [message, fields] = line(SECRET);
  log.child('door').info(message, fields);
  expect(text()).toContain('door');
  for (const spelling of [SECRET, SECRET.slice(0, 12), encodeURIComponent(SECRET)])
    expect(text()).not.toContain(spelling);
  expect(text()).not.toContain(Buffer.from(SECRET).toString('base64').slice(0, 12));
  expect(text()).not.toContain(Buffer.from(SECRET).toString('hex').slice(0, 12));
});

test.each([
  ['{"token":"abcdef123456"}', 'abcdef123456'],
  ['Authorization: Bearer abcdef123456', 'abcdef123456'],
  ['GET /?token=abcdef123456&x=1', 'abcdef123456'],
  ['eyAzokHFwKSSY1P7_rmaYnU0yB05ZcQ90gIFvyD_tk8', 'eyAzokHFwKSSY1P7'],
  ['bot 123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr', 'AAbbCCdd'],
  ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc', 'eyJzdWIi'],
])('threat 52: what looks like a credential is out: %s', (message, secret) => {
  const { log, text } = setUp();
  log.info(message);
  expect(text()).not.toContain(secret);
});

test('threat 52: a field named as a secret is out, one that only looks like it stays', () => {
  const { log, entries } = setUp();
  log.info('m', { deviceToken: 'short', password: 'x1', tokens: 3, deviceId: 'a'.repeat(64), reason: 'token_missing' });
  expect(entries[0]?.fields).toEqual({
    deviceToken: '[redacted]',
    password: '[redacted]',
    tokens: 3,
    deviceId: 'a'.repeat(64),
    reason: 'token_missing',
  });
});

test('threat 2.13 log poisoning: 64 KB of control characters from a client are one short marked line', () => {
  const { log, entries } = setUp();
  log.warn('refused', { origin: claimed(`https://e\r\n\u001b[2J\u202e${'A'.repeat(65_536)}`) });
  const line = renderJson(entries[0] as Entry);
  expect(line.split('\n')).toHaveLength(1);
  expect(line.length).toBeLessThan(600);
  expect(JSON.parse(line).origin).toBeUndefined();
  expect(JSON.parse(line).claimed.origin).toMatch(/^https:\/\/e\\r\\n\\u001b\[2J\\u202eA+…\[\+\d+ bytes\]$/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
  expect(renderPretty(entries[0] as Entry, false)).not.toMatch(/[\u0000-\u001f\u202e]/);
});

test('threat 2.13 log poisoning: what clients say stands together, and no field of ours can be feigned', () => {
  const { log, entries } = setUp();
  log.info('m', { source: 'a', client: claimed('x level=error'), claimed: 'ours', deep: { list: [claimed('y'), 1] } });
  expect(entries[0]?.fields).toEqual({
    source: 'a',
    deep: { list: [1] },
    claimed: { client: 'x level=error', 'deep.list.0': 'y' },
  });
  const line = renderPretty(entries[0] as Entry, false);
  expect(line).toMatch(/ source=a deep=\S+ claimed\.client="x level=error" claimed\.deep\.list\.0="y"$/);
});

test('rule: a line has a bound, whatever lists add up to', () => {
  const { log, entries } = setUp();
  log.info('m', { many: Array.from({ length: 50 }, () => 'x'.repeat(4_000)) });
  expect(renderJson(entries[0] as Entry).length).toBeLessThan(40_000);
  expect(entries[0]?.fields).toMatchObject({ fields: ['many'] });
});

test('A16 the same thing is said once a minute, with how often it was left out', () => {
  const { log, entries, clock } = setUp();
  const refuse = () => log.onceAMinute('refused 192.0.2.1', 'warn', 'refused', { source: '192.0.2.1' });
  for (let i = 0; i < 100; i += 1) refuse();
  log.onceAMinute('other', 'warn', 'refused');
  clock.advance(59_999);
  refuse();
  expect(entries).toHaveLength(2);
  clock.advance(1);
  refuse();
  expect(entries[2]?.fields).toEqual({ source: '192.0.2.1', repeated: 100 });
});

test('rule: a level below the sink is not written', () => {
  const { log, entries } = setUp('warn');
  log.info('quiet');
  log.error('loud');
  expect(entries.map((e) => e.message)).toEqual(['loud']);
});

test('rule: what has no end or no text is cut, not thrown', () => {
  const { log, entries } = setUp();
  const round: Record<string, unknown> = {};
  round.self = round;
  log.info('m', {
    round,
    many: Array.from({ length: 1_000 }, (_, i) => i),
    big: 10n,
    f: () => 1,
    bytes: Buffer.alloc(9),
  });
  expect(JSON.stringify(entries[0]?.fields).length).toBeLessThan(2_000);
  expect(entries[0]?.fields).toMatchObject({ big: '10', bytes: '9 bytes' });
});

test('rule: the log file is private, never outgrows its size, and keeps the newest lines', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lk-log-'));
  folders.push(folder);
  const path = join(folder, 'gateway.jsonl');
  const sink = new FileSink({ level: 'info', path, maxBytes: 2_000, keep: 2 });
  const log = createLog({ clock: new ScriptedClock(), sinks: [sink] });
  for (let i = 0; i < 200; i += 1) log.info(`line ${i}`);
  sink.close();
  expect(readdirSync(folder).sort()).toEqual(['gateway.1.jsonl', 'gateway.2.jsonl', 'gateway.jsonl']);
  for (const name of readdirSync(folder)) {
    expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(2_000);
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  }
  const messages = ['gateway.2.jsonl', 'gateway.1.jsonl', 'gateway.jsonl'].flatMap((name) =>
    readFileSync(join(folder, name), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).message),
  );
  expect(messages.at(-1)).toBe('line 199');
  expect(messages).toEqual(messages.map((_, i) => `line ${200 - messages.length + i}`));
});

test('rule: a log that cannot be written loses lines, not the process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lk-log-'));
  folders.push(folder);
  const sink = new FileSink({
    level: 'info',
    path: join(folder, 'missing', 'gateway.jsonl'),
    maxBytes: 2_000,
    keep: 1,
  });
  const log = createLog({ clock: new ScriptedClock(), sinks: [sink] });
  expect(() => log.error('lost')).not.toThrow();
  sink.close();
});
