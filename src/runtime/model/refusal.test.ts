import { expect, test } from 'vitest';
import { Redactor } from '../../system/redact.ts';
import { secretsOf } from './header.ts';
import { kindOfCodes, refusalOf, retryAfterOf, toldOf, wordsOf } from './refusal.ts';

const now = Date.parse('2026-11-21T10:00:00Z');
const headers = (more: Record<string, string> = {}) => new Headers(more);
const redact = (text: string) => text;
const kind = (status: number, body: unknown) =>
  refusalOf(status, headers(), typeof body === 'string' ? body : JSON.stringify(body), { nowMs: now, redact }).kind;

test.each([
  [{ 'retry-after': '7' }, 7_000],
  [{ 'retry-after': '0.5' }, 500],
  [{ 'retry-after': 'Sat, 21 Nov 2026 10:01:00 GMT' }, 60_000],
  [{ 'retry-after': 'Sat, 21 Nov 2026 09:00:00 GMT' }, 0],
  [{ 'retry-after': '7', 'retry-after-ms': '1250' }, 1_250],
  [{ 'retry-after': 'soon' }, null],
  [{ 'retry-after': '-5' }, 0],
  [{}, null],
])('rule: Retry-After %j is read as %s ms', (sent, expected) => {
  expect(retryAfterOf(headers(sent as Record<string, string>), now)).toBe(expected);
});

test.each([
  [401, {}, 'auth'],
  [403, { error: { type: 'permission_error', message: 'no' } }, 'auth'],
  [
    400,
    [{ error: { status: 'INVALID_ARGUMENT', message: 'API key not valid', details: [{ reason: 'API_KEY_INVALID' }] } }],
    'auth',
  ],
  [402, {}, 'quota'],
  [429, { error: { code: 'insufficient_quota', message: 'pay' } }, 'quota'],
  [429, { error: { status: 'RESOURCE_EXHAUSTED', message: 'slow' } }, 'rate_limit'],
  [429, 'too many', 'rate_limit'],
  [529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, 'overloaded'],
  [503, '<html>busy</html>', 'overloaded'],
  [500, { error: { code: 'rate_limit_exceeded' } }, 'server'],
  [400, { error: { code: 'context_length_exceeded', message: 'x' } }, 'context'],
  [
    400,
    { error: { type: 'invalid_request_error', message: 'prompt is too long: 210000 tokens > 200000 maximum' } },
    'context',
  ],
  [
    400,
    { error: { message: 'The input token count (2000000) exceeds the maximum number of tokens allowed' } },
    'context',
  ],
  [413, {}, 'context'],
  [400, { error: { message: 'bad tool' } }, 'bad_request'],
  [422, {}, 'bad_request'],
  [404, { error: 'model "x" not found' }, 'not_found'],
] as const)('rule: HTTP %i %j is %s', (status, body, expected) => {
  expect(kind(status, body)).toBe(expected);
});

test('rule: the words of a provider are short, and move no cursor', () => {
  const { words } = refusalOf(
    400,
    headers(),
    JSON.stringify({ error: { message: `\u001b[2J${'x'.repeat(2_000)}\n` } }),
    { nowMs: now, redact },
  );
  expect(words.length).toBeLessThan(400);
  expect(words).toMatch(/^HTTP 400: \[2Jx+$/);
});

/** CPU time, not the clock's: others may be at work here too. */
function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

test.each([
  ['opened marks', '<'.repeat(300_000)],
  ['a count without an end', 'token count '.repeat(30_000)],
  ['beginnings of tokens', 'eyJ-'.repeat(75_000)],
  ['blanks', ' '.repeat(300_000)],
])('threat 53: an error of %s costs no more than a short one', (_what, text) => {
  const redactor = new Redactor();
  redactor.add('sk-4711-never-seen');
  const hide = (raw: string) => redactor.text(raw);
  const bodies = [text, JSON.stringify({ error: { message: text } })];
  const took = cpuMs(() => {
    for (const body of bodies) refusalOf(400, headers(), body, { nowMs: now, redact: hide });
    kindOfCodes([], wordsOf(text, hide));
  });
  expect(took).toBeLessThan(2_000);
});

test('threat 53: a key that lies across a cut is not seen, nor a half of one', () => {
  const key = `quux-4711-${'never'.repeat(40)}`;
  const redactor = new Redactor();
  redactor.add(key);
  const hide = (raw: string) => redactor.text(raw);
  for (const before of [200, 299, 4_090, 16 * 1024 - 20]) {
    for (const filling of ['x', ' ', '<b>']) {
      const raw = filling.repeat(Math.ceil(before / filling.length)).slice(0, before) + key + ' '.repeat(40_000);
      expect(toldOf(wordsOf(raw, hide)), `${before} ${filling}`).not.toContain('4711');
    }
  }
  // Many of them shrink to a short text, at whose end half of one is left.
  expect(wordsOf(`${key} `.repeat(1_000), hide)).not.toContain('4711');
});

test.each([
  ['Bearer KEY', ['KEY']],
  ['  Bearer   KEY ', ['KEY']],
  ['Token token="KEY"', ['KEY']],
  ['session=KEY; theme=KEY2', ['KEY', 'KEY2']],
  [`Basic ${Buffer.from('somebody:KEY').toString('base64')}`, ['KEY', 'somebody']],
  ['KEY', ['KEY']],
])('A16: of a header %j what a server may repeat is hidden too', (value, secrets) => {
  const real = (text: string) => text.replaceAll('KEY', 'a-key-4711');
  const sent = value.startsWith('Basic')
    ? `Basic ${Buffer.from(real('somebody:KEY')).toString('base64')}`
    : real(value);
  expect(secretsOf(sent)).toEqual(expect.arrayContaining([sent, ...secrets.map(real)]));
  expect(secretsOf(sent)).not.toContain('Bearer');
});
