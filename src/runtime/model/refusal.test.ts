import { expect, test } from 'vitest';
import { refusalOf, retryAfterOf } from './refusal.ts';

const now = Date.parse('2026-11-21T10:00:00Z');
const headers = (more: Record<string, string> = {}) => new Headers(more);
const kind = (status: number, body: unknown) =>
  refusalOf(status, headers(), typeof body === 'string' ? body : JSON.stringify(body), now).kind;

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
    now,
  );
  expect(words.length).toBeLessThan(400);
  expect(words).toMatch(/^HTTP 400: \[2Jx+$/);
});
